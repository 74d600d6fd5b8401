"""posthog-js itself beside the element: its pop-over opens, and a survey it does not know is our own form. Run by
`make test-frameworks`."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Host

expect = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed").expect

POSTHOG = os.environ.get("FEEDBACK_TEST_POSTHOG")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(POSTHOG is None, reason="run by make test-frameworks, which installs posthog-js"),
]
SURVEY = {
    "id": "s-1", "name": "How is it?", "type": "api", "start_date": "2026-01-01T00:00:00Z", "end_date": None,
    "questions": [{"id": "q", "type": "open", "question": "What would you change?"}], "conditions": None,
    "appearance": {"displayThankYouMessage": False}, "current_iteration": None,
}  # fmt: skip


def answered(page: Any) -> list[dict[str, Any]]:
    """PostHog's own service: what it knows of surveys; the events it was sent."""
    events: list[dict[str, Any]] = []

    def answer(route: Any) -> None:
        url, body = route.request.url, {}
        if "/surveys" in url:
            body = {"surveys": [SURVEY]}
        elif "/flags" in url or "/config" in url:
            body = {"featureFlags": {}, "surveys": True, "supportedCompression": []}
        elif route.request.method == "POST":
            sent = json.loads(route.request.post_data or "[]")
            events.extend(sent["batch"] if isinstance(sent, dict) and "batch" in sent else [sent])
        allowed = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*"}
        route.fulfill(status=200, body=json.dumps(body), headers=allowed | {"Content-Type": "application/json"})

    page.route("https://posthog.example/**", answer)
    return events


def test_a_survey_is_posthogs_own_pop_over(host: Host, page: Any) -> None:
    assert POSTHOG is not None
    script = Path(POSTHOG) / "node_modules" / "posthog-js" / "dist" / "array.full.no-external.js"
    host.scripts["/posthog.js"] = script.read_text(encoding="utf-8")
    events = answered(page)
    options = {
        "api_host": "https://posthog.example",
        "disable_compression": True,
        "request_batching": False,
        "opt_out_useragent_filter": True,  # a browser without a screen is a robot to it
    }
    start = f"""<script src="/posthog.js"></script><script>posthog.init("phc_test", {json.dumps(options)})</script>"""
    host.show(page, "<h1>The page</h1>", start, host.element("general", 'floating survey="s-1"'),
              host.element("other", 'floating survey="nope"'))  # fmt: skip
    page.locator("#other .general").evaluate("(button) => button.click()")
    expect(page.locator("#other textarea")).to_be_visible()
    page.locator("#general .general").evaluate("(button) => button.click()")
    expect(page.get_by_text("What would you change?")).to_be_visible()
    expect(page.locator("h1")).to_be_visible()  # beside the page, not in its place
    expect(page.locator("#general textarea")).to_have_count(0)
    page.wait_for_timeout(500)
    names = [event.get("event") for event in events]
    assert names.count("survey shown") == 1, events
    assert page.crashes == []
