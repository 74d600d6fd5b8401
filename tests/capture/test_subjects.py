"""Feedback on a session, a conversation, a tool call or a step: kept, changed and counted apart from answers."""

from typing import Any

import httpx
import pytest
from psycopg import connect

from feedback_pipeline.store import bulk
from tests.capture.conftest import Running


def vote(api: httpx.Client, kind: str, identity: str, **fields: Any) -> str:
    body = {"kind": "explicit", "subject": {"kind": kind, "id": identity}, "user_id": "ada", **fields}
    answer = api.post("/v1/feedback", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.mark.parametrize("kind", ["session", "conversation", "tool_call", "step"])
def test_a_subject_is_voted_on_by_itself(service: Running, api: httpx.Client, kind: str) -> None:
    first = vote(api, kind, "s-1", thumb=False, comment="slow")
    vote(api, kind, "s-1", thumb=True)  # the same person, again
    vote(api, kind, "s-1", thumb=True, user_id="grace")
    vote(api, kind, "s-2", stars=4)
    found = api.get(f"/v1/feedback/{first}").json()
    assert (found["subject"], found["thumb"], found["comment"]) == ({"kind": kind, "id": "s-1"}, True, "slow")
    (whole,) = api.get("/v1/feedback/subjects").json()["subjects"]
    assert (whole["votes"], whole["up"], whole["people"], whole["average_stars"]) == (3, 2, 2, 4.0)
    by_id = api.get("/v1/feedback/subjects", params={"kind": kind}).json()["subjects"]
    assert [(item["id"], item["votes"], item["approval"]) for item in by_id] == [("s-1", 2, 100.0), ("s-2", 1, None)]
    # nothing of it is counted as feedback on answers
    assert api.get("/v1/feedback/stats").json()["total_feedback"] == 0
    api.delete(f"/v1/feedback/{first}")
    assert api.get("/v1/feedback/stats").json()["total_feedback"] == 0
    assert api.get("/v1/feedback/subjects").json()["subjects"][0]["votes"] == 2


def test_a_day_accounts_for_votes_on_subjects(service: Running, api: httpx.Client) -> None:
    vote(api, "session", "s-1", thumb=True)
    with connect(service.database.address()) as connection:
        ((day,),) = connection.execute("SELECT max(day) FROM feedback").fetchall()
    raw = bulk.read_day(service.database, "read_feedback", day)
    assert raw.filter(raw["tenant"] == service.tenant)["state"].to_list() == ["subject"]


@pytest.mark.parametrize("body", [
    {"subject": {"kind": "session", "id": "s"}, "request_id": "r"}, {"subject": {"kind": "answer", "id": "s"}},
    {"subject": {"kind": "session"}}, {},
])  # fmt: skip
def test_a_vote_is_about_one_thing(api: httpx.Client, body: dict[str, Any]) -> None:
    assert api.post("/v1/feedback", json={"kind": "explicit", "thumb": True, **body}).status_code == 422
