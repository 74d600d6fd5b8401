"""The console in a browser: the link that opens it, filters as one types, several teams, a phone."""

from typing import Any

import httpx
import pytest

from feedback_pipeline.capture import key_store
from tests.browser.conftest import publish

pytestmark = pytest.mark.browser


def vote(site: Any, key: str, **body: Any) -> None:
    given = {"query": "Where is my parcel?", "response": "In Lyon. " * 60, "rating": -1, "user_id": "ada"} | body
    answer = httpx.post(f"{site.url}/v1/feedback", json=given, headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("already_there", [False, True])
def test_a_link_opens_it_and_leaves_no_key_in_the_address(site: Any, page: Any, already_there: bool) -> None:
    if already_there:  # then only what stands behind # changes, and nothing is loaded
        page.goto(f"{site.url}/console")
    page.goto(f"{site.url}/console#{site.key}")
    page.wait_for_selector("h1:has-text('Votes')")
    assert page.url == f"{site.url}/console"
    assert site.key not in page.content()
    assert page.crashes == []


def test_teams_are_switched_and_the_list_follows_the_search(site: Any, page: Any) -> None:
    other = key_store.create(site.database, "test", ("read", "write"), "globex")[1]
    vote(site, site.key)
    vote(site, other, query="An invoice", response="Paid.")
    vote(site, other, query="A parcel", response="Lost.", user_id="ben")
    page.goto(f"{site.url}/console#{site.key},{other}")
    page.wait_for_selector("text=Where is my parcel?")
    page.select_option("select[name=team]", "globex")
    page.wait_for_selector("text=An invoice")
    assert page.locator("text=Where is my parcel?").count() == 0
    page.fill("input[name=search]", "invoice")
    page.wait_for_selector("#listed >> text=1–1 of 1 votes")
    assert page.locator("#listed >> text=A parcel").count() == 0
    assert "search=invoice" in page.url
    assert page.crashes == []


def late(page: Any, script: str) -> list[Any]:
    """Requests for a script, which are not answered until the test says so."""
    held: list[Any] = []
    page.route(f"**/static/{script}", times=1, handler=lambda route: held.append(route))
    return held


def test_a_team_chosen_before_the_scripts_are_there_is_shown(site: Any, page: Any) -> None:
    other = key_store.create(site.database, "test", ("read", "write"), "globex")[1]
    vote(site, site.key)
    vote(site, other, query="An invoice", response="Paid.")
    page.goto(f"{site.url}/console#{site.key},{other}")
    page.wait_for_selector("text=Where is my parcel?")
    held = late(page, "console.js")
    page.goto(f"{site.url}/console", wait_until="commit")
    page.locator("select[name=team]").evaluate(
        "(choice) => { choice.value = 'globex'; choice.dispatchEvent(new Event('change', { bubbles: true })); }"
    )
    held[0].continue_()
    page.wait_for_selector("text=An invoice")
    assert page.crashes == []


def test_the_list_follows_what_was_typed_before_the_scripts_are_there(site: Any, page: Any) -> None:
    vote(site, site.key)
    vote(site, site.key, query="A parcel", response="Lost.", user_id="ben")
    page.goto(f"{site.url}/console#{site.key}")
    page.wait_for_selector("text=Where is my parcel?")
    held = late(page, "htmx.min.js")
    page.goto(f"{site.url}/console", wait_until="commit")
    page.fill("input[name=search]", "lost")
    held[0].continue_()
    page.wait_for_selector("#listed >> text=1–1 of 1 votes")
    assert "search=lost" in page.url
    assert page.crashes == []


def test_nothing_is_wider_than_a_phone(site: Any, page: Any) -> None:
    vote(site, site.key, model="a-model-with-a-name-that-is-rather-long-and-has-no-space", comment="x" * 300)
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"{site.url}/console#{site.key}")
    page.wait_for_selector("h1:has-text('Votes')")
    first = page.locator(".votes a[href*='/console/feedback/']").first.get_attribute("href")
    for path in ("/console", "/console/answers", "/console/prompts", "/console/exports", "/console/login", first):
        page.goto(f"{site.url}{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path


def test_a_keyboard_goes_through_teams_without_opening_each(site: Any, page: Any) -> None:
    keys = [site.key, *(key_store.create(site.database, "test", ("read",), name)[1] for name in ("globex", "initech"))]
    page.goto(f"{site.url}/console#{','.join(keys)}")
    choice = page.locator("select[name=team]")
    choice.focus()
    first = choice.input_value()
    opened: list[str] = []
    page.on("request", lambda request: opened.append(request.url) if request.method == "POST" else None)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.wait_for_timeout(200)
    assert opened == []
    wanted = choice.input_value()
    assert wanted != first
    with page.expect_navigation():
        page.keyboard.press("Tab")
    assert choice.input_value() == wanted
    assert len(opened) == 1


def test_a_filter_is_asked_for_once_and_one_step_back_leaves_the_list(site: Any, page: Any) -> None:
    vote(site, site.key)
    page.goto(f"{site.url}/console#{site.key}")
    page.wait_for_selector("text=Where is my parcel?")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "search=" in request.url else None)
    page.clock.install()  # a slow machine takes longer between two keys than the list waits for the next one
    page.clock.pause_at(page.evaluate("Date.now() / 1000 + 1"))
    page.locator("input[name=search]").press_sequentially("parcel")
    with page.expect_response(lambda answer: "search=parcel" in answer.url):
        page.clock.run_for(1000)
    page.clock.resume()
    page.wait_for_url("**search=parcel**")
    page.keyboard.press("Tab")
    page.wait_for_timeout(600)
    assert len(asked) == 1, asked
    assert "search=parcel" in page.url
    page.go_back()
    assert "search=" not in page.url


def test_a_report_looks_as_it_was_published(site: Any, page: Any) -> None:
    path = publish(site)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(f"{site.url}/console#{site.key}")
    page.wait_for_selector("h1:has-text('Votes')")
    page.goto(f"{site.url}/console{path}")
    assert page.evaluate("getComputedStyle(document.querySelector('.appendix-head ul')).display") == "flex"
    assert complaints == []  # nothing of it is refused by a policy
