"""`feedback why`: every step between a thumb and a model, both ways, and nothing that anybody wrote."""

from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import orjson
import polars as pl
import psycopg
import pytest
import sqlalchemy as sa

from feedback_pipeline.erasure import subjects
from feedback_pipeline.erasure.context import ErasureContext, Recomputed
from feedback_pipeline.erasure.erasure import forget
from feedback_pipeline.lineage.trace import UnknownReferenceError, why
from feedback_pipeline.lineage.tree import Node
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import bulk, datasets
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from feedback_pipeline.training.tables import LINEAGE
from feedback_pipeline.tuning import approvals
from tests.support.store_rows import answer_id, answers, vote_id, votes
from tests.support.tuning_world import dataset_rows

WEEK = date(2026, 9, 7)
DATASET, RUN, MODEL = "d" * 64, "e" * 64, "ft:base:ours"
FILE = "openai/sft-train.jsonl"
SECRET = "xylophone"


@pytest.fixture
def pipeline(database: Database, tmp_path: Path) -> Pipeline:
    """Two votes on one answer that became lines 1 and 2 of a file, a run on it, a model, its promotion."""
    given = {"FEEDBACK_HOME": str(tmp_path / "home"), "FEEDBACK_DATABASE_URL": database.url}
    opened = Pipeline(Settings.from_environment(given), datetime(2026, 9, 20, tzinfo=UTC))
    said = answers({"name": "a", "prompt": SECRET, "output": SECRET}, {"name": "unused"})
    cast = votes({"name": "v1", "on": "a", "user_key": "u1"},
                 {"name": "v2", "on": "a", "user_key": "u2", "thumb": False},
                 {"name": "stray", "on": "unused", "kind": "comment", "comment": SECRET})  # fmt: skip
    bulk.file_batch(database, Batch(interactions=said, feedback=cast))
    rows = [
        {"dataset_id": DATASET, "layout": "supervised-train", "line": line, "row_id": "row-1", "copy": line - 1,
         "weight": 2.0, "interaction_ids": [answer_id("a")], "feedback_ids": sorted([vote_id("v1"), vote_id("v2")])}
        for line in (1, 2)
    ]  # fmt: skip
    lineage = pl.DataFrame(rows, schema=LINEAGE.schema)
    opened.frames.write(LINEAGE, WEEK, lineage)
    files = [{"name": FILE, "layout": "supervised-train", "lines": 2}]
    datasets.record(database, WEEK, DATASET, orjson.dumps({"content": {"files": files}}), dataset_rows(lineage))
    with psycopg.connect(database.address()) as connection:
        connection.execute(
            "INSERT INTO fine_tune_job (id, dataset_id, provider, base_model, state, week, method, request, examples,"
            " since, provider_job, result_model) VALUES (%s, %s, 'openai', 'base', 'succeeded', %s, 'supervised', '{}',"
            " 1, now(), 'ftjob-1', %s)",
            (RUN, DATASET, WEEK, MODEL),
        )
        connection.execute(
            "INSERT INTO model (name, base, state, job_id, dataset_id, week)"
            " VALUES (%s, 'base', 'promoted', %s, %s, %s)",
            (MODEL, RUN, DATASET, WEEK),
        )
        connection.execute(
            "INSERT INTO model_event (alias, event, model, at) VALUES ('production', 'promoted', %s, now())", (MODEL,)
        )
    approvals.record(opened, approvals.model_subject(MODEL), "f" * 64, "approved", approver="ada")
    return opened


def kinds(node: Node) -> list[str]:
    """Kinds of the tree, depth first."""
    return [node.kind, *(kind for child in node.children for kind in kinds(child))]


def test_a_vote_leads_to_everything_it_became(pipeline: Pipeline) -> None:
    tree = why(pipeline, vote_id("v1"))
    assert kinds(tree) == ["vote", "answer", "cleaned row", "row", "dataset", "run", "model", "approval", "change"]
    assert tree.facts["thumb"] == "up"
    assert tree.children[1].id == "clean_feedback/2026-09-07"


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        (f"{WEEK}/{FILE}:2", ["line", "row", "vote", "vote", "answer", "dataset", "run", "model", "approval",
                               "change"]),
        (f"{WEEK}/sft/{FILE}:1", ["line", "row", "vote", "vote", "answer", "dataset", "run", "model", "approval",
                                  "change"]),
        ("row-1", ["row", "vote", "vote", "answer", "line", "line", "dataset", "run", "model", "approval", "change"]),
        (DATASET[:8], ["dataset", "run", "model", "approval", "change", "row"]),
        (RUN[:8], ["run", "dataset", "row", "model", "approval", "change"]),
        ("ftjob-1", ["run", "dataset", "row", "model", "approval", "change"]),
        (MODEL, ["model", "run", "dataset", "row", "approval", "change"]),
    ],
)  # fmt: skip
def test_every_step_is_found_from_every_other(pipeline: Pipeline, reference: str, found: list[str]) -> None:
    assert kinds(why(pipeline, reference)) == found


def test_an_answer_shows_its_votes_and_its_rows(pipeline: Pipeline) -> None:
    tree = why(pipeline, answer_id("a"))
    assert sorted(child.kind for child in tree.children) == ["row", "vote", "vote"]


def test_a_vote_that_was_never_trained_on_says_so_by_having_no_rows(pipeline: Pipeline) -> None:
    assert kinds(why(pipeline, vote_id("stray"))) == ["vote", "answer", "cleaned row"]


def test_erased_votes_are_named_as_erased(pipeline: Pipeline) -> None:
    with psycopg.connect(pipeline.database.address()) as connection:
        connection.execute("DELETE FROM feedback WHERE id = %s", (vote_id("v1"),))
    tree = why(pipeline, f"{WEEK}/{FILE}:1")
    states = [child.facts.get("state") for child in tree.children[0].children if child.kind == "vote"]
    assert sorted(states) == ["current", "erased"]
    with pytest.raises(UnknownReferenceError, match="erased"):
        why(pipeline, vote_id("v1"))


def test_a_model_trained_on_an_erased_answer_says_so(pipeline: Pipeline) -> None:
    def recompute(weeks: object, months: object) -> Recomputed:
        pipeline.frames.delete(LINEAGE, WEEK)  # the week without the answer has no line
        return Recomputed(0, 1, 0)

    context = ErasureContext(
        pipeline.database, pipeline.frames, pipeline.settings.home, pipeline.pseudonymiser, providers={},
        recompute=recompute, now=pipeline.now, training_weeks=1, last_day=WEEK,
    )  # fmt: skip
    assert why(pipeline, MODEL).facts["tainted_share"] is None
    forget(context, subjects.answer(pipeline.pseudonymiser, UUID(answer_id("a"))))
    tree = why(pipeline, MODEL)
    # its only row was made of the answer
    assert tree.facts["tainted_share"] == 1.0
    assert tree.children[0].children[0].facts["tainted_share"] == 1.0
    assert kinds(why(pipeline, "row-1"))[:3] == ["row", "dataset", "run"]
    with pytest.raises(UnknownReferenceError, match="erased"):
        why(pipeline, answer_id("a"))


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("", "nothing is called so"),
        ("ddd", "nothing is called so"),  # too short for the beginning of a hash
        ("nobody", "nothing is called so"),
        ("00000000-0000-4000-8000-000000000000", "no vote and no answer"),
        (f"{WEEK}/{FILE}:3", "has 2 lines, not 3"),
        (f"{WEEK}/other.jsonl:1", "it has openai/sft-train.jsonl"),
        ("2026-09-14/x:1", "has no dataset"),
    ],
)
def test_what_is_not_there_is_said(pipeline: Pipeline, reference: str, said: str) -> None:
    with pytest.raises(UnknownReferenceError, match=said):
        why(pipeline, reference)


def test_text_and_json_say_the_same_and_quote_nobody(pipeline: Pipeline) -> None:
    for reference in (vote_id("v1"), vote_id("stray"), f"{WEEK}/{FILE}:1", MODEL):
        tree = why(pipeline, reference)
        text, data = "\n".join(tree.lines()), orjson.dumps(tree.to_dict()).decode()
        assert SECRET not in text + data
        assert text.count("\n") + 1 == data.count('"kind":') == len(kinds(tree))
    assert text.startswith("model ft:base:ours")


def test_a_look_asks_few_questions(pipeline: Pipeline) -> None:
    """How long it takes is `make bench`'s business; a question per row would be its end at five million votes."""
    asked: list[str] = []
    sa.event.listen(pipeline.database.engine, "before_cursor_execute", lambda *event: asked.append(event[2]))
    why(pipeline, vote_id("v1"))
    assert 0 < len(asked) <= 20
