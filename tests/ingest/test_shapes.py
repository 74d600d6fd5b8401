"""Tables as other people's tools write them: nested, exploded, in envelopes, with a column an outcome."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.ingest.documents import SourcesError
from feedback_pipeline.ingest.paths import as_text, steps, walk
from feedback_pipeline.ingest.sources import load_sources
from feedback_pipeline.ingest.summary import SourceSummary
from feedback_pipeline.store.database import Database
from tests.support.ingesting import VOTE, bring_in, only, query

AT = "2026-11-12T09:00:00Z"


def written(folder: Path, rows: list[Any] | str, entry: dict[str, Any], kind: str = "jsonl") -> Path:
    """A file of rows and the `sources.yaml` that names it (JSON is YAML)."""
    text = rows if isinstance(rows, str) else "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (folder / f"rows.{kind}").write_text(text)
    path = folder / "sources.yaml"
    path.write_text(json.dumps({"sources": {"theirs": {"kind": kind, "path": f"rows.{kind}", **entry}}}))
    return path


def imported(database: Database, folder: Path, rows: Any, entry: dict[str, Any], kind: str = "jsonl") -> SourceSummary:
    return only(bring_in(database, load_sources(written(folder, rows, entry, kind), {}), folder / "home"))


def test_a_question_mark_belongs_to_the_name_where_a_column_has_it(database: Database, tmp_path: Path) -> None:
    rows = 'id,at,"2. Was it helpful?",Frage?,a\n1,2026-11-12,Thumbs up,Wie?,So.\n2,2026-11-12,Thumbs down,Wo?,Da.\n'
    mapping = {"id": "id", "occurred_at": "at", "thumb": "2. Was it helpful?", "prompt": "Frage?", "output": "a",
               "comment": "remarks?"}  # fmt: skip
    assert imported(database, tmp_path, rows, {"mapping": mapping}, "csv").events == 2
    assert query(database, "SELECT thumb FROM feedback ORDER BY source_id") == [(True,), (False,)]
    assert query(database, "SELECT prompt FROM interaction ORDER BY prompt") == [("Wie?",), ("Wo?",)]


def test_the_answer_is_the_last_message(database: Database, tmp_path: Path) -> None:
    chat = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "2+2?"}]
    rows = [
        {"id": n, "at": AT, "label": n % 2 == 0, "chat": [*chat, {"role": "assistant", "content": f"It is {n}."}]}
        for n in range(4)
    ]
    mapping = {"id": "id", "occurred_at": "at", "thumb": "label", "messages": "chat",
               "prompt": "chat[last role=user].content", "output": "chat[last].content"}  # fmt: skip
    assert imported(database, tmp_path, rows, {"mapping": mapping}).events == 4
    assert query(database, "SELECT output, prompt FROM interaction ORDER BY output")[0] == ("It is 0.", "2+2?")


def test_a_message_found_by_an_id_that_another_column_holds(database: Database, tmp_path: Path) -> None:
    tree = {"m1": {"role": "user", "content": "Hi"}, "m2": {"role": "assistant", "content": "Hello."}}
    rows = [{"id": "f1", "at": AT, "data": {"rating": 1}, "meta": {"message_id": "m2", "parent": "m1"},
             "snapshot": {"chat": {"history": {"messages": tree}}}}]  # fmt: skip
    mapping = {"id": "id", "occurred_at": "at", "thumb": "data.rating",
               "output": "snapshot.chat.history.messages[{meta.message_id}].content",
               "prompt": "snapshot.chat.history.messages[{meta.parent}].content"}  # fmt: skip
    assert imported(database, tmp_path, rows, {"mapping": mapping}).events == 1
    assert query(database, "SELECT prompt, output FROM interaction") == [("Hi", "Hello.")]


def test_one_column_means_what_another_says(database: Database, tmp_path: Path) -> None:
    rows = [
        {**VOTE, "id": "a", "kind": "number", "said": "4", "note": "Fine."},
        {**VOTE, "id": "b", "kind": "word", "said": "down", "note": "Wrong."},
        {**VOTE, "id": "c", "kind": "text", "said": "Too long.", "note": "unseen"},
    ]
    mapping = {
        "id": "id", "occurred_at": "at", "prompt": "question", "output": "answer",
        "stars": {"column": "said", "when": {"kind": "number"}}, "thumb": {"column": "said", "when": {"kind": "word"}},
        "comment": {"column": "said", "when": {"kind": "text"}, "otherwise": "note"},
    }  # fmt: skip
    assert imported(database, tmp_path, rows, {"mapping": mapping}).refused == ()
    said = "SELECT source_id, stars, thumb, comment FROM feedback ORDER BY 1"
    assert query(database, said) == [
        ("a", 4, None, "Fine."),
        ("b", None, False, "Wrong."),
        ("c", None, None, "Too long."),
    ]


def test_a_row_an_item_of_a_list_and_only_those_that_are_meant(database: Database, tmp_path: Path) -> None:
    rows = [
        {"task": {"id": 1, "q": "A?", "a": "A."}, "at": AT, "annotations": [
            {"id": 11, "by": "ann", "result": {"type": "choices", "value": "good"}},
            {"id": 12, "by": "bo", "result": {"type": "choices", "value": "bad"}},
            {"id": 13, "by": "cy", "result": {"type": "rating", "value": 3}}]},
        {"task": {"id": 2, "q": "B?", "a": "B."}, "at": AT, "annotations": []},
        {"task": {"id": 3, "q": "C?", "a": "C."}, "at": AT, "annotations": [
            {"id": 14, "by": "ann", "result": {"type": "choices", "value": "good"}}]},
    ]  # fmt: skip
    entry = {
        "explode": "annotations",
        "where": {"annotations.result.type": "choices"},
        "mapping": {"id": "annotations.id", "user": "annotations.by", "occurred_at": "at", "answer_id": "task.id",
                    "thumb": "annotations.result.value", "prompt": "task.q", "output": "task.a"},
        "values": {"thumb": {"good": "up", "bad": "down"}},
    }  # fmt: skip
    summary = imported(database, tmp_path, rows, entry)
    assert (summary.events, summary.interactions, summary.refused_rows) == (3, 2, 0)
    assert "2 rows passed over (where, or an empty list to explode)" in summary.notes
    votes = query(database, "SELECT source_id, thumb FROM feedback ORDER BY source_id")
    assert votes == [("11", True), ("12", False), ("14", True)]
    again = imported(database, tmp_path, rows, entry)
    assert (again.events, again.interactions) == (0, 0)


def test_an_array_inside_an_envelope_with_ranges_and_absences(database: Database, tmp_path: Path) -> None:
    given = [(0.9, "ANNOTATION"), (0.1, "API"), (0.5, "API"), (1.0, "EVAL")]
    scores = [
        {"id": n, "at": AT, "value": value, "comment": None, "trace": {"q": "?", "a": f"{n}."}, "by": by}
        for n, (value, by) in enumerate(given)
    ]
    entry = {
        "rows": "data.scores",
        "where": {"by": ["api", "annotation"], "comment": None, "value": ["< 0.4", ">= 0.6"]},
        "mapping": {"id": "id", "occurred_at": "at", "thumb": "value", "prompt": "trace.q", "output": "trace.a"},
        "values": {"thumb": {">= 0.6": "up", "< 0.4": "down"}},
    }
    summary = imported(database, tmp_path, json.dumps({"data": {"scores": scores}, "page": 1}), entry, "json")
    assert (summary.events, summary.refused_rows) == (2, 0)
    assert query(database, "SELECT source_id, thumb FROM feedback ORDER BY 1") == [("0", True), ("1", False)]


def test_a_column_an_outcome_and_pairs_that_name_the_better_answer(database: Database, tmp_path: Path) -> None:
    rows = [{"id": n, "at": AT, "q": "Best?", "a": f"a{n}", "b": f"b{n}", "m": "x", "winner_model_a": int(n == 0),
             "winner_model_b": int(n == 1), "winner_tie": int(n == 2)} for n in range(4)]  # fmt: skip
    sides = {"left": {"output": "a", "model": "m"}, "right": {"output": "b"}}
    winner = {"left": "winner_model_a", "right": "winner_model_b", "tie": "winner_tie"}
    mapping = {"id": "id", "occurred_at": "at", "prompt": "q"}
    summary = imported(database, tmp_path, rows, {"mapping": mapping, "pairwise": {**sides, "winner": winner}})
    assert (summary.events, summary.refused_rows) == (3, 1)
    assert query(database, "SELECT preference FROM feedback ORDER BY source_id") == [("this",), ("other",), ("tie",)]
    entry = {"mapping": mapping, "pairwise": {**sides, "winner": {"always": "left"}}}
    other = tmp_path / "other"
    other.mkdir()
    sources = load_sources(written(other, rows, {**entry, "tenant": "chosen"}), {})
    assert only(bring_in(database, sources, other / "home")).events == 4
    assert query(database, "SELECT DISTINCT preference FROM feedback WHERE tenant = 'chosen'") == [("this",)]


def test_json_that_was_written_into_a_text(database: Database, tmp_path: Path) -> None:
    value = json.dumps([{"type": "text", "text": "The better answer."}])
    rows = [{"id": "d1", "at": AT, "inference": {"q": "Why?", "a": "Because."}, "value": value}]
    mapping = {"id": "id", "occurred_at": "at", "prompt": "inference.q", "output": "inference.a",
               "correction": "value[0].text"}  # fmt: skip
    assert imported(database, tmp_path, rows, {"mapping": mapping}).events == 1
    assert query(database, "SELECT correction FROM feedback") == [("The better answer.",)]


def test_types_that_only_parquet_has_are_text_or_json(database: Database, tmp_path: Path) -> None:
    uuid = bytes(range(16))
    table = pa.table({
        "id": pa.array([uuid, uuid[::-1]], pa.binary(16)),
        "at": pa.array([1_762_938_000_000_000_000] * 2, pa.timestamp("ns", "America/New_York")),
        "up": pa.array([1, 0], pa.int8()),
        "q": ["A?", "B?"], "a": pa.array(["A.", "B."], pa.string_view()),
        "meta": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
        "deep": pa.array([{"m": [("k", "v")], "f": 1.5}, None],
                         pa.struct({"m": pa.map_(pa.string(), pa.string()), "f": pa.float64()})),
        "took": pa.array([1500, None], pa.duration("ms")),
        "raw": pa.array([b"\x00\xff", b"plain"], pa.binary()),
        "order": pa.array([1001.0, 1002.0]),
    })  # fmt: skip
    pyarrow.parquet.write_table(table, tmp_path / "rows.parquet")
    mapping = {"id": "id", "occurred_at": "at", "thumb": "up", "prompt": "q", "output": "a", "metadata": "meta",
               "content_snapshot": "deep", "latency_ms": "took", "content_id": "raw",
               "request_id": "order"}  # fmt: skip
    entry = {"kind": "parquet", "path": "rows.parquet", "mapping": mapping, "values": {"thumb": {0: "down"}}}
    (tmp_path / "sources.yaml").write_text(json.dumps({"sources": {"theirs": entry}}))
    summary = only(bring_in(database, load_sources(tmp_path / "sources.yaml", {}), tmp_path / "home"))
    assert (summary.events, summary.problems) == (2, ())
    assert query(database, "SELECT metadata::jsonb, latency_ms FROM interaction ORDER BY prompt") == [
        ({"k": 1}, 1500), (None, None)]  # fmt: skip
    assert [row[0] for row in query(database, "SELECT source_id FROM feedback ORDER BY 1")] == [
        "00010203-0405-0607-0809-0a0b0c0d0e0f", "0f0e0d0c-0b0a-0908-0706-050403020100"]  # fmt: skip
    names = query(database, "SELECT value FROM interaction_key WHERE kind IN ('content', 'request') ORDER BY value")
    assert [name for (name,) in names] == ["00ff", "1001", "1002", "plain"]


def test_nan_is_nothing(database: Database, tmp_path: Path) -> None:
    rows = f'{{"id":1,"at":"{AT}","up":1,"q":"A NaN?","a":"A.","cost":NaN,"took":-Infinity}}\n'
    mapping = {"id": "id", "occurred_at": "at", "thumb": "up", "prompt": "q", "output": "a", "cost_usd": "cost",
               "latency_ms": "took"}  # fmt: skip
    assert imported(database, tmp_path, rows, {"mapping": mapping}).events == 1
    assert query(database, "SELECT prompt, cost_usd, latency_ms FROM interaction") == [("A NaN?", None, None)]


def test_a_day_without_midnight_is_a_day(database: Database, tmp_path: Path) -> None:
    rows = "id,at,up,q,a\n1,2018-11-04,1,A?,A.\n"
    mapping = {"id": "id", "occurred_at": "at", "thumb": "up", "prompt": "q", "output": "a"}
    entry = {"mapping": mapping, "timezone": "America/Sao_Paulo"}  # clocks went from 23:59 to 01:00
    assert imported(database, tmp_path, rows, entry, "csv").events == 1
    assert query(database, "SELECT occurred_at AT TIME ZONE 'UTC' FROM feedback")[0][0].isoformat() == (
        "2018-11-04T03:00:00")  # fmt: skip


def test_nothing_readable_is_a_problem(database: Database, tmp_path: Path) -> None:
    rows = [{"id": n, "at": AT, "verdict": "so-so", "q": "A?", "a": f"{n}."} for n in range(3)]
    mapping = {"id": "id", "occurred_at": "at", "thumb": "verdict", "prompt": "q", "output": "a"}
    summary = imported(database, tmp_path, rows, {"mapping": mapping})
    (problem,) = summary.problems
    assert problem.message == "theirs: no vote in 3 rows: most were refused: unknown_value (thumb)"


def test_a_misspelt_column_of_json_lines_is_an_error_with_the_nearest(database: Database, tmp_path: Path) -> None:
    rows = [{"id": n, "at": AT, "verdict": "up", "q": "A?", "ctx": {"answer": f"{n}."}} for n in range(3)]
    good = {"id": "id", "occurred_at": "at", "thumb": "verdict", "prompt": "q", "output": "ctx.answer"}
    for field, column, near in (("thumb", "verdikt", " did you mean verdict?"), ("output", "ctx.anser", "")):
        summary = imported(database, tmp_path, rows, {"mapping": {**good, field: column}})
        (problem,) = summary.problems
        assert problem.reason == "missing_column"
        assert f"column {column} is not there" in problem.message
        assert near in problem.message
    assert query(database, "SELECT count(*) FROM interaction") == [(0,)]
    assert imported(database, tmp_path, rows, {"mapping": good}).events == 3


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"mapping": {"output": "chat[lst].content"}}, r"mapping.output: .*\[lst\] is none of \[0\], \[last\]"),
        ({"mapping": {"output": "chat[0.content"}}, r"mapping.output: .*cannot be read from '\[0.content'"),
        ({"rows": "data"}, "rows is for kind json"),
        ({"explode": "a["}, "cannot be read from"),
    ],
)
def test_a_path_is_checked_before_anything_is_read(tmp_path: Path, entry: dict[str, Any], said: str) -> None:
    mapping = {"id": "id", "occurred_at": "at", "thumb": "up", "output": "a", **entry.get("mapping", {})}
    with pytest.raises(SourcesError, match=said):
        load_sources(written(tmp_path, [], {**entry, "mapping": mapping}), {})


TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=1), inner),
    max_leaves=12,
)


@given(TREES, st.lists(st.sampled_from(["a", "b", "[0]", "[last]", "[-2]", "[a=b]", "[{x}]"]), min_size=1, max_size=4))
def test_a_walk_ends_at_what_python_finds_or_nowhere(tree: Any, parts: list[str]) -> None:
    path = "".join(part if part.startswith("[") else f".{part}" for part in parts)
    found = walk(tree, steps(path), ["a"] * parts.count("[{x}]"))
    expected: Any = tree
    for part in parts:
        expected = _python(expected, part)
    assert found == expected
    assert as_text(found) is None or isinstance(as_text(found), str)


def _python(value: Any, part: str) -> Any:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    try:
        if part == "[{x}]":
            if isinstance(value, dict):
                return value.get("a")
            return next((one for one in value if isinstance(one, dict) and one.get("id") == "a"), None)
        if part == "[a=b]":
            return next((one for one in value if isinstance(one, dict) and one.get("a") == "b"), None) if isinstance(
                value, list) else None  # fmt: skip
        if part.startswith("["):
            return value[{"[0]": 0, "[last]": -1, "[-2]": -2}[part]] if isinstance(value, list) else None
        return value.get(part) if isinstance(value, dict) else None
    except (TypeError, IndexError):
        return None


def test_frames_of_paths_agree_with_the_reader_of_structures(tmp_path: Path) -> None:
    """A path with brackets reads a column of structures as it reads the same as JSON text."""
    from feedback_pipeline.ingest.readers.chunks import path_expression

    rows = [{"m": [{"r": "u", "c": "ä"}, {"r": "a", "c": "b"}], "k": "u"}, {"m": [], "k": "a"}]
    native = pl.DataFrame(rows)
    texts = pl.DataFrame({"m": [json.dumps(row["m"]) for row in rows], "k": [row["k"] for row in rows]})
    for path, expected in (("m[last].c", ["b", None]), ("m[r=u].c", ["ä", None]), ("m[0].r", ["u", None])):
        for frame in (native, texts):
            found = frame.select(path_expression(path, frame.columns, frame.schema))
            assert found.to_series().to_list() == expected


def test_twenty_four_ranges_cost_no_more_than_twenty_four_times_one(database: Database, tmp_path: Path) -> None:
    ranges = {f"{4 * n}..{4 * n + 3}": 1 + n % 5 for n in range(24)}  # nested in each other they took 2^24 steps
    rows = [{"id": n, "at": AT, "score": n, "q": "How?", "a": f"So, {n}."} for n in range(96)]
    mapping = {"id": "id", "occurred_at": "at", "stars": "score", "prompt": "q", "output": "a"}
    assert imported(database, tmp_path, rows, {"mapping": mapping, "values": {"stars": ranges}}).events == 96
    counted = "SELECT stars, count(*) FROM feedback GROUP BY 1 ORDER BY 1"
    assert query(database, counted) == [(1, 20), (2, 20), (3, 20), (4, 20), (5, 16)]
