"""Tools that are asked over HTTP, and databases of tools: by name, since when, again, and when they refuse."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from feedback_pipeline.ingest.documents import SourcesError
from feedback_pipeline.ingest.summary import SourceSummary
from feedback_pipeline.ingest.tool_sources import with_tools
from feedback_pipeline.store.database import Database
from tests.support import tool_exports
from tests.support.ingesting import NOW, bring_in, only, query
from tests.support.tool_servers import Tools

KEYS = {"LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": "sk", "PHOENIX_API_KEY": "key",
        "LABEL_STUDIO_API_KEY": "key", "OPEN_WEBUI_API_KEY": "key"}  # fmt: skip


@pytest.fixture
def tools() -> Iterator[Tools]:
    made = Tools()
    stop = made.start()
    yield made
    stop()


def brought(database: Database, folder: Path, tools: Tools, name: str, since: str | None = None) -> SourceSummary:
    sources = with_tools(folder / "sources.yaml", (name,), KEYS, place=tools.url)
    if since:
        (source,) = sources.entries
        object.__setattr__(sources, "entries", (source.model_copy(update={"since": NOW.fromisoformat(since).date()}),))
    return only(bring_in(database, sources, folder / "home"))


def score(identity: str, moment: str, trace: str, **held: Any) -> dict[str, Any]:
    return {"id": identity, "timestamp": moment, "updatedAt": moment, "createdAt": moment, "projectId": "p",
            "environment": "default", "traceId": trace, "observationId": None, "name": "user-feedback", "value": 1,
            "stringValue": None, "dataType": "BOOLEAN", "source": "API", "comment": None, "authorUserId": None,
            **held}  # fmt: skip


def langfuse(tools: Tools) -> None:
    tools.traces["t1"] = {
        "id": "t1",
        "timestamp": "2026-11-20T08:00:00.000Z",
        "userId": "anna",
        "sessionId": "s1",
        "input": {"question": "x"},
        "output": "At ten.",
        "observations": [
            {
                "id": "o1",
                "type": "GENERATION",
                "startTime": "2026-11-20T08:00:00.100Z",
                "endTime": "2026-11-20T08:00:01.000Z",
                "model": "router-1",
                "input": [{"role": "user", "content": "Which tool?"}],
                "output": "hours",
            },
            {
                "id": "o2",
                "type": "SPAN",
                "startTime": "2026-11-20T08:00:01.100Z",
                "endTime": "2026-11-20T08:00:02.000Z",
            },
            {
                "id": "o3",
                "type": "GENERATION",
                "startTime": "2026-11-20T08:00:02.000Z",
                "endTime": "2026-11-20T08:00:03.000Z",
                "model": "north-7b",
                "input": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "When do you open?"}],
                "output": {"role": "assistant", "content": "At ten."},
                "promptName": "hours",
                "promptVersion": 3,
            },
        ],
    }
    tools.traces["t2"] = {"id": "t2", "timestamp": "2026-11-20T09:00:00.000Z", "userId": None, "sessionId": None,
                          "input": "Is it far?", "output": "No.", "observations": []}  # fmt: skip
    tools.scores += [
        score("s1", "2026-11-20T08:05:00.000Z", "t1", stringValue="True", comment="Right."),
        score("s2", "2026-11-20T08:06:00.000Z", "t1", observationId="o1", value=0, stringValue="False"),
        score("s3", "2026-11-20T08:07:00.000Z", "t1", dataType="NUMERIC", value=0.4, source="EVAL", name="relevance"),
        score("s4", "2026-11-20T08:08:00.000Z", "t1", dataType="CORRECTION", value=0, stringValue="At nine.",
              source="ANNOTATION", authorUserId="cy", name="output"),
        score("s5", "2026-11-20T09:05:00.000Z", "t2", dataType="NUMERIC", value=4, name="stars"),
    ]  # fmt: skip


def test_langfuse_gives_scores_with_the_generation_each_is_about(
    database: Database, tmp_path: Path, tools: Tools
) -> None:
    langfuse(tools)
    tools.busy = 2  # 429 is waited for
    found = brought(database, tmp_path, tools, "langfuse", "2026-11-19")
    assert (found.events, found.refused, found.problems) == (4, (), ())
    assert any("1 rows passed over" in note for note in found.notes)  # the evaluator's
    rows = query(database, """
        SELECT f.source_id, f.thumb, f.stars, f.comment, f.correction, i.prompt, i.output, i.model, i.prompt_version
        FROM feedback f JOIN interaction i ON i.id = f.interaction_id ORDER BY f.occurred_at""")  # fmt: skip
    assert [(row[0].partition("@")[0], *row[1:]) for row in rows] == [
        ("s1", True, None, "Right.", None, "When do you open?", "At ten.", "north-7b", "hours@3"),
        ("s2", False, None, None, None, "Which tool?", "hours", "router-1", None),
        ("s4", None, None, None, "At nine.", "When do you open?", "At ten.", "north-7b", "hours@3"),
        ("s5", None, 4, None, None, "Is it far?", "No.", None, None),
    ]


def test_the_next_look_starts_where_the_last_ended_and_takes_a_change(
    database: Database, tmp_path: Path, tools: Tools
) -> None:
    langfuse(tools)
    brought(database, tmp_path, tools, "langfuse", "2026-11-19")
    tools.asked.clear()
    tools.scores[0] |= {"value": 0, "stringValue": "False", "updatedAt": "2026-11-20T10:00:00.000Z"}
    again = brought(database, tmp_path, tools, "langfuse")
    assert (again.events, again.known) == (1, 3)
    assert "fromTimestamp=2026-11-19T09%3A05" in tools.asked[0]  # a day before the newest
    current = "SELECT thumb FROM feedback WHERE source_id LIKE 's1@%' AND superseded_by IS NULL"
    assert query(database, current) == [(False,)]


def test_phoenix_label_studio_and_open_webui_over_http(database: Database, tmp_path: Path, tools: Tools) -> None:
    tools.spans = [
        {"id": "x", "name": "chat", "context": {"trace_id": f"{n:032x}", "span_id": f"{n:016x}"}, "span_kind": "LLM",
         "start_time": "2026-11-20T08:00:00+00:00", "end_time": "2026-11-20T08:00:01+00:00", "attributes": {
             "user.id": "anna", "session.id": "s-1", "llm.model_name": "north-7b", "input.value": "{}",
             "llm.input_messages.0.message.role": "user", "llm.input_messages.0.message.content": f"Where is {n}?",
             "llm.output_messages.0.message.role": "assistant", "llm.output_messages.0.message.content": "There."}}
        for n in range(1, 4)
    ]  # fmt: skip
    tools.annotations = [
        {"id": f"A{n}", "created_at": "2026-11-20T09:00:00+00:00", "updated_at": "2026-11-20T09:00:00+00:00",
         "source": "API", "user_id": None, "name": "helpful", "annotator_kind": kind, "metadata": {}, "identifier": who,
         "result": {"label": label, "score": number, "explanation": None}, "span_id": f"{n:016x}"}
        for n, (kind, who, label, number) in enumerate(
            [("HUMAN", "anna", "thumbs-up", 1.0), ("LLM", "judge", "bad", 0.0), ("HUMAN", "bo", None, 0.0)], 1)
    ]  # fmt: skip
    assert brought(database, tmp_path, tools, "phoenix", "2026-11-19").events == 2
    tools.tasks = [{**task, "updated_at": "2026-11-12T11:00:00Z"} for task in tool_exports.label_studio()]
    tools.tasks = tools.tasks[:1]
    sources = f"sources:\n  studio: {{kind: api, preset: label-studio, url: '{tools.url}', key: key, tool_project: '1',"
    (tmp_path / "sources.yaml").write_text(f"{sources} since: 2026-11-01}}\n")
    assert only(bring_in(database, with_tools(tmp_path / "sources.yaml", (), {}), tmp_path / "home")).events == 2
    tools.ratings = tool_exports.open_webui()
    assert brought(database, tmp_path, tools, "open-webui", "2025-11-01").events == 3
    counts = query(database, "SELECT source, count(*) FILTER (WHERE thumb) FROM feedback GROUP BY 1 ORDER BY 1")
    assert counts == [("open-webui", 2), ("phoenix", 1), ("studio", 1)]
    assert query(database, "SELECT prompt FROM interaction WHERE source = 'phoenix' ORDER BY 1") == [
        ("Where is 1?",), ("Where is 3?",),
    ]  # fmt: skip


def test_a_tool_that_refuses_is_a_problem_in_a_sentence(database: Database, tmp_path: Path, tools: Tools) -> None:
    sources = with_tools(tmp_path / "sources.yaml", ("langfuse",), KEYS | {"LANGFUSE_SECRET_KEY": "wrong"}, tools.url)
    (problem,) = only(bring_in(database, sources, tmp_path / "home")).problems
    assert problem.reason == "api_error"
    assert "refuses the key (401)" in problem.message
    assert "wrong" not in problem.message
    gone = with_tools(tmp_path / "sources.yaml", ("open-webui",), KEYS, "http://127.0.0.1:9")
    (problem,) = only(bring_in(database, gone, tmp_path / "home")).problems
    assert "127.0.0.1:9 cannot be reached" in problem.message


def test_a_name_that_is_neither_a_source_nor_a_tool(tmp_path: Path) -> None:
    with pytest.raises(SourcesError, match="copy examples/sources"):
        with_tools(tmp_path / "sources.yaml", ("nobody",), {})
    with pytest.raises(SourcesError, match="LANGFUSE_PUBLIC_KEY is not set"):
        with_tools(tmp_path / "sources.yaml", ("langfuse",), {})
    with pytest.raises(SourcesError, match="--from goes with the name of one tool"):
        with_tools(tmp_path / "sources.yaml", ("langfuse", "phoenix"), KEYS, "http://x")


# The databases of tools, with the tables as MLflow 3.17 and Phoenix 20 make them


def test_mlflow_gives_what_people_said_and_not_what_was_overridden(database: Database, tmp_path: Path) -> None:
    tool_exports.mlflow(tmp_path / "mlflow.db")
    sources = with_tools(
        tmp_path / "none.yaml", ("mlflow",), {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    )
    found = only(bring_in(database, sources, tmp_path / "home"))
    assert (found.events, found.refused, found.problems) == (4, (), ())
    rows = query(database, """
        SELECT f.kind, f.thumb, f.comment, f.correction, i.prompt, i.output
        FROM feedback f JOIN interaction i ON i.id = f.interaction_id ORDER BY f.source_id""")  # fmt: skip
    assert rows == [
        ("explicit", True, "Right.", None, "When do you open?", "At nine."),
        ("explicit", False, "It was not there.", None, "Where is my key?", "In the box."),
        ("correction", None, None, 'On the "top" shelf.', "Where is my key?", "In the box."),
        ("explicit", True, None, None, "Do you open on Sunday?", "At nine."),
    ]


def test_phoenix_gives_annotations_of_people(database: Database, tmp_path: Path) -> None:
    tool_exports.phoenix(tmp_path / "phoenix.db")
    sources = with_tools(tmp_path / "none.yaml", ("phoenix",), {}, f"sqlite:///{tmp_path}/phoenix.db")
    found = only(bring_in(database, sources, tmp_path / "home"))
    assert (found.events, found.refused, found.problems) == (2, (), ())
    rows = query(database, """
        SELECT f.thumb, i.prompt, i.output, i.model, jsonb_array_length(i.messages::jsonb)
        FROM feedback f JOIN interaction i ON i.id = f.interaction_id ORDER BY f.source_id""")  # fmt: skip
    assert rows == [
        (True, "When do you open?", "At nine.", "north-7b", 2),
        (False, "Where is it?", "There.", "north-7b", 2),
    ]
