"""Makes the server that judging models are tested with importable."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "judging"))
