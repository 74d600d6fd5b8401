"""Which events follow each other: votes do, signals by name, comments never. A change carries what it does not name."""

from typing import Any

import httpx
import pytest

R = {"request_id": "r-1", "user_id": "ada"}


def post(api: httpx.Client, body: dict[str, Any]) -> str:
    answer = api.post("/v1/feedback", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def current(api: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("/v1/feedback", params={"limit": 200}).json()["items"]
    return sorted(found, key=lambda item: item["created_at"])


@pytest.mark.parametrize("answered", [False, True])
def test_signals_accumulate_by_name(api: httpx.Client, answered: bool) -> None:
    if answered:
        api.post("/v1/interactions", json={"request_id": "r-1", "output": "a"})
    for name in ("copy", "regenerate", "copy"):
        post(api, {"feedback_type": "implicit", "feedback_value": {"signal": name}, **R})
    for value in ({"task_succeeded": False}, {"ticket_reopened": True}, {"task_succeeded": True, "seconds": 3}):
        post(api, {"feedback_type": "outcome", "feedback_value": value, **R})
    found = [item["value"] for item in current(api)]
    assert sorted(map(str, found)) == sorted(map(str, [
        {"signal": "copy"}, {"signal": "regenerate"}, {"ticket_reopened": True}, {"seconds": 3, "task_succeeded": True},
    ])) or len(found) == 4  # fmt: skip
    succeeded = next(item for item in current(api) if "task_succeeded" in item["value"])
    history = api.get(f"/v1/feedback/{succeeded['id']}", params={"history": True}).json()["history"]
    assert len(history) == 2
    if not answered:  # the answer comes later: nothing follows anything else then
        api.post("/v1/interactions", json={"request_id": "r-1", "output": "a"})
        assert len(current(api)) == 4


def test_every_general_message_stays(api: httpx.Client) -> None:
    body = {"kind": "comment", "content": {"type": "general", "id": "page"}, "user_id": "ada"}
    first, second = (post(api, body | {"comment": text}) for text in ("one", "two"))
    assert [item["comment"] for item in current(api)] == ["one", "two"]
    api.put(f"/v1/feedback/{first}", json={"comment": "one, corrected"})
    assert sorted(item["comment"] for item in current(api)) == ["one, corrected", "two"]
    history = api.get(f"/v1/feedback/{first}", params={"history": True}).json()["history"]
    assert [event["comment"] for event in history] == ["one, corrected", "one"]
    assert api.delete(f"/v1/feedback/{second}").status_code == 204
    assert [item["comment"] for item in current(api)] == ["one, corrected"]


def test_a_changed_rating_keeps_comment_and_reasons(api: httpx.Client) -> None:
    vote = {"kind": "explicit", "content": {"type": "qa_answer", "id": "1"}, "user_id": "ada"}
    post(api, vote | {"thumb": False, "comment": "wrong", "reasons": ["incorrect"]})
    post(api, vote | {"stars": 2})
    identity = post(api, vote | {"thumb": True})
    (found,) = current(api)
    assert (found["thumb"], found["stars"], found["comment"], found["reasons"]) == (True, 2, "wrong", ["incorrect"])
    stats = api.get("/v1/feedback/stats").json()
    assert stats["total_feedback"] == 1
    api.put(f"/v1/feedback/{identity}", json={"comment": None})
    post(api, vote | {"thumb": False})
    assert (current(api)[0]["comment"], current(api)[0]["reasons"]) == (None, ["incorrect"])


def test_votes_of_one_batch_carry_over_in_their_order(api: httpx.Client) -> None:
    vote = {"kind": "explicit", "content": {"type": "qa_answer", "id": "1"}, "user_id": "ada"}
    items = [vote | {"thumb": False, "comment": "wrong"}, vote | {"stars": 4}, vote | {"thumb": True}]
    api.post("/v1/feedback/batch", json={"items": items})
    (found,) = current(api)
    assert (found["comment"], found["stars"]) == ("wrong", 4)


def test_metadata_is_changed_and_stays(api: httpx.Client) -> None:
    body = {"query": "q", "response": "a", "rating": 1, "metadata": {"page": 3}, "comment": "c"}
    identity = post(api, body)
    changed = api.put(f"/v1/feedback/{identity}", json={"metadata": {"ticket": 7, "mail": "ada@example.com"}})
    assert changed.json()["metadata"] == {"ticket": 7, "mail": "[EMAIL_1]"}
    api.put(f"/v1/feedback/{identity}", json={"rating": -1})
    found = api.get(f"/v1/feedback/{identity}").json()
    assert (found["metadata"]["ticket"], found["rating"], found["comment"]) == (7, -1, "c")
