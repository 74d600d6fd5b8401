"""The rollups equal a recount after any history of writes, whoever writes."""

import random
import threading
from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest

from feedback_pipeline.capture.statistics import wilson

RECOUNT = """
SELECT COALESCE(i.model, ''), COALESCE(i.intent, ''), COALESCE(i.project, ''), f.day, count(*),
    count(*) FILTER (WHERE f.kind = 'explicit' AND f.thumb),
    count(*) FILTER (WHERE f.kind = 'explicit' AND NOT f.thumb),
    count(f.stars), COALESCE(sum(f.stars), 0), count(f.comment), count(*) FILTER (WHERE f.kind = 'correction'),
    count(i.memory_used), round(COALESCE(sum(i.memory_used), 0)::numeric, 3)
FROM feedback f LEFT JOIN interaction i ON i.id = f.interaction_id AND i.tenant = f.tenant
WHERE f.tenant = %s AND f.superseded_by IS NULL AND NOT f.withdrawn
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"""
ROLLUP = """
SELECT model, intent, project, day, sum(votes), sum(up), sum(down), sum(stars), sum(stars_sum), sum(comments),
    sum(corrections), sum(memories), round(sum(memory_sum)::numeric, 3)
FROM (
    SELECT tenant, day, model, intent, project, votes, up, down, stars, stars_sum, comments, corrections, memories,
        memory_sum FROM vote_day
    UNION ALL
    SELECT tenant, day, model, intent, project, votes, up, down, stars, stars_sum, comments, corrections, memories,
        memory_sum FROM vote_delta
) t
WHERE tenant = %s GROUP BY 1, 2, 3, 4 HAVING sum(votes) <> 0 ORDER BY 1, 2, 3, 4"""
PEOPLE = """
SELECT kind, day, sum(people) FROM (SELECT * FROM person_day UNION ALL SELECT * FROM person_delta) p
WHERE tenant = %s GROUP BY 1, 2 HAVING sum(people) <> 0 ORDER BY 1, 2"""
RECOUNT_PEOPLE = """
SELECT kind, day, count(*) FROM (
    SELECT 'user' AS kind, user_key, max(day) AS day FROM feedback WHERE tenant = %s AND user_key IS NOT NULL
        AND NOT withdrawn GROUP BY user_key
    UNION ALL
    SELECT 'session', session_key, max(day) FROM feedback WHERE tenant = %s AND session_key IS NOT NULL
        AND NOT withdrawn AND session_key LIKE 'k1:%%' GROUP BY session_key
) p GROUP BY 1, 2 ORDER BY 1, 2"""


def check(service: Any) -> None:
    assert service.rows(ROLLUP) == service.rows(RECOUNT)
    assert service.rows(PEOPLE) == service.rows(RECOUNT_PEOPLE, service.tenant)


def act(api: httpx.Client, draw: random.Random, known: list[str]) -> None:
    """One thing that a client may do."""
    request = f"r-{draw.randrange(12)}"
    person = draw.choice([None, "ada", "grace", "alan"])
    session = draw.choice([None, "s-1", "s-2"])
    who = {"user_id": person, "session_id": session}
    when = draw.choice([None, "2026-11-02T08:00:00Z", "2026-11-05T08:00:00Z", "2026-11-03T23:59:59Z"])
    acts: list[Callable[[], Any]] = [
        lambda: api.post("/v1/feedback", json={"feedback_type": "explicit", "request_id": request, "occurred_at": when,
            "feedback_value": {"rating": draw.choice(["up", "down", 1, 5])}, **who}),
        lambda: api.post("/v1/feedback", json={"query": "q", "response": "r", "rating": draw.choice([-1, 1]),
            "model": draw.choice(["m-1", "m-2"]), "memory_used": draw.choice([None, 1.5]), "occurred_at": when, **who}),
        lambda: api.post("/v1/feedback", json={"kind": "correction", "request_id": request, "correction": "x", **who}),
        lambda: api.post("/v1/interactions", json={"request_id": request, "output": "a", "prompt": "q",
            "model": draw.choice(["m-1", "m-3"]), "intent": draw.choice([None, "code"])}),
        lambda: known and api.put(f"/v1/feedback/{draw.choice(known)}", json={"comment": "hm", "thumb": False}),
        lambda: known and api.delete(f"/v1/feedback/{draw.choice(known)}"),
    ]  # fmt: skip
    answer = draw.choice(acts)()
    if answer:
        assert answer.status_code < 500, answer.text
        if answer.status_code == 201:
            known.append(answer.json()["id"])


@pytest.mark.parametrize("seed", range(4))
def test_rollups_equal_a_recount_after_any_history(api: httpx.Client, service: Any, seed: int) -> None:
    draw, known = random.Random(seed), list[str]()
    for _ in range(60):
        act(api, draw, known)
    check(service)


def test_rollups_equal_a_recount_after_many_clients_at_once(service: Any) -> None:
    failures: list[BaseException] = []

    def run(seed: int) -> None:
        draw, known = random.Random(seed), list[str]()
        try:
            with service.client() as client:
                for _ in range(40):
                    act(client, draw, known)
        except BaseException as error:  # noqa: BLE001 - handed to the test
            failures.append(error)

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    with psycopg.connect(service.database.url, autocommit=True) as connection:
        connection.execute("SELECT match_votes(), claim_waiting_votes()")
    check(service)


def test_rollups_follow_what_others_write(api: httpx.Client, service: Any) -> None:
    """Retention, erasure and corrections of the data go past the API."""
    for number in range(6):
        who = {"user_id": f"u-{number % 3}", "session_id": f"s-{number}"}
        vote = {"query": "q", "response": "r", "rating": 1, "model": "m-1", **who}
        api.post("/v1/feedback", json=vote)
    tenant = (service.tenant,)
    for statement in (
        "UPDATE interaction SET model = 'm-2' WHERE tenant = %s AND id = (SELECT min(id::text)::uuid FROM interaction"
        " WHERE tenant = %s)",
        "DELETE FROM feedback WHERE tenant = %s AND user_key = (SELECT min(user_key) FROM feedback WHERE tenant = %s)",
        "DELETE FROM interaction WHERE tenant = %s AND id = (SELECT interaction_id FROM feedback WHERE tenant = %s"
        " LIMIT 1)",
        "UPDATE feedback SET withdrawn = true, thumb = NULL WHERE tenant = %s AND id = (SELECT max(id::text)::uuid FROM"
        " feedback WHERE tenant = %s)",
    ):
        with psycopg.connect(service.database.url) as connection:
            assert connection.execute(statement, tenant * 2).rowcount >= 1
        assert service.rows(ROLLUP) == service.rows(RECOUNT)


def test_figures_of_the_last_days(api: httpx.Client) -> None:  # B2
    for number in range(10):
        vote = {"query": "q", "response": "r", "rating": 1 if number < 7 else -1, "model": f"m-{number % 2}",
                "user_id": f"u-{number % 4}", "session_id": f"s-{number % 5}", "memory_used": number}  # fmt: skip
        api.post("/v1/feedback", json=vote)
    stats = api.get("/v1/feedback/stats", params={"days": 7}).json()
    # 10 votes, 7 up; users 0–3, sessions 0–4; mean of 0 … 9
    assert (stats["total_feedback"], stats["positive_percentage"], stats["negative_percentage"]) == (10, 70.0, 30.0)
    assert (stats["unique_users"], stats["unique_sessions"], stats["average_memory_used"]) == (4, 5, 4.5)
    some = api.get("/v1/feedback/stats", params={"days": "7", "model": "m-0"}).json()
    # the even numbers: 0, 2, 4, 6 up, 8 down; users 0 and 2; sessions 0 … 4
    assert (some["total_feedback"], some["positive"], some["unique_users"], some["unique_sessions"]) == (5, 4, 2, 5)
    accuracy = api.get("/v1/feedback/accuracy").json()
    assert accuracy["overall"]["accuracy"] == 70.0
    assert {group["model"]: group["total"] for group in accuracy["by_model"]} == {"m-0": 5, "m-1": 5}


def test_the_summary_by_action_type(api: httpx.Client) -> None:  # D2
    for number in range(10):
        vote = {"message_id": f"m-{number}", "feedback": "up" if number else "down", "user_message": "q",
                "assistant_response": "a", "action_type": "todo"}  # fmt: skip
        api.post("/v1/feedback", json=vote)
    expected = {"action_type": "todo", "total_feedback": 10, "thumbs_up": 9, "thumbs_down": 1, "approval_rate": 90.0}
    assert api.get("/api/feedback", params={"type": "summary"}).json() == {"summary": [expected]}
    assert api.get("/v1/feedback/summary").json() == {"summary": [expected]}
    assert len(api.get("/api/feedback").json()["feedback"]) == 10


def test_the_interval_of_a_rate() -> None:
    # Newcombe 1998, Statistics in Medicine 17:857, table I: 81 of 263 gives 0.2553 to 0.3662
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20)[0] == 0.0


def test_people_of_one_model_are_estimated_where_votes_are_many(api: httpx.Client, service: Any) -> None:
    """The sketches say what counting says, within their error, and follow what is voted, withdrawn and erased."""
    items = [{"query": "q", "response": f"r {number % 50}", "rating": 1, "model": f"m-{number % 2}", "intent": "code",
              "user_id": f"u-{number % 1500}", "session_id": f"s-{number}"} for number in range(3000)]  # fmt: skip
    for first in range(0, 3000, 500):
        assert api.post("/v1/feedback/batch", json={"items": items[first : first + 500]}).status_code == 200
    mine = {"days": 7, "model": "m-0"}

    def people(**wanted: Any) -> tuple[int, int, float]:
        stats = api.get("/v1/feedback/stats", params={**mine, **wanted}).json()
        return stats["unique_users"], stats["unique_sessions"], stats["people_error_percentage"]

    def sketch(least: int = 1) -> int:
        with psycopg.connect(service.database.url, autocommit=True) as connection:
            connection.execute("UPDATE people_sketch_day SET made_at = now() - interval '2 minutes'"
                                   " WHERE tenant = %s AND made_at IS NOT NULL",
                               (service.tenant,))  # fmt: skip
            connection.execute("SELECT fold_counts()")
            made = 0
            while connection.execute("SELECT sketch_people(%s)", (least,)).fetchone() == (True,):
                made += 1
            return made

    assert people() == (750, 1500, 0.0)
    sketch(least=10**9)
    with psycopg.connect(service.database.url) as connection:  # a store of before there were sketches
        connection.execute("DELETE FROM people_sketch_day WHERE tenant = %s", (service.tenant,))
    assert people() == (750, 1500, 0.0)  # not worth a sketch: still counted
    assert sketch() >= 1
    users, sessions, error = people()
    assert error == 1.6
    assert abs(users - 750) < 3 * 0.016 * 750
    assert abs(sessions - 1500) < 3 * 0.016 * 1500
    assert people(intent="code")[2] == 0.0  # two at once are counted
    assert people(model="m-9") == (0, 0, 1.6)
    with service.client(service.new_key("another")) as other:
        assert other.get("/v1/feedback/stats", params=mine).json()["unique_users"] == 0
    # a vote of now is in the sketches of a minute later
    api.post("/v1/feedback", json={"query": "q", "response": "new", "rating": 1, "model": "m-9", "user_id": "u-new"})
    sketch()
    assert people(model="m-9") == (1, 0, 1.6)
    # whoever is erased is in none at once
    with psycopg.connect(service.database.url) as connection:
        connection.execute("DELETE FROM feedback WHERE tenant = %s AND interaction_id IN (SELECT id FROM interaction"
                           " WHERE tenant = %s AND model = 'm-9')", (service.tenant,) * 2)  # fmt: skip
    assert service.rows("SELECT count(*) FROM people_sketch WHERE tenant = %s") == [(0,)]
    assert people(model="m-9") == (0, 0, 0.0)
    assert people() == (750, 1500, 0.0)
