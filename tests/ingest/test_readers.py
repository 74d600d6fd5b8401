"""Readers: what cannot be taken apart is refused with its row; the other rows come through whole."""

import csv
import io
import json
import string
from pathlib import Path

import orjson
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedback_pipeline.ingest.readers import csv as csv_reader
from feedback_pipeline.ingest.readers.chunks import ROW, Chunk, UnreadableError, Wanted
from feedback_pipeline.ingest.readers.csv import Dialect, read_csv
from feedback_pipeline.ingest.readers.json_array import read_json
from feedback_pipeline.ingest.readers.jsonl import read_jsonl
from feedback_pipeline.ingest.readers.parquet import frame_column, read_parquet
from feedback_pipeline.ingest.readers.sql import read_sql
from feedback_pipeline.store.database import Database

AC = Wanted(("a", "c"), (("a",), ("c",)))
COMMAS = Dialect()
LINES = Wanted(("a", "n.k"), texts=frozenset({"a"}))


def collected(chunks: list[Chunk]) -> tuple[list[tuple[object, ...]], dict[int, str]]:
    """All rows (row number first), and the refused ones' reasons; refused rows are taken out of the frames."""
    refused = {row.row: row.reason for chunk in chunks for row in chunk.unread}
    rows = [
        (row[-1], *row[:-1])
        for chunk in chunks
        for row in chunk.frame.select(pl.exclude(ROW), ROW).iter_rows()
        if row[-1] not in refused
    ]
    return rows, refused


def from_csv(folder: Path, data: bytes, wanted: Wanted = AC, dialect: Dialect = COMMAS) -> tuple[list, dict]:
    file = folder / "rows.csv"
    file.write_bytes(data)
    return collected(list(read_csv(file, wanted, dialect)))


def from_lines(data: bytes, wanted: Wanted = LINES) -> tuple[list, dict]:
    return collected(list(read_jsonl(io.BytesIO(data), wanted)))


# CSV


def test_maps_of_counts_are_the_objects_that_they_are_row_by_row() -> None:
    rows = [[("a", 1), ('b"', 2)], None, [], [("a", None)]]
    maps = pa.array(rows * 2, pa.map_(pa.string(), pa.int64()))
    expected = ['{"a":1,"b\\"":2}', None, "{}", '{"a":null}'] * 2
    for start, end in ((0, 8), (1, 6), (3, 3), (1, 2)):
        assert frame_column("usage", maps[start:end]).to_list() == expected[start:end]


def test_csv_rows_keep_their_number_around_bad_ones(tmp_path: Path) -> None:
    data = b'a,b,c\n1,2,3\n4,5\n"x\ny",6,7\n8,9,10,11\n12,13,14\n'
    rows, refused = from_csv(tmp_path, data)
    assert rows == [(2, "1", "3"), (4, "x\ny", "7"), (6, "12", "14")]  # the header is row 1
    assert refused == {3: "wrong_number_of_columns", 5: "wrong_number_of_columns"}


@pytest.mark.parametrize("end", [b'5,"cut', b'5,6,"cut', b'5,6,"cut ""here""\nand', b'5,6,"never closed\n7,8,9\n'])
def test_a_csv_cut_within_quotes_loses_only_its_last_row(tmp_path: Path, end: bytes) -> None:
    rows, refused = from_csv(tmp_path, b"a,b,c\n1,2,3\n" + end)
    assert rows == [(2, "1", "3")]
    assert refused == {3: "cut_off"}


def test_a_csv_without_a_last_line_break_is_whole(tmp_path: Path) -> None:
    assert from_csv(tmp_path, b'a,b,c\n1,2,"3"')[0] == [(2, "1", "3")]
    assert from_csv(tmp_path, b"a,b,c\n1,2,3")[0] == [(2, "1", "3")]


def test_a_quote_inside_a_plain_value_is_part_of_it(tmp_path: Path) -> None:
    rows, refused = from_csv(tmp_path, b'a,b,c\n5" disk,2,3\n4,5,6\n')
    assert rows == [(2, '5" disk', "3"), (3, "4", "6")]
    assert refused == {}


def test_invalid_utf8_in_csv_refuses_the_row_and_in_unread_columns_nothing(tmp_path: Path) -> None:
    rows, refused = from_csv(tmp_path, b"a,b,c\n1,\xff,3\n\xff\xfe,5,6\n7,8,9\n")
    assert rows == [(2, "1", "3"), (4, "7", "9")]
    assert refused == {3: "invalid_utf8"}


def test_other_encodings_and_marks_can_be_named(tmp_path: Path) -> None:
    rows, _ = from_csv(tmp_path, "a;c\ngrün;ß\n".encode("latin-1"), dialect=Dialect(";", "latin-1"))
    assert rows == [(2, "grün", "ß")]
    with pytest.raises(UnreadableError, match="encoding klingon is not known"):
        from_csv(tmp_path, b"a;c\n", dialect=Dialect(";", "klingon"))


def test_a_byte_order_mark_and_windows_line_ends_are_no_part_of_values(tmp_path: Path) -> None:
    assert from_csv(tmp_path, b"\xef\xbb\xbfa,b,c\r\n1,2,3\r\n\r\n4,5,6\r\n")[0] == [(2, "1", "3"), (3, "4", "6")]


@pytest.mark.parametrize(
    ("data", "reason", "said"),
    [
        (b"", "empty", "no header"),
        (b"\n\n", "empty", "no header"),
        (b"a,b\n1,2\n", "missing_column", "column c is not there (columns: a, b); name another in mapping"),
        (b"a;b;c\n1;2;3\n", "missing_column", "set delimiter: ';'"),
        (b"a,c,a\n1,2,3\n", "repeated_column", "column a is there twice"),
    ],
)
def test_a_csv_that_cannot_be_read_says_why(tmp_path: Path, data: bytes, reason: str, said: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        from_csv(tmp_path, data)
    assert caught.value.reason == reason
    assert said in str(caught.value)


def test_a_header_without_rows_is_no_error(tmp_path: Path) -> None:
    assert from_csv(tmp_path, b"a,b,c\n") == ([], {})


def test_a_row_longer_than_a_block_is_read_and_its_neighbours_too(tmp_path: Path) -> None:
    long = b"x" * (2 * csv_reader.BLOCK + 17)
    rows, refused = from_csv(tmp_path, b'a,b,c\n1,2,3\n4,"' + long + b'",6\n7,8,9\n1\n', Wanted(("a",)))
    assert rows == [(2, "1"), (3, "4"), (4, "7")]
    assert refused == {5: "wrong_number_of_columns"}


def test_a_quote_that_is_never_closed_does_not_turn_text_into_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_reader, "BLOCK", 1 << 12)
    monkeypatch.setattr(csv_reader, "LARGE_BLOCK", 1 << 14)
    rows, refused = from_csv(tmp_path, b'a,b,c\n1,2,3\n4,"open,6\n' + b"7,8,9\n" * 20_000)
    assert rows == [(2, "1", "3")]
    assert refused == {3: "row_never_ends"}


_CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(_CELL, _CELL, _CELL), max_size=20))
def test_what_python_writes_as_csv_is_read_back(tmp_path: Path, rows: list[tuple[str, str, str]]) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerows([("a", "b", "c"), *rows])
    read, refused = from_csv(tmp_path, out.getvalue().encode())
    assert read == [(number, row[0], row[2]) for number, row in enumerate(rows, start=2)]
    assert refused == {}


# JSON lines and arrays


def test_bad_lines_are_refused_with_their_reason_and_number() -> None:
    rows, refused = from_lines(
        b'{"a": "x", "n": {"k": 1}}\n\n{"a": true}\n{"a": "true"}\nnope\n{"a": "\xff"}\n[1]\n{"a": "\\ud800"}\n'
        b'{"a": 1e400}\n   \n{"n": {"k": null}}\n{"a": "cut'
    )
    assert [(row[0], row[1]) for row in rows] == [(1, "x"), (4, "true"), (11, None)]
    assert refused == {
        3: "not_text",
        5: "malformed_json",
        6: "invalid_utf8",
        7: "not_an_object",
        8: "malformed_json",  # half a surrogate pair is no character
        9: "malformed_json",
        12: "cut_off",
    }


def test_half_a_character_is_refused_whatever_stands_beside_it() -> None:
    assert from_lines(b'{"a": "\\ud800"}\n{"a": "y"}\n')[1] == {1: "malformed_json"}
    assert from_lines(b'{"a": "\\ud83d\\ude00"}\n')[0][0][1] == "\N{GRINNING FACE}"


def test_a_line_of_50_mb_is_refused_without_its_neighbours() -> None:
    rows, refused = from_lines(b'{"a": "x"}\n{"a": "' + b"y" * 50_000_000 + b'"}\n{"a": "z"}\n')
    assert [row[1] for row in rows] == ["x", "z"]
    assert refused == {2: "row_too_large"}


def test_deep_nesting_is_refused_and_breaks_nothing() -> None:
    deep = b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"
    assert from_lines(deep + b'{"a": "x"}\n')[1] == {1: "malformed_json"}


_VALUE = st.recursive(
    st.none() | st.text(st.characters(codec="utf-8"), max_size=8) | st.integers(-(2**53), 2**53) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(string.ascii_letters, max_size=4), inner),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.fixed_dictionaries({"a": _VALUE, "c": _VALUE}), max_size=12), ascii_only=st.booleans())
def test_what_python_writes_as_json_is_read_back(rows: list[dict], ascii_only: bool) -> None:
    lines = "".join(json.dumps(row, ensure_ascii=ascii_only) + "\n" for row in rows).encode()
    array = json.dumps(rows, ensure_ascii=ascii_only, indent=1).encode()
    from_array = collected(list(read_json(io.BytesIO(array), AC)))
    assert from_lines(lines, AC) == from_array
    read, refused = from_array
    assert refused == {}
    assert [row[0] for row in read] == list(range(1, len(rows) + 1))
    for row, (_, a, c) in zip(rows, read, strict=True):
        for delivered, text in ((row["a"], a), (row["c"], c)):
            is_text = isinstance(delivered, str) or delivered is None
            assert (text if is_text else orjson.loads(text)) == delivered


def test_an_array_is_read_up_to_where_it_breaks_off() -> None:
    rows, refused = collected(list(read_json(io.BytesIO(b'[{"a": "x"},\n {"a": "p\\nq", "c": [1]}, {"a": "cu'), AC)))
    assert [row[1] for row in rows] == ["x", "p\nq"]
    assert refused == {3: "cut_off"}
    rows, refused = collected(list(read_json(io.BytesIO(b'[{"a": "x"} {"a": "y"}]'), AC)))
    assert ([row[1] for row in rows], refused) == (["x"], {2: "malformed_json"})


@pytest.mark.parametrize(("data", "reason"), [(b"", "empty"), (b"  ", "empty"), (b'{"a": 1}', "not_an_array")])
def test_a_json_file_without_an_array_says_so(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        list(read_json(io.BytesIO(data), AC))
    assert caught.value.reason == reason
    assert list(read_json(io.BytesIO(b"[]"), AC)) == []


# Parquet and SQL


def test_a_parquet_file_cut_in_the_middle_says_so(tmp_path: Path) -> None:
    file = tmp_path / "votes.parquet"
    pl.DataFrame({"a": ["x"] * 1000, "c": [1] * 1000}).write_parquet(file)
    assert len(collected(list(read_parquet(file, AC)))[0]) == 1000
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UnreadableError, match="cut off or damaged"):
        list(read_parquet(file, AC))


def test_a_parquet_file_without_a_column_says_so(tmp_path: Path) -> None:
    pl.DataFrame({"a": ["x"]}).write_parquet(tmp_path / "votes.parquet")
    with pytest.raises(UnreadableError, match="column c is not there"):
        list(read_parquet(tmp_path / "votes.parquet", AC))


def test_sqlite_rows_with_invalid_text_or_bytes_do_not_end_the_read(tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("CREATE TABLE votes (id INTEGER PRIMARY KEY, a TEXT, c)")
        connection.execute("INSERT INTO votes VALUES (1, 'x', 1), (2, CAST(x'ff' AS TEXT), 2), (3, 'z', x'0aff')")
    rows, refused = collected(list(read_sql(f"sqlite:///{tmp_path / 'x.db'}", "votes", None, AC)))
    assert rows == [(1, "x", "1"), (3, "z", "0AFF")]
    assert refused == {2: "invalid_utf8"}


def test_postgresql_tables_and_queries_come_with_types_and_json(database: Database) -> None:
    import psycopg

    with psycopg.connect(database.address()) as connection:
        connection.execute("CREATE TABLE votes (id uuid PRIMARY KEY, a text, c jsonb, t timestamptz, l text[])")
        connection.execute(
            "INSERT INTO votes VALUES ('00000000-0000-0000-0000-000000000001', 'x', '{\"k\": [1]}', "
            "'2026-11-02 10:00+01', '{p,q}'), ('00000000-0000-0000-0000-000000000002', NULL, NULL, NULL, NULL)"
        )
    wanted = Wanted(("id", "a", "c", "t", "l"), (("a",),))
    from_table = collected(list(read_sql(database.address(), "votes", None, wanted)))
    assert [row[2] for row in from_table[0]] == ["x", None]
    assert orjson.loads(from_table[0][0][3]) == {"k": [1]}
    assert orjson.loads(from_table[0][0][5]) == ["p", "q"]
    query = "SELECT * FROM votes -- every one\nORDER BY id;"
    assert collected(list(read_sql(database.address(), None, query, wanted))) == from_table


@pytest.mark.parametrize(
    ("url", "table", "query", "said"),
    [
        ("mysql://x/y", "votes", None, "mysql:// is not supported"),
        ("no url", "votes", None, "no database URL"),
        ("sqlite:///not/there.db", "votes", None, "unable to open database file"),
        ("postgresql://app:s3cret@127.0.0.1:1/x", "votes", None, "127.0.0.1"),
    ],
)
def test_a_database_that_cannot_be_read_says_why(url: str, table: str, query: str | None, said: str) -> None:
    with pytest.raises(UnreadableError, match=said) as caught:
        list(read_sql(url, table, query, AC))
    assert "s3cret" not in str(caught.value)


def test_missing_tables_columns_and_wrong_queries_say_so(database: Database) -> None:
    with pytest.raises(UnreadableError, match="table votes is not there"):
        list(read_sql(database.address(), "votes", None, AC))
    with pytest.raises(UnreadableError, match=r"column a is not there \(columns: b, c\)"):
        list(read_sql(database.address(), None, "SELECT 1 AS b, 2 AS c", AC))
    with pytest.raises(UnreadableError, match="syntax error"):
        list(read_sql(database.address(), None, "SELEC 1", AC))
    with pytest.raises(UnreadableError, match="fails on a value") as caught:
        list(read_sql(database.address(), None, "SELECT 'private words'::int AS a, 2 AS c", AC))
    assert "private" not in str(caught.value)
