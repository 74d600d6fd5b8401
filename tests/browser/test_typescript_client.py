"""The TypeScript client in a browser: it and the element say the same, and what cannot be sent is kept."""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.browser.conftest import Host, filed, settled

expect = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed").expect

pytestmark = pytest.mark.browser

CLIENT = Path(__file__).parents[2] / "clients" / "typescript" / "index.js"
OURS = ("authorization", "content-type", "idempotency-key", "x-feedback-session")
VOTE = {"kind": "explicit", "content": {"type": "qa", "id": "a"}, "thumb": True,
        "answer": {"content_snapshot": "the answer a"}}  # fmt: skip


def show(host: Host, page: Any, content: str = "a") -> None:
    """A page with the element and the client, both with one token."""
    host.scripts["/client.js"] = CLIENT.read_text(encoding="utf-8")
    token = host.token(content)
    given = json.dumps({"url": host.site.url, "token": token, "flushAfter": 10})
    module = f"""<script type="module">import {{ FeedbackClient }} from "/client.js";
        window.client = new FeedbackClient({given}); window.ready = true;</script>"""
    host.show(page, host.element(content, f'token="{token}"', token=False), module)
    page.wait_for_function("window.ready")


def heard(page: Any) -> list[Any]:
    requests: list[Any] = []
    page.on("request", lambda one: requests.append(one) if one.method == "POST" and "states" not in one.url else None)
    return requests


def test_element_and_client_send_the_same_request(host: Host, page: Any) -> None:
    show(host, page)
    requests = heard(page)
    with filed(page):
        page.locator("#a .up").click()
    identity = page.evaluate("(vote) => client.send(vote)", VOTE)
    assert isinstance(identity, str)
    element, client = requests
    assert element.url == client.url
    mine, theirs = ({name: one.headers.get(name) for name in OURS} for one in (element, client))
    keys = {mine.pop("idempotency-key"), theirs.pop("idempotency-key")}
    assert None not in keys
    assert len(keys) == 2
    assert mine == theirs  # the session too: one browser is one person, whichever of them speaks
    said = json.loads(element.post_data)
    said.pop("occurred_at")
    assert said == json.loads(client.post_data)
    settled(page, host, [True])


def delivered(page: Any) -> Any:
    return page.expect_response(lambda answer: answer.url.endswith("/v1/feedback") and answer.ok)


def stored(host: Host) -> int:
    with psycopg.connect(host.site.database.address()) as connection:
        return int((connection.execute("SELECT count(*) FROM feedback").fetchone() or (0,))[0])


def kept(page: Any) -> int:
    return int(page.evaluate("Object.keys(localStorage).filter((name) => name.startsWith('feedback-client:')).length"))


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_what_could_not_be_sent_is_sent_by_the_next_page_once(host: Host, page: Any, lost: str) -> None:
    show(host, page)

    def broken(route: Any) -> None:
        if lost == "answer":
            route.fetch()  # the service has it, and nobody hears of it
        route.abort()

    page.route("**/v1/feedback", broken)
    assert page.evaluate("(vote) => client.submit(vote)", VOTE)
    page.wait_for_function("Object.keys(localStorage).some((name) => name.startsWith('feedback-client:'))")
    page.goto("about:blank")  # or it would be tried again by this page, on a slow machine
    page.unroute("**/v1/feedback")
    with delivered(page):
        show(host, page)
    page.wait_for_function("client.metrics.delivered === 1")
    settled(page, host, [True])
    assert (stored(host), kept(page)) == (1, 0)


def test_a_vote_on_other_content_waits_for_a_page_that_may_send_it(host: Host, page: Any) -> None:
    show(host, page)
    other = VOTE | {"content": {"type": "qa", "id": "b"}}
    page.evaluate("(vote) => client.submit(vote)", other)  # this page's token is for another content
    page.wait_for_function("Object.keys(localStorage).some((name) => name.startsWith('feedback-client:'))")
    assert page.evaluate("(vote) => client.submit(vote)", VOTE)  # and holds up nothing
    page.wait_for_function("client.metrics.delivered === 1")
    with delivered(page):
        show(host, page, "b")
    assert stored(host) == 2


def test_a_page_that_is_left_loses_nothing(host: Host, page: Any) -> None:
    show(host, page)
    page.evaluate("(vote) => { client.submit(vote); location.href = '/another'; }", VOTE)
    page.wait_for_url("**/another")
    page.wait_for_function("window.ready")
    settled(page, host, [True])
    assert stored(host) == 1


def test_damaged_and_forbidden_storage_cost_nothing(host: Host, page: Any) -> None:
    show(host, page)
    page.evaluate(
        """async (vote) => { localStorage.setItem(`feedback-client:${vote.url} x`, "{broken");
        const { FeedbackClient } = await import("/client.js");
        const damaged = new FeedbackClient({ url: vote.url, token: vote.token, flushAfter: 1 });
        Object.defineProperty(window, "localStorage", { get() { throw new Error("forbidden"); } });
        const session = "a-session-of-a-test";
        const forbidden = new FeedbackClient({ url: vote.url, token: vote.other, session, flushAfter: 1 });
        await damaged.send(vote.vote); await forbidden.send(vote.vote); }""",
        {"url": host.site.url, "token": host.token("a"), "other": host.token("a"), "vote": VOTE},
    )
    settled(page, host, [True, True])
