"""Pairs that people compared are judged by the model too, and the local judge is held against known-bad answers."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from assets import evaluation
from assets.declaration import Outcome
from feedback_pipeline.judging import tables
from feedback_pipeline.judging.controls import KNOWN_BAD
from feedback_pipeline.store import bulk
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from tests.support.evaluation_world import WEEK, compute, compute_clean, judge_week, reading, with_week
from tests.support.judge_server import Answer, judged_content, serve, verdicts
from tests.support.store_rows import answer_id, votes

COMPARED = ((1, 4), (3, 8), (5, 12))
"""Good answers against bad ones (every fourth is)."""


def reads_pairs(body: dict[str, Any]) -> Answer:
    shown = judged_content(body)
    if "answer" in shown:
        return reading(body)
    return verdicts(body, "3", "B" if shown["answer A"].startswith("bad") else "A")


def file_preferences(database: Database) -> None:
    at = datetime(WEEK.year, WEEK.month, WEEK.day, 20, tzinfo=UTC)
    said = [
        {
            "name": f"compared {first} {second}",
            "on": str(first),
            "kind": "preference",
            "preference": "this",
            "other_interaction_id": answer_id(str(second)),
            "user_key": f"p{first}",
            "occurred_at": at,
        }
        for first, second in COMPARED
    ]
    bulk.file_batch(database, Batch(feedback=votes(*said)))


def known_bad(outcome: Outcome) -> Any:
    assert not callable(outcome.checks)
    return next(one for one in outcome.checks if one.name == "known_bad_at_floor")


def test_what_people_compared_is_judged_in_both_orders_and_ranked_beside_them(
    database: Database, tmp_path: Path
) -> None:
    with serve(reads_pairs) as server:
        pipeline = with_week(tmp_path / "home", database, server)
        file_preferences(database)
        compute_clean(pipeline, WEEK)
        judge_week(pipeline)
        asked = [judged_content(entry.body) for entry in server.chats()]
    assert sum("answer A" in shown for shown in asked) == 2 * len(COMPARED)
    judged = pipeline.frames.read(tables.JUDGEMENTS, [WEEK]).filter(pl.col("other_interaction_id") != "")
    assert judged["status"].to_list() == ["ok"] * len(COMPARED)
    assert judged["consistent"].all()
    good = {answer_id(str(first)) for first, _ in COMPARED}
    for row in judged.iter_rows(named=True):
        assert row["verdict"] == ("this" if row["interaction_id"] in good else "other")
    compute(evaluation.preference_agreement, pipeline, WEEK)
    agreement = pipeline.frames.read(tables.PREFERENCE_AGREEMENT, [WEEK])
    [agreed] = agreement.filter(pl.col("statistic") == "agreement_without_ties", pl.col("judge") != "")["value"]
    assert agreed == 1.0


def test_the_local_judge_meets_the_controls_too_and_keeps_its_correction(database: Database, tmp_path: Path) -> None:
    pipeline = with_week(tmp_path / "home", database)
    texts = pl.DataFrame(
        {
            "prompt": [f"question {number % 60}" for number in range(400)],
            "answer": [
                f"{'awful nonsense' if number % 3 == 0 else 'clear help'} {number % 7}" for number in range(400)
            ],
            "verdict": ["down" if number % 3 == 0 else "up" for number in range(400)],
            "voter": [f"p{number}" for number in range(400)],
        }
    )
    trained = evaluation.train_local(texts)
    controls = evaluation.judge_controls(evaluation.LocalBackend(trained), sampled(), "week")
    assert set(controls["kind"]) == {*KNOWN_BAD, "swapped"}
    assert controls.filter(pl.col("kind") == "empty")["passed"].all()
    # words it never saw are no evidence: it lets them pass, the check says so, and no model is to blame
    assert not controls["passed"].all()
    said = evaluation._known_bad(controls)
    assert said.passed
    assert said.description.startswith("local scored above the floor")
    assert known_bad(judge_week(pipeline)).passed


def sampled() -> pl.DataFrame:
    return pl.DataFrame(
        {"interaction_id": ["1", "2"], "prompt": ["a?", "b?"], "answer": ["clear help", "awful nonsense"]}
    )
