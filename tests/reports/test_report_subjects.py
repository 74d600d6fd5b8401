"""Votes on sessions, conversations, tool calls and steps, from the store to the published week."""

from pathlib import Path

import orjson
import pytest

from assets import report
from feedback_pipeline.calendar import days_of
from feedback_pipeline.reports.document import read_json
from feedback_pipeline.reports.parts import NoResultPart, Rate
from feedback_pipeline.reports.subject_events import subject_events
from feedback_pipeline.reports.subjects import Subjects
from feedback_pipeline.store import bulk
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from tests.support.evaluation_world import compute
from tests.support.store_rows import DAY, answers, later, votes
from tests.support.world import pipeline_for


def on(kind: str, name: str, who: str, **more: object) -> dict[str, object]:
    return {"name": f"{kind}-{name}-{who}", "key_kind": kind, "key_value": name, "user_key": who, **more}


def filed(database: Database) -> None:
    sessions = [on("session", f"s{n % 3}", f"u{n}", thumb=n != 0, comment="slow" if n < 2 else None) for n in range(8)]
    starred = [on("conversation", "c", f"u{n}", stars=stars) for n, stars in enumerate((1, 3, 4, 5, 5))]
    late = on("step", "st", "u1", occurred_at=later(days=8))
    gone = on("session", "s9", "u9", withdrawn=True)
    batch = Batch(
        interactions=answers({"name": "a"}),
        feedback=votes(
            {"name": "plain", "on": "a", "user_key": "u0"}, *sessions, *starred, on("tool_call", "t", "u1"), late, gone
        ),
    )
    bulk.file_batch(database, batch)


def test_they_stand_in_the_week_by_themselves_with_intervals(database: Database, tmp_path: Path) -> None:
    pipeline = pipeline_for(tmp_path, database)
    filed(database)
    compute(report.weekly_report, pipeline, DAY)
    folder = Path(str(pipeline.frames.root)) / "weekly_report"
    found = read_json((folder / f"{DAY}.json").read_bytes()).content
    assert isinstance(found.subjects, Subjects)
    session, conversation, tool = found.subjects.kinds
    assert [one.kind for one in found.subjects.kinds] == ["session", "conversation", "tool_call"]  # the step is later
    assert isinstance(session.approval, Rate)
    assert (session.subjects, session.people, session.approval.votes, session.comments) == (3, 8, 8, 2)
    assert session.approval.value == 7 / 8
    assert session.approval.low < 7 / 8 < session.approval.high
    # stars say up from four on and down to two: one down, three up; three stars are neither
    assert isinstance(conversation.approval, NoResultPart)  # four people said up or down, and rates are of five
    assert conversation.average_stars == pytest.approx(18 / 5)
    assert isinstance(tool.approval, NoResultPart)
    page = (folder / f"{DAY}.html").read_text()
    assert "Sessions, conversations, tool calls and steps" in page
    assert "87.5%" in page
    assert orjson.loads((folder / f"{DAY}.tenants.json").read_bytes())["tenants"] == ["default"]


def test_who_wants_no_analyses_is_not_counted(database: Database, tmp_path: Path) -> None:
    pipeline = pipeline_for(tmp_path, database)
    filed(database)
    refused = "INSERT INTO consent (tenant, user_key, use_for_analysis) VALUES ('default', 'u1', false)"
    with database.engine.begin() as connection:
        connection.exec_driver_sql(refused)
    events = subject_events(database, days_of(DAY), pipeline.verdict_policy)
    assert "u1" not in events["voter"].to_list()
    assert events.filter(events["subject_kind"] == "session").height == 7
    assert subject_events(database, days_of(DAY), pipeline.verdict_policy, "another").is_empty()
