"""Pairs that people compared are judged by the model too, and the local judge is held against known-bad answers."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import text

from assets import evaluation
from assets.declaration import Outcome
from feedback_pipeline.calendar import days_of
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK
from feedback_pipeline.judging import tables
from feedback_pipeline.judging.controls import KNOWN_BAD
from feedback_pipeline.outgoing import verdicts as outgoing
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


def test_evaluators_elsewhere_are_held_against_people(database: Database, tmp_path: Path) -> None:
    """What arrived over OTLP: one evaluator that agrees with people, in words and in scores, and one that does not."""
    pipeline = with_week(tmp_path / "home", database)
    voted = pipeline.frames.read(CLEAN_FEEDBACK, days_of(WEEK)).filter(pl.col("verdict").is_in(["up", "down"]))
    rows = [
        {"content_hash": f"{name} {answer}", "fingerprint": f"recorded:{name}", "interaction_id": answer,
         "criterion": "relevance", "key_kind": "request", "key_value": "none",
         "result": {"score": score if name != "words" else None, "label": label if name == "words" else None}}
        for answer, verdict in voted.select("interaction_id", "verdict").iter_rows()
        for name, score, label in (
            ("words", 0, "Pass" if verdict == "up" else "fail"), ("scores", 0.9 if verdict == "up" else 0.1, ""),
            ("contrary", 0.1 if verdict == "up" else 0.9, ""), ("stars", 4.0, ""),
        )
    ]  # fmt: skip
    with database.engine.begin() as connection:
        connection.execute(text("SELECT file_evaluations('default', CAST(:rows AS jsonb))"), {"rows": json.dumps(rows)})
    judge_week(pipeline)
    compute(evaluation.judge_calibration, pipeline, WEEK)
    found = pipeline.frames.read(tables.JUDGE_CALIBRATION, [WEEK]).filter(statistic="observed_agreement")
    agreed = dict(found.select("judge", "value").iter_rows())
    assert agreed["words/relevance"] == agreed["scores/relevance"] == 1.0
    assert agreed["contrary/relevance"] == 0.0
    assert agreed["stars/relevance"] is None  # a score of 4 is on no scale that is known
    with database.engine.begin() as connection:
        named = "INSERT INTO interaction_key SELECT tenant, 'request', 'r-' || id, id FROM interaction"
        connection.execute(text(named))
    back = list(outgoing.verdicts(pipeline, WEEK, WEEK + timedelta(days=6)))
    assert {one.name for one in back} >= {"user_feedback"}
    assert not [one.evaluator for one in back if "/" in one.evaluator]
