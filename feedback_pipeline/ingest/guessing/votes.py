"""The mapping of a table with a verdict on one answer a row."""

from collections import Counter
from collections.abc import Mapping, Sequence

from feedback_pipeline.ingest.guessing.columns import Column, few_values, last_question, text_key
from feedback_pipeline.ingest.guessing.entry import Guess, left_over, named_paths
from feedback_pipeline.ingest.guessing.fits import (
    best_columns,
    fitting,
    identity_column,
    is_stars,
    name_score,
    scale_ends,
)
from feedback_pipeline.ingest.guessing.names import NAMES
from feedback_pipeline.ingest.words import THUMBS

_MIN_TEXT = 8


def list_of_votes(columns: Sequence[Column]) -> str | None:
    """The list whose items hold a verdict, where nothing outside of it does."""
    if any(_verdict(column) for column in columns if column.exploded is None):
        return None
    inside = [column.exploded for column in columns if column.exploded and _verdict(column)]
    return Counter(inside).most_common(1)[0][0] if inside else None


def _verdict(column: Column) -> bool:
    return any(name_score(name, column) > 0 and fitting(name, column) is not None for name in ("thumb", "stars"))


def _by_value(columns: Sequence[Column]) -> dict[str, Column]:
    """The verdict that no name gives away: a column whose words are those of thumbs, else one of stars."""
    for column in columns:
        if column.numbers is None and column.thumbs is not None:
            return {"thumb": column}
    stars = [
        column for column in columns
        if is_stars(column) and 2 < len(set(column.texts)) < len(column.texts) and not name_score("id", column)
    ]  # fmt: skip
    return {"stars": stars[0]} if stars else {}


def map_vote(made: Guess, columns: Sequence[Column], rows: int) -> None:
    """The mapping of a table with a verdict on one answer a row."""
    names = [name for name in NAMES if name not in ("id", "stars", "thumb")]
    verdicts = best_columns(("thumb", "stars"), columns)
    if len(verdicts) == 2 and name_score("stars", verdicts["stars"]) <= 5 < name_score("thumb", verdicts["thumb"]):
        del verdicts["stars"]
    if not verdicts:
        verdicts = _by_value(columns)
    taken = {column.path for column in verdicts.values()}
    chosen = best_columns(names, columns, taken)
    used = taken | {column.path for column in chosen.values()}
    if "occurred_at" not in chosen and (
        times := [column for column in columns if column.is_time and column.path not in used]
    ):
        chosen["occurred_at"] = times[0]
    if not {"messages", "output"} & set(chosen):
        talk = next(
            (column for column in columns if column.path not in used and not column.exploded and column.is_messages),
            None,
        )
        if talk is not None:
            chosen["messages"] = talk
    if (column := identity_column(columns, rows, taken | {column.path for column in chosen.values()})) is not None:
        made.map("id", column, rows)
    for name in ("user", "session", "occurred_at"):
        if name in chosen:
            made.map(name, chosen[name], rows)
    _verdicts(made, verdicts, columns, rows)
    _answer(made, chosen, columns, rows)
    for name, column in chosen.items():
        if name not in made.entry.get("mapping", {}) and name not in ("prompt", "output", "messages"):
            made.map(name, column, rows)
    mapping = made.entry.get("mapping", {})
    if "comment" in mapping and not {"thumb", "stars"} & set(mapping):
        named = named_paths(made.entry)
        likely = [column for column in columns if column.path not in named and column.texts and _score(column) > 0]
        if likely:
            held = left_over(likely[0])
            made.missing.append(
                f"{held} may be the verdict: add `thumb: {likely[0].path}` and its words under `values`"
            )
    if not {"thumb", "stars", "comment", "correction"} & set(mapping):
        made.missing.append("no column looks like a verdict: add `thumb: COLUMN`, `stars: COLUMN` or `comment: COLUMN`")


def _score(column: Column) -> float:
    """How well a column's name speaks for a verdict."""
    return max(name_score("thumb", column), name_score("stars", column))


def _verdicts(made: Guess, verdicts: Mapping[str, Column], columns: Sequence[Column], rows: int) -> None:
    if (column := verdicts.get("thumb")) is not None:
        made.map("thumb", column, rows)
        said = column.thumbs or {}
        if column.numbers is not None and {"0.0", "1.0"} & set(said):
            made.entry.setdefault("values", {})["thumb"] = {">= 0.5": "up", "< 0.5": "down"}
        elif own := {one: value for one, value in sorted(said.items()) if one not in THUMBS or THUMBS[one] != value}:
            written = {one: {True: "up", False: "down", None: None}[value] for one, value in own.items()}
            made.entry.setdefault("values", {})["thumb"] = written
            made.why["values.thumb"] = "guessed from the words; correct what is wrong"
    if (column := verdicts.get("stars")) is not None:
        made.map("stars", column, rows)
    if verdicts:
        return
    scales = [(column, ends) for column in columns if name_score("stars", column) > 0 and (ends := scale_ends(column))]
    if scales:
        column, (low, high) = max(scales, key=lambda one: name_score("stars", one[0]))
        up, down = low + 0.7 * (high - low), low + 0.5 * (high - low)
        made.map("thumb", column, rows)
        made.entry.setdefault("values", {})["thumb"] = {
            f">= {up:g}": "up", f"< {down:g}": "down", f"{down:g}..{up:g}": None,
        }  # fmt: skip
        made.why["values.thumb"] = f"a scale of {low:g} to {high:g}: where up and down start is yours to say"


def _answer(made: Guess, chosen: dict[str, Column], columns: Sequence[Column], rows: int) -> None:
    """Prompt, answer and messages; the answer is the last message where no column holds it."""
    if (messages := chosen.get("messages")) is not None:
        made.map("messages", messages, rows)
        answers = messages.last_role == "assistant"
        if answers and ("output" not in chosen or "." in chosen["output"].path):
            text = text_key(messages)
            made.map("output", messages, rows, f"{messages.path}[last].{text}")
            made.why["mapping.output"] = "the last message is the answer"
            chosen.pop("output", None)
        if "prompt" not in chosen:
            made.map("prompt", messages, rows, last_question(messages))
            made.why["mapping.prompt"] = "the last message of a person"
        elif len(chosen["prompt"].texts) < rows / 2:
            made.map("prompt", chosen["prompt"], rows, {"first": [chosen["prompt"].path, last_question(messages)]})
            chosen.pop("prompt")
    mapping = made.entry.get("mapping", {})
    left = [
        column for column in columns
        if column.is_prose and column.thumbs is None and not few_values(column)
        and column.path not in {one.path for one in chosen.values()} and max(map(len, column.texts)) >= _MIN_TEXT
    ]  # fmt: skip
    for name in ("prompt", "output"):
        if name in mapping:
            continue
        if name in chosen:
            made.map(name, chosen[name], rows)
        elif left and not {"request_id", "message_id"} & set(chosen):
            column = left.pop(0) if name == "prompt" else left.pop()
            made.map(name, column, rows)
            made.why[f"mapping.{name}"] = "guessed: a column of text that nothing else claims"
