"""Makes the modules beside the tests (public_votes, judge_server, judged_world) importable."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
