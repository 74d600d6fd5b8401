"""`make test-browser`'s first step: a Chromium to drive. Installed where we may, asked for where not."""

import os
import shutil
import subprocess
import sys


def main() -> int:
    """Installs Debian's Chromium as root; says what to do otherwise."""
    if found := shutil.which("chromium") or shutil.which("chromium-browser"):
        print(f"Chromium: {found}")
        return 0
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
        subprocess.run(["apt-get", "install", "-y", "-qq", "chromium"], check=True, env=environment)
        return 0
    print("The browser tests did not run: there is no Chromium and this user may not install it.", file=sys.stderr)
    print("On Debian: sudo apt-get install chromium", file=sys.stderr)
    return 3


if __name__ == "__main__":
    sys.exit(main())
