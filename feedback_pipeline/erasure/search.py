"""Looking for what should be gone: stretches of texts, pseudonyms and ids, in databases and in files.

The automaton of Aho and Corasick (Communications of the ACM 18(6), 1975) behind Polars' `contains_any` looks for all of
them in one pass, so the cost grows with what is searched and hardly with what is sought.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
from upath import UPath

from feedback_pipeline.tables.parquet import files_below

SHORTEST_SPAN = 30
LONGEST_SPAN = 80
SPANS_PER_TEXT = 3
MOST_SPANS = 5_000
_ESCAPED_BREAK = r'\\[nrt"]'
_SPAN = rf"[\p{{L}}\p{{N}}][\p{{L}}\p{{N}} ,.;:()-]{{{SHORTEST_SPAN - 1},{LONGEST_SPAN - 1}}}"
"""Characters that stand for themselves in JSON, HTML and Markdown, so that a text is found however it was written."""
_SHORTEST = 29
"""Bytes of the shortest thing that is sought; shorter texts are not looked at."""
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_BLOCK = 8 * 1024 * 1024
_OVERLAP = 4 * LONGEST_SPAN


def spans_of(texts: pl.Series) -> list[str]:
    """Stretches of 30 to 80 plain characters of each text, the first and the longest ones; at most 5,000 in all."""
    pieces = texts.drop_nulls().str.replace_all(_ESCAPED_BREAK, "\n").str.extract_all(_SPAN).list
    first, longest = pieces.head(1), pieces.eval(pl.element().sort_by(pl.element().str.len_chars(), descending=True))
    chosen = pl.concat([first.explode(), longest.list.head(SPANS_PER_TEXT - 1).explode()]).drop_nulls()
    distinct = chosen.str.strip_chars().str.to_lowercase().unique().sort()
    return distinct.filter(distinct.str.len_chars() >= SHORTEST_SPAN - 1).head(MOST_SPANS).to_list()


@dataclass(frozen=True)
class Sought:
    """What to look for.

    Attributes:
        spans: stretches of text, in lower case.
        names: pseudonyms.
        ids: ids of erased rows.
    """

    spans: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()


@dataclass
class Found:
    """What was found where: places name tables and files, never words.

    Attributes:
        searched: texts looked through, by place.
        names: distinct texts with a pseudonym, by place.
        ids: mentions of an erased row's id, by place.
        spans: the stretches found, by place.
    """

    searched: Counter[str] = field(default_factory=Counter)
    names: Counter[str] = field(default_factory=Counter)
    ids: Counter[str] = field(default_factory=Counter)
    spans: dict[str, set[str]] = field(default_factory=dict)

    def look(self, place: str, texts: pl.Series, sought: Sought) -> None:
        """Looks through some texts of a place."""
        self.searched[place] += texts.len() - texts.null_count()
        long = texts.filter(texts.str.len_bytes() >= _SHORTEST).unique()
        if long.is_empty():
            return
        if sought.ids:
            mentioned = long.str.extract_all(_UUID).explode().drop_nulls()
            self._count(self.ids, place, int(mentioned.is_in(pl.Series(sought.ids).implode()).sum()))
        patterns = [*sought.names, *sought.spans]
        hit = long.filter(long.str.contains_any(patterns, ascii_case_insensitive=True)) if patterns else long.clear()
        if hit.is_empty():
            return
        if sought.names:
            self._count(self.names, place, int(hit.str.contains_any(list(sought.names)).sum()))
        if sought.spans:
            matched = hit.str.extract_many(list(sought.spans), ascii_case_insensitive=True, overlapping=True)
            spans = matched.explode().drop_nulls().str.to_lowercase()
            if spans.len():
                self.spans.setdefault(place, set()).update(spans)

    @staticmethod
    def _count(counter: Counter[str], place: str, hits: int) -> None:
        if hits:
            counter[place] += hits


def search_database(url: str, label: str, sought: Sought, found: Found, *, except_tables: Sequence[str] = ()) -> None:
    """Looks through every column of every table that can hold text.

    Args:
        url: a PostgreSQL URL.
        label: what places in it are called: `label.table`.
        sought: what to look for.
        found: where to note it.
        except_tables: tables that are left out.
    """
    import adbc_driver_postgresql.dbapi as adbc  # brings pandas along

    with adbc.connect(url) as connection, connection.cursor() as cursor:
        for table, columns in _text_columns(cursor).items():
            if table in except_tables:
                continue
            binary = [_quoted(name) for name, kind in columns if kind == "bytea"]
            texts = ["NULL", *(f"{_quoted(name)}::text" for name, kind in columns if kind != "bytea")]
            listed = ", ".join([f"concat_ws(E'\\x1f', {', '.join(texts)})", *binary])
            cursor.execute(f"SELECT {listed} FROM {_quoted(table)}")  # noqa: S608 (names from the catalogue)
            for batch in cursor.fetch_record_batch():
                for column in pl.DataFrame(pl.from_arrow(batch)).get_columns():
                    found.look(f"{label}.{table}", _as_text(column), sought)


def _as_text(column: pl.Series) -> pl.Series:
    if column.dtype != pl.Binary:
        return column
    decoded = [None if value is None else value.decode(errors="replace") for value in column.to_list()]
    return pl.Series(column.name, decoded, dtype=pl.String)


def _text_columns(cursor: Any) -> dict[str, list[tuple[str, str]]]:
    cursor.execute(
        "SELECT c.table_name::text, c.column_name::text, c.data_type::text FROM information_schema.columns c"
        " JOIN information_schema.tables t USING (table_schema, table_name)"
        " WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.data_type IN"
        " ('text', 'character varying', 'character', 'json', 'jsonb', 'ARRAY', 'bytea', 'xml')"
        " ORDER BY c.table_name, c.ordinal_position"
    )
    tables: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind in cursor.fetchall():
        tables.setdefault(table, []).append((column, kind))
    return tables


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def search_files(
    root: UPath | Path, label: str, sought: Sought, found: Found, *, leave_out: Sequence[str] = ()
) -> None:
    """Looks through every file below a folder: Parquet column by column, anything else as the text it may be.

    Args:
        root: a folder or bucket.
        label: what places in it are called: `label/folder`.
        sought: what to look for.
        found: where to note it.
        leave_out: first parts of paths below the root that are left out.
    """
    start = UPath(root)
    for path in files_below(start):
        parts = path.relative_to(start).parts
        if parts[0] in leave_out:
            continue
        place = "/".join((label, *parts))
        for texts in _texts(path):
            found.look(place, texts, sought)


_NOTHING = pl.Series("text", [], dtype=pl.String)


def _texts(path: UPath) -> Iterator[pl.Series]:
    if path.suffix == ".parquet":
        with path.open("rb") as file:
            for batch in pq.ParquetFile(file).iter_batches(50_000):
                frame = pl.DataFrame(pl.from_arrow(batch))
                columns = [frame[name] for name, dtype in frame.schema.items() if dtype == pl.String]
                columns += [
                    frame[name].explode() for name, dtype in frame.schema.items() if dtype == pl.List(pl.String)
                ]
                yield pl.concat([column.alias("text") for column in columns]) if columns else _NOTHING
    else:
        with path.open("rb") as file:
            tail = b""
            while block := file.read(_BLOCK):
                yield pl.Series([(tail + block).decode(errors="replace")])
                tail = block[-_OVERLAP:]
