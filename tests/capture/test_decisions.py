"""Decisions over HTTP: OFREP with a stock client, assignments and exposures, shadow runs, asks, prompts."""

import datetime as dt
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from feedback_client.assignment import Arm, Experiment, decide
from openfeature import api as openfeature
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

from feedback_pipeline.experiments import registry
from feedback_pipeline.settings import CaptureSettings

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
HALVES = (Arm("v1", 0.5), Arm("v2", 0.5, {"tone": "warm"}))


def running(service: Any, name: str = "tone", **changes: Any) -> Experiment:
    values: dict[str, Any] = {"name": name, "version": 1, "arms": (Arm("v1", 0.5), Arm("v2", 0.5)), "default": "v1",
                              "seed": name}  # fmt: skip
    registry.create(service.database, Experiment(**(values | changes)), now=NOW, tenant=service.tenant)
    return registry.start(service.database, name, now=NOW, tenant=service.tenant).experiment


def evaluate(api: httpx.Client, key: str, **context: Any) -> httpx.Response:
    return api.post(f"/ofrep/v1/evaluate/flags/{key}", json={"context": context})


def test_a_stock_openfeature_client(service: Any) -> None:  # G3
    experiment = running(service)
    running(service, "mood", arms=HALVES)
    headers = {"Authorization": f"Bearer {service.key}"}
    openfeature.set_provider(OFREPProvider(service.url, headers_factory=lambda: headers), service.tenant)
    client = openfeature.get_client(service.tenant)
    for n in range(12):
        who = EvaluationContext(targeting_key=f"user-{n}", attributes={"plan": "pro"})
        details = client.get_string_details("tone", "none", who)
        assert details.value == decide(experiment, f"user-{n}").variant
        assert details.flag_metadata["propensity"] == 0.5
        assert details.flag_metadata["takesPart"] is True
    who = EvaluationContext(targeting_key="user-2")
    assert client.get_object_value("mood", {"none": True}, who) in ({"tone": "warm"}, {"none": True})
    assert client.get_string_details("nothing", "mine", who).error_code.value == "FLAG_NOT_FOUND"
    assert client.get_string_details("tone", "mine").error_code.value == "TARGETING_KEY_MISSING"
    assert client.get_boolean_details("tone", False, who).error_code.value == "TYPE_MISMATCH"


def test_an_arm_is_kept_over_other_weights(service: Any, api: httpx.Client) -> None:
    running(service)
    before = {f"u{n}": evaluate(api, "tone", targetingKey=f"u{n}").json()["variant"] for n in range(40)}
    arms = [{"name": "v1", "weight": 0.0}, {"name": "v2", "weight": 1.0}]
    registry.change(service.database, "tone", {"arms": arms}, now=NOW, tenant=service.tenant)
    time.sleep(2.1)  # the service remembers experiments for two seconds
    after = {f"u{n}": evaluate(api, "tone", targetingKey=f"u{n}").json() for n in range(60)}
    assert {name: after[name]["variant"] for name in before} == before
    assert {after[f"u{n}"]["variant"] for n in range(40, 60)} == {"v2"}
    assert after["u50"]["metadata"]["propensity"] == 1.0
    kept = service.rows("SELECT count(*), min(version), max(version) FROM assignment WHERE tenant = %s")
    assert kept == [(60, 1, 2)]
    named = service.rows("SELECT unit FROM assignment WHERE tenant = %s")
    assert not any(unit.startswith("u") and len(unit) < 5 for (unit,) in named)


def test_all_flags_at_once_and_only_when_changed(service: Any, api: httpx.Client) -> None:
    running(service)
    running(service, "mood", arms=HALVES)
    first = api.post("/ofrep/v1/evaluate/flags", json={"context": {"targetingKey": "ada"}})
    assert {flag["key"] for flag in first.json()["flags"]} == {"tone", "mood"}
    again = api.post("/ofrep/v1/evaluate/flags", json={"context": {"targetingKey": "ada"}},
                     headers={"If-None-Match": first.headers["etag"]})  # fmt: skip
    assert again.status_code == 304


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"context": {}}, "TARGETING_KEY_MISSING"),
        ({}, "TARGETING_KEY_MISSING"),
        ({"context": []}, "PARSE_ERROR"),
        ({"context": {"targetingKey": "x" * 10_240}}, "INVALID_CONTEXT"),
        ({"context": {"targetingKey": "ada", "long": "y" * 60_000}}, "PARSE_ERROR"),
    ],
)
def test_bad_contexts_get_a_named_reason(service: Any, api: httpx.Client, body: Any, code: str) -> None:
    running(service)
    for path in ("/ofrep/v1/evaluate/flags/tone", "/ofrep/v1/evaluate/flags"):
        answer = api.post(path, json=body)
        assert (answer.status_code, answer.json()["errorCode"]) == (400, code)


def test_keys_and_tokens(service: Any, api: httpx.Client) -> None:
    running(service)
    assert httpx.post(f"{service.url}/ofrep/v1/evaluate/flags/tone", json={}).status_code == 401
    writer = service.new_key(None, "write")
    with service.client(writer) as client:
        assert evaluate(client, "tone", targetingKey="ada").status_code == 403
    other = service.new_key(f"{service.tenant}-other", "read", "write")
    with service.client(other) as client:
        assert evaluate(client, "tone", targetingKey="ada").status_code == 404
    origin = "https://app.example"
    token = api.post("/v1/tokens", json={"content_type": "general", "content_id": "1", "origin": origin,
                                         "user_id": "ada"}).json()["token"]  # fmt: skip
    with service.client(token, Origin=origin) as page:
        assert evaluate(page, "tone", targetingKey="ada").status_code == 200
        assert evaluate(page, "tone", targetingKey="somebody else").status_code == 200
        assert page.get("/v1/experiments/configuration").status_code == 403
        assert page.post("/v1/exposures", json={}).status_code in (401, 403)
    # the page may remember its own person's arm, nobody else's
    assert service.rows("SELECT count(*) FROM assignment WHERE tenant = %s") == [(1,)]


def test_exposures_are_kept_once_and_apart(service: Any, api: httpx.Client) -> None:
    running(service)
    items = [{"experiment": "tone", "variant": "v1", "request_id": f"r{n}", "user_id": "ada", "propensity": 0.5,
              "version": 1} for n in range(3)]  # fmt: skip
    assert api.post("/v1/exposures", json={"items": items}).json() == {"new": 3}
    assert api.post("/v1/exposures", json={"items": items}).json() == {"new": 0}
    assert service.rows("SELECT count(*) FROM assignment WHERE tenant = %s") == [(1,)]
    future = items[0] | {"request_id": "r9", "occurred_at": "2031-01-01T00:00:00Z"}
    assert api.post("/v1/exposures", json=future).json() == {"new": 1}
    # a clock that is ahead does not make exposures of tomorrow
    assert service.rows("SELECT bool_and(exposed_at <= now()) FROM exposure WHERE tenant = %s") == [(True,)]
    assert api.post("/v1/exposures", json=items[0] | {"propensity": 0.0}).status_code == 422
    anonymous = {name: value for name, value in items[0].items() if name != "user_id"}
    assert api.post("/v1/exposures", json=anonymous).status_code == 422


def test_a_clock_that_jumps_ahead_exposes_nobody_in_the_future(service: Any, api: httpx.Client) -> None:
    running(service)
    ahead = {"experiment": "tone", "variant": "v1", "request_id": "r9", "user_id": "ada", "version": 1,
             "occurred_at": "2031-01-01T00:00:00Z"}  # fmt: skip
    assert api.post("/v1/exposures", json=ahead).json() == {"new": 1}
    query = "SELECT exposed_at <= now() FROM exposure WHERE tenant = %s"
    assert service.rows(query) == [(True,)]
    assert service.rows("SELECT assigned_at <= now() FROM assignment WHERE tenant = %s") == [(True,)]


def test_shadow_runs_are_redacted_and_nobodys(service: Any, api: httpx.Client) -> None:
    run = {
        "request_id": "r1",
        "candidate": "v6",
        "status": "ok",
        "output": "write to ada@example.org",
        "latency_ms": 12,
    }
    assert api.post("/v1/shadow-runs", json=run).json() == {"new": 1}
    assert api.post("/v1/shadow-runs", json=run).json() == {"new": 0}
    (output,) = service.rows("SELECT output FROM shadow_run WHERE tenant = %s")[0]
    assert "ada@" not in output
    assert service.rows("SELECT count(*) FROM interaction WHERE tenant = %s") == [(0,)]


def test_nobody_is_asked_twice_in_a_session(start: Callable[..., Any]) -> None:  # G2
    service = start(CaptureSettings(ask_share=0.5))
    with service.client() as api:
        for session in range(12):
            asked = [
                api.post("/v1/asks", json={"request_id": f"{session}-{n}", "session_id": f"session-{session}"}).json()
                for n in range(6)
            ]
            assert sum(one["ask"] for one in asked) <= 1
            assert [one["probability"] for one in asked] == pytest.approx([0.5 * 0.5**n for n in range(6)])
        again = api.post("/v1/asks", json={"request_id": "3-0", "session_id": "session-3"}).json()
        first = service.rows("SELECT asked, probability FROM ask WHERE tenant = %s AND value = '3-0'")[0]
        assert (again["ask"], again["probability"]) == first
        assert api.post("/v1/asks", json={"request_id": "x"}).status_code == 422
        assert service.rows("SELECT bool_or(asked) FROM ask WHERE tenant = %s") == [(True,)]


def test_without_a_share_nobody_is_asked(api: httpx.Client) -> None:
    assert api.post("/v1/asks", json={"request_id": "r", "session_id": "s"}).json() == {
        "ask": False,
        "probability": 0.0,
    }


def test_prompts_by_label(service: Any, api: httpx.Client) -> None:
    with service.database.engine.begin() as connection:
        for number in (1, 2):
            connection.execute(
                sa.text("INSERT INTO prompt (tenant, name, version, template, digest, created_at) "
                        "VALUES (:tenant, 'support', :version, 'Be kind', :version, now() + :n * interval '1 s')"),
                {"tenant": service.tenant, "version": f"v{number}", "n": number},
            )  # fmt: skip
    first = api.get("/v1/prompts/support")
    assert first.json()["version"] == "v1"
    assert api.get("/v1/prompts/support?label=latest").json()["version"] == "v2"
    assert api.get("/v1/prompts/support?label=v2").json()["text"] == "Be kind"
    assert api.get("/v1/prompts/support", headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    assert api.get("/v1/prompts/nothing").status_code == 404
    with service.client(service.new_key(f"{service.tenant}-b", "read")) as other:
        assert other.get("/v1/prompts/support").status_code == 404


def test_an_evaluation_is_quick(service: Any, api: httpx.Client) -> None:
    running(service)
    started = time.process_time()  # the service's and the client's; others may work on this machine
    for n in range(60):
        evaluate(api, "tone", targetingKey=f"u{n}")
    # p99 under 10 ms at 200/s is measured by make bench on an idle machine
    assert (time.process_time() - started) / 60 < 0.05
