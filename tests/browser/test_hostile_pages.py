"""The element on pages as real ones are: strict policies, late tokens, hasty fingers, services that fail."""

from typing import Any

import httpx
import pytest
from feedback_client.tokens import local_token

from tests.browser.conftest import Host, filed, settled

expect = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed").expect

pytestmark = pytest.mark.browser


def strict(host: Host) -> str:
    return (f"default-src 'none'; script-src {host.site.url}; connect-src {host.site.url}; style-src 'self'; "
            "require-trusted-types-for 'script'; trusted-types 'none'; base-uri 'none'")  # fmt: skip


def test_under_a_strict_policy_it_looks_and_works_as_elsewhere(host: Host, page: Any) -> None:
    host.policy = strict(host)
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text) if "Policy" in message.text else None)
    host.show(page, host.element("a", "stars suggest"), host.element("general", "floating"))
    turned = page.evaluate("""() => getComputedStyle(document.querySelector("#a").shadowRoot
        .querySelector(".down svg")).transform""")
    assert turned.startswith("matrix(-1")  # the down thumb points down
    assert page.evaluate("() => getComputedStyle(document.querySelector('#general')).position") == "fixed"
    box = page.locator("#a .down").bounding_box()
    assert min(box["width"], box["height"]) >= 44
    with filed(page):
        page.locator("#a .down").click()
    page.locator("#a textarea").fill("not true")
    with filed(page):
        page.locator("#a .submit").click()
    assert [(vote["thumb"], vote["comment"]) for vote in host.votes()] == [(False, "not true")]
    assert (page.crashes, refused) == ([], [])


@pytest.mark.parametrize(
    ("clicks", "stays"), [([".up", ".undo"], []), ([".up", ".down"], [False]), ([".up", ".up"], []),
                          ([".down", ".down"], [False]), ([".up", ".undo", ".down"], [False])]
)  # fmt: skip
def test_hasty_clicks_end_as_they_look(host: Host, page: Any, clicks: list[str], stays: list[bool]) -> None:
    host.show(page, host.element("a"))
    page.route("**/v1/feedback", lambda route: (page.wait_for_timeout(150), route.continue_())[1])
    page.evaluate(
        """(clicks) => { const root = document.querySelector("#a").shadowRoot;
        for (const click of clicks) root.querySelector(click).click(); }""",
        clicks,
    )
    settled(page, host, stays)
    shown = page.locator("#a [aria-pressed=true]").count()
    assert shown == len(stays)
    page.reload()
    for thumb, value in (("up", True), ("down", False)):
        expect(page.locator(f"#a .{thumb}")).to_have_attribute("aria-pressed", str(stays == [value]).lower())


def test_a_token_that_comes_late_restores_and_files_one_vote(host: Host, page: Any) -> None:
    host.show(page, host.element("a"))
    with filed(page):
        page.locator("#a .up").click()
    host.show(page, host.element("a", token=False))
    expect(page.locator("#a .up")).to_have_attribute("aria-pressed", "false")
    page.evaluate("(token) => document.querySelector('#a').setAttribute('token', token)", host.token("a"))
    expect(page.locator("#a .up")).to_have_attribute("aria-pressed", "true")
    host.show(page, host.element("a", token=False))
    page.locator("#a .down").click()  # before there is a token
    page.evaluate("(token) => document.querySelector('#a').setAttribute('token', token)", host.token("a"))
    settled(page, host, [False])


def test_an_expired_token_is_renewed_and_words_are_not_lost(host: Host, page: Any) -> None:
    host.seconds = 10
    host.show(page, host.element("a"))
    with filed(page):
        page.locator("#a .down").click()
    page.locator("#a textarea").fill("words of an hour")
    page.route("**/v1/feedback", lambda route: route.fulfill(status=401, body='{"code": "expired_token"}', headers={
        "Access-Control-Allow-Origin": host.url, "Content-Type": "application/json"}))  # fmt: skip
    page.locator("#a .submit").click()
    expect(page.locator("#a .said")).to_contain_text("expired")
    assert page.locator("#a textarea").input_value() == "words of an hour"
    page.unroute("**/v1/feedback")
    page.evaluate("(token) => { document.querySelector('#a').renewToken = async () => token; }", host.token("a", 60))
    page.evaluate("() => { document.querySelector('#a').setAttribute('token', 'fbt_old.one'); }")
    with filed(page):
        page.locator("#a .submit").click()
    settled(page, host, ["words of an hour"], "comment")


@pytest.mark.parametrize(
    ("status", "said"), [(429, "Too many requests"), (503, "cannot be reached"), (None, "cannot be reached")]
)
def test_what_is_said_of_a_failure_is_true(host: Host, page: Any, status: int | None, said: str) -> None:
    host.show(page, host.element("a"))
    headers = {"Access-Control-Allow-Origin": host.url}
    page.route("**/v1/feedback", lambda route: (
        route.abort() if status is None else route.fulfill(status=status, body="{}", headers=headers)))  # fmt: skip
    page.locator("#a .up").click()
    expect(page.locator("#a .said")).to_contain_text(said)
    expect(page.locator("#a .said")).not_to_contain_text("back online")
    page.unroute("**/v1/feedback")
    page.evaluate("() => window.dispatchEvent(new Event('online'))")
    settled(page, host, [True])


def test_a_closed_comment_box_can_be_opened_again_and_a_stored_comment_is_named(host: Host, page: Any) -> None:
    host.show(page, host.element("a"))
    with filed(page):
        page.locator("#a .down").click()
    page.locator("#a .close").click()
    expect(page.locator("#a .down")).to_be_focused()
    page.locator("#a .more").click()
    page.locator("#a textarea").fill("still wrong")
    with filed(page):
        page.locator("#a .submit").click()
    page.reload()
    expect(page.locator("#a .said")).to_have_text("Your comment is stored.")
    page.locator("#a .down").click()  # asks, and takes nothing back
    expect(page.locator("#a textarea")).to_be_focused()
    settled(page, host, [False])


VOTES = "**/v1/feedback"


def back(page: Any) -> None:
    """The service can be reached again, and what waits is sent."""
    page.unroute(VOTES)
    page.evaluate("() => window.dispatchEvent(new Event('online'))")


def voted_up(host: Host, page: Any) -> None:
    host.show(page, host.element("a"))
    with filed(page):
        page.locator("#a .up").click()
    expect(page.locator("#a .said")).to_have_text("Thank you.")


def unreachable(page: Any, button: str) -> None:
    """From now on votes do not reach the service; what this button says waits."""
    page.route(VOTES, lambda route: route.abort())
    page.locator(f"#a .{button}").click()
    expect(page.locator("#a .said")).to_contain_text("cannot be reached")


def delivered(page: Any) -> None:
    """Waits until nothing waits in the browser."""
    page.wait_for_function("() => JSON.parse(localStorage.getItem('llm-feedback:queue') || '[]').length === 0")


def shown(page: Any, thumb: bool | None) -> None:
    for name, value in (("up", True), ("down", False)):
        expect(page.locator(f"#a .{name}")).to_have_attribute("aria-pressed", str(thumb is value).lower())


def test_words_that_wait_when_the_page_is_left_are_named_as_stored_once_they_are(host: Host, page: Any) -> None:
    host.show(page, host.element("a"))
    with filed(page):
        page.locator("#a .down").click()
    page.locator("#a textarea").fill("still wrong")
    unreachable(page, "submit")
    page.unroute(VOTES)
    page.reload()
    expect(page.locator("#a .said")).to_have_text("Your comment is stored.")
    shown(page, False)
    settled(page, host, ["still wrong"], "comment")


def test_a_withdrawal_that_waits_gives_way_to_the_next_vote(host: Host, page: Any) -> None:
    voted_up(host, page)
    unreachable(page, "undo")
    page.locator("#a .up").click()  # the server has this very vote still
    back(page)
    expect(page.locator("#a .said")).to_have_text("Thank you.")
    delivered(page)
    settled(page, host, [True])
    shown(page, True)


def test_a_withdrawal_that_waits_is_shown_after_a_reload_and_what_follows_it_is_filed(host: Host, page: Any) -> None:
    voted_up(host, page)
    unreachable(page, "undo")
    page.reload()
    page.wait_for_timeout(300)
    shown(page, None)
    back(page)
    expect(page.locator("#a .said")).to_have_text("Your vote was withdrawn.")
    settled(page, host, [])
    with filed(page):
        page.locator("#a .up").click()
    settled(page, host, [True])


def test_a_vote_whose_answer_was_lost_is_withdrawn(host: Host, page: Any) -> None:
    host.show(page, host.element("a"))
    page.route(VOTES, lambda route: (route.fetch(), route.abort()))
    page.locator("#a .up").click()
    expect(page.locator("#a .said")).to_contain_text("cannot be reached")
    settled(page, host, [True])
    page.unroute(VOTES)
    page.locator("#a .undo").click()
    settled(page, host, [])
    expect(page.locator("#a .said")).to_have_text("Your vote was withdrawn.")
    shown(page, None)


def test_a_vote_that_waits_and_a_change_of_mind_end_as_they_look(host: Host, page: Any) -> None:
    host.show(page, host.element("a"))
    unreachable(page, "up")
    held: list[Any] = []
    page.route(VOTES, lambda route: route.continue_() if held else held.append(route))  # before the other one
    page.evaluate("() => window.dispatchEvent(new Event('online'))")
    for _ in range(500):
        if held:  # the first one is on its way, and slow
            break
        page.wait_for_timeout(20)
    page.locator("#a .down").click()
    page.wait_for_timeout(200)
    held[0].continue_()
    delivered(page)
    settled(page, host, [False])
    shown(page, False)


def test_a_vote_that_waited_and_is_refused_is_shown_as_what_the_server_has(host: Host, page: Any) -> None:
    voted_up(host, page)
    unreachable(page, "down")
    headers = {"Access-Control-Allow-Origin": host.url}
    page.route(VOTES, lambda route: route.fulfill(status=422, body="{}", headers=headers))  # before the other one
    page.reload()
    expect(page.locator("#a .said")).to_contain_text("Not saved")
    shown(page, True)
    settled(page, host, [True])


PIECES = """(pieces) => { const element = document.querySelector("#a"); let shown = 1;
    element.setAttribute("snapshot", pieces[0]);
    const timer = setInterval(() => { shown += 1; element.setAttribute("snapshot", pieces.slice(0, shown).join(" "));
        if (shown === pieces.length) clearInterval(timer); }, 100); }"""


def said_of(host: Host, kind: str = "explicit") -> list[str]:
    return [vote["response"] or vote["content_snapshot"] for vote in host.votes(kind)]


def test_a_vote_while_the_text_still_comes_is_about_all_of_it(host: Host, page: Any) -> None:
    host.show(page, host.element("a", "suggest"))
    page.evaluate(PIECES, ["the", "answer", "in", "six", "small", "pieces"])
    page.locator("#a .up").click()
    page.evaluate("() => document.querySelector('#a').signal('copy')")
    expect(page.locator("#a .said")).to_have_text("Thank you.")
    settled(page, host, [True])
    assert said_of(host) == said_of(host, "implicit") == ["the answer in six small pieces"]
    with filed(page):
        page.locator("#a .down").click()  # about the same text: one vote
    settled(page, host, [False])


def test_a_vote_while_the_text_still_comes_is_not_lost_with_the_page(host: Host, page: Any) -> None:
    host.show(page, host.element("a"))
    page.evaluate(PIECES, ["the", *["answer"] * 40])
    page.locator("#a .up").click()
    page.wait_for_timeout(200)
    page.reload()
    shown(page, True)
    settled(page, host, [True])


def test_two_elements_for_one_content_follow_each_other(host: Host, page: Any) -> None:
    host.show(page, host.element("a"), host.element("a").replace('<llm-feedback id="a"', '<llm-feedback id="again"'))
    with filed(page):
        page.locator("#a .up").click()
    expect(page.locator("#again .up")).to_have_attribute("aria-pressed", "true")
    with page.expect_response(lambda answer: answer.request.method == "DELETE"):
        page.locator("#again .undo").click()
    expect(page.locator("#a .up")).to_have_attribute("aria-pressed", "false")


def test_fifty_answers_need_one_call_for_tokens_and_one_for_states(host: Host, page: Any) -> None:
    calls: list[str] = []
    page.on("request", lambda request: calls.append(request.url) if request.method == "POST" else None)
    host.show(page, *(host.element(f"n{n}", 'token-url="/tokens"', token=False) for n in range(50)))
    with page.expect_response("**/v1/feedback/states"):
        expect(page.locator("#n49 .up")).to_be_visible()
    assert len(host.mints) == 1
    assert len(host.mints[0]) == 50
    assert [call.rpartition("/")[2] for call in calls] == ["tokens", "states"]
    with filed(page) as answer:
        page.locator("#n7 .up").click()
    assert answer.value.status == 201


def test_stars_are_radios_that_are_filed_when_chosen(host: Host, page: Any) -> None:
    host.show(page, host.element("a", "stars"), host.element("b", 'stars="false"'))
    assert page.locator("#b .star").count() == 0
    page.locator("#a input[type=radio]").first.focus()
    posts: list[str] = []
    page.on("request", lambda one: posts.append(one.method) if one.url.endswith("/v1/feedback") else None)
    page.clock.install()  # a slow machine takes longer between two keys than the element waits for the next one
    page.clock.pause_at(page.evaluate("Date.now() / 1000 + 1"))
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(100)  # what the page did is told here only while something is waited for
    assert posts == []
    page.clock.run_for(1000)
    page.clock.resume()
    settled(page, host, [4], "stars")
    page.wait_for_timeout(100)
    assert posts.count("POST") == 1  # one vote and not three
    assert page.locator("#a .star").all_text_contents() == ["★", "★", "★", "★", "☆"]


@pytest.mark.parametrize(("page_colors", "system"), [(("#fff", "#111"), "dark"), (("#111", "#eee"), "light")])
def test_the_box_follows_the_page_and_not_the_system(
    host: Host, page: Any, page_colors: tuple[str, str], system: str
) -> None:
    page.emulate_media(color_scheme=system)
    background, ink = page_colors
    host.show(page, f"<style>body {{ background: {background}; color: {ink} }}</style>", host.element("a"))
    page.locator("#a .down").click()
    shown = page.evaluate("""() => { const box = document.querySelector("#a").shadowRoot.querySelector("textarea");
        const style = getComputedStyle(box); return [style.color, style.backgroundColor,
        getComputedStyle(document.body).color]; }""")
    assert shown[0] == shown[2]
    assert shown[1] == "rgba(0, 0, 0, 0)"


def test_it_speaks_the_language_of_the_page(host: Host, page: Any) -> None:
    host.show(page, '<div lang="de-AT">', host.element("a"), '</div><div lang="ja">', host.element("b"), "</div>",
              host.element("c", 'lang="xx"'))  # fmt: skip
    assert page.locator("#a .up").get_attribute("aria-label") == "Gute Antwort"
    assert page.locator("#b .down").get_attribute("aria-label") == "悪い回答"
    assert page.locator("#c .up").get_attribute("aria-label") == "Good answer"


def test_a_survey_of_posthog_is_a_pop_over_and_a_wrong_id_our_own_form(host: Host, page: Any) -> None:
    host.show(page, host.element("general", 'floating survey="s-1"'), host.element("other", 'floating survey="nope"'))
    page.evaluate("""() => { window.shown = []; window.posthog = {
        getSurveys: (callback) => callback([{ id: "s-1" }]),
        displaySurvey: (id, options) => window.shown.push([id, options.displayType]),
        renderSurvey: () => window.shown.push("on top of the page"),
        capture: () => window.shown.push("counted twice") }; }""")
    page.evaluate("() => document.querySelector('#general').shadowRoot.querySelector('.general').click()")
    page.wait_for_timeout(100)
    assert page.evaluate("() => window.shown") == [["s-1", "popover"]]
    page.evaluate("() => document.querySelector('#other').shadowRoot.querySelector('.general').click()")
    expect(page.locator("#other textarea")).to_be_visible()


def test_a_vote_that_waits_goes_with_the_token_of_its_own_content(host: Host, page: Any, context: Any) -> None:
    host.show(page, host.element("a"), host.element("a/b"))
    button = page.locator('[content-id="a/b"] .up')
    expect(button).to_be_visible()
    context.set_offline(True)
    button.click()
    expect(page.locator('[content-id="a/b"] .said')).to_contain_text("back online")
    context.set_offline(False)
    delivered(page)
    assert [(vote["content_id"], vote["thumb"]) for vote in host.votes()] == [("a/b", True)]


def test_a_vote_that_waits_is_known_under_the_next_token_that_a_server_made_itself(host: Host, page: Any) -> None:
    def show() -> None:
        token = local_token(host.site.key, "qa", "c", host.url)
        host.show(page, host.element("c", f'token="{token}"', token=False))

    show()
    page.route("**/v1/feedback", lambda route: route.abort())
    page.locator("#c .up").click()
    expect(page.locator("#c .said")).to_contain_text("cannot be reached")
    show()
    expect(page.locator("#c .up")).to_have_attribute("aria-pressed", "true")
    page.unroute("**/v1/feedback")
    delivered(page)
    assert [vote["thumb"] for vote in host.votes()] == [True]


def test_what_is_served_is_small(host: Host) -> None:
    import gzip

    script = httpx.get(f"{host.site.url}/static/llm-feedback.js").content
    assert len(gzip.compress(script, 9)) < 12_000
    assert b"innerHTML" not in script
