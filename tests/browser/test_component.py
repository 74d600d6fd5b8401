"""The element people click, in a real browser."""

from typing import Any

import httpx
import psycopg
import pytest

expect = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed").expect

pytestmark = pytest.mark.browser


def thumb(page: Any, content: str, name: str = "down") -> Any:
    return page.locator(f"#{content} llm-feedback .{name}")


def stored(site: Any, kind: str = "explicit") -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {site.key}"}
    found = httpx.get(f"{site.url}/v1/feedback", params={"kind": kind}, headers=headers).json()["items"]
    return list(found)


def delivered(page: Any) -> Any:
    return page.expect_response(lambda answer: answer.url.endswith("/v1/feedback") and answer.request.method == "POST")


def test_one_click_is_a_vote_that_is_still_there_after_a_reload(site: Any, page: Any) -> None:  # A5, A8
    page.goto(f"{site.url}/demo")
    with delivered(page) as answer:
        thumb(page, "demo-1", "up").click()
    assert answer.value.status == 201
    expect(thumb(page, "demo-1", "up")).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(thumb(page, "demo-1", "up")).to_have_attribute("aria-pressed", "true")
    expect(thumb(page, "demo-2", "up")).to_have_attribute("aria-pressed", "false")
    (vote,) = stored(site)
    assert (vote["thumb"], vote["content_type"], vote["provenance"]) == (True, "qa_answer", "browser")
    assert page.crashes == []


def test_a_thumb_down_asks_what_was_wrong(site: Any, page: Any) -> None:  # A5
    page.goto(f"{site.url}/demo")
    with delivered(page):
        thumb(page, "demo-1").click()
    box = page.locator("#demo-1 llm-feedback textarea")
    expect(box).to_be_focused()
    page.locator("#demo-1 llm-feedback .chip").first.click()
    box.fill("the label is for 14 days <b>only</b>")
    with delivered(page):
        page.locator("#demo-1 llm-feedback .submit").click()
    (vote,) = stored(site)
    assert (vote["thumb"], vote["comment"]) == (False, "the label is for 14 days <b>only</b>")
    assert vote["reasons"] == ["incorrect"]


def test_a_vote_can_be_undone(site: Any, page: Any) -> None:
    page.goto(f"{site.url}/demo")
    with delivered(page):
        thumb(page, "demo-1", "up").click()
    with page.expect_response(lambda answer: answer.request.method == "DELETE") as answer:
        page.locator("#demo-1 llm-feedback .undo").click()
    assert answer.value.status == 204
    page.reload()
    expect(thumb(page, "demo-1", "up")).to_have_attribute("aria-pressed", "false")
    assert stored(site) == []


def test_a_vote_made_offline_is_kept_and_delivered_once(site: Any, page: Any, context: Any) -> None:
    page.goto(f"{site.url}/demo")
    expect(thumb(page, "demo-1", "up")).to_be_visible()
    context.set_offline(True)
    thumb(page, "demo-1", "up").click()
    expect(page.locator("#demo-1 llm-feedback .said")).to_contain_text("back online")
    expect(thumb(page, "demo-1", "up")).to_have_attribute("aria-pressed", "true")
    assert stored(site) == []
    with delivered(page):
        context.set_offline(False)
    page.wait_for_function("() => JSON.parse(localStorage.getItem('llm-feedback:queue') || '[]').length === 0")
    page.reload()
    expect(thumb(page, "demo-1", "up")).to_have_attribute("aria-pressed", "true")
    assert len(stored(site)) == 1
    with psycopg.connect(site.database.url) as connection:
        assert connection.execute("SELECT count(*) FROM feedback").fetchone() == (1,)


def test_stars_and_thumbs_by_keyboard(site: Any, page: Any) -> None:
    page.goto(f"{site.url}/demo")
    with delivered(page):
        thumb(page, "demo-2", "up").focus()
        page.keyboard.press("Space")
    with delivered(page):
        page.locator("#demo-2 llm-feedback .star").nth(2).click()
    with delivered(page):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(200)
    (vote,) = stored(site)
    assert (vote["thumb"], vote["stars"]) == (True, 4)
    roles = page.locator("#demo-2 llm-feedback").locator("[role=group], [role=radiogroup], [role=status]")
    assert roles.count() == 3


def test_a_better_answer_is_a_correction(site: Any, page: Any) -> None:  # F7
    page.goto(f"{site.url}/demo")
    page.locator("#demo-1 llm-feedback .better").click()
    page.locator("#demo-1 llm-feedback textarea").fill("No: 14 days.")
    with delivered(page):
        page.locator("#demo-1 llm-feedback .submit").click()
    (correction,) = stored(site, "correction")
    assert correction["correction"] == "No: 14 days."


def test_the_floating_button_takes_general_feedback(site: Any, page: Any) -> None:  # A5, A8
    page.goto(f"{site.url}/demo")
    button = page.locator("llm-feedback[floating] .general")
    expect(button).to_be_visible()
    button.click()
    page.locator("llm-feedback[floating] textarea").fill("I like the new layout")
    with delivered(page):
        page.locator("llm-feedback[floating] .submit").click()
    (comment,) = stored(site, "comment")
    assert (comment["comment"], comment["content_type"]) == ("I like the new layout", "general")


def test_two_teams_on_one_page_do_not_see_each_other(site: Any, page: Any) -> None:  # A3
    page.goto(f"{site.url}/demo")
    with delivered(page):
        thumb(page, "demo-1", "up").click()
    _theirs_beside(page, _token(site, _key(site, "rivals")))
    expect(page.locator("#theirs .up")).to_have_attribute("aria-pressed", "false")
    with delivered(page):
        page.locator("#theirs .down").click()
    page.reload()
    expect(thumb(page, "demo-1", "up")).to_have_attribute("aria-pressed", "true")
    assert [vote["thumb"] for vote in stored(site)] == [True]


def test_what_two_teams_leave_in_one_browser_waits_apart(site: Any, page: Any, context: Any) -> None:  # A3
    rivals = _key(site, "rivals")
    page.goto(f"{site.url}/demo")
    expect(thumb(page, "demo-1", "up")).to_be_visible()
    context.set_offline(True)
    thumb(page, "demo-1", "up").click()
    expect(page.locator("#demo-1 llm-feedback .said")).to_contain_text("back online")
    _theirs_beside(page, _token(site, rivals))
    expect(page.locator("#theirs .up")).to_have_attribute("aria-pressed", "false")
    page.locator("#theirs .down").click()
    expect(page.locator("#theirs .said")).to_contain_text("back online")
    context.set_offline(False)
    page.wait_for_function("() => JSON.parse(localStorage.getItem('llm-feedback:queue') || '[]').length === 0")
    assert [vote["thumb"] for vote in stored(site)] == [True]
    headers = {"Authorization": f"Bearer {rivals}"}
    theirs = httpx.get(f"{site.url}/v1/feedback", params={"kind": "explicit"}, headers=headers).json()["items"]
    assert [vote["thumb"] for vote in theirs] == [False]


def test_the_host_page_survives_whatever_happens(site: Any, page: Any) -> None:
    page.goto(f"{site.url}/demo")
    page.route("**/v1/**", lambda route: route.abort())
    page.evaluate(
        """() => { localStorage.setItem("llm-feedback:queue", "{broken");
        for (const html of ["<llm-feedback></llm-feedback>", "<llm-feedback labels='{' token='x'></llm-feedback>"]) {
            document.body.insertAdjacentHTML("beforeend", html); }
        delete window.localStorage; }"""
    )
    thumb(page, "demo-1", "up").click()
    page.wait_for_timeout(300)
    assert page.crashes == []


def test_right_to_left_dark_and_other_languages(site: Any, page: Any) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto(f"{site.url}/demo")
    page.evaluate(
        """() => { document.documentElement.dir = "rtl"; document.body.insertAdjacentHTML("beforeend",
        `<llm-feedback id="ar" content-type="a" content-id="x" labels='{"up": "إجابة جيدة"}'></llm-feedback>`); }"""
    )
    up, down = page.locator("#ar .up"), page.locator("#ar .down")
    expect(up).to_have_attribute("aria-label", "إجابة جيدة")
    assert up.bounding_box()["x"] > down.bounding_box()["x"]


def test_the_console_in_a_browser(site: Any, page: Any) -> None:  # A8
    script = "<img src=x onerror='window.broken = true'>"
    headers = {"Authorization": f"Bearer {site.key}"}
    vote = {"query": script, "response": script, "rating": -1, "comment": script}
    assert httpx.post(f"{site.url}/v1/feedback", json=vote, headers=headers).status_code == 201
    page.goto(f"{site.url}/console")
    page.fill("#key", site.key)
    page.click("button:has-text('Open')")
    expect(page.locator("table.votes")).to_contain_text(script)
    page.locator("table.votes a").first.click()
    expect(page.locator("pre").first).to_contain_text(script)
    assert page.evaluate("() => window.broken") is None


def test_filters_of_the_console_need_no_reload(site: Any, page: Any) -> None:
    headers = {"Authorization": f"Bearer {site.key}"}
    for model in ("m-1", "m-2"):
        vote = {"query": "q", "response": f"said by {model}", "rating": 1, "model": model}
        assert httpx.post(f"{site.url}/v1/feedback", json=vote, headers=headers).status_code == 201
    page.goto(f"{site.url}/console")
    page.fill("#key", site.key)
    page.click("button:has-text('Open')")
    votes = page.locator("table.votes")
    expect(votes).to_contain_text("said by m-1")
    page.evaluate("() => { window.same = true; }")
    page.fill("input[name=model]", "m-2")
    expect(votes).not_to_contain_text("said by m-1")
    expect(votes).to_contain_text("said by m-2")
    assert page.evaluate("() => window.same")  # the page is still the one that was loaded
    assert "model=m-2" in page.url  # and its address can be passed on
    page.reload()
    expect(page.locator("table.votes")).not_to_contain_text("said by m-1")
    assert page.crashes == []


def test_the_console_works_without_scripts(site: Any, chromium: Any) -> None:
    headers = {"Authorization": f"Bearer {site.key}"}
    for model in ("m-1", "m-2"):
        vote = {"query": "q", "response": f"said by {model}", "rating": 1, "model": model}
        assert httpx.post(f"{site.url}/v1/feedback", json=vote, headers=headers).status_code == 201
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.url}/console")
    page.fill("#key", site.key)
    page.click("button:has-text('Open')")
    page.fill("input[name=model]", "m-2")
    page.click("button:has-text('Filter')")
    expect(page.locator("table.votes")).to_contain_text("said by m-2")
    expect(page.locator("table.votes")).not_to_contain_text("said by m-1")
    context.close()


def _key(site: Any, tenant: str) -> str:
    from feedback_pipeline.capture import key_store

    return key_store.create(site.database, "test", ("read", "write"), tenant)[1]


def _token(site: Any, key: str, content: str = "demo-1") -> str:
    body = {"content_type": "qa_answer", "content_id": content, "origin": site.url}
    answer = httpx.post(f"{site.url}/v1/tokens", json=body, headers={"Authorization": f"Bearer {key}"})
    return str(answer.json()["token"])


def _theirs_beside(page: Any, token: str) -> None:
    """Another team's element for the same content, in the same page."""
    page.evaluate(
        """(token) => { const mine = document.querySelector("#demo-1 llm-feedback"); const theirs = mine.cloneNode();
        theirs.setAttribute("token", token); theirs.id = "theirs";
        document.querySelector("#demo-3").append(theirs); }""",
        token,
    )
