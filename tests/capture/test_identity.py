"""One identity: what a page showed is compared with what was logged, in whatever order both arrive."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.capture.conftest import Running

ORIGIN = "https://app.example"
SESSION = "browser-session-0001"
LOGGED: dict[str, Any] = {
    "request_id": "r-1", "content_type": "qa_answer", "content_id": "42", "output": "Call **sorted()** on it.",
    "messages": [{"role": "user", "content": "How do I sort?"}], "model": "m-1", "prompt_version": "v7",
}  # fmt: skip


def browser(service: Running, api: httpx.Client, session: str = SESSION, content_id: str = "42") -> httpx.Client:
    """A page with a token for a piece of content."""
    wanted = {"content_type": "qa_answer", "content_id": content_id, "origin": ORIGIN}
    token = api.post("/v1/tokens", json=wanted).json()["token"]
    return service.client(token, origin=ORIGIN, **{"x-feedback-session": session})


def vote(page: httpx.Client, snapshot: Any = None, **fields: Any) -> str:
    body = {"content_type": "qa_answer", "content_id": "42", "rating": True, **fields}
    answer = page.post("/v1/feedback", json=body | ({} if snapshot is None else {"content_snapshot": snapshot}))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def log(api: httpx.Client, **fields: Any) -> str:
    answer = api.post("/v1/interactions", json=LOGGED | fields)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["interaction_ids"][0])


SAME = [
    "Call **sorted()** on it.",
    "Call sorted() on it.",  # as the browser renders it
    "  Call\n sorted()  on it. ",
    {"text": "Call sorted() on it.", "sources": ["a"]},
    {"content_type": "qa_answer", "snapshot": "Call sorted() on it.", "input": "How?", "prompt_version": "v7"},
]


@pytest.mark.parametrize("first", ["logged", "voted"])
@pytest.mark.parametrize("snapshot", SAME, ids=["markdown", "rendered", "spaces", "object", "envelope"])
def test_the_same_text_is_the_logged_answer(service: Running, api: httpx.Client, snapshot: Any, first: str) -> None:
    if first == "logged":
        answer = log(api)
    with browser(service, api) as page:
        identity = vote(page, snapshot)
    if first == "voted":
        answer = log(api)
    found = api.get(f"/v1/feedback/{identity}").json()
    assert (found["interaction_id"], found["model"], found["provenance"]) == (answer, "m-1", "logged")
    assert not found["shown_differently"]
    assert service.rows("SELECT count(*) FROM interaction WHERE tenant = %s") == [(1,)]


@pytest.mark.parametrize("first", ["logged", "voted"])
def test_another_text_is_kept_with_the_vote_and_flagged(service: Running, api: httpx.Client, first: str) -> None:
    if first == "logged":
        answer = log(api)
    with browser(service, api) as page:
        identity = vote(page, "POISON", input_context="poisoned prompt", model="evil")
    if first == "voted":
        answer = log(api)
    found = api.get(f"/v1/feedback/{identity}").json()
    assert (found["interaction_id"], found["model"], found["response"]) == (answer, "m-1", LOGGED["output"])
    assert (found["shown"], found["shown_differently"]) == ("POISON", True)
    assert service.rows("SELECT count(*) FROM interaction WHERE tenant = %s") == [(1,)]
    assert [item["model"] for item in api.get("/v1/feedback/accuracy").json()["by_model"]] == ["m-1"]


def test_a_text_shown_before_its_answer_was_logged_finds_it(service: Running, api: httpx.Client) -> None:
    log(api)
    with browser(service, api) as page:
        identity = vote(page, "The second answer.")
    assert api.get(f"/v1/feedback/{identity}").json()["shown_differently"]
    second = log(api, request_id="r-2", output="The second answer.", model="m-2")
    found = api.get(f"/v1/feedback/{identity}").json()
    assert (found["interaction_id"], found["shown_differently"], found["shown"]) == (second, False, None)


def test_content_that_is_answered_again_keeps_its_votes_apart(service: Running, api: httpx.Client) -> None:
    first = log(api)
    second = log(api, request_id="r-2", output="Use a heap.", occurred_at="2026-01-01T00:00:00Z")
    with browser(service, api) as page:
        a, b = vote(page, "Call sorted() on it."), vote(page, "Use a heap.")
        shown = {"content_type": "qa_answer", "content_id": "42", "content_snapshot": "Use a heap."}
        state = page.post("/v1/feedback/state", json=shown).json()["items"]
    assert [item["id"] for item in state] == [b]
    assert [api.get(f"/v1/feedback/{vote_}").json()["interaction_id"] for vote_ in (a, b)] == [first, second]


def test_placeholders_do_not_part_an_answer_from_its_page(service: Running, api: httpx.Client) -> None:
    answer = log(
        api,
        messages=[{"role": "user", "content": "I am ada@example.com"}],
        output="Ask bob@example.com, not ada@example.com",
    )
    with browser(service, api) as page:
        identity = vote(page, "Ask bob@example.com, not ada@example.com")
    found = api.get(f"/v1/feedback/{identity}").json()
    assert found["interaction_id"] == answer
    assert found["response"] == "Ask [EMAIL_2], not [EMAIL_1]"


def test_a_browsers_claims_are_its_own(service: Running, api: httpx.Client) -> None:
    """The first browser to show a snapshot decides nothing for the others."""
    votes = []
    for number, prompt in enumerate(["POISON", "How do I sort?", "How do I sort?"]):
        with browser(service, api, f"browser-session-000{number}") as page:
            votes.append(vote(page, "Call sorted() on it.", input_context=prompt))
    found = [api.get(f"/v1/feedback/{identity}").json() for identity in votes]
    assert [item["query"] for item in found] == ["POISON", "How do I sort?", "How do I sort?"]
    assert found[1]["interaction_id"] == found[2]["interaction_id"] != found[0]["interaction_id"]


def test_a_vote_without_a_text_does_not_vouch_for_a_strangers_claim(service: Running, api: httpx.Client) -> None:
    with browser(service, api) as page:
        vote(page, "POISON")
        mine = api.get(f"/v1/feedback/{vote(page, comment='again')}").json()
    with browser(service, api, "browser-session-0002") as page:
        other = api.get(f"/v1/feedback/{vote(page)}").json()
    assert mine["response"] == "POISON"  # the same voter's
    assert other["interaction_id"] is None


def test_nobody_can_take_the_id_that_another_tenants_answer_will_get(
    service: Running, start: Callable[..., Running]
) -> None:
    given = "0190a0b0-0000-7000-8000-00000000abcd"
    with service.client(service.new_key("mallory", "write")) as mallory:
        taken = mallory.post("/v1/interactions", json={"interaction_id": given, "output": "POISON"}).json()
    with service.client() as api:
        ours = api.post("/v1/interactions", json={"interaction_id": given, "output": "ours"}).json()
        assert (taken["new"], ours["new"]) == (1, 1)
        body = {"kind": "explicit", "thumb": True, "interaction_id": given}
        identity = api.post("/v1/feedback", json=body).json()["id"]
        found = api.get(f"/v1/feedback/{identity}").json()
        assert (found["interaction_id"], found["response"]) == (ours["interaction_ids"][0], "ours")
        with service.client(service.new_key("mallory2", "write")) as thief:
            made = {"interaction_id": ours["interaction_ids"][0], "output": "POISON"}
            assert thief.post("/v1/interactions", json=made).json()["new"] == 1
        assert api.get(f"/v1/feedback/{identity}").json()["response"] == "ours"


def test_a_vote_waits_for_the_answer_that_its_caller_gave_an_id(service: Running, api: httpx.Client) -> None:
    given = "0190a0b0-0000-7000-8000-00000000abce"
    identity = api.post("/v1/feedback", json={"kind": "explicit", "thumb": False, "interaction_id": given}).json()["id"]
    answer = log(api, interaction_id=given, model="m-late")
    found = api.get(f"/v1/feedback/{identity}").json()
    assert (found["interaction_id"], found["model"]) == (answer, "m-late")


def test_a_second_answer_under_one_request_is_a_conflict_that_is_said(api: httpx.Client) -> None:
    items = [LOGGED, LOGGED, LOGGED | {"output": "Something else."}]
    answer = api.post("/v1/interactions", json={"items": items})
    assert answer.status_code == 207
    results = answer.json()["results"]
    assert [result.get("outcome", result["status"]) for result in results] == ["new", "known", 409]
    again = api.post("/v1/interactions", json={"items": [LOGGED | {"output": "Something else."}]}).json()["results"]
    assert (again[0]["status"], again[0]["problem"]["code"]) == (409, "conflict")
