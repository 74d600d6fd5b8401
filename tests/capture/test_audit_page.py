"""The audit on the console: blind, without duplicates, of one's own tenant only, and only by forms that were shown."""

import re
from typing import Any

import httpx
import psycopg
import pytest

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def visitor(service: Any) -> Any:
    with httpx.Client(base_url=service.url, follow_redirects=True) as client:
        client.post("/console/login", data={"key": service.key})
        yield client


def drawn(service: Any, api: httpx.Client, count: int) -> list[str]:
    """Answers with a vote each, all of them drawn for the audit."""
    for number in range(count):
        vote = {"query": f"Question {number} {SCRIPT}", "response": f"Answer {number} {SCRIPT}", "rating": -1}
        api.post("/v1/feedback", json=vote | {"model": "the-model", "comment": "voters' words"})
    with psycopg.connect(service.database.url) as connection:
        connection.execute(
            "INSERT INTO audit_item (interaction_id, week, day, stratum, place, inclusion_probability)"
            " SELECT id, date '2026-11-09', day, 'judged_up', row_number() OVER (ORDER BY id), 0.5"
            " FROM interaction WHERE tenant = %s",
            (service.tenant,),
        )
    return [row[0] for row in service.rows("SELECT id::text FROM interaction WHERE tenant = %s ORDER BY id")]


def open_page(client: httpx.Client, auditor: str = "anna", criterion: str = "satisfaction") -> str:
    return client.get("/console/audit", params={"auditor": auditor, "criterion": criterion}).text


def form_of(page: str) -> str:
    found = re.search(r'name="form" value="([^"]+)"', page)
    assert found is not None
    return found.group(1)


def answer_of(page: str) -> str:
    found = re.search(r"Answer (\d+)", page)
    assert found is not None
    return found.group(1)


def labels(service: Any) -> list[tuple[Any, ...]]:
    return service.rows(
        "SELECT l.auditor, l.verdict FROM audit_label l JOIN interaction i ON i.id = l.interaction_id"
        " WHERE i.tenant = %s ORDER BY 1, 2"
    )


def test_each_person_is_shown_every_answer_once_and_nobodys_verdict(
    service: Any, api: httpx.Client, visitor: httpx.Client
) -> None:
    drawn(service, api, 3)
    for auditor, verdict in (("anna", "up"), ("bert", "down")):
        seen = set()
        for _ in range(3):
            page = open_page(visitor, auditor)
            for hidden in ("the-model", "voters", "judged_up", "anna said", SCRIPT):
                assert hidden not in page
            seen.add(answer_of(page))
            answered = visitor.post("/console/audit", data={"form": form_of(page), "verdict": verdict})
            assert answered.status_code == 200
        assert len(seen) == 3
        assert "Nothing is left" in open_page(visitor, auditor)
    assert labels(service) == [("anna", "up")] * 3 + [("bert", "down")] * 3


def test_a_form_sent_twice_counts_once_and_the_first_word_stays(
    service: Any, api: httpx.Client, visitor: httpx.Client
) -> None:
    drawn(service, api, 1)
    form = form_of(open_page(visitor))
    for verdict in ("up", "down"):
        visitor.post("/console/audit", data={"form": form, "verdict": verdict})
    assert labels(service) == [("anna", "up")]


def test_only_a_form_that_was_shown_to_this_session_is_taken(
    service: Any, api: httpx.Client, visitor: httpx.Client
) -> None:
    drawn(service, api, 1)
    form = form_of(open_page(visitor))
    for forged in ("", "x.y", form[:-2] + "AA"):
        assert visitor.post("/console/audit", data={"form": forged, "verdict": "up"}).status_code == 401
    assert visitor.post("/console/audit", data={"form": form, "verdict": "best"}).status_code == 422
    with httpx.Client(base_url=service.url) as other:
        # a page of another site: no session cookie is sent with its form
        assert other.post("/console/audit", data={"form": form, "verdict": "up"}).status_code == 401
        other.post("/console/login", data={"key": service.new_key(None, "read", "write")})
        assert other.post("/console/audit", data={"form": form, "verdict": "up"}).status_code == 403
    assert labels(service) == []


def test_a_key_that_may_only_read_judges_nothing(service: Any, api: httpx.Client) -> None:
    drawn(service, api, 1)
    with httpx.Client(base_url=service.url, follow_redirects=True) as reader:
        reader.post("/console/login", data={"key": service.new_key(None, "read")})
        page = open_page(reader)
        assert "scope write" in page
        assert "Answer 0" not in page
        assert reader.post("/console/audit", data={"form": "", "verdict": "up"}).status_code == 403


def test_another_tenants_answers_are_neither_shown_nor_judged(
    service: Any, api: httpx.Client, visitor: httpx.Client
) -> None:
    identity = drawn(service, api, 1)[0]
    rival = service.new_key(service.tenant + "-rivals", "read", "write")
    with httpx.Client(base_url=service.url, follow_redirects=True) as other:
        other.post("/console/login", data={"key": rival})
        assert "Nothing is left" in open_page(other)
    with psycopg.connect(service.database.url) as connection:
        connection.execute("SET ROLE feedback_api")
        connection.execute("SELECT set_config('feedback.tenant', %s, false)", (service.tenant + "-rivals",))
        assert connection.execute("SELECT count(*) FROM audit_item").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("INSERT INTO audit_label VALUES (%s, 'satisfaction', 'eve', 'up')", (identity,))


def test_who_judges_what_is_checked(service: Any, visitor: httpx.Client) -> None:
    assert "your name" in visitor.get("/console/audit").text
    assert visitor.get("/console/audit?auditor=anna&criterion=beauty").status_code == 422
    assert visitor.get("/console/audit", params={"auditor": "a" * 61}).status_code == 422
    with httpx.Client(base_url=service.url) as nobody:
        assert "API key" in nobody.get("/console/audit").text
