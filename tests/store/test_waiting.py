"""Votes that wait for answers, and votes from the future, are said with what to do."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from feedback_pipeline.store.database import Database
from feedback_pipeline.store.waiting import waiting
from tests.support.ingesting import NOW, bring_in, written

LATER = NOW + timedelta(days=9)


def test_votes_that_lead_nowhere_are_told_apart(database: Database, tmp_path: Path) -> None:
    def votes(name: str, **held: str) -> None:
        rows = [{"id": f"{name}{n}", "at": "2026-11-12T09:00:00Z", "thumb": "up", **held} for n in range(3)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    votes("late", answer="nobody-knows")
    votes("named", request="r-1")
    votes("ahead", at="2099-01-01T00:00:00Z", q="When?", a="Then.")
    votes("good", q="When?", a="Then.")
    bring_in(
        database,
        written(
            tmp_path,
            """
sources:
  answers: {kind: jsonl, path: good.jsonl, mapping: {id: id, occurred_at: at, prompt: q, output: a}}
  late:
    {kind: jsonl, path: late.jsonl, answers: answers,
     mapping: {id: id, occurred_at: at, thumb: thumb, answer_id: answer}}
  named: {kind: jsonl, path: named.jsonl, mapping: {id: id, occurred_at: at, thumb: thumb, request_id: request}}
  ahead: {kind: jsonl, path: ahead.jsonl, mapping: {id: id, occurred_at: at, thumb: thumb, prompt: q, output: a}}
  good: {kind: jsonl, path: good.jsonl, mapping: {id: id, occurred_at: at, thumb: thumb, prompt: q, output: a}}
""",
        ),
        tmp_path / "home",
    )
    found = {held.source: held for held in waiting(database)}
    assert {name: (held.problem, held.named, held.votes) for name, held in found.items()} == {
        "late": ("answer", "answer_id", 3), "named": ("answer", "request", 3), "ahead": ("future", "", 3),
    }  # fmt: skip
    said = {name: str(held.advice(LATER)) for name, held in found.items()}
    assert "the oldest for 9 days" in said["late"]
    assert said["late"].endswith("import the source that `answers` names, with the same ids")
    assert said["named"].endswith("log the answers under the request_id that the votes name")
    assert "2099-01-01" in said["ahead"]
    assert "nobody-knows" not in "".join(said.values())
    assert found["late"].advice(NOW + timedelta(minutes=5)) is None  # its answer may still come
    assert datetime.now(UTC) < found["ahead"].since
