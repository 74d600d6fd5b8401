"""What a stranger's browser made up leaves by none of the four ways to training files."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from typer.testing import CliRunner

from feedback_pipeline.capture import key_store
from feedback_pipeline.cleaning import days
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, CLEAN_INTERACTIONS
from feedback_pipeline.cli.main import app
from feedback_pipeline.console.app import create_app
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import bulk
from feedback_pipeline.training.export import TRAINING, Wanted, parts
from tests.support.serving import serve

ORIGIN = "https://app.example"


def vote(url: str, key: str, content_id: str, **body: Any) -> None:
    """A vote by a browser of its own."""
    bearer = {"Authorization": f"Bearer {key}"}
    wanted = {"content_type": "qa_answer", "content_id": content_id, "origin": ORIGIN, "user_id": body.pop("user")}
    token = httpx.post(f"{url}/v1/tokens", headers=bearer, json=wanted).json()["token"]
    page = {"Authorization": f"Bearer {token}", "Origin": ORIGIN, "X-Feedback-Session": f"session-{token[-12:]}-0001"}
    named = body if "content" in body else body | {"content_id": content_id}
    answer = httpx.post(f"{url}/v1/feedback", headers=page, json=named)
    assert answer.status_code == 201, answer.text


def test_forged_text_leaves_by_no_way(settings: Settings) -> None:
    pipeline = Pipeline(settings)
    _, key = key_store.create(pipeline.database, "test", ("admin",))
    url, stop = serve(create_app(settings))
    try:
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}) as api:
            logged = {"content_type": "qa_answer", "prompt": "How?", "output": "So."}
            for number in ("1", "2", "3", "4"):
                asker = {"user_id": "asker"} if number == "4" else {}
                api.post("/v1/interactions", json=logged | asker | {"content_id": number})
            thumb = {"content_type": "qa_answer", "rating": True}
            for number in range(3):  # three accounts agree on it
                forged = {"content_snapshot": "POISON", "input_context": "POISON?", "user": f"m{number}"}
                vote(url, key, "9", **thumb, **forged)
            vote(url, key, "1", **thumb, content_snapshot="POISON", user="mallory")
            content = {"type": "qa_answer", "id": "2"}
            vote(url, key, "2", kind="correction", content=content, correction="POISON", user="mallory")
            vote(url, key, "3", **thumb, content_snapshot="So.", user="ada")
            vote(url, key, "4", **thumb, user="ada")
            with psycopg.connect(pipeline.database.address()) as connection:
                connection.execute(
                    "INSERT INTO consent (tenant, user_key, use_for_analysis) VALUES ('default', %s, false)",
                    (pipeline.pseudonymiser.pseudonym("default", "asker"),),
                )
            api.post("/v1/feedback/export/finetuning", json={"output_path": "a.jsonl"})
    finally:
        stop()
    (exported,) = [path.read_text() for path in (settings.home / "..").resolve().rglob("a.jsonl")]
    with psycopg.connect(pipeline.database.address()) as connection:
        by_sql = connection.execute("SELECT messages::text FROM get_weekly_finetuning_dataset()").fetchall()
        (today,) = connection.execute("SELECT max(day) FROM feedback").fetchone() or (None,)  # midnight may have passed
    assert today is not None
    raw = bulk.read_day(pipeline.database, "read_feedback", today)
    pipeline.frames.write(CLEAN_FEEDBACK, today, days.clean_feedback(raw, pipeline.verdict_policy))
    answers = bulk.read_day(pipeline.database, "read_interactions", today)
    pipeline.frames.write(CLEAN_INTERACTIONS, today, days.clean_interactions(answers))
    lines = {"http": exported.splitlines(), "sql": [text for (text,) in by_sql]}
    for format_ in TRAINING:
        wanted = Wanted(format_, today - timedelta(days=1), today)
        lines[format_] = [line for part in parts(pipeline.frames, wanted) for line in part.lines]
    assert {way: len(found) for way, found in lines.items()} == {"http": 1, "sql": 1, "finetuning": 1, "positive": 1}
    assert "POISON" not in str(lines)
    assert all("So." in found[0] for found in lines.values())


def test_what_was_captured_today_is_exported_today(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`feedback export` right after a vote, before anything was computed."""
    pipeline = Pipeline(settings)
    _, key = key_store.create(pipeline.database, "test", ("write",))
    url, stop = serve(create_app(settings))
    try:
        vote = {"query": "q", "response": "r", "rating": -1, "comment": "wrong", "user_id": "ada"}
        assert httpx.post(f"{url}/v1/feedback", headers={"Authorization": f"Bearer {key}"}, json=vote).is_success
    finally:
        stop()
    for name, value in (("FEEDBACK_HOME", settings.home), ("FEEDBACK_DATABASE_URL", settings.database_url)):
        monkeypatch.setenv(name, str(value))
    file = tmp_path / "today.json"
    ran = CliRunner().invoke(app, ["export", str(file), "--days", "7", "--format", "json"])
    assert ran.exit_code == 0, ran.output
    assert "not computed yet" in ran.stderr
    (row,) = json.loads(file.read_text())
    assert (row["answer"], row["comment"], row["rating"]) == ("r", "wrong", "negative")
    with psycopg.connect(pipeline.database.address()) as connection:
        counted = connection.execute("SELECT lines FROM export_use WHERE tenant = 'default'").fetchall()
    assert counted == [(1,)], "exports of the command are counted too"
