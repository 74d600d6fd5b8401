"""Makes what the rooms' tests start (a service) importable here."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "capture"))
