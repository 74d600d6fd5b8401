"""`make pictures`: what the documentation shows of the UI and of the report, taken anew from a running `feedback dev`.

The votes are the sample's. Nothing is computed by itself meanwhile, so that the pages stand still.
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
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from feedback_pipeline.calendar import monday_of
from feedback_pipeline.store.embedded import lasting_port

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "pictures"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
VOTES, WEEKS = "2000", "3"
PATIENCE = 180_000.0
"""Milliseconds; a first page loads the whole UI."""
SETTLED = 4_000.0
"""Milliseconds that drawings take to arrange themselves."""
SHOWN_HOME = "/srv/feedback"
"""In place of the folder of whoever takes the pictures."""
NAMED_ANEW = """([was, is]) => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) texts.currentNode.data = texts.currentNode.data.replaceAll(was, is);
}"""
RUNS = '{runsOrError(filter: {pipelineName: "weekly_loop", statuses: [SUCCESS]}){... on Runs{results{runId}}}}'
LOCATION = "{workspaceOrError{... on Workspace{locationEntries{locationOrLoadError{__typename}}}}}"


def main(home: Path) -> None:
    environment = {**os.environ, "FEEDBACK_HOME": str(home), "FEEDBACK_AUTOMATION": "0"}
    feedback = [sys.executable, "-m", "feedback_pipeline.cli"]
    for command in (["sample", "--votes", VOTES, "--weeks", WEEKS], ["materialize"]):
        subprocess.run([*feedback, *command], env=environment, cwd=ROOT, check=True)
    week = monday_of(datetime.now(UTC).date()) - timedelta(weeks=1)
    with serving([*feedback, "dev"], environment) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1500, "height": 900}, device_scale_factor=1)
        page.set_default_timeout(PATIENCE)
        run = ask(url, RUNS)["runsOrError"]["results"][0]["runId"]
        views = {
            "asset-graph": ("/asset-groups", "evaluation"),
            "asset": ("/assets/clean_feedback", "Description"),
            "partitions": (f"/assets/slice_findings?view=partitions&partition={week}", "findings"),
            "checks": ("/assets/clean_feedback?view=checks", "conservation"),
            "run": (f"/runs/{run}", "weekly_report"),
            "settings": ("/locations/feedback_pipeline/resources/pipeline", "judge_cost_cap_usd"),
        }
        for name, (path, shown) in views.items():
            page.goto(f"{url}{path}")
            try:
                page.get_by_text(shown).first.wait_for()
            except PlaywrightTimeoutError:
                print(f"{name}: {shown} is not there: look at the picture")
            page.wait_for_timeout(SETTLED)
            page.evaluate(NAMED_ANEW, [str(home), SHOWN_HOME])
            page.screenshot(path=PICTURES / f"{name}.png")
            print(f"{name}: {path}")
        _report(page, home / "data" / "weekly_report" / f"{week}.html")
        browser.close()


def _report(page: Page, file: Path) -> None:
    page.set_viewport_size({"width": 1000, "height": 1150})
    page.goto(file.as_uri())
    page.screenshot(path=PICTURES / "weekly-report.png")
    print(f"weekly-report: {file}")


def _chromium() -> str:
    found = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    return found or sys.exit("no Chromium is installed (Debian: apt-get install chromium)")


@contextmanager
def serving(command: list[str], environment: dict[str, str]) -> Iterator[str]:
    """The address of the UI, once the code location is loaded."""
    port, api = lasting_port(), lasting_port()
    service = subprocess.Popen([*command, "--port", str(port), "--api-port", str(api)], env=environment, cwd=ROOT)
    url = f"http://127.0.0.1:{port}"
    try:
        while not (found := ask(url, LOCATION)) or not _loaded(found):
            if service.poll() is not None:
                sys.exit("feedback dev ended")
            time.sleep(1)
        yield url
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait(60)


def _loaded(found: dict[str, Any]) -> bool:
    entries = found["workspaceOrError"]["locationEntries"]
    return all((one["locationOrLoadError"] or {}).get("__typename") == "RepositoryLocation" for one in entries)


def ask(url: str, query: str) -> dict[str, Any] | None:
    request = urllib.request.Request(
        f"{url}/graphql", data=json.dumps({"query": query}).encode(), headers={"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read())["data"]
    except (urllib.error.URLError, OSError):
        return None


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
