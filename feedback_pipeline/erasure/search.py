"""Looking for what should be gone: a person's texts, pseudonyms, ids, in databases and in files.

The automaton of Aho and Corasick (Communications of the ACM 18(6), 1975) behind Polars' `contains_any` looks for all of
them in one pass, so the cost grows with what is searched and hardly with what is sought. Texts are compared in normal
form (`normal_form`), so that neither case nor escapes nor line breaks hide them.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from upath import UPath

from feedback_pipeline.erasure.normal_form import decoded, folded, normal_form
from feedback_pipeline.erasure.reading import UnreadableError, as_text, texts_of
from feedback_pipeline.tables.parquet import files_below

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_AT_ONCE = 32 * 1024 * 1024
"""Bytes that are gathered before they are looked through: the automaton is built once for all of them."""
_MARKS = r"\\*[\"\n\r\t\x1f<>]|\\+[nrt]"
"""Where a value ends in JSON, HTML, lines and our own joined columns."""
_MORE_MARKS = rf"{_MARKS}|[,;:|=(){{}}\[\]']"
"""Where one may end besides: in CSV, YAML and arrays."""


@dataclass(frozen=True)
class Sought:
    """What to look for.

    Attributes:
        stretches: in normal form, anywhere.
        short: in normal form, as whole values.
        names: pseudonyms.
        ids: ids of erased rows.
        user_ids: what the application calls the person, as whole words.
    """

    stretches: tuple[str, ...] = ()
    short: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    user_ids: tuple[str, ...] = ()

    def word(self) -> str | None:
        """A pattern for the user ids in folded text; letters and digits beside them make another word."""
        if not self.user_ids:
            return None
        known = folded(pl.Series(self.user_ids, dtype=pl.String))
        return rf"(?:^|[^\p{{L}}\p{{N}}])(?:{'|'.join(re.escape(one) for one in known)})(?:$|[^\p{{L}}\p{{N}}])"


@dataclass
class Found:
    """What was found where: places name tables and files, never words.

    Attributes:
        sought: what is looked for.
        searched: texts looked through, by place.
        names: distinct texts with a pseudonym, by place.
        ids: mentions of an erased row's id, by place.
        user_ids: distinct texts with the person's own id, by place.
        stretches: the stretches found, by place.
        short: the short texts found, by place.
        unreadable: why a place could not be looked through.
    """

    sought: Sought
    searched: Counter[str] = field(default_factory=Counter)
    names: Counter[str] = field(default_factory=Counter)
    ids: Counter[str] = field(default_factory=Counter)
    user_ids: Counter[str] = field(default_factory=Counter)
    stretches: dict[str, set[str]] = field(default_factory=dict)
    short: dict[str, set[str]] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    _gathered: list[pl.DataFrame] = field(default_factory=list, repr=False)
    _bytes: int = field(default=0, repr=False)

    def look(self, place: str, texts: pl.Series, *, row_ids: bool = True) -> None:
        """Looks through some texts of a place.

        Args:
            place: table or file.
            texts: strings; missing ones are passed over.
            row_ids: whether ids of erased rows are out of place there.
        """
        said = texts.drop_nulls()
        self.searched[place] += said.len()
        if said.is_empty():
            return
        frame = pl.DataFrame({"text": said.alias("text")}).unique()
        self._gathered.append(frame.with_columns(place=pl.lit(place), row_ids=pl.lit(row_ids)))
        self._bytes += int(frame["text"].str.len_bytes().sum())
        if self._bytes > _AT_ONCE:
            self.finish()

    def finish(self) -> None:
        """Looks through what was gathered."""
        if not self._gathered:
            return
        frame = pl.concat(self._gathered)
        self._gathered, self._bytes = [], 0
        self._look_for_names(frame)
        frame = frame.with_columns(form=normal_form(frame["text"]))
        self._look_for_texts(frame)

    def _look_for_names(self, frame: pl.DataFrame) -> None:
        sought, text = self.sought, frame["text"]
        if sought.ids:
            named = pl.col("text").str.to_lowercase().str.extract_all(_UUID)
            mentions = frame.filter("row_ids").select("place", id=named)
            mentioned = mentions.explode("id").filter(pl.col("id").is_in(pl.Series(sought.ids).implode()))
            self.ids.update(_counts(mentioned))
        if sought.names:
            self.names.update(_counts(frame.filter(text.str.contains_any(list(sought.names)))))
        if (word := sought.word()) is not None:
            self.user_ids.update(_counts(frame.filter(folded(decoded(text)).str.contains(word))))

    def _look_for_texts(self, frame: pl.DataFrame) -> None:
        sought = self.sought
        if sought.stretches:
            hit = frame.filter(frame["form"].str.contains_any(list(sought.stretches)))
            _add(self.stretches, hit, hit["form"].str.extract_many(list(sought.stretches), overlapping=True))
        if sought.short:
            hit = frame.filter(frame["form"].str.contains_any(list(sought.short)))
            for marks in (_MARKS, _MORE_MARKS):
                pieces = hit["text"].str.replace_all(marks, "\x1e").str.split("\x1e")
                values = hit.select("place", value=pieces).explode("value").unique()
                values = values.with_columns(form=normal_form(values["value"]))
                equal = values.filter(pl.col("form").is_in(pl.Series(sought.short).implode()))
                _add(self.short, equal, equal.select(pl.concat_list("form")).to_series())


def _counts(frame: pl.DataFrame) -> dict[str, int]:
    return dict(frame.group_by("place").len().iter_rows())


def _add(found: dict[str, set[str]], hit: pl.DataFrame, what: pl.Series) -> None:
    by_place = hit.select("place", what=what).explode("what").drop_nulls().unique()
    for place, one in by_place.iter_rows():
        found.setdefault(place, set()).add(one)


def search_database(
    url: str, label: str, found: Found, *, leave_out: Callable[[str], bool] = lambda place: False
) -> None:
    """Looks through every column of every table that can hold text.

    Args:
        url: a PostgreSQL URL.
        label: what places in it are called: `label.table`.
        found: what to look for, and where to note it.
        leave_out: tells of a place whether it is left out.
    """
    import adbc_driver_postgresql.dbapi as adbc  # brings pandas along

    with adbc.connect(url) as connection, connection.cursor() as cursor:
        for table, columns in _text_columns(cursor).items():
            if leave_out(f"{label}.{table}"):
                continue
            binary = [_quoted(name) for name, kind in columns if kind == "bytea"]
            texts = ["NULL", *(f"{_quoted(name)}::text" for name, kind in columns if kind != "bytea")]
            listed = ", ".join([f"concat_ws(E'\\x1f', {', '.join(texts)})", *binary])
            cursor.execute(f"SELECT {listed} FROM {_quoted(table)}")  # noqa: S608 (names from the catalogue)
            for batch in cursor.fetch_record_batch():
                for column in pl.DataFrame(pl.from_arrow(batch)).get_columns():
                    text = as_text(column) if column.dtype == pl.Binary else column
                    # a vote of another person may be about an erased answer
                    found.look(f"{label}.{table}", text, row_ids=False)
    found.finish()


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
    root: UPath | Path,
    label: str,
    found: Found,
    *,
    leave_out: Callable[[Sequence[str]], bool] = lambda parts: False,
    row_ids: bool = True,
) -> None:
    """Looks through every file below a folder, whatever it is called and whatever its form.

    Args:
        root: a folder or bucket.
        label: what places in it are called: `label/folder`.
        found: what to look for, and where to note it.
        leave_out: tells of the parts of a path below the root whether it is left out.
        row_ids: whether ids of erased rows are out of place there.
    """
    start = UPath(root)
    for path in files_below(start):
        parts = path.relative_to(start).parts
        if leave_out(parts):
            continue
        place = "/".join((label, *parts))
        try:
            for texts in texts_of(path):
                found.look(place, texts, row_ids=row_ids)
        except FileNotFoundError:
            continue  # gone meanwhile
        except UnreadableError as error:
            found.unreadable[place] = str(error)
        # what a file is called may be what somebody wrote
        found.look(place, pl.Series([path.name], dtype=pl.String), row_ids=False)
    found.finish()
