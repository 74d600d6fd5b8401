"""Verdicts reach the tools that answers came from, under the names they have there, and no words go along."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from feedback_pipeline.calendar import monday_of
from feedback_pipeline.cleaning import days
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK
from feedback_pipeline.judging.tables import JUDGEMENTS
from feedback_pipeline.outgoing import tools
from feedback_pipeline.outgoing.verdicts import Verdict, verdicts
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store import bulk
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.rows import INCOMING_KEY
from tests.support.serving import serve
from tests.support.store_rows import DAY, answer_id, answers, rows, votes
from tests.support.world import pipeline_for

SECRET = "xylophone"
TRACE, SPAN = "5b8aa5a2d2c872e8321cf37308d69df2", "00f067aa0ba902b7"


@pytest.fixture
def pipeline(database: Database, tmp_path: Path) -> Pipeline:
    """An answer that was traced, one that an import brought from Langfuse, one that is known nowhere; a judged week."""
    opened = pipeline_for(tmp_path / "home", database)
    traced = {"name": "traced", "metadata": json.dumps({"trace_id": TRACE, "span_id": SPAN}), "output": SECRET,
              "prompt": SECRET}  # fmt: skip
    said = answers(traced, {"name": "theirs", "source": "langfuse", "source_id": "gen-1"}, {"name": "nowhere"})
    names = [("request", "chatcmpl-1", "traced"), ("request", "trace-9", "theirs")]
    keys = rows(INCOMING_KEY, [
        {"tenant": "default", "kind": kind, "value": value, "interaction_id": answer_id(name)}
        for kind, value, name in names
    ], {})  # fmt: skip
    cast = votes(
        {"name": "v1", "on": "traced", "user_key": "u1", "comment": SECRET},
        {"name": "v2", "on": "traced", "user_key": "u2", "thumb": False},
        {"name": "v3", "on": "theirs", "user_key": "u1", "source": "langfuse"},
        {"name": "v4", "on": "theirs", "user_key": "u2", "source": "api"},
        {"name": "v5", "on": "nowhere", "user_key": "u1"},
        {"name": "v6", "on": "theirs", "user_key": "u3", "source": "langfuse-scores"},  # of its export: the same tool
        {"name": "v7", "on": "traced", "user_key": "u1", "kind": "correction", "thumb": None, "correction": "At nine."},
    )
    bulk.file_batch(database, Batch(interactions=said, keys=keys, feedback=cast))
    raw = bulk.read_day(database, "read_feedback", DAY)
    opened.frames.write(CLEAN_FEEDBACK, DAY, days.clean_feedback(raw, opened.verdict_policy))
    judged = {"interaction_id": answer_id("traced"), "other_interaction_id": "", "judge": "model", "fingerprint": "f1",
              "criterion": "satisfaction", "status": "ok", "score": 0.75, "verdict": "up", "rationale": SECRET,
              "cost_usd": 0.0, "calls": 0}  # fmt: skip
    opened.frames.write(JUDGEMENTS, monday_of(DAY), rows(JUDGEMENTS, [judged], {}))
    return opened


@pytest.fixture
def taken() -> Iterator[tuple[str, list[tuple[str, str, Any]]]]:
    """A server that takes everything, after one 503, and says what it was sent."""
    app, asked = FastAPI(), list[tuple[str, str, Any]]()
    state = {"busy": 1}

    @app.post("/{path:path}")
    async def take(path: str, request: Request) -> Any:
        if state["busy"]:
            state["busy"] -= 1
            return JSONResponse({}, 503)
        asked.append((path, request.headers.get("authorization", ""), await request.json()))
        return JSONResponse({"successes": [], "errors": []}, 207) if path.endswith("ingestion") else {}

    url, stop = serve(app)
    yield url, asked
    stop()


def found(pipeline: Pipeline) -> list[Verdict]:
    return list(verdicts(pipeline, DAY, DAY + timedelta(6)))


def test_what_goes_and_under_which_names(pipeline: Pipeline) -> None:
    said = {(one.evaluator, one.label, one.trace_id, one.span_id, one.request_id) for one in found(pipeline)}
    assert said == {
        ("human", "up", TRACE, SPAN, "chatcmpl-1"),
        ("human", "down", TRACE, SPAN, "chatcmpl-1"),
        ("model", "up", TRACE, SPAN, "chatcmpl-1"),
        ("human", "up", "trace-9", "gen-1", "trace-9"),  # voted here; what Langfuse sent does not go back
    }


def test_each_tool_gets_its_own_form(pipeline: Pipeline, taken: tuple[str, list[tuple[str, str, Any]]]) -> None:
    url, asked = taken
    own = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer x",
           "LANGFUSE_HOST": url, "LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": "sk",
           "PHOENIX_COLLECTOR_ENDPOINT": url, "PHOENIX_API_KEY": "key"}  # fmt: skip
    sent = [tools.send(tools.target_of(kind, own), found(pipeline)) for kind in tools.KINDS]
    assert [one.taken for one in sent] == [4, 4, 4]
    (otlp, otlp_key, records), (langfuse, basic, scores), (phoenix, bearer, notes) = asked
    assert (otlp, langfuse, phoenix) == ("v1/logs", "api/public/ingestion", "v1/span_annotations")
    assert (otlp_key, basic, bearer) == ("Bearer x", "Basic cGs6c2s=", "Bearer key")
    log = records["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    judged = [one for one in log if "doubleValue" in str(one) and "'llm'" in str(one)]
    assert (judged[0]["traceId"], judged[0]["spanId"]) == (TRACE, SPAN)
    assert {one["eventName"] for one in log} == {"gen_ai.evaluation.result"}
    assert {one["body"]["traceId"] for one in scores["batch"]} == {TRACE, "trace-9"}
    assert {one["span_id"] for one in notes["data"]} == {SPAN, "gen-1"}
    assert SECRET not in str(asked)


def test_corrections_go_where_they_are_asked_for(
    pipeline: Pipeline, taken: tuple[str, list[tuple[str, str, Any]]]
) -> None:
    url, asked = taken
    own = {"LANGFUSE_HOST": url, "LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": "sk",
           "PHOENIX_COLLECTOR_ENDPOINT": url}  # fmt: skip
    for kind in ("langfuse", "phoenix"):
        tools.send(tools.target_of(kind, own), verdicts(pipeline, DAY, DAY + timedelta(6), corrections=True))
    (_, _, scores), (_, _, notes) = asked
    [score] = [one["body"] for one in scores["batch"] if one["body"]["dataType"] == "CORRECTION"]
    assert (score["name"], score["value"], score["traceId"], score["observationId"]) == (
        "output", "At nine.", TRACE, SPAN,
    )  # fmt: skip
    [note] = [one for one in notes["data"] if one["name"] == "correction"]
    assert (note["span_id"], note["result"]["explanation"]) == (SPAN, "At nine.")
    assert SECRET not in str(asked)


def test_our_own_service_understands_the_events(pipeline: Pipeline) -> None:
    from feedback_pipeline.capture import otlp, otlp_answers

    body = json.dumps(tools._records(found(pipeline))).encode()
    read = [otlp_answers.evaluation_of(one) for one in otlp.read_records(body, as_json=True)]
    assert sorted(whose for whose, _ in read) == ["judge", "person", "person", "person"]


def test_a_tool_that_does_not_take_it_says_which(taken: tuple[str, list[tuple[str, str, Any]]]) -> None:
    with pytest.raises(ValueError, match="set LANGFUSE_PUBLIC_KEY"):
        tools.target_of("langfuse", {})
    one = Verdict("1", "user_feedback", "human", 1.0, "up", DAY, TRACE, SPAN, None)
    gone = tools.target_of("phoenix", {"PHOENIX_COLLECTOR_ENDPOINT": "http://127.0.0.1:9"})
    with pytest.raises(tools.NotTakenError, match=r"127\.0\.0\.1:9 cannot be reached"):
        tools.send(gone, [one])
