"""A few people who voted, in a store of their own; computed, and ready for one of them to be forgotten."""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from feedback_pipeline.erasure.context import ErasureContext, Recomputed
from feedback_pipeline.erasure.subjects import Subject, person
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import bulk
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from tests.support.store_rows import answers, later, refusals, votes

if TYPE_CHECKING:
    import dagster as dg

NOW = datetime(2026, 9, 12, 12, tzinfo=UTC)
"""The days can be computed, the week has not ended."""
WEEK_ENDED = datetime(2026, 9, 16, 12, tzinfo=UTC)
ADA, BEN = "ada", "ben"
SECRET = "my grandmother's cobalt teapot was stolen in Trieste last winter"
ANSWER = "you could describe the cobalt teapot to the harbour police in writing"
REMARK = "this does not help with the theft of my teapot in any way at all"
COMMON = "how do I cancel the subscription that I bought in the spring sale"
REFUSED = "a refused remark about teapots that nobody else would ever write"


def pipeline_at(home: Path, database: Database, now: datetime = NOW) -> Pipeline:
    given = {"FEEDBACK_HOME": str(home), "FEEDBACK_DATABASE_URL": database.url, "FEEDBACK_START": "2026-08-31"}
    return Pipeline(Settings.from_environment(given), now)


def key(pipeline: Pipeline, user: str) -> str:
    return pipeline.pseudonymiser.pseudonym("default", user)


def fill(pipeline: Pipeline) -> None:
    """Ada's and Ben's answers and votes over two days; a refused row of Ada's, and its line in a reject file."""
    ada, ben = key(pipeline, ADA), key(pipeline, BEN)
    asked = [
        {"name": "a1", "user_key": ada, "session_key": "s-ada", "conversation_id": "c1", "prompt": SECRET,
         "output": ANSWER, "occurred_at": later(minutes=1)},
        {"name": "a2", "user_key": ada, "prompt": COMMON, "output": "In the settings.", "occurred_at": later(days=1)},
        {"name": "later-turn", "conversation_id": "c1", "prompt": "and then?",
         "messages": f'[{{"content":"{SECRET}"}}]', "occurred_at": later(minutes=2)},
        {"name": "b1", "user_key": ben, "prompt": COMMON, "output": "In the settings.", "occurred_at": later(days=1)},
    ]  # fmt: skip
    voted = [
        {"name": "v1", "on": "a1", "user_key": ada, "thumb": False, "occurred_at": later(minutes=5)},
        {"name": "r1", "on": "a1", "user_key": ada, "kind": "comment", "comment": REMARK,
         "occurred_at": later(minutes=6)},
        {"name": "v2", "on": "b1", "user_key": ada, "occurred_at": later(days=1)},
        {"name": "nameless", "on": "a2", "session_key": "s-ada", "occurred_at": later(days=1)},
        {"name": "w1", "on": "b1", "user_key": ben, "occurred_at": later(days=1)},
        {"name": "w2", "on": "a1", "user_key": ben, "thumb": False, "occurred_at": later(days=1)},
    ]  # fmt: skip
    payload = f'{{"user_key":"{ada}","comment":"{REFUSED}","stars":"9"}}'
    refused = refusals(
        {"place": "votes.csv:7", "payload": payload, "category": "quarantined"},
        {"place": "votes.csv:8", "payload": "{}", "category": "quarantined"},
    )
    bulk.file_batch(pipeline.database, Batch(answers(*asked), None, votes(*voted), refused))
    rejects = pipeline.settings.home / "rejects"
    rejects.mkdir(parents=True, exist_ok=True)
    (rejects / "votes-abc.jsonl").write_text(
        f'{{"file":"votes.csv","row":7,"payload":"{REFUSED} {ada}"}}\n{{"file":"votes.csv","row":8,"payload":"{{}}"}}\n'
    )


class Uploads:
    """A provider whose uploads can be deleted, and that remembers which were, whatever dies."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def uploads_of(self, sha256s: Collection[str]) -> tuple[str, ...]:
        return ()

    def delete(self, file_id: str) -> None:
        with self._log.open("a") as file:
            file.write(f"{file_id}\n")

    def deleted(self) -> list[str]:
        return self._log.read_text().splitlines() if self._log.exists() else []


def dataset_made_of(pipeline: Pipeline, answer: str) -> None:
    """A dataset with one row made of an answer, uploaded with its validation file."""
    with psycopg.connect(pipeline.database.address()) as connection:
        connection.execute("INSERT INTO dataset (id, week, manifest) VALUES ('d1', '2026-09-07', '{}')")
        connection.execute("INSERT INTO dataset_row VALUES ('d1', 'r', %s::uuid[], '{}', 1, 1)", ([answer],))
        connection.execute(
            "INSERT INTO fine_tune_job (id, dataset_id, provider, base_model, state, provider_file, validation_file,"
            " week, method, request, examples, since) VALUES ('j', 'd1', 'openai', 'base', 'succeeded', 'file-train',"
            " 'file-validate', '2026-09-07', 'supervised', '{}', 1, now())"
        )


def context(pipeline: Pipeline, instance: "dg.DagsterInstance | None") -> ErasureContext:
    """The pipeline's context, with runs recorded on a test's instance."""

    def recompute(weeks: Sequence[date], months: Sequence[date]) -> Recomputed:
        from jobs import erasure  # a process that dies before has no need of Dagster

        assert instance is not None
        return erasure.recompute(pipeline, instance, weeks, months)

    return ErasureContext(
        database=pipeline.database,
        frames=pipeline.frames,
        home=pipeline.settings.home,
        pseudonymiser=pipeline.pseudonymiser,
        providers={},
        recompute=recompute,
        now=pipeline.now,
        training_weeks=pipeline.settings.training_weeks,
        last_day=pipeline.today() - timedelta(days=1),
    )


def ada(pipeline: Pipeline) -> Subject:
    return person(pipeline.pseudonymiser, "default", ADA)
