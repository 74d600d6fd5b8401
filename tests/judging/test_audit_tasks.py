"""The audit in Label Studio and Argilla: tasks show request and answer only, labels come back by the answer's id."""

import json
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from feedback_pipeline.cli.main import app
from feedback_pipeline.judging.audit import ITEM_SCHEMA
from feedback_pipeline.judging.audit_tasks import LABEL_CONFIG, labels_of, tasks
from feedback_pipeline.store import audits
from feedback_pipeline.store.database import Database
from tests.support.evaluation_world import WEEK, with_week
from tests.support.store_rows import answer_id

TEXTS = [("id-1", "Where is it?", "There."), ("id-2", "When?", "At nine.")]


def test_label_studio_there_and_back() -> None:
    made = tasks(TEXTS, "label-studio")
    assert made[0] == {"data": {"interaction_id": "id-1", "prompt": "Where is it?", "answer": "There."}}
    assert all(f'value="{verdict}"' in LABEL_CONFIG for verdict in ("up", "neutral", "down", "cannot_say"))

    def annotation(who: object, verdict: str, **more: object) -> dict[str, object]:
        result = {"from_name": "verdict", "to_name": "answer", "type": "choices", "value": {"choices": [verdict]}}
        return {"completed_by": who, "was_cancelled": False, "result": [result], **more}

    made[0]["annotations"] = [annotation(3, "up"), annotation({"id": 4, "email": "bo@example.org"}, "down")]
    made[1]["annotations"] = [annotation(3, "up", was_cancelled=True)]
    assert [tuple(one) for one in labels_of(made)] == [
        ("id-1", "label-studio:3", "up"), ("id-1", "label-studio:4", "down"),
    ]  # fmt: skip


def test_argilla_there_and_back() -> None:
    made = tasks(TEXTS, "argilla")
    made[0]["responses"] = {"verdict": [{"value": "neutral", "user_id": "u-1", "status": "submitted"},
                                        {"value": "up", "user_id": "u-2", "status": "draft"}]}  # fmt: skip
    assert [tuple(one) for one in labels_of(made)] == [("id-1", "argilla:u-1", "neutral")]


@pytest.mark.parametrize("document", [{}, [1], [{"fields": {}, "id": "a", "responses": {"verdict": [{"value": "5"}]}}]])
def test_what_is_no_export_is_refused(document: object) -> None:
    with pytest.raises(ValueError, match=r"expected the JSON export|task 1"):
        list(labels_of(document))


def test_the_command_writes_tasks_where_an_erasure_looks_and_takes_labels_once(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    with_week(home, database)
    items = [
        {"interaction_id": answer_id(str(n)), "day": WEEK, "stratum": "other", "place": n, "inclusion_probability": 1.0}
        for n in range(3)
    ]
    assert audits.keep_items(database, WEEK, pl.DataFrame(items, schema_overrides=ITEM_SCHEMA))
    monkeypatch.setenv("FEEDBACK_HOME", str(home))
    monkeypatch.setenv("FEEDBACK_DATABASE_URL", database.url)
    ran = CliRunner().invoke(app, ["audit-tasks", "--count", "2"])
    assert ran.exit_code == 0, ran.output
    (file,) = (home / "exports").glob("audit-tasks-label-studio-*.json")
    written = json.loads(file.read_text())
    assert len(written) == 2
    assert set(written[0]["data"]) == {"interaction_id", "prompt", "answer"}
    choice = {"from_name": "verdict", "type": "choices", "value": {"choices": ["up"]}}
    for task in written:
        task["annotations"] = [{"completed_by": 7, "was_cancelled": False, "result": [choice]}]
    written.append({"data": {"interaction_id": "elsewhere"}, "annotations": written[0]["annotations"]})
    export = tmp_path / "export.json"
    export.write_text(json.dumps(written))
    for said in ("2 labels filed, 0 were known, 1 are about", "0 labels filed, 2 were known, 1 are about"):
        ran = CliRunner().invoke(app, ["audit-tasks", "--take", str(export)])
        assert said in " ".join(ran.output.split())
    assert set(audits.read_labels(database)["voter"]) == {"label-studio:7"}
