"""One week of answers that a judge can tell apart, with votes, and the stages before the evaluation computed."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from assets import clean, evaluation
from assets.declaration import Declaration, Outcome
from feedback_pipeline.calendar import days_of
from feedback_pipeline.judging.controls import KNOWN_BAD
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store import bulk
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from tests.support.judge_server import Answer, OpenAITestServer, judged_content, verdicts
from tests.support.store_rows import answers, votes
from tests.support.world import pipeline_for

WEEK = date(2026, 11, 9)
ANSWERS = 80
BAD_EVERY = 4
"""Every fourth answer is bad: people say so, and so does a judge that can read."""
PRICES = "as_of: 2026-11-01\nmodels:\n  judge-1: {input: 0.1, output: 0.5}\n"


def with_week(home: Path, database: Database, server: OpenAITestServer | None = None, **environment: str) -> Pipeline:
    """Eighty answers in a store, a vote on every second; with a judging model where a server is given."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "prices.yaml").write_text(PRICES)
    judge = {
        "FEEDBACK_JUDGE_MODEL": "judge-1",
        "FEEDBACK_JUDGE_BASE_URL": server.base_url if server else "",
        "FEEDBACK_JUDGE_PRICES": str(home / "prices.yaml"),
        "OPENAI_API_KEY": "test",
    }
    pipeline = pipeline_for(home, database, **((judge if server else {}) | environment))
    file_answers(database, WEEK)
    compute_clean(pipeline, WEEK)
    return pipeline


def file_answers(database: Database, week: date, prefix: str = "") -> None:
    at = datetime(week.year, week.month, week.day, 8, tzinfo=UTC)
    said = [
        {
            "name": f"{prefix}{n}",
            "prompt": f"question about case {n}",
            "output": f"{'bad' if n % BAD_EVERY == 0 else 'good'} answer to case {n}",
            "conversation_id": f"{prefix}c{n}",
            "prompt_version": f"v{n % 2 + 1}",
            "occurred_at": at + timedelta(hours=n),
        }
        for n in range(ANSWERS)
    ]
    voted = [
        {
            "name": f"{prefix}{n}",
            "on": f"{prefix}{n}",
            "user_key": f"u{n}",
            "thumb": n % BAD_EVERY != 0,
            "occurred_at": at + timedelta(hours=n),
        }
        for n in range(0, ANSWERS, 2)
    ]
    bulk.file_batch(database, Batch(interactions=answers(*said), feedback=votes(*voted)))


def compute_clean(pipeline: Pipeline, week: date) -> None:
    for day in days_of(week):
        for one in (clean.clean_interactions, clean.clean_feedback, clean.text_signatures):
            compute(one, pipeline, day)


def compute(declaration: Any, pipeline: Pipeline, partition: date) -> Outcome:
    """What the asset's step does: the function, and its rows written as declared."""
    assert isinstance(declaration, Declaration)
    outcome = declaration.function(pipeline, partition)
    if not isinstance(outcome, Outcome):
        outcome = Outcome(outcome)
    if declaration.table is not None:
        assert outcome.rows is not None
        pipeline.frames.write(declaration.table, partition, outcome.rows)
        assert declaration.table.problems(pipeline.frames.read(declaration.table, [partition])) == []
    return outcome


def judge_week(pipeline: Pipeline, week: date = WEEK) -> Outcome:
    compute(evaluation.judge_sample, pipeline, week)
    return compute(evaluation.judgements, pipeline, week)


def reading(body: dict[str, Any]) -> Answer:
    """A judge that reads: known-bad, swapped and bad answers get 1, the others 5."""
    content = judged_content(body)
    swapped = content["request"].split()[-1] != content["answer"].split()[-1]
    known = content["answer"] in KNOWN_BAD.values()
    return verdicts(body, "1" if swapped or known or content["answer"].startswith("bad") else "5", "A")


def obeying(body: dict[str, Any]) -> Answer:
    """A judge that likes whatever tells it to."""
    told = "perfect" in judged_content(body)["answer"]
    return verdicts(body, "5", "A") if told else reading(body)
