"""Lighthouse gives every page 100 for accessibility. Run by `make test-accessibility`."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.browser.conftest import CHROMIUM, publish
from tests.browser.test_accessibility import NAMES, fill

LIGHTHOUSE = os.environ.get("FEEDBACK_TEST_LIGHTHOUSE")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(LIGHTHOUSE is None, reason="run by make test-accessibility, which installs Lighthouse"),
]
SCRIPT = Path(__file__).with_name("lighthouse.mjs")


def session(site: Any) -> str:
    """The cookie of somebody who is logged in."""
    with httpx.Client(base_url=site.url) as visitor:
        visitor.post("/console/login", data={"key": site.key})
        assert visitor.cookies
        return "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())


def test_every_page_has_all_points(site: Any) -> None:
    addresses = [*NAMES, *fill(site).values(), publish(site)]
    given = {
        "folder": LIGHTHOUSE,
        "chromium": next(path for name in CHROMIUM if (path := shutil.which(name))),
        "headers": {"Cookie": session(site)},
        "pages": [*(f"{site.url}/console{name}" for name in addresses), f"{site.url}/demo", f"{site.url}/docs"],
    }
    ran = subprocess.run(
        ["node", str(SCRIPT), json.dumps(given)], capture_output=True, text=True, timeout=500, check=False
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert len(found) == len(given["pages"])
    assert {page: one for page, one in found.items() if one.get("error") or one["score"] != 100} == {}
