"""A judging model beside the local judge: budgeted, cached, controlled, and refused where it may not be trusted."""

from pathlib import Path

import dagster as dg
import polars as pl

from assets import evaluation
from assets.building import build
from assets.declaration import Check, Outcome
from assets.partitions import Calendar
from feedback_pipeline.judging import tables
from feedback_pipeline.judging.controls import WITHHELD
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store.database import Database
from tests.support.evaluation_world import ANSWERS, BAD_EVERY, WEEK, compute, judge_week, obeying, reading, with_week
from tests.support.judge_server import Fault, serve, verdicts


def check(outcome: Outcome, name: str) -> Check:
    assert not callable(outcome.checks)
    return next(one for one in outcome.checks if one.name == name)


def by_model(pipeline: Pipeline) -> pl.DataFrame:
    return pipeline.frames.read(tables.JUDGEMENTS, [WEEK]).filter(pl.col("judge") != "local")


def quality(pipeline: Pipeline) -> dict[str, object]:
    """The model's satisfaction over all answers."""
    compute(evaluation.judged_quality, pipeline, WEEK)
    rows = pipeline.frames.read(tables.JUDGED_QUALITY, [WEEK])
    wanted = (pl.col("judge") != "local") & (pl.col("criterion") == tables.OVERALL) & (pl.col("dimension") == "all")
    return rows.filter(wanted).row(0, named=True)


def test_without_a_model_only_the_local_judge_judges_and_every_check_says_so(
    database: Database, tmp_path: Path
) -> None:
    pipeline = with_week(tmp_path / "home", database)
    outcome = judge_week(pipeline)
    assert pipeline.frames.read(tables.JUDGEMENTS, [WEEK])["judge"].unique().to_list() == ["local"]
    assert check(outcome, "known_bad_at_floor").description == evaluation.NO_MODEL
    assert check(compute(evaluation.judge_anchors, pipeline, WEEK), "judge_steady").passed


def test_the_model_judges_every_sampled_answer_beside_the_local_judge_once(database: Database, tmp_path: Path) -> None:
    with serve(reading) as server:
        pipeline = with_week(tmp_path / "home", database, server)
        outcome = judge_week(pipeline)
        calls = len(server.chats())
        first = by_model(pipeline)
        assert check(outcome, "known_bad_at_floor").passed
        assert check(outcome, "one_model_answered").passed
        assert first.filter(pl.col("criterion") == tables.OVERALL)["interaction_id"].n_unique() == ANSWERS
        assert first["status"].unique().to_list() == ["ok"]
        # eighty answers, and three controls of each kind but the empty one, which needs nobody
        assert calls == ANSWERS + 3 * 7
        again = compute(evaluation.judgements, pipeline, WEEK)
        assert len(server.chats()) == calls
        assert not callable(again.numbers)
        assert again.numbers["calls"] == again.numbers["cost_usd"] == 0
    figures = quality(pipeline)
    # a quarter of the answers is bad, of those that people voted on, every second
    assert figures["people_rate"] == 1 - 2 / BAD_EVERY
    assert figures["labels_from"] == "votes"


def test_a_judge_that_obeys_the_judged_text_fails_its_check_and_corrects_nothing(
    database: Database, tmp_path: Path
) -> None:
    with serve(obeying) as server:
        pipeline = with_week(tmp_path / "home", database, server)
        failed = check(judge_week(pipeline), "known_bad_at_floor")
    assert not failed.passed
    assert failed.severity == "error"
    assert "injection" in failed.description
    figures = quality(pipeline)
    assert figures["raw_rate"] is not None
    assert figures["corrected_rate"] is None
    assert figures["low"] is None
    assert figures["reason"] == WITHHELD


def test_a_budget_of_nothing_leaves_every_answer_unscored_and_the_checks_say_so(
    database: Database, tmp_path: Path
) -> None:
    with serve(reading) as server:
        pipeline = with_week(tmp_path / "home", database, server, FEEDBACK_JUDGE_COST_CAP="0")
        outcome = judge_week(pipeline)
        assert server.chats() == []
    assert by_model(pipeline)["status"].unique().to_list() == ["skipped_budget"]
    scored = check(outcome, "scored")
    assert not scored.passed
    [best] = [value for name, value in scored.numbers.items() if name.startswith("judge-1") and name.endswith("best")]
    assert best == 1
    # a judge that was never heard has not proved that it refuses bad answers
    assert not check(outcome, "known_bad_at_floor").passed


def test_a_model_that_changes_under_its_name_is_seen_and_its_series_are_kept_apart(
    database: Database, tmp_path: Path
) -> None:
    with serve() as server:
        pipeline = with_week(tmp_path / "home", database, server)

        def alternating(body: dict[str, object]) -> object:
            server.model = "judge-1-old" if len(server.journal) % 2 else "judge-1-new"
            return verdicts(body, "1", "A")

        server.answer = alternating  # type: ignore[assignment]
        try:
            outcome = judge_week(pipeline)
        finally:
            server.model = "judge-1"
    failed = check(outcome, "one_model_answered")
    assert not failed.passed
    assert "judge-1-new, judge-1-old" in failed.description
    series = by_model(pipeline).group_by("fingerprint").agg(pl.col("model_returned").n_unique())
    assert series["model_returned"].to_list() == [1, 1]


def test_an_endpoint_that_refuses_fails_the_asset_with_the_reason_and_nothing_is_half_counted(
    database: Database, tmp_path: Path
) -> None:
    with serve(reading) as server:
        pipeline = with_week(tmp_path / "home", database, server)
        compute(evaluation.judge_sample, pipeline, WEEK)
        server.script([None] * 30 + [Fault(401, "invalid_api_key")])
        asset = build(evaluation.judgements, Calendar(pipeline.settings.start, "UTC"))
        with dg.DagsterInstance.ephemeral() as instance:
            result = dg.materialize(
                [asset],
                partition_key=str(WEEK),
                resources={"pipeline": pipeline},
                instance=instance,
                raise_on_error=False,
            )
            logged = "".join(str(entry) for entry in instance.all_logs(result.run_id))
    assert not result.success
    assert "the endpoint refuses calls: bad_api_key (HTTP 401)" in logged
    assert "question about case" not in logged
    assert pipeline.frames.read(tables.JUDGEMENTS, [WEEK]).is_empty()
