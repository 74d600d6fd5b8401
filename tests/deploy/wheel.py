"""`make test-wheel`: the wheel, installed in an empty environment and used from an empty folder.

The checkout is not in sight: what the package does not bring with it is missed here, and nowhere else.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UV = Path(sys.executable).with_name("uv")
SECONDS_TO_LOAD = 240
LOCATION = "{workspaceOrError{... on Workspace{locationEntries{name locationOrLoadError{__typename}}}}}"


def main(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    empty, dist, environment = folder / "empty", folder / "dist", folder / "venv"
    empty.mkdir(parents=True)
    run(UV, "build", "--quiet", "--wheel", "--out-dir", dist, ROOT)
    [wheel] = dist.glob("*.whl")
    install(environment, wheel)
    installed = Installed(environment, empty)
    installed.says("feedback", "sample", "--votes", "200", "--weeks", "1", expected="over 1 weeks")
    installed.says("feedback", "materialize", expected="7 days, 1 weeks")
    installed.says("feedback", "status", expected="7 days computed, 0 wait")
    installed.serves()
    print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB, works from an empty folder")


def install(environment: Path, wheel: Path) -> None:
    """The locked packages and the wheel; FEEDBACK_TEST_SITE_PACKAGES names where they are, to save the download."""
    run(UV, "venv", "--quiet", "--python", sys.executable, environment)
    python = environment / "bin" / "python"
    into = ["pip", "install", "--quiet", "--python", python]
    if others := os.environ.get("FEEDBACK_TEST_SITE_PACKAGES"):
        [packages] = (environment / "lib").glob("python*/site-packages")
        # a plain path: what the other environment installed as editable is not seen through it
        (packages / "others.pth").write_text(others)
    else:
        run(UV, *into, "--require-hashes", "-r", ROOT / "requirements.lock")
    run(UV, *into, "--no-deps", wheel)


class Installed:
    """The package as somebody has it who has no checkout."""

    def __init__(self, environment: Path, empty: Path) -> None:
        self._bin, self._empty = environment / "bin", empty
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("FEEDBACK_", "PYTHON"))}
        self._environment = {**kept, "PATH": f"{self._bin}:{kept['PATH']}", "FEEDBACK_AUTOMATION": "0"}

    def says(self, *command: str, expected: str) -> None:
        program = self._bin / command[0]
        done = subprocess.run(
            [program, *command[1:]], cwd=self._empty, env=self._environment, capture_output=True, text=True
        )
        if done.returncode or expected not in done.stdout:
            sys.exit(f"{' '.join(command)} gave {done.returncode}:\n{done.stdout}{done.stderr}")

    def serves(self) -> None:
        """`feedback dev`: the code location loads and the capture API answers."""
        command = [self._bin / "feedback", "dev", "--port", "3987", "--api-port", "8987"]
        service = subprocess.Popen(command, cwd=self._empty, env=self._environment)
        try:
            deadline = time.monotonic() + SECONDS_TO_LOAD
            while (found := location_of("http://127.0.0.1:3987/graphql")) != "RepositoryLocation":
                if service.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"feedback dev did not load the code location: {found}")
                time.sleep(1)
        finally:
            service.send_signal(signal.SIGTERM)
            service.wait(60)


def location_of(url: str) -> str | None:
    data = json.dumps({"query": LOCATION}).encode()
    request = urllib.request.Request(url, data=data, headers={"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            [entry] = json.loads(answer.read())["data"]["workspaceOrError"]["locationEntries"]
    except (urllib.error.URLError, OSError, KeyError, ValueError):
        return None
    return (entry["locationOrLoadError"] or {}).get("__typename")


def run(*command: object) -> None:
    subprocess.run([str(one) for one in command], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
