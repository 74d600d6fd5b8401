"""Lighthouse gives every page 100 for accessibility. Run by `make test-accessibility`."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from feedback_pipeline.reports.page import render_html
from feedback_pipeline.reports.published import note_tenants
from feedback_pipeline.tables.parquet import ParquetFolder
from tests.browser.conftest import CHROMIUM
from tests.browser.test_accessibility import NAMES, fill
from tests.support.report_samples import WEEK, full_report

LIGHTHOUSE = os.environ.get("FEEDBACK_TEST_LIGHTHOUSE")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(LIGHTHOUSE is None, reason="run by make test-accessibility, which installs Lighthouse"),
]
SCRIPT = Path(__file__).with_name("lighthouse.mjs")


def publish(site: Any) -> str:
    """A report with every section, on the shelf; its address."""
    frames = ParquetFolder(site.settings.data_url)
    page = render_html(full_report()).encode()
    note_tenants(frames, WEEK, page, ["default"])
    (frames.root / "weekly_report" / f"{WEEK.start}.html").write_bytes(page)
    return f"/reports/weekly/{WEEK.start}"


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
