"""Decisions in the application's process against a real service, and without it."""

import datetime as dt
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from feedback_client import Experiments, FeedbackClient, log_ab_test, shadow
from feedback_client.assignment import Arm, Experiment, decide
from feedback_client.errors import FeedbackError

from feedback_pipeline.experiments import prompts, registry

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
TONE = Experiment("tone", 1, (Arm("v1", 0.5), Arm("v2", 0.5)), "v1", "tone", condition={"plan": "pro"})
NOWHERE = "http://127.0.0.1:9"


def running(service: Any) -> None:
    registry.create(service.database, TONE, now=NOW, tenant=service.tenant)
    registry.start(service.database, "tone", now=NOW, tenant=service.tenant)


def test_the_same_arms_with_the_service_and_after_it_is_gone(service: Any, tmp_path: Path) -> None:
    running(service)
    asked = Experiments(service.url, service.key, folder=tmp_path)
    about = {"plan": "pro"}
    before = {n: asked.route_to_variant(f"u{n}", "tone", about) for n in range(100)}
    assert before == {n: decide(TONE, f"u{n}", about).variant for n in range(100)}
    assert asked.decide("tone", "ada").reason == "not_targeted"
    assert asked.decide("nothing", "ada", default="mine").variant == "mine"
    asked.close()
    alone = Experiments(NOWHERE, "none", folder=tmp_path, timeout=0.2)
    assert before == {n: alone.route_to_variant(f"u{n}", "tone", about) for n in range(100)}
    nothing = Experiments(NOWHERE, "none", timeout=0.2)
    found = nothing.decide("tone", "ada", default="v1")
    assert (found.variant, found.reason, found.takes_part) == ("v1", "unavailable", False)
    started = time.process_time()
    for n in range(2_000):
        alone.decide("tone", f"u{n}", about)
    assert (time.process_time() - started) / 2_000 < 50e-6


def test_exposures_and_shadow_runs_reach_the_store(service: Any) -> None:
    running(service)
    experiments = Experiments(service.url, service.key)
    taken = next(
        (f"u{n}", found)
        for n in range(20)
        if (found := experiments.decide("tone", f"u{n}", {"plan": "pro"})).takes_part
    )
    assert experiments.exposed(taken[1], "r1", user_id=taken[0])
    assert not experiments.exposed(experiments.decide("tone", "ada"), "r2", user_id="ada")
    behind = shadow(lambda request_id: "another", experiments.shadow_run, name="v9", sample=1.0)
    behind(lambda request_id: "shown")(request_id="r1")
    assert behind.flush()
    assert experiments.flush()
    assert service.rows("SELECT variant, propensity, version FROM exposure WHERE tenant = %s") == [
        (taken[1].variant, 0.5, 1)
    ]
    assert service.rows("SELECT model, status, output FROM shadow_run WHERE tenant = %s") == [("v9", "ok", "another")]


def test_log_ab_test_files_result_and_exposure(service: Any) -> None:  # E4
    client = FeedbackClient(service.url, service.key)
    log_ab_test("r1", "ada", "v2", {"task_succeeded": True}, client=client)
    assert client.flush()
    assert service.rows("SELECT experiment, variant, request_id FROM exposure WHERE tenant = %s") == [
        ("ab_test", "v2", "r1")
    ]
    assert service.rows("SELECT kind FROM feedback WHERE tenant = %s") == [("outcome",)]


def test_prompts_are_kept(service: Any, tmp_path: Path) -> None:
    prompts.add(service.database, "support", "Be kind to {name}.", now=NOW, tenant=service.tenant)
    experiments = Experiments(service.url, service.key, folder=tmp_path, refresh_seconds=0.0)
    assert experiments.prompt("support").version == "v1"
    gone = Experiments(NOWHERE, "none", folder=tmp_path, timeout=0.2)
    assert gone.prompt("support").text == "Be kind to {name}."
    with pytest.raises(FeedbackError):
        gone.prompt("nothing")
    assert gone.prompt("nothing", default="Be kind.").version == "default"
    with service.database.engine.begin() as connection:
        connection.execute(sa.text("UPDATE prompt SET template = NULL WHERE tenant = :t"), {"t": service.tenant})
    assert experiments.prompt("support").text == "Be kind to {name}."
