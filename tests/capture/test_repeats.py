"""Requests that arrive more than once, batches, and votes of one person at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg

from feedback_pipeline.capture.routes_batches import MAX_ITEMS

VOTE: dict[str, Any] = {"message_id": "m-1", "feedback": "up", "user_message": "q", "assistant_response": "a"}


def test_a_repeated_request_is_answered_with_what_the_first_gave(api: httpx.Client) -> None:
    first = api.post("/v1/feedback", json=VOTE, headers={"Idempotency-Key": "k-1"})
    again = api.post("/v1/feedback", json=VOTE, headers={"Idempotency-Key": "k-1"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert again.headers["idempotency-replayed"] == "true"
    assert api.get("/v1/feedback/stats").json()["total_feedback"] == 1


def test_a_key_under_another_request_is_refused_and_stores_nothing(api: httpx.Client) -> None:
    api.post("/v1/feedback", json=VOTE, headers={"Idempotency-Key": "k-1"})
    other = api.post("/v1/feedback", json=VOTE | {"feedback": "down"}, headers={"Idempotency-Key": "k-1"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert api.get("/v1/feedback/stats").json()["total_feedback"] == 1


def test_keys_are_honoured_across_restarts(start: Any) -> None:
    with start().client() as before:
        first = before.post("/v1/feedback", json=VOTE, headers={"Idempotency-Key": "k-1"}).json()["id"]
    with start().client() as after:
        assert after.post("/v1/feedback", json=VOTE, headers={"Idempotency-Key": "k-1"}).json()["id"] == first


def test_a_key_is_forgotten_after_a_day(api: httpx.Client, service: Any) -> None:
    first = api.post("/v1/feedback", json=VOTE, headers={"Idempotency-Key": "k-1"}).json()["id"]
    with psycopg.connect(service.database.url) as connection:
        connection.execute("UPDATE idempotency SET created_at = now() - interval '25 hours' WHERE key = 'k-1'")
    again = api.post("/v1/feedback", json=VOTE, headers={"Idempotency-Key": "k-1"})
    assert again.status_code == 201
    assert again.json()["id"] != first


def test_keys_of_two_tenants_do_not_meet(api: httpx.Client, service: Any) -> None:
    api.post("/v1/feedback", json=VOTE, headers={"Idempotency-Key": "k-1"})
    with service.client(service.new_key(service.tenant + "-rivals")) as other:
        assert other.post("/v1/feedback", json=VOTE, headers={"Idempotency-Key": "k-1"}).status_code == 201


def test_the_same_request_many_times_at_once_is_carried_out_once(api: httpx.Client) -> None:
    def send(_: int) -> str:
        return str(api.post("/v1/feedback", json=VOTE, headers={"Idempotency-Key": "k-1"}).json()["id"])

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(send, range(40)))) == 1
    assert api.get("/v1/feedback/stats").json()["total_feedback"] == 1


def test_a_person_who_clicks_many_times_at_once_has_one_current_vote(api: httpx.Client) -> None:
    def send(number: int) -> int:
        vote = VOTE | {"user_id": "ada", "feedback": "up" if number % 2 else "down"}
        return api.post("/v1/feedback", json=vote).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(send, range(40))) == {201}
    assert len(api.get("/v1/feedback").json()["items"]) == 1
    assert api.get("/v1/feedback/stats").json()["total_feedback"] == 1


def test_one_person_clicking_over_two_processes_has_one_current_vote(start: Any) -> None:
    services = [start(), start()]

    def send(number: int) -> int:
        with services[number % 2].client() as client:
            return client.post("/v1/feedback", json={"content_type": "t", "content_id": "9", "rating": number % 3 == 0,
                                                     "user_id": "ada"}).status_code  # fmt: skip

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(send, range(24))) == {201}
    with services[0].client() as client:
        assert len(client.get("/v1/feedback").json()["items"]) == 1


def test_items_of_a_batch_are_answered_one_by_one(api: httpx.Client) -> None:
    items = [VOTE | {"message_id": f"m-{number}"} for number in range(5)]
    items[2] = {"message_id": "m-2", "feedback": "sideways"}
    answer = api.post("/v1/feedback/batch", json={"items": items})
    assert answer.status_code == 207
    results = answer.json()["results"]
    assert [result["status"] for result in results] == [201, 201, 422, 201, 201]
    assert results[2]["problem"]["errors"][0]["field"] == "feedback"
    assert len({result["id"] for result in results if "id" in result}) == 4


def test_a_batch_sent_again_adds_nothing(api: httpx.Client) -> None:
    items = [VOTE | {"message_id": f"m-{number}"} for number in range(50)]
    first = api.post("/v1/feedback/batch", json={"items": items}, headers={"Idempotency-Key": "b-1"}).json()
    again = api.post("/v1/feedback/batch", json={"items": items}, headers={"Idempotency-Key": "b-1"}).json()
    assert [result["id"] for result in first["results"]] == [result["id"] for result in again["results"]]
    assert (first["stored"], again["stored"]) == (50, 0)
    assert api.get("/v1/feedback/stats").json()["total_feedback"] == 50


def test_one_key_twice_in_a_batch_is_one_vote(api: httpx.Client) -> None:
    item = VOTE | {"idempotency_key": "same"}
    results = api.post("/v1/feedback/batch", json={"items": [item, item, item | {"feedback": "down"}]}).json()[
        "results"
    ]
    assert [result["status"] for result in results] == [201, 200, 422]
    assert results[0]["id"] == results[1]["id"]


def test_a_batch_of_the_largest_size_is_taken_and_one_more_is_not(api: httpx.Client) -> None:
    items = [{"content_type": "t", "content_id": number, "rating": True} for number in range(MAX_ITEMS)]
    assert api.post("/v1/feedback/batch", json={"items": items}).json()["stored"] == MAX_ITEMS
    assert api.get("/v1/feedback/stats").json()["total_feedback"] == MAX_ITEMS
    assert api.post("/v1/feedback/batch", json={"items": [*items, items[0]]}).status_code == 422


def test_a_late_vote_takes_its_place_in_the_history(api: httpx.Client) -> None:
    for moment, feedback in (("2026-11-01", "up"), ("2026-11-03", "down"), ("2026-11-02", "up")):
        vote = VOTE | {"user_id": "ada", "feedback": feedback, "occurred_at": f"{moment}T10:00:00Z"}
        assert api.post("/v1/feedback", json=vote).status_code == 201
    (current,) = api.get("/v1/feedback").json()["items"]
    assert (current["feedback"], current["created_at"][:10]) == ("down", "2026-11-03")
    history = api.get(f"/v1/feedback/{current['id']}", params={"history": True}).json()["history"]
    assert [event["occurred_at"][:10] for event in history] == ["2026-11-03", "2026-11-02", "2026-11-01"]
