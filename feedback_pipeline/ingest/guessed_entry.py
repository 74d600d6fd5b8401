"""A guess as a person gets it: tried on the first rows, and written with a comment beside each line."""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from feedback_pipeline.ingest.deliveries import batched, deliveries, lookups, read_delivery
from feedback_pipeline.ingest.documents import SourcesError
from feedback_pipeline.ingest.first_rows import MAX_ROWS, first_rows
from feedback_pipeline.ingest.guessing.entry import Guess
from feedback_pipeline.ingest.guessing.presets import guess_preset
from feedback_pipeline.ingest.guessing.tables import guess
from feedback_pipeline.ingest.judgements import NO_RULES
from feedback_pipeline.ingest.mapping import as_text, wanted_paths, with_joins
from feedback_pipeline.ingest.preview import UNKNOWN, unfit_words
from feedback_pipeline.ingest.readers.chunks import UnreadableError, readable
from feedback_pipeline.ingest.rows import FIELD, REASON, Reading, read_votes
from feedback_pipeline.ingest.source_entry import Source
from feedback_pipeline.ingest.sources import read_entry

_WIDTH = 46
"""Where comments start, where the line leaves room."""


@dataclass(frozen=True)
class Trial:
    """What the first rows would become.

    Attributes:
        rows: rows that were read.
        votes: how many hold each verdict or other word of a person: up, down, stars, comment …
        refused: rows that would be refused, by reason and field.
        unknown: words that mean nothing to their field.
        problem: why nothing could be read.
    """

    rows: int
    votes: dict[str, int]
    refused: dict[tuple[str, str], int]
    unknown: dict[tuple[str, str], int]
    problem: str | None = None

    @property
    def sentence(self) -> str:
        """It in a line."""
        if self.problem:
            return f"cannot be imported as it is: {self.problem}"
        what = ", ".join(f"{count} {name}" for name, count in self.votes.items()) or "no votes"
        refused = "; ".join(f"{count} refused: {reason} ({name})" for (reason, name), count in self.refused.items())
        return f"the first {self.rows} rows: {what}" + (f"; {refused}" if refused else "")


@dataclass(frozen=True)
class Guessed:
    """The entry, its text for `sources.yaml`, and what came of trying it."""

    name: str
    guess: Guess
    text: str
    trial: Trial


def guess_entry(place: str, name: str | None = None, table: str | None = None, now: datetime | None = None) -> Guessed:
    """What a file or table most likely is, as an entry of `sources.yaml`.

    Args:
        place: a file, or the URL of a database.
        name: the source's name; made from the file's where there is none.
        table: the database's table.

    Raises:
        UnreadableError: there are no rows to look at.
    """
    found = first_rows(place, table)
    name = name or _name(str(found.settings.get("table") or Path(place).name))
    made, trial = guess_preset(found, now), None
    if made is not None:
        trial = try_entry(name, made.entry)
    if made is None or trial is None or (not made.missing and not trial.votes):
        made = guess(found, now)
        trial = try_entry(name, made.entry)
    for field, said in trial.unknown:
        made.entry.setdefault("values", {}).setdefault(field, {}).setdefault(said, None)
        made.why[f"values.{field}"] = "words that are none of the usual ones: up, down, a number, or null for nothing"
    if trial.unknown:
        trial = try_entry(name, made.entry)
    return Guessed(name, made, written(name, made, trial), trial)


def _name(text: str) -> str:
    stem = text.lower().removesuffix(".gz").rpartition(".")
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in stem[0] or stem[2])
    return plain.strip("-")[:64] or "votes"


def try_entry(name: str, entry: Mapping[str, Any]) -> Trial:
    """Reads the first rows by an entry, as an import would; nothing is kept."""
    try:
        source = read_entry(name, entry, os.environ)
        return _tried(source)
    except SourcesError as error:
        return Trial(0, {}, {}, {}, str(error).partition(f"source {name}: ")[2] or str(error))
    except UnreadableError as error:
        return Trial(0, {}, {}, {}, str(error))


def _tried(source: Source) -> Trial:
    base, wanted = Path.cwd(), wanted_paths(source)
    tables, _ = lookups(source, base)
    chunk = next(batched(read_delivery(source, deliveries(source, base)[0]), MAX_ROWS), None)
    if chunk is None:
        return Trial(0, {}, {}, {}, "no rows")
    delivered = as_text(chunk.frame, wanted, source.null_words)
    frame = with_joins(readable(delivered.frame, (*chunk.unread, *delivered.unread)), source, tables)
    read = read_votes(frame, Reading(source, NO_RULES, datetime.now(UTC)))
    refused = {
        (str(reason), str(name)): int(count)
        for reason, name, count in read.refused.group_by(REASON, FIELD).len().rows()
    }
    good = read.good
    votes: Counter[str] = Counter()
    votes["up"], votes["down"] = int(good["thumb"].sum()), int((~good["thumb"]).sum())
    for name in ("stars", "comment", "correction"):
        votes[name] = good.height - good[name].null_count()
    chosen = {"this": "left", "other": "right", "tie": "tie"}
    votes.update(chosen[one] for one in good["preference"].drop_nulls())
    counts = {name: count for name, count in votes.items() if count}
    unknown = dict(unfit_words(read.refused, frame, source, UNKNOWN).most_common(10))
    return Trial(delivered.frame.height, counts, refused, unknown)


def written(name: str, made: Guess, trial: Trial) -> str:
    """The entry as YAML."""
    lines = ["sources:", f"  {name}:"]
    order = ("kind", "path", "url", "table", "delimiter", "encoding", "rows", "preset", "explode", "where",
             "thread", "time_format", "spread", "mapping", "pairwise", "values")  # fmt: skip
    for key in (*order, *(key for key in made.entry if key not in order)):
        if key in made.entry:
            lines += _lines(key, made.entry[key], made.why, key, "    ")
    lines += [f"    # TO DO: {_one_line(missing)}" for missing in made.missing]
    lines += [f"    # not used: {_one_line(unused)}" for unused in made.unused]
    lines.append(f"    # {trial.sentence}")
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    """Names and words of a table in a comment: whatever they hold, the comment is one line of what can be printed."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _lines(key: str, value: Any, why: Mapping[str, str], place: str, indent: str) -> list[str]:
    if isinstance(value, dict) and key in ("mapping", "pairwise", "values", "where"):
        head = [_commented(f"{indent}{key}:", why.get(place))]
        return head + [
            line for name, inner in value.items() for line in _lines(name, inner, why, f"{place}.{name}", f"{indent}  ")
        ]
    return [_commented(f"{indent}{_flow(key)}: {_flow(value)}", why.get(place))]


def _commented(line: str, remark: str | None) -> str:
    return f"{line.ljust(_WIDTH)} # {remark}" if remark else line


def _flow(value: Any) -> str:
    return (
        yaml.safe_dump(value, default_flow_style=True, width=10**9, allow_unicode=True, sort_keys=False)
        .removesuffix("...\n")
        .strip()
    )
