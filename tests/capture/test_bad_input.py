"""Bad input gets a problem document that names the field; nothing is stored and nothing breaks."""

import itertools
import json
from typing import Any

import httpx
import pytest

from feedback_pipeline.capture import shapes

A: dict[str, Any] = {"content_type": "qa_answer", "content_id": "7", "rating": True}
B: dict[str, Any] = {"query": "q", "response": "r", "rating": 1}
STORE: dict[str, Any] = {"kind": "explicit", "request_id": "r", "thumb": True}
HOSTILE = (
    "'; DROP TABLE feedback; --",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "%s%n",
    "../../etc/passwd",
    "\u202etxt",
)


def refused(answer: httpx.Response, *statuses: int) -> dict[str, Any]:
    assert answer.status_code in statuses, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "code", "detail"} <= document.keys()
    return document


@pytest.mark.parametrize(
    ("vote", "field"),
    [
        (A | {"rating": "yes"}, "rating"),
        (A | {"rating": 1}, "rating"),
        (B | {"rating": 2}, "rating"),
        (B | {"rating": True}, "rating"),
        (B | {"rating": "1"}, "rating"),
        (B | {"rating": 0}, "rating"),
        (B | {"query": 5}, "query"),
        (B | {"unheard_of": 1}, "unheard_of"),
        (B | {"tools_called": "search"}, "tools_called"),
        (B | {"tools_called": [1]}, "tools_called.0"),
        (B | {"memory_used": -1}, "memory_used"),
        (B | {"metadata": [1]}, "metadata"),
        (B | {"metadata": {"n": 10**30}}, "metadata"),
        (B | {"query": "x" * 100_001}, "query"),
        (B | {"user_id": ""}, "user_id"),
        (B | {"occurred_at": "yesterday"}, "occurred_at"),
        (B | {"occurred_at": "1999-01-01T00:00:00Z"}, "occurred_at"),
        (B | {"occurred_at": "2099-01-01T00:00:00Z"}, "occurred_at"),
        (B | {"idempotency_key": "k"}, "idempotency_key"),
        ({"message_id": "m", "feedback": "sideways"}, "feedback"),
        ({"message_id": "m"}, "feedback"),
        ({"feedback_type": "explicit", "feedback_value": {"rating": 6}, "request_id": "r"}, "feedback_value.rating"),
        ({"feedback_type": "explicit", "feedback_value": {}, "request_id": "r"}, "feedback_value.rating"),
        ({"feedback_type": "outcome", "feedback_value": {"task_succeeded": True}}, "body"),
        (STORE | {"stars": 6}, "stars"),
        (STORE | {"stars": 2.5}, "stars"),
        (STORE | {"interaction_id": "not-a-uuid"}, "interaction_id"),
        ({"kind": "explicit", "request_id": "r"}, "body"),
        ({"kind": "preference", "request_id": "r", "preference": "this"}, "body"),
        ({"kind": "explicit", "thumb": True}, "body"),
        (STORE | {"answer": {"confidence": 1.5}}, "answer.confidence"),
        (A | {"content_type": "qa/answer"}, "content_type"),  # or "a/b" + "c" would be the content "a" + "b/c"
        ({}, "body"),
        ([], "body"),
        ("text", "body"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named_and_nothing_is_stored(api: httpx.Client, vote: Any, field: str) -> None:
    document = refused(api.post("/v1/feedback", json=vote), 422)
    assert field in [error["field"] for error in document["errors"]]
    assert api.get("/v1/feedback/stats").json()["total_feedback"] == 0


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (b'{"query": "a\\u0000b", "response": "r", "rating": 1}', "invalid", "query"),
        (b'{"query": "q", "response": "r", "rating": 1, "metadata": {"a": ["x\\u0000"]}}', "invalid", "metadata.a.0"),
        (b'{"query": "a\\ud800b", "response": "r", "rating": 1}', "invalid", "query"),
        (b'{"query": "q", "response": "r", "rating": 1, "rating": -1}', "duplicate_key", None),
        (b"[" * 100_000 + b"]" * 100_000, "malformed", None),
        (b'{"metadata":' * 50_000 + b"1" + b"}" * 50_000, "malformed", None),
        (b'{"query": "q"', "malformed", None),
        (b"", "malformed", None),
        (b"null", "invalid", "body"),
        (b'{"query": "\xff\xfe"}', "malformed", None),
        (b'{"query": NaN, "response": "r", "rating": 1}', "malformed", None),
        (b'{"rating": 1e999, "query": "q", "response": "r"}', "invalid", "rating"),
    ],
)  # fmt: skip
def test_a_body_that_is_no_sound_json(api: httpx.Client, body: bytes, code: str, field: str | None) -> None:
    answer = api.post("/v1/feedback", content=body, headers={"Content-Type": "application/json"})
    document = refused(answer, 400, 413, 422)
    if answer.status_code != 413:
        assert document["code"] == code
    if field is not None:
        assert field in [error["field"] for error in document["errors"]]
    assert api.get("/v1/feedback/stats").json()["total_feedback"] == 0


def test_too_large_bodies_and_snapshots(api: httpx.Client) -> None:
    refused(api.post("/v1/feedback", json=A | {"content_snapshot": "x" * 10_000_000}), 413)
    document = refused(api.post("/v1/feedback", json=A | {"content_snapshot": {"text": "x" * 30_000}}), 413)
    assert document["errors"][0]["field"] == "content_snapshot"
    refused(api.post("/v1/feedback/export/finetuning", json={"output_path": "x" * 20_000}), 413)


def test_a_body_sent_in_pieces_is_cut_off_at_the_limit(api: httpx.Client) -> None:
    def pieces() -> Any:
        for _ in range(200):
            yield b" " * 10_000

    refused(api.post("/v1/feedback", content=pieces(), headers={"Content-Type": "application/json"}), 413)


def test_other_media_types_are_refused(api: httpx.Client) -> None:
    refused(api.post("/v1/feedback", content=b"<vote/>", headers={"Content-Type": "application/xml"}), 415)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_kept_as_text(api: httpx.Client, text: str) -> None:
    vote = B | {"query": text, "response": text, "model": text, "intent": text, "project": text, "user_id": text,
                "comment": text, "metadata": {text: text}}  # fmt: skip
    answer = api.post("/v1/feedback", json=vote)
    assert answer.status_code == 201
    found = api.get(f"/v1/feedback/{answer.json()['id']}").json()
    assert (found["query"], found["model"], found["comment"], found["metadata"]) == (text, text, text, {text: text})
    listed = api.get("/v1/feedback", params={"model": text}).json()["items"]
    assert [item["id"] for item in listed] == [found["id"]]


EVERY_SHAPE = (
    (shapes.ContentVote, A),
    (shapes.AnswerVote, B),
    (shapes.MessageVote, {"message_id": "m", "feedback": "up"}),
    (shapes.SignalVote, {"feedback_type": "explicit", "feedback_value": {"rating": True}, "request_id": "r"}),
    (shapes.StoreVote, STORE),
)


@pytest.mark.parametrize(("shape", "sound"), EVERY_SHAPE)
def test_hostile_text_in_any_field_is_text_or_a_named_problem(api: httpx.Client, shape: Any, sound: Any) -> None:
    stored = 0
    for name, text in itertools.product(shape.model_fields, HOSTILE):
        answer = api.post("/v1/feedback", json=sound | {name: text})
        if answer.status_code == 201:
            stored += 1
        else:
            errors = refused(answer, 422)["errors"]
            # a value that makes it another shape may be told by what that shape lacks
            assert name == "kind" or any(error["field"].split(".")[0] in {name, "body"} for error in errors)
    assert stored > 0
    assert api.get("/v1/feedback/stats").json()["total_feedback"] <= stored  # one person's votes on one answer are one


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/feedback?limit=0", "limit"),
        ("/v1/feedback?limit=many", "limit"),
        ("/v1/feedback?cursor=garbage", "cursor"),
        ("/v1/feedback?cursor=MjAyNi0xMS0yMXx4fHk", "cursor"),
        ("/v1/feedback?rating=2", "rating"),
        ("/v1/feedback?since=soon", "since"),
        ("/v1/feedback?unheard_of=1", "unheard_of"),
        ("/v1/feedback?model=%00", "model"),
        ("/v1/feedback?content_id=7", "user_id"),
        ("/v1/feedback?content_type=t&content_id=7&session_id=", "session_id"),
        ("/v1/feedback?user_id=", "user_id"),
        ("/v1/feedback/stats?days=8", "days"),
        ("/v1/feedback/stats?model=" + "x" * 201, "model"),
        ("/v1/feedback/not-a-uuid", "feedback_id"),
        ("/api/feedback?type=everything", "type"),
    ],
)
def test_a_wrong_parameter_is_named(api: httpx.Client, path: str, field: str) -> None:
    document = refused(api.get(path), 422)
    assert field in [error["field"] for error in document["errors"]]


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd.jsonl", "../x.jsonl", "a/../../x.jsonl", "a//b.jsonl", "x.sh", ".hidden.jsonl", "a\\b.jsonl",
     "s3://bucket/x.jsonl", "~/x.jsonl", "a b.jsonl", "x.jsonl/", "", "é.jsonl"],
)  # fmt: skip
def test_exports_stay_in_their_folder(api: httpx.Client, path: str) -> None:
    document = refused(api.post("/v1/feedback/export/finetuning", json={"output_path": path}), 422)
    assert document["errors"][0]["field"] == "output_path"


def test_nobody_is_no_person(api: httpx.Client) -> None:
    identity = api.post("/v1/feedback", json=B).json()["id"]
    for name in ("user_id", "session_id"):
        document = refused(api.delete(f"/v1/feedback/{identity}", params={name: ""}), 422)
        assert document["errors"][0]["field"] == name


def test_a_change_that_leaves_nothing_of_a_vote_is_refused(api: httpx.Client) -> None:
    identity = api.post("/v1/feedback", json=B).json()["id"]
    refused(api.put(f"/v1/feedback/{identity}", json={"thumb": None}), 422)
    refused(api.put(f"/v1/feedback/{identity}", json={}), 422)
    refused(api.put(f"/v1/feedback/{identity}", json={"rating": 2}), 422)
    assert api.get(f"/v1/feedback/{identity}").json()["rating"] == 1


def test_strangers_words_are_not_repeated_in_problems(api: httpx.Client) -> None:
    secret = "my-card-is-4111111111111111"
    for vote in (B | {"rating": secret}, A | {"rating": secret}, {"message_id": "m", "feedback": secret}):
        assert secret not in api.post("/v1/feedback", json=vote).text
    broken = json.dumps({"query": secret}).encode()[:-1]
    answer = api.post("/v1/feedback", content=broken, headers={"Content-Type": "application/json"})
    assert secret not in answer.text


def test_idempotency_keys_that_are_none(api: httpx.Client) -> None:
    document = refused(api.post("/v1/feedback", json=B, headers={"Idempotency-Key": "x" * 201}), 422)
    assert document["errors"][0]["field"] == "Idempotency-Key"


def test_unknown_paths_and_methods_are_problems_too(api: httpx.Client) -> None:
    refused(api.get("/v2/feedback"), 404)
    refused(api.patch("/v1/feedback"), 405)
