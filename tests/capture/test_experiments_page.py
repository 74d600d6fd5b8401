"""The console's page of experiments: what it shows, and who may move what."""

import datetime as dt
import re
from typing import Any

import httpx
from feedback_client.assignment import Arm, Experiment

from feedback_pipeline.experiments import prompts, registry

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
