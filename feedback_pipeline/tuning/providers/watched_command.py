"""Runs the command of a local training run and leaves its exit code: `python -m … FOLDER`."""

import subprocess
import sys
from pathlib import Path

import orjson


def main(folder: Path) -> int:
    """Runs `command.json` and writes `exit.json`, whole or not at all; returns the exit code."""
    arguments = orjson.loads((folder / "command.json").read_bytes())
    try:
        code = subprocess.run(arguments, stdin=subprocess.DEVNULL, check=False).returncode
    except OSError:
        code = 127  # what a shell says of a command that cannot be run
    draft = folder / ".exit.json"
    draft.write_bytes(orjson.dumps({"exit_code": code}))
    draft.replace(folder / "exit.json")
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
