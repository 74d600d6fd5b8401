"""Where the structured identifiers of a column of texts are.

A text is cut into pieces: what a rule took, and what is still open. Each search of the table runs over the open pieces
of the texts it hits, in Rust's linear-time regular expressions; Python only handles what they found, and checks a value
that occurs often once. There is one implementation, so a text alone and a text in a column are treated alike.
"""

from functools import cache, reduce
from itertools import chain

import polars as pl

from feedback_pipeline.privacy.folding import DISGUISED, fold
from feedback_pipeline.privacy.rules import MARK, Search, default_searches, gates, openers

MOSTLY_DISTINCT = 0.9
"""Share of distinct texts beyond which to look for those that are alike costs more than to cut them twice."""
FEW = 100
"""Fewer texts are searched for everything at less cost than it takes to find out which to search for what."""
GATES = ("other", "long", "near")
SUSPECT = pl.Schema({"row": pl.UInt32, "text": pl.String, **dict.fromkeys(GATES, pl.Boolean)})
"""A text worth a search: its row (position in the column), its words undisguised, and which of the `gates` may be found
in it: where one of the others is, that for words near others is not looked for."""
PIECE = pl.Schema({"row": pl.UInt32, "start": pl.UInt32, "text": pl.String, "placeholder": pl.String})
"""A piece of a text: its row, the character it starts at, its words, and the type if it is an identifier."""


def suspects(texts: pl.Series) -> pl.DataFrame:
    """The texts in which something may be found.

    Returns:
        Schema SUSPECT, in order of `row`.
    """
    first, long = openers()
    is_long = texts.str.contains(long)
    rows = (texts.str.contains(f"{DISGUISED}|{first}") | is_long).arg_true()
    if rows.is_empty():
        return SUSPECT.to_frame()
    frame = pl.DataFrame({"row": rows, "text": texts.gather(rows), "long": is_long.gather(rows)})
    disguised = frame["text"].str.contains(DISGUISED).arg_true()
    if not disguised.is_empty():
        folded = fold(frame["text"].gather(disguised))
        frame = frame.with_columns(
            text=frame["text"].scatter(disguised, folded),
            long=frame["long"].scatter(disguised, folded.str.contains(long)),
        )
    if frame.height < FEW:
        return frame.select("row", "text", *(pl.lit(value=True).alias(gate) for gate in GATES))
    other, _, near = gates()
    frame = frame.with_columns(other=frame["text"].str.contains(other), near=True)
    alone = frame.select((~pl.col("other") & ~pl.col("long")).arg_true()).to_series()
    none = alone.filter(~frame["text"].gather(alone).str.contains(near))
    return frame.with_columns(near=frame["near"].scatter(none, False)).filter("near").select(SUSPECT.names())


def pieces(frame: pl.DataFrame) -> pl.DataFrame:
    """The texts of `suspects` that hold an identifier, cut into pieces (schema PIECE), ordered by row and start; joined
    they give the text. One that is there several times, as a prompt is in the messages that repeat it, is cut once."""
    if frame.is_empty():
        return PIECE.to_frame()
    if frame["text"].n_unique() > MOSTLY_DISTINCT * frame.height:
        return _cut_texts(frame)
    alike = frame.select("row", first=pl.col("row").first().over("text"))
    cut = _cut_texts(frame.filter(alike["row"] == alike["first"]))
    found = alike.join(cut.rename({"row": "first"}), on="first").drop("first")
    return found.sort("row", "start", maintain_order=True)


def _cut_texts(frame: pl.DataFrame) -> pl.DataFrame:
    frame, hits = _hits(frame)
    if frame.is_empty():
        return PIECE.to_frame()
    still_open = pl.DataFrame(
        {"row": range(frame.height), "start": 0, "text": frame["text"], "placeholder": None}, schema=PIECE
    )
    closed: list[pl.DataFrame] = []
    for search, hit in zip(default_searches(), hits, strict=True):
        if not hit.any():
            continue
        concerned = hit.gather(still_open["row"])
        taken, rest = _cut(still_open.filter(concerned), search)
        if not taken.is_empty():
            closed.append(taken)
            still_open = pl.concat([still_open.filter(~concerned), rest])
    cut = pl.concat([*closed, still_open])
    found = cut["row"].filter(cut["placeholder"].is_not_null()).unique()
    cut = cut.filter(pl.col("row").is_in(found.implode())).sort("row", "start")
    return cut.with_columns(row=frame["row"].gather(cut["row"]))


def holds_identifier(text: str) -> bool:
    """Whether anything in a text would be replaced."""
    return not pieces(suspects(pl.Series([text]))).is_empty()


def _hits(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[pl.Series]]:
    """The texts that may hold an identifier, and for each search whether it has a match in them.

    What only looks like an identifier matters beside what may be one: those searches come last, and see little.
    """
    masking, keeping = _matches()
    searches = default_searches()
    nowhere, found = pl.repeat(False, frame.height, eager=True), dict[str, pl.Series]()
    if frame.height < FEW:
        found = {hit.name: hit for hit in frame.select(*chain(*masking.values()), *keeping) if hit.any()}
    for (through, sign), matches in masking.items() if frame.height >= FEW else ():
        rows = frame.select(pl.any_horizontal(GATES[gate] for gate in through).arg_true()).to_series()
        if sign is not None:
            rows = rows.filter(frame["text"].gather(rows).str.contains(sign))
        for hit in frame.select(pl.col("text").gather(rows)).select(matches) if rows.len() else ():
            if hit.any():
                found[hit.name] = nowhere.clone().scatter(rows.filter(hit), True)
    masked = [hit for name, hit in found.items() if not searches[int(name)].keeps]
    if not masked:
        return frame.clear(), []
    concerned = reduce(pl.Series.__or__, masked)
    frame = frame.filter(concerned)
    found = {name: hit.filter(concerned) for name, hit in found.items()}
    if nowhere.len() >= FEW:
        found |= {hit.name: hit for hit in frame.select(keeping)}
    nowhere = nowhere.head(frame.height)
    return frame, [found.get(str(index), nowhere) for index in range(len(searches))]


@cache
def _matches() -> tuple[dict[tuple[tuple[int, ...], str | None], list[pl.Expr]], list[pl.Expr]]:
    """Whether each search has a match: those for identifiers by the gates and the sign they need, and those for what
    only looks like one."""
    keeping, masking = list[pl.Expr](), dict[tuple[tuple[int, ...], str | None], list[pl.Expr]]()
    for index, search in enumerate(default_searches()):
        match = pl.col("text").str.contains(search.pattern).alias(str(index))
        (keeping if search.keeps else masking.setdefault((search.gates, search.sign), [])).append(match)
    return masking, keeping


def _cut(frame: pl.DataFrame, search: Search) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What the search takes out of the open pieces, and what it leaves of them (schema PIECE)."""
    marked = frame["text"].str.replace_all(search.pattern, search.marked).to_list()
    taken, rest = _Pieces(), _Pieces()
    accepted: dict[str, tuple[str, int, int, str | None]] = {}
    for row, start, text in zip(frame["row"].to_list(), frame["start"].to_list(), marked, strict=True):
        position = start
        waiting, *parts = text.split(MARK)
        pairs = iter(parts)
        for part, after in zip(pairs, pairs, strict=True):
            if (found := accepted.get(part)) is None:
                rule, value, (first, last) = search.accepted(part, holds_identifier)
                found = accepted[part] = (value, first, last, search.placeholders[rule])
            value, first, last, placeholder = found
            if first == last:
                waiting += value + after
                continue
            if before := waiting + value[:first]:
                rest.add(row, position, before, None)
                position += len(before)
            taken.add(row, position, value[first:last], placeholder)
            position += last - first
            waiting = value[last:] + after
        if waiting:
            rest.add(row, position, waiting, None)
    return taken.frame(), rest.frame()


class _Pieces:
    """Pieces in columns: a tuple for each would be looked at by every search for garbage."""

    def __init__(self) -> None:
        self._rows, self._starts = list[int](), list[int]()
        self._texts, self._placeholders = list[str](), list[str | None]()

    def add(self, row: int, start: int, text: str, placeholder: str | None) -> None:
        self._rows.append(row)
        self._starts.append(start)
        self._texts.append(text)
        self._placeholders.append(placeholder)

    def frame(self) -> pl.DataFrame:
        """Schema PIECE."""
        columns = {
            "row": self._rows, "start": self._starts, "text": self._texts, "placeholder": self._placeholders,
        }  # fmt: skip
        return pl.DataFrame(columns, schema=PIECE)
