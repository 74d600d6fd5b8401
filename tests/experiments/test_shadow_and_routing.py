"""Shadow runs compared with what was shown, and weights that follow votes: over the store and the tables."""

import datetime as dt
import random
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest
import sqlalchemy as sa
from feedback_client.assignment import Arm, Context, Experiment, decide

from assets import experiments as assets
from feedback_pipeline.experiments import registry
from feedback_pipeline.experiments.asked_answers import approvals_of_week
from feedback_pipeline.experiments.shadow_comparison import compare_day
from feedback_pipeline.experiments.simulated import SimulatedJudge, simulated_answer
from feedback_pipeline.experiments.tables import APPROVAL_OF_ALL, ROUTING_POLICY, SHADOW_COMPARISON
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import bulk
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from jobs.location import build_definitions
from tests.support.store_rows import MONDAY, answers, keys, later, votes

DAY = MONDAY.date()
GOOD, POOR = "Answer every part, in order.", "Answer in only one sentence."


@pytest.fixture
def pipeline(tmp_path: Path, database: Database) -> Pipeline:
    given = {
        "FEEDBACK_HOME": str(tmp_path / "home"),
        "FEEDBACK_DATABASE_URL": database.url,
        "FEEDBACK_START": "2026-08-31",
    }
    return Pipeline(Settings.from_environment(given), MONDAY + dt.timedelta(days=12))


def computed(pipeline: Pipeline, *days: dt.date) -> None:
    job = build_definitions(pipeline.settings, {"pipeline": pipeline}).resolve_job_def("daily_loop")
    wanted = [dg.AssetKey(one) for one in ("clean_interactions", "clean_feedback")]
    with dg.DagsterInstance.ephemeral() as instance:
        for day in days:
            assert job.execute_in_process(
                instance=instance, partition_key=day.isoformat(), asset_selection=wanted
            ).success


def test_shadow_runs_asks_and_weights(pipeline: Pipeline) -> None:  # E5, G2, G3
    database, draw = pipeline.database, random.Random(5)
    contexts = (Context(0, {"plan": "pro"}, (0.5, 0.5)), Context(1, {"plan": "free"}, (0.5, 0.5)))
    route = Experiment("route", 1, (Arm("v1", 0.5), Arm("v2", 0.5)), "v1", "route", contexts=contexts)
    registry.create(database, route, now=MONDAY, adaptive=True)
    registry.start(database, "route", now=MONDAY)
    asked, voted, named, assigned, shadows, asks = [], [], [], [], [], []
    # v2 is better for pro, v1 for free
    liking = {("pro", "v1"): 0.5, ("pro", "v2"): 0.9, ("free", "v1"): 0.9, ("free", "v2"): 0.5}
    for n in range(400):
        who = pipeline.pseudonymiser.pseudonym("default", f"u{n}")
        plan = ("pro", "free")[n % 2]
        found = decide(route, f"u{n}", {"plan": plan})
        asked.append({"name": f"a{n}", "user_key": who, "output": simulated_answer(POOR, "q"), "latency_ms": 500.0,
                      "occurred_at": later(hours=1)})  # fmt: skip
        liked = draw.random() < liking[plan, found.variant]
        voted.append({"name": f"v{n}", "on": f"a{n}", "user_key": who, "thumb": liked,
                      "occurred_at": later(hours=2)})  # fmt: skip
        named.append((f"r{n}", f"a{n}"))
        assigned.append({"unit": who, "variant": found.variant, "leaf": found.leaf, "at": later(minutes=30)})
        shadows.append({"id": str(uuid4()), "request": f"r{n}", "output": simulated_answer(GOOD, "q"),
                        "at": later(hours=1), "status": ("ok", "late")[n % 20 == 0]})  # fmt: skip
        asks.append({"request": f"r{n}", "asked": n % 2 == 0, "at": later(hours=1)})
    bulk.file_batch(database, Batch(answers(*asked), keys(*named), votes(*voted)))
    with database.engine.begin() as connection:
        connection.execute(sa.text(
            "INSERT INTO assignment (tenant, experiment, unit, version, variant, propensity, leaf, assigned_at) "
            "VALUES ('default', 'route', :unit, 1, :variant, 0.5, :leaf, :at)"), assigned)  # fmt: skip
        connection.execute(sa.text(
            "INSERT INTO shadow_run (id, tenant, request_id, model, status, output, latency_ms, occurred_at) "
            "VALUES (:id, 'default', :request, 'v9', :status, :output, 900, :at)"), shadows)  # fmt: skip
        connection.execute(sa.text(
            "INSERT INTO ask (tenant, value, unit, voter, asked, probability, decided_at) "
            "VALUES ('default', :request, 's', 's', :asked, 0.5, :at)"), asks)  # fmt: skip
    computed(pipeline, DAY)

    # shadow: the candidate wins, takes longer, and some of it came too late
    rows = compare_day(pipeline, DAY, SimulatedJudge())
    assert SHADOW_COMPARISON.problems(rows) == []
    found = {row["measure"]: row for row in rows.to_dicts()}
    assert found["win_rate"]["value"] == 1.0
    assert found["win_rate"]["low"] > 0
    assert (found["win_rate"]["runs"], found["win_rate"]["late"]) == (400, 20)
    assert found["answers/mean_seconds"]["value"] == pytest.approx(0.9)
    unjudged = {row["measure"]: row for row in assets.shadow_comparison.function(pipeline, DAY).rows.to_dicts()}
    assert unjudged["win_rate"]["value"] is None
    assert "FEEDBACK_JUDGE_MODEL" in unjudged["win_rate"]["reason"]

    # routing: each leaf goes its own way, everybody else keeps both
    outcome = assets.routing_policy.function(pipeline, DAY)
    assert ROUTING_POLICY.problems(outcome.rows) == []
    weights = {(row["leaf"], row["arm"]): row["weight"] for row in outcome.rows.to_dicts()}
    assert weights[0, "v2"] > 0.9
    assert weights[1, "v1"] > 0.9
    assert min(weights.values()) >= 0.05 - 1e-9
    alone = outcome.rows.filter(leaf=-1).to_dicts()
    assert all(row["low"] < row["value"] < row["high"] for row in alone)
    now = registry.experiment_named(database, "route").experiment
    assert now.version == 2
    assert now.contexts[0].weights == pytest.approx((weights[0, "v1"], weights[0, "v2"]))
    # the same day again, and an older one, serve nothing new
    assets.routing_policy.function(pipeline, DAY)
    assert registry.experiment_named(database, "route").experiment.version == 2

    # approval of all: from those who were asked
    rows = approvals_of_week(pipeline, DAY)
    assert APPROVAL_OF_ALL.problems(rows) == []
    [all_answers] = rows.to_dicts()
    assert (all_answers["answers"], all_answers["asked"], all_answers["answered"]) == (400, 200, 200)
    assert all_answers["low"] < all_answers["estimate"] < all_answers["high"]


def test_content_that_nobody_voted_on_is_seen_where_it_was_shown(pipeline: Pipeline) -> None:  # G1, G2
    """120 answers that only a page knows; 60 were asked about, 45 of those answered: three in four happy. The store
    learns of an answer from a vote alone, so the 75 others are known because the element drew for them."""
    voted = [(n, n % 4 > 0) for n in range(60) if n % 20 < 15]
    who = {n: pipeline.pseudonymiser.pseudonym("default", f"u{n}") for n in range(120)}
    seen = [{"name": f"a{n}", "output": "an answer", "occurred_at": later(hours=1)} for n, _ in voted]
    said = [{"name": f"v{n}", "on": f"a{n}", "user_key": who[n], "thumb": up, "occurred_at": later(hours=2)}
            for n, up in voted]  # fmt: skip
    named = keys(*((f"qa/{n}", f"a{n}") for n, _ in voted), kind="content")
    bulk.file_batch(pipeline.database, Batch(answers(*seen), named, votes(*said)))
    with pipeline.database.engine.begin() as connection:
        connection.execute(sa.text(
            "INSERT INTO ask (tenant, kind, value, unit, voter, asked, probability, decided_at) "
            "VALUES ('default', 'content', :value, :unit, :voter, :asked, 0.5, :at)"),
            [{"value": f"qa/{n}", "unit": f"s{n}", "voter": who[n], "asked": n < 60, "at": later(hours=1)}
             for n in range(120)])  # fmt: skip
        # a second person saw the first answer, was asked too, and said nothing: their silence is their own
        connection.execute(sa.text(
            "INSERT INTO ask (tenant, kind, value, unit, voter, asked, probability, decided_at) "
            "VALUES ('default', 'content', 'qa/1', 'other', 'other', true, 0.5, :at)"),
            {"at": later(hours=1)})  # fmt: skip
    computed(pipeline, DAY)
    [found] = approvals_of_week(pipeline, DAY).to_dicts()
    assert (found["answers"], found["asked"], found["answered"]) == (121, 61, 45)
    assert found["estimate"] == pytest.approx(sum(up for _, up in voted) / 45)
