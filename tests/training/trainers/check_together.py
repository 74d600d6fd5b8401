"""Together's own validator on files of JSON lines; prints one JSON result a file.

Needs together==2.14.0: later ones only look whether each line is an object.
"""

import json
import sys
from pathlib import Path

from together.lib.utils import check_file

for name in sys.argv[1:]:
    found = check_file(Path(name))
    print(
        json.dumps({"file": Path(name).name, "passed": found["is_check_passed"], "detail": found.get("message") or ""})
    )
