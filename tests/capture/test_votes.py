"""One vote over HTTP: every shape, durable, changeable, visible to the next read."""

from typing import Any

import httpx
import psycopg
import pytest

A1: dict[str, Any] = {"content_type": "pr_summary", "content_id": 123, "rating": True}
A2: dict[str, Any] = A1 | {
    "rating": False,
    "comment": "misses the point",
    "content_snapshot": {"summary": {"text": "five files"}, "health": {}, "ai": {}},
    "input_context": {"pr_id": 123, "title": "Retry with jitter", "files_changed": 5},
    "prompt_version": "5.0.0",
    "user_id": "ada",
}
B1: dict[str, Any] = {
    "query": "How do I sort a list?",
    "response": "Call sorted().",
    "model": "m-1",
    "rating": 1,
    "intent": "code",
    "project": "docs",
    "user_id": "ada",
    "session_id": "s-1",
    "memory_used": 12.5,
    "tools_called": ["search"],
    "metadata": {"page": 3},
}
D1: dict[str, Any] = {
    "user_id": "ada",
    "message_id": "m-17",
    "feedback": "down",
    "user_message": "remind me tomorrow",
    "assistant_response": "Done.",
    "action_type": "todo",
    "action_data": {"due": "2026-11-22"},
}
E2: dict[str, Any] = {
    "conversation_id": "c-1",
    "turn_id": 2,
    "request_id": "r-9",
    "input_text": "q",
    "output_text": "a",
    "prompt_version": "v2",
    "model": "m-1",
    "feedback_type": "outcome",
    "feedback_value": {"task_succeeded": True},
}


def post(api: httpx.Client, vote: dict[str, Any], **headers: str) -> str:
    answer = api.post("/v1/feedback", json=vote, headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.mark.parametrize(
    ("vote", "expected"),
    [
        (A1, {"kind": "explicit", "thumb": True, "content_type": "pr_summary", "content_id": "123"}),  # A1
        (A2, {"thumb": False, "comment": "misses the point", "content_snapshot": A2["content_snapshot"],
              "prompt_version": "5.0.0"}),  # A2
        (B1, {"rating": 1, "query": B1["query"], "response": B1["response"], "model": "m-1", "intent": "code",
              "project": "docs", "tools_called": ["search"], "memory_used": 12.5, "metadata": {"page": 3}}),  # B1
        (D1, {"feedback": "down", "message_id": "m-17", "action_type": "todo", "query": "remind me tomorrow"}),  # D1
        (E2, {"kind": "outcome", "value": {"task_succeeded": True}, "request_id": "r-9", "prompt_version": "v2"}),  # E2
        ({"kind": "correction", "content": {"type": "qa_answer", "id": "1"}, "correction": "Use sorted()."},
         {"kind": "correction", "correction": "Use sorted().", "content_id": "1"}),  # F7
    ],
    ids=["A1", "A2", "B1", "D1", "E2", "F7"],
)  # fmt: skip
def test_each_shape_is_read_back_by_the_next_request(
    api: httpx.Client, vote: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = api.get(f"/v1/feedback/{post(api, vote)}").json()
    assert {name: found[name] for name in expected} == expected


def test_the_user_is_stored_as_a_pseudonym_only(api: httpx.Client, service: Any) -> None:
    post(api, B1 | {"user_id": "ada.lovelace"})
    rows = str(
        service.rows("SELECT f::text, i::text FROM feedback f JOIN interaction i USING (tenant) WHERE tenant = %s")
    )
    rows += str(service.rows("SELECT person FROM person_seen WHERE tenant = %s"))
    assert "ada.lovelace" not in rows
    assert "k1:" in rows


def test_identifiers_in_text_are_replaced_before_anything_is_stored(api: httpx.Client, service: Any) -> None:
    post(api, B1 | {"query": "I am ada@example.com", "comment": "write to ada@example.com"})
    rows = str(
        service.rows("SELECT f::text, i::text FROM feedback f JOIN interaction i USING (tenant) WHERE tenant = %s")
    )
    assert "ada@example.com" not in rows
    assert "[EMAIL" in rows


def test_a_second_vote_of_a_person_on_an_answer_follows_the_first(api: httpx.Client) -> None:
    first = post(api, D1)
    second = post(api, D1 | {"feedback": "up"})
    found = api.get(f"/v1/feedback/{first}", params={"history": True}).json()
    assert found["feedback"] == "up"
    assert found["event_id"] == second
    assert [event["thumb"] for event in found["history"]] == [True, False]
    assert len(api.get("/v1/feedback").json()["items"]) == 1


def test_votes_of_two_people_on_one_answer_both_count(api: httpx.Client) -> None:
    post(api, D1)
    post(api, D1 | {"user_id": "grace"})
    assert len(api.get("/v1/feedback").json()["items"]) == 2


def test_anonymous_votes_count_one_by_one(api: httpx.Client) -> None:
    for _ in range(3):
        post(api, A1)
    assert api.get("/v1/feedback/stats").json()["total_feedback"] == 3


def test_a_change_keeps_the_history(api: httpx.Client) -> None:
    identity = post(api, B1)
    answer = api.put(f"/v1/feedback/{identity}", json={"rating": -1, "comment": "on reflection"})
    assert answer.status_code == 200
    found = api.get(f"/v1/feedback/{identity}", params={"history": "true"}).json()
    assert (found["id"], found["rating"], found["comment"], found["model"]) == (identity, -1, "on reflection", "m-1")
    assert [event["thumb"] for event in found["history"]] == [False, True]
    assert found["created_at"] < found["updated_at"]


def test_an_anonymous_vote_can_be_changed_and_counts_once(api: httpx.Client) -> None:
    identity = post(api, A1)
    assert api.put(f"/v1/feedback/{identity}", json={"rating": False}).json()["thumb"] is False
    stats = api.get("/v1/feedback/stats").json()
    assert (stats["total_feedback"], stats["positive"], stats["negative"], stats["unique_sessions"]) == (1, 0, 1, 0)


def test_a_withdrawn_vote_is_gone_from_every_read_and_is_not_a_zero(api: httpx.Client) -> None:
    identity = post(api, B1)
    assert api.delete(f"/v1/feedback/{identity}").status_code == 204
    assert api.get(f"/v1/feedback/{identity}").status_code == 404
    assert api.delete(f"/v1/feedback/{identity}").status_code == 404
    assert api.get("/v1/feedback").json()["items"] == []
    assert api.get("/v1/feedback/accuracy").json()["overall"]["total"] == 0
    stats = api.get("/v1/feedback/stats").json()
    assert (stats["total_feedback"], stats["positive"], stats["negative"]) == (0, 0, 0)


def test_a_vote_is_withdrawn_by_content_and_person(api: httpx.Client) -> None:
    post(api, A2)
    comment = {"content": {"type": "pr_summary", "id": "123"}, "kind": "comment", "comment": "stays"}
    post(api, comment | {"user_id": "ada"})
    post(api, A2 | {"user_id": "grace"})
    where = {"content_type": "pr_summary", "content_id": "123"}
    mine = where | {"user_id": "ada"}
    lacking = [where, {"user_id": "ada"}, mine | {"content_id": ""}, mine | {"content_type": ""}]
    for lacks in lacking:
        assert api.delete("/v1/feedback", params=lacks).status_code == 422
    for _ in range(2):  # the second time there is none
        assert api.delete("/v1/feedback", params=mine).status_code == 204
        kept = api.get("/v1/feedback").json()["items"]
        assert sorted((item["kind"], item["thumb"]) for item in kept) == [("comment", None), ("explicit", False)]
    assert [item["kind"] for item in api.get("/v1/feedback", params=mine).json()["items"]] == ["comment"]
    post(api, A2 | {"rating": True})
    found = api.get("/v1/feedback", params=mine).json()["items"]
    assert [item["thumb"] for item in found if item["kind"] == "explicit"] == [True]


def test_a_person_changes_only_their_own_vote(api: httpx.Client) -> None:  # A3
    identity = post(api, B1 | {"session_id": None})
    assert api.put(f"/v1/feedback/{identity}", json={"rating": -1, "user_id": "eve"}).status_code == 403
    assert api.delete(f"/v1/feedback/{identity}", params={"user_id": "eve"}).status_code == 403
    assert api.get(f"/v1/feedback/{identity}").json()["rating"] == 1
    assert api.put(f"/v1/feedback/{identity}", json={"rating": -1, "user_id": "ada"}).status_code == 200


def test_another_tenants_vote_does_not_exist(service: Any, api: httpx.Client) -> None:  # A3
    identity = post(api, B1)
    with service.client(service.new_key(service.tenant + "-rivals")) as other:
        assert other.get(f"/v1/feedback/{identity}").status_code == 404
        assert other.put(f"/v1/feedback/{identity}", json={"rating": -1}).status_code == 404
        assert other.delete(f"/v1/feedback/{identity}").status_code == 404
        assert other.get("/v1/feedback").json()["items"] == []
        assert other.get("/v1/feedback/accuracy").json()["groups"] == []
        assert other.get("/v1/feedback/stats").json()["unique_users"] == 0
    assert api.get(f"/v1/feedback/{identity}").status_code == 200


def test_what_a_person_voted_on_content(api: httpx.Client) -> None:  # A4
    post(api, A2)
    where = {"content_type": "pr_summary", "content_id": "123"}
    mine = api.get("/v1/feedback", params=where | {"user_id": "ada"}).json()["items"]
    assert [item["thumb"] for item in mine] == [False]
    assert api.get("/v1/feedback", params=where | {"user_id": "grace"}).json()["items"] == []


def test_a_vote_belongs_to_the_snapshot_that_was_shown(api: httpx.Client) -> None:  # A4
    post(api, A2)
    where = {"content_type": "pr_summary", "content_id": "123", "user_id": "ada"}
    same = api.post("/v1/feedback/state", json=where | {"content_snapshot": A2["content_snapshot"]})
    changed = api.post("/v1/feedback/state", json=where | {"content_snapshot": {"summary": {"text": "six files"}}})
    assert [item["thumb"] for item in same.json()["items"]] == [False]
    assert changed.json()["items"] == []


def test_a_form_post_from_a_page_is_a_vote(api: httpx.Client) -> None:  # A1
    answer = api.post("/v1/feedback", data={"content_type": "qa_answer", "content_id": "7", "rating": "false"})
    assert answer.status_code == 201
    assert api.get(f"/v1/feedback/{answer.json()['id']}").json()["thumb"] is False


def test_a_vote_may_come_before_its_answer(api: httpx.Client) -> None:
    vote = {"feedback_type": "explicit", "feedback_value": {"rating": "up"}, "request_id": "r-1", "user_id": "ada"}
    identity = post(api, vote)
    assert api.get(f"/v1/feedback/{identity}").json()["interaction_id"] is None
    answer = {"request_id": "r-1", "prompt": "q", "output": "a", "model": "m-2", "intent": "code"}
    logged = api.post("/v1/interactions", json=answer)
    assert logged.status_code == 202
    found = api.get(f"/v1/feedback/{identity}").json()
    assert (found["interaction_id"], found["model"]) == (logged.json()["interaction_ids"][0], "m-2")
    groups = api.get("/v1/feedback/accuracy").json()["groups"]
    assert [(group["model"], group["positive"]) for group in groups] == [("m-2", 1)]


def test_a_vote_with_its_own_answer_goes_to_the_logged_one(api: httpx.Client) -> None:
    logged = api.post("/v1/interactions", json={"request_id": "r-9", "prompt": "q", "output": "a", "model": "m-1"})
    found = api.get(f"/v1/feedback/{post(api, E2)}").json()
    assert found["interaction_id"] == logged.json()["interaction_ids"][0]
    assert found["provenance"] == "logged"


def test_a_person_who_refused_collection_leaves_nothing_but_a_count(api: httpx.Client, service: Any) -> None:  # D6
    post(api, B1)
    with psycopg.connect(service.database.url) as connection:
        connection.execute(
            "INSERT INTO consent (tenant, user_key, collect)"
            " SELECT tenant, user_key, false FROM feedback WHERE tenant = %s",
            (service.tenant,),
        )
    answer = api.post("/v1/feedback", json=B1 | {"query": "a second question"})
    assert (answer.status_code, answer.json()["status"], answer.json()["id"]) == (200, "opted_out", None)
    assert service.rows("SELECT count(*) FROM feedback WHERE tenant = %s") == [(1,)]
    assert service.rows("SELECT count(*) FROM interaction WHERE tenant = %s") == [(1,)]
    assert service.rows("SELECT category FROM refusal WHERE tenant = %s") == [("opted_out",)]


def test_pages_of_the_list_hold_every_vote_once(api: httpx.Client) -> None:
    posted = [post(api, B1 | {"query": f"question {number}"}) for number in range(7)]
    found: list[str] = []
    cursor = None
    while True:
        page = api.get("/v1/feedback", params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        found += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == posted[::-1]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [({"model": "m-1"}, 1), ({"model": "m-9"}, 0), ({"rating": "down"}, 1), ({"content_type": "pr_summary"}, 1),
     ({"kind": "outcome"}, 1), ({"user_id": "ada"}, 2), ({"has_comment": "true"}, 1), ({"action_type": "todo"}, 0),
     ({"since": "2020-01-01"}, 3), ({"until": "2020-01-01"}, 0)],
)  # fmt: skip
def test_filters_of_the_list(api: httpx.Client, filters: dict[str, str], expected: int) -> None:
    for vote in (A2, B1, E2 | {"model": "m-3"}):
        post(api, vote)
    assert len(api.get("/v1/feedback", params=filters).json()["items"]) == expected


def test_events_are_named_by_the_newest_and_the_first_id_alike(api: httpx.Client) -> None:
    identity = post(api, B1)
    newest = api.put(f"/v1/feedback/{identity}", json={"rating": -1}).json()["event_id"]
    assert newest != identity
    assert api.get(f"/v1/feedback/{newest}").json()["rating"] == -1
