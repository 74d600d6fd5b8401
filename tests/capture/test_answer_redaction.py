"""Answers of many requests are redacted together, and no request can tell."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from feedback_pipeline.capture.answer_redaction import MAX_CHARACTERS, AnswerRedaction
from feedback_pipeline.capture.intake import Intake
from feedback_pipeline.capture.shapes import LoggedAnswer
from feedback_pipeline.capture.votes import AnswerRow, Person, logged
from feedback_pipeline.privacy.pseudonyms import Pseudonymiser

NOBODY = Person(None, None, "logged")


class Counted(Intake):
    """An intake that notes how many requests it redacted together."""

    def __init__(self, home: Path) -> None:
        super().__init__(Pseudonymiser.open(home, production=False), keep_raw=False)
        self.together: list[int] = []

    def answers_of(self, requests: Sequence[tuple[str, Sequence[AnswerRow]]]) -> list[list[AnswerRow]]:
        self.together.append(len(requests))
        return super().answers_of(requests)


def row(output: str, tenant: str = "a") -> AnswerRow:
    answer = LoggedAnswer(conversation_id="c-1", prompt="for ada@example.com", output=output)
    return logged(answer, tenant, NOBODY)[0]


async def redacted(intake: Intake, requests: Sequence[tuple[str, list[AnswerRow]]]) -> list[Any]:
    redaction = AnswerRedaction(intake)
    return await asyncio.gather(*(redaction.redacted(*one) for one in requests), return_exceptions=True)


def test_requests_that_wait_are_redacted_together_and_each_as_if_alone(tmp_path: Path) -> None:
    intake = Counted(tmp_path)
    requests = [
        (f"team-{number % 3}", [row(f"bob{number}@example.com, {place}") for place in range(1 + number % 4)])
        for number in range(60)
    ]
    found = asyncio.run(redacted(intake, requests))
    assert sum(intake.together) == 60
    assert len(intake.together) <= 3  # two under way, and what gathered meanwhile
    assert found == [Intake.answers(intake, *one) for one in requests]
    # one conversation in all of them, but each request has numbers of its own
    assert {answer.output for answers in found for answer in answers} == {f"[EMAIL_2], {place}" for place in range(4)}


def test_an_answer_that_cannot_be_redacted_costs_no_other_request(tmp_path: Path) -> None:
    bad = row("fine")._replace(output="\ud800")  # no request can make such a row
    requests = [("a", [row(f"{number} bob@example.com")]) for number in range(20)]
    requests.insert(11, ("a", [row("fine"), bad]))
    found = asyncio.run(redacted(Counted(tmp_path), requests))
    assert [place for place, one in enumerate(found) if isinstance(one, UnicodeEncodeError)] == [11]
    assert [one[0].output for place, one in enumerate(found) if place != 11] == [
        f"{number} [EMAIL_2]" for number in range(20)
    ]


def test_what_is_redacted_together_is_bounded(tmp_path: Path) -> None:
    intake = Counted(tmp_path)
    requests = [("a", [row("")._replace(output="x" * (MAX_CHARACTERS // 3))]) for _ in range(7)]
    requests.append(("a", [row("")._replace(output="x" * (MAX_CHARACTERS + 1))]))
    found = asyncio.run(redacted(intake, requests))
    assert all(isinstance(one, list) for one in found)
    assert max(intake.together) == 2, "two thirds, and not all, of the limit"


def test_answers_posted_one_by_one_at_once_are_kept_redacted(service: Any) -> None:
    number = 40

    async def post() -> list[int]:
        headers = {"Authorization": f"Bearer {service.key}"}
        async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=60) as client:
            answers = [{"request_id": f"r-{one}", "output": f"ada{one}@example.com"} for one in range(number)]
            found = await asyncio.gather(*(client.post("/v1/interactions", json=answer) for answer in answers))
        return [answer.status_code for answer in found]

    assert asyncio.run(post()) == [202] * number
    assert service.rows("SELECT output, count(*) FROM interaction WHERE tenant = %s GROUP BY 1") == [
        ("[EMAIL_1]", number)
    ]
