"""Langfuse's export to blob storage: scores/ and observations_v2/ in each of its kinds of file, by one command."""

import csv
import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feedback_pipeline.ingest.documents import SourcesError
from feedback_pipeline.ingest.tool_sources import with_tools
from feedback_pipeline.store.database import Database
from tests.support.ingesting import bring_in, query

CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "When do you open?"}]
MAPS = {
    "usage_details": pa.map_(pa.string(), pa.uint64()),
    "metadata": pa.map_(pa.string(), pa.string()),
    "tags": pa.list_(pa.string()),
    "tool_call_names": pa.list_(pa.string()),
}


def observation(identity: str, trace: str, minute: int, **held: Any) -> dict[str, Any]:
    return {
        "id": identity, "trace_id": trace, "project_id": "p", "environment": "default", "type": "GENERATION",
        "parent_observation_id": "", "start_time": f"2026-11-20 08:{minute:02}:00.000000",
        "end_time": f"2026-11-20 08:{minute:02}:01.500000", "name": "chat", "metadata": {"team": "support"},
        "input": json.dumps(CHAT), "output": json.dumps({"role": "assistant", "content": "At ten."}),
        "provided_model_name": "north-7b", "usage_details": {"input": 12, "output": 4, "total": 16},
        "prompt_name": "hours", "prompt_version": 3, "total_cost": 0.002, "tool_call_names": [], "user_id": "anna",
        "session_id": "s-1", "trace_name": "ask", "tags": ["beta"], **held,
    }  # fmt: skip


def score(identity: str, trace: str | None, minute: int, **held: Any) -> dict[str, Any]:
    moment = f"2026-11-20 09:{minute:02}:00.000000"
    return {
        "id": identity, "timestamp": moment, "project_id": "p", "environment": "default", "trace_id": trace,
        "observation_id": None, "session_id": None, "dataset_run_id": None, "name": "helpful", "value": 1.0,
        "source": "API", "comment": None, "data_type": "BOOLEAN", "string_value": None, "created_at": moment,
        "updated_at": moment, "author_user_id": None, **held,
    }  # fmt: skip


OBSERVATIONS = [
    observation("o1", "t1", 1, input='{"question": "Which tool?"}', output="hours", provided_model_name="router-1",
                prompt_name="", prompt_version=None),
    observation("o2", "t1", 2, type="SPAN", output="{}"),
    observation("o3", "t1", 3),
    observation("o4", "t2", 4, input="Is it far?", output='{"choices": [{"message": {"content": "No."}}]}'),
    observation("o5", "t3", 5, output=""),
]  # fmt: skip
SCORES = [
    score("s1", "t1", 1, comment="Right."),
    score("s2", "t1", 2, observation_id="o1", value=0.0),
    score("s3", "t1", 3, source="EVAL", data_type="NUMERIC", value=0.2),
    score("s4", "t2", 4, data_type="NUMERIC", value=4.0),
    score("s5", "t2", 5, data_type="CATEGORICAL", value=3.0, string_value="bad", source="ANNOTATION",
          author_user_id="cy"),
    score("s6", "t2", 6, data_type="TEXT", value=0.0, string_value="Too short."),
    score("s7", None, 7, session_id="s-1"),
    score("s8", "t2", 8, dataset_run_id="r1"),
]  # fmt: skip
EXPECTED = [
    ("s1", True, None, "Right.", "When do you open?", "At ten.", "north-7b", "hours@3", 2, 12, "o3"),
    ("s2", False, None, None, "Which tool?", "hours", "router-1", None, None, 12, "o1"),
    ("s4", None, 4, None, "Is it far?", "No.", "north-7b", "hours@3", None, 12, "o4"),
    ("s5", False, None, None, "Is it far?", "No.", "north-7b", "hours@3", None, 12, "o4"),
    ("s6", None, None, "Too short.", "Is it far?", "No.", "north-7b", "hours@3", None, 12, "o4"),
]
SEEN = """
    SELECT split_part(f.source_id, '@', 1), f.thumb, f.stars, f.comment, i.prompt, i.output, i.model, i.prompt_version,
        jsonb_array_length(i.messages::jsonb), i.input_tokens, i.source_id
    FROM feedback f JOIN interaction i ON i.id = f.interaction_id WHERE f.superseded_by IS NULL ORDER BY 1"""


def as_parquet(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    table = pa.Table.from_pylist(list(rows))
    times = [name for name in table.column_names if name.endswith(("_time", "_at", "stamp"))]
    for name in times:
        moments = pa.compute.strptime(pa.compute.utf8_slice_codeunits(table[name], 0, 19), "%Y-%m-%d %H:%M:%S", "ms")
        table = table.set_column(table.column_names.index(name), name, moments.cast(pa.timestamp("ms", "UTC")))
    for name, kind in MAPS.items():
        if name in table.column_names:
            values = [list(row[name].items()) if pa.types.is_map(kind) else row[name] for row in rows]
            table = table.set_column(table.column_names.index(name), name, pa.array(values, kind))
    for name in ("input", "output"):  # some databases write texts as bytes
        if name in table.column_names:
            table = table.set_column(table.column_names.index(name), name, table[name].cast(pa.binary()))
    pq.write_table(table, file)


def as_json_lines(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with gzip.open(file, "wt") as out:
        out.writelines(json.dumps(row) + "\n" for row in rows)


def as_csv(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        for row in rows:
            shown = {n: json.dumps(value) if isinstance(value, dict | list) else value for n, value in row.items()}
            writer.writerow(shown)


WRITERS = {"parquet": as_parquet, "jsonl.gz": as_json_lines, "csv": as_csv}


def exported(folder: Path, kind: str, scores: Sequence[Mapping[str, Any]] = SCORES, name: str = "2026-11-20") -> Path:
    for table, rows in (("observations_v2", OBSERVATIONS), ("scores", scores)):
        (folder / "p" / table).mkdir(parents=True, exist_ok=True)
        file = folder / "p" / table / f"{name}.{kind}"
        if table == "scores" or not file.exists():
            WRITERS[kind](file, rows)
    (folder / "p" / "manifests").mkdir(exist_ok=True)
    (folder / "p" / "manifests" / "2026-11-20.json").write_text("{}")
    return folder


@pytest.mark.parametrize("kind", WRITERS)
def test_an_export_folder_comes_in_by_one_command(database: Database, tmp_path: Path, kind: str) -> None:
    folder = exported(tmp_path / "export", kind)
    sources = with_tools(tmp_path / "none.yaml", ("langfuse",), {}, str(folder))
    answers, votes, judged = bring_in(database, sources, tmp_path / "home").sources
    assert (answers.interactions, answers.refused, answers.problems) == (3, (), ())
    assert (votes.events, votes.refused, votes.problems) == (5, (), ())
    assert any("3 rows passed over" in note for note in votes.notes)  # the evaluator's, the session's, the data set's
    assert query(database, SEEN) == EXPECTED
    assert (judged.judgements, judged.events, judged.refused, judged.problems) == (1, 0, (), ())
    verdicts = """
        SELECT j.fingerprint, j.criterion, (j.result ->> 'score')::float, i.source_id
        FROM judgement j JOIN interaction i ON i.id = j.interaction_id"""
    assert query(database, verdicts) == [("recorded:langfuse", "helpful", 0.2, "o3")]
    more = [score("s3", "t1", 3, source="EVAL", data_type="NUMERIC", value=0.2), score("s9", "gone", 4, source="EVAL")]
    exported(folder, kind, more, "2026-11-21")
    *_, judged = bring_in(database, sources, tmp_path / "home").sources
    assert (judged.judgements, judged.known, judged.problems) == (0, 1, ())
    assert "1 verdicts are on answers that the store does not have: left out" in judged.notes
    askers = "SELECT count(DISTINCT user_key), count(DISTINCT conversation_id) FROM interaction"
    assert query(database, askers) == [(1, 1)]


def test_a_score_that_was_changed_takes_the_place_of_the_first(database: Database, tmp_path: Path) -> None:
    folder = exported(tmp_path / "export", "parquet")
    sources = with_tools(tmp_path / "none.yaml", ("langfuse",), {}, str(folder))
    bring_in(database, sources, tmp_path / "home")
    changed = score("s1", "t1", 1, value=0.0, updated_at="2026-11-20 10:00:00.000000")
    exported(folder, "parquet", [changed, score("s9", "t2", 9)], "2026-11-21")
    _, votes, _ = bring_in(database, sources, tmp_path / "home").sources
    assert votes.events == 2
    assert query(database, SEEN)[0][:2] == ("s1", False)
    assert [row[0] for row in query(database, SEEN)] == ["s1", "s2", "s4", "s5", "s6", "s9"]


def test_what_is_no_export_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourcesError, match="no file of langfuse lies in a folder observations_v2"):
        with_tools(tmp_path / "none.yaml", ("langfuse",), {}, str(tmp_path))
    with pytest.raises(SourcesError, match="name a file of open-webui in it"):
        with_tools(tmp_path / "none.yaml", ("open-webui",), {}, str(tmp_path))
