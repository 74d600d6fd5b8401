"""The console's page of experiments: what it shows, and who may move what."""

import datetime as dt
import re
from typing import Any

import httpx
import polars as pl
from feedback_client.assignment import Arm, Experiment

from feedback_pipeline.experiments import prompts, registry
from feedback_pipeline.experiments.readout import read_experiment
from feedback_pipeline.experiments.tables import EXPERIMENT_READOUT
from feedback_pipeline.pipeline import Pipeline
from tests.experiments.test_readout import world

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
TONE = Experiment("tone<b>", 1, (Arm("v1", 0.5), Arm("v2", 0.5)), "v1", "tone")


def opened(service: Any, key: str) -> httpx.Client:
    client = httpx.Client(base_url=service.url, follow_redirects=True, timeout=20)
    client.post("/console/login", data={"key": key})
    return client


def test_admins_move_experiments_and_readers_look(service: Any) -> None:
    registry.create(service.database, TONE, now=NOW, tenant=service.tenant)
    prompts.add(service.database, "support", "Be kind.", now=NOW, tenant=service.tenant)
    reader = opened(service, service.new_key(None, "read"))
    page = reader.get("/console/experiments").text
    assert "tone&lt;b&gt;" in page
    assert "support" in reader.get("/console/prompts").text
    assert "<button name=" not in page
    admin = opened(service, service.key)
    page = admin.get("/console/experiments").text
    sealed = re.search(r'name="form" value="([^"]+)"', page)[1]  # type: ignore[index]
    form = {"name": "tone<b>", "move": "start", "form": sealed}
    assert reader.post("/console/experiments", data=form).status_code == 403
    assert admin.post("/console/experiments", data=form | {"form": "forged"}).status_code == 401
    assert "running" in admin.post("/console/experiments", data=form).text
    assert registry.experiment_named(service.database, "tone<b>", service.tenant).state == "running"
    assert "stopped" in admin.post("/console/experiments", data=form | {"move": "stop"}).text
    refused = admin.post("/console/experiments", data=form | {"move": "ramp"})
    assert refused.status_code == 409
    events = registry.events(service.database, "tone<b>", service.tenant)
    assert [one["event"] for one in events] == ["created", "started", "stopped"]


def test_approval_is_shown_day_by_day_and_a_broken_split_says_nothing_else(service: Any) -> None:
    pipeline = Pipeline(service.settings)
    days = [dt.date(2026, 11, 20), dt.date(2026, 11, 21)]
    seen = {"fine": world(rates=(0.7, 0.8)), "torn": world(people=20_000, share=0.55)}
    started = dt.datetime(2026, 11, 2, tzinfo=dt.UTC)
    rows = []
    for name, there in seen.items():
        about = Experiment(name, 1, (Arm("v1", 0.5), Arm("v2", 0.5)), "v1", "tone")
        registry.create(service.database, about, now=NOW, tenant=service.tenant)
        known = registry.Registered(
            service.tenant, about, "running", registry.Plan(), False, started, started, None, None
        )
        rows += [read_experiment(known, {1: about}, there, day) for day in days]
    every = pl.concat(rows)
    for day in days:
        pipeline.frames.write(EXPERIMENT_READOUT, day, every.filter(day=day))
    page = opened(service, service.key).get("/console/experiments").text
    fine, torn = page.split("<h2>torn")
    assert "Approval day by day" in fine
    assert all(str(day) in fine for day in days)
    assert "refused" in fine
    assert "broken assignment" in torn
    assert "refused" not in torn
