"""The commands say the same as the verbs, and what to do where something is missing."""

import json
import re
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from feedback_pipeline.actions import register
from feedback_pipeline.alerting import incidents
from feedback_pipeline.alerting.detectors import Alert, Reading
from feedback_pipeline.cli import actions as action_commands
from feedback_pipeline.cli import alerts as alert_commands
from feedback_pipeline.cli import findings as finding_commands
from feedback_pipeline.patterns.tables import RECOMMENDATIONS

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def run(monkeypatch):
    app = typer.Typer()
    for commands in (finding_commands, action_commands, alert_commands):
        commands.mount(app)
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)

    def invoke(*arguments, code=0):
        result = CliRunner().invoke(app, list(arguments))
        assert result.exit_code == code, result.output + repr(result.exception)
        return result.output

    return invoke


@pytest.fixture
def stored(monkeypatch, settings, database):
    """The commands' own environment, with the test's database."""
    monkeypatch.setenv("FEEDBACK_HOME", str(settings.home))
    monkeypatch.setenv("FEEDBACK_DATABASE_URL", database.url)
    return database


@pytest.fixture(scope="module")
def file(feedback, tmp_path_factory):
    path = tmp_path_factory.mktemp("feedback") / "feedback.csv"
    feedback.assign(tags=feedback["tags"].map(json.dumps)).to_csv(path, index=False)
    return str(path)


def test_analyze_shows_what_goes_wrong_and_as_json(run, file):  # C2
    shown = run("analyze", "--days", "21", "--file", file)
    assert "Goes wrong" in shown
    assert "react" in shown
    content = json.loads(run("analyze", "--days", "21", "--min-samples", "5", "--file", file, "--json"))
    assert content["total_feedback"] == 4000
    assert content["tag_performance"]["slow"]["success_rate"] < 0.5


def test_too_little_is_one_line_and_exit_code_one(run, file):
    shown = run("analyze", "--until", "2020-01-01", "--file", file, code=1)
    assert "insufficient feedback: 0 found" in shown
    assert "Traceback" not in shown


def test_a_report_is_written(run, file, tmp_path):  # C3
    shown = run("report", "--period", "weekly", "--output", str(tmp_path / "report.html"), "--file", file)
    assert "2026-W47" in shown
    assert "against the week before" in shown
    assert (tmp_path / "report.html").stat().st_size > 1000
    assert json.loads(run("report", "--file", file, "--json"))["period"] == "2026-W47"


def test_suggestions_say_who_made_them(run, file):  # C4
    assert "by rule (no model is configured)" in run("suggest", "--days", "21", "--limit", "2", "--file", file)
    assert json.loads(run("suggest", "--days", "21", "--file", file, "--json"))[0]["source"] == "rules"


@pytest.mark.parametrize("name", ["empty.csv", "broken.jsonl", "broken.parquet", "missing.csv", "feedback.docx"])
def test_a_file_that_is_no_table_is_refused_without_quoting_it(run, tmp_path, name):
    (tmp_path / "empty.csv").write_text("")
    for broken in ("broken.jsonl", "broken.parquet", "feedback.docx"):
        (tmp_path / broken).write_text('{"secret-part": ')
    shown = run("analyze", "--file", str(tmp_path / name), code=2)
    assert "secret-part" not in shown


def test_incidents_are_listed_acknowledged_and_closed(run, stored):
    assert "No open incidents" in run("alerts", "list")
    day = datetime.now(UTC).date() - timedelta(days=1)
    alert = Alert("negative_rate", "error", day, "[red]60.0 %[/] voted down", {}, ())
    incidents.record(stored, [Reading("negative_rate", day, alert)], day=day, now=NOW)
    (one,) = incidents.incidents(stored)
    shown = run("alerts", "list")
    assert "[red]60.0 %[/]" in shown  # markup in a value stays text
    assert str(one.id) in shown
    run("alerts", "acknowledge", str(one.id), "--by", "Ada")
    assert "acknowledged" in run("alerts", "list")
    run("alerts", "close", str(one.id), "--by", "Ada")
    assert "No open incidents" in run("alerts", "list")
    assert "closed" in run("alerts", "list", "--all")
    assert "alerts list" in run("alerts", "close", str(one.id), code=2)


def test_a_test_message_goes_to_every_channel(run, stored, monkeypatch):
    assert "✓ log" in run("alerts", "test")
    monkeypatch.setenv("FEEDBACK_ALERT_WEBHOOK", "http://127.0.0.1:1/secret-part")
    shown = run("alerts", "test", code=1)
    assert "✗ webhook" in shown
    assert "secret-part" not in shown


def test_actions_are_accepted_done_and_dropped(run, stored):
    assert "No actions" in run("actions", "list")
    rows = [
        {"week": date(2026, 11, 2), "recommendation_id": name, "rank": 1, "kind": "fix_slice", "text": "fix [b]it[/]"}
        | {"evidence": ["f"], "grade": "adjusted", "approval_gain": 0.012}
        for name in ("aa11", "bb22")
    ]
    full = [dict.fromkeys(RECOMMENDATIONS.names) | row for row in rows]
    register.propose(stored, pl.DataFrame(full, schema=RECOMMENDATIONS.schema), now=NOW)
    assert re.search(r"aa11.*proposed.*\+1\.2 points.*fix \[b\]it\[/\]", run("actions", "list"))
    run("actions", "accept", "aa", "--owner", "Prompts", "--due", "2026-12-01", "--note", "promised", "--by", "Ada")
    run("actions", "assign", "aa11", "--owner", "Ada")
    assert "aa11 is done, Ada, until 2026-12-01" in run("actions", "done", "aa11", "--by", "Ada")
    run("actions", "drop", "bb")
    assert "bb22" not in run("actions", "list", "--status", "done")
    shown = run("actions", "show", "aa")
    assert re.findall(r"proposed|accepted|done", shown)[:2] == ["proposed", "accepted"]
    assert "promised" in shown
    assert "actions list" in run("actions", "accept", "zz", code=2)
