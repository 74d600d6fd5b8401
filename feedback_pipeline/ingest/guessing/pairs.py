"""The mapping of a table of votes between two answers."""

import re
from collections.abc import Sequence
from typing import Any

from feedback_pipeline.ingest.guessing.columns import MAX_WORDS, Column, few_values, last_question, text_key
from feedback_pipeline.ingest.guessing.entry import Guess
from feedback_pipeline.ingest.guessing.fits import best_columns, identity_column
from feedback_pipeline.ingest.guessing.names import NAMES, SIDES, WINNER_NAMES
from feedback_pipeline.ingest.words import WINNERS


def map_pair(made: Guess, columns: Sequence[Column], rows: int) -> bool:
    """The mapping of a table of votes between two answers; False where it is none."""
    sides = _sides(columns)
    winner = _winner(columns, sides)
    if winner is None or not sides:
        return False
    sides = [pair for pair in sides if pair[0].path not in _paths(winner)]
    texts = [(left, right) for left, right in sides if left.is_messages or (left.is_prose and not few_values(left))]
    models = [(left, right) for left, right in sides if (left, right) not in texts and not left.is_messages]
    if not texts and not models:
        return False
    pairwise: dict[str, Any] = {"left": {}, "right": {}}
    why: dict[str, str] = {}
    taken = {column.path for pair in sides for column in pair}
    if texts:
        pair = max(texts, key=lambda pair: sum(map(len, pair[0].texts)))
        for side, column in zip(("left", "right"), pair, strict=True):
            messages = column.is_messages
            pairwise[side]["output"] = f"{column.path}[last].{text_key(column)}" if messages else column.path
            why[f"pairwise.{side}"] = "the last message is the answer" if messages else column.said(rows)
        if pair[0].is_messages:
            made.map("messages", pair[0], rows)
            made.map("prompt", pair[0], rows, last_question(pair[0]))
            why["mapping.messages"] = "of the first answer's conversation; its own answer at the end is taken off"
    named = [pair for pair in models if "model" in pair[0].tokens or not texts or pair[0].tokens[0] == "model"]
    if named:
        for side, column in zip(("left", "right"), named[0], strict=True):
            pairwise[side]["model" if texts else "id"] = column.path
            if not texts:
                pairwise[side]["model"] = column.path
                why[f"pairwise.{side}"] = (
                    "no column holds the answers' texts: join them, or name their source (answers)"
                )
    pairwise["winner"] = winner
    if (said := next((one for one in columns if one.path == winner), None)) is not None:
        own = {one: _side(one) for one in said.words if one not in WINNERS}
        if own:
            pairwise["values"] = own
        why["pairwise.winner"] = said.said(rows, words=True)
        taken.add(said.path)
    taken |= _paths(winner)
    chosen = best_columns([name for name in NAMES if name not in ("thumb", "stars", "output", "model")], columns, taken)
    if "prompt" in made.entry.get("mapping", {}):
        chosen = {name: column for name, column in chosen.items() if name not in ("prompt", "messages")}
    ids = {column.path for name, column in chosen.items() if name != "id"}
    if (identity := identity_column(columns, rows, taken | ids)) is not None:
        made.map("id", identity, rows)
    elif "id" in chosen and "user" in chosen:
        made.map("id", chosen["id"], rows, [chosen["id"].path, chosen["user"].path])
        made.why["mapping.id"] = "one vote a row and person"
    for name, column in chosen.items():
        if name != "id":
            made.map(name, column, rows)
    if not texts and (prompt := chosen.get("prompt") or chosen.get("intent")) is not None:
        for side in ("left", "right"):
            pairwise[side]["id"] = [prompt.path, pairwise[side]["model"]]
    made.entry["pairwise"] = pairwise
    made.why |= why
    return True


def _paths(winner: Any) -> set[str]:
    """The columns that say which answer won."""
    if isinstance(winner, dict):
        return {path for paths in winner.values() for path in _paths(paths)}
    return set(winner) if isinstance(winner, list) else {winner}


def _sides(columns: Sequence[Column]) -> list[tuple[Column, Column]]:
    """Columns that are called the same but for the mark of a side."""
    named = {column.tokens: column for column in columns if column.texts}
    found = []
    for tokens, column in named.items():
        split = tuple(part for token in tokens for part in re.findall(r"[a-zäöüß]+|[0-9]+", token))
        for left, right in SIDES:
            for position in (position for position, token in enumerate(split) if token == left):
                other = (*split[:position], right, *split[position + 1 :])
                partner = next((one for mine, one in named.items() if _split(mine) == other), None)
                if partner is not None:
                    found.append((column, partner))
    return found


def _split(tokens: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part for token in tokens for part in re.findall(r"[a-zäöüß]+|[0-9]+", token))


def _winner(columns: Sequence[Column], sides: Sequence[tuple[Column, Column]]) -> Any:
    """Where a table says which of two answers won."""
    marked = {column.path for pair in sides for column in pair}
    one_hot = {
        column.tokens: column.path
        for column in columns
        if set(column.words) <= {"0", "1", "true", "false", "0.0", "1.0"}
    }
    for left, right in (("a", "b"), ("1", "2"), ("left", "right")):
        hot = next((mine for mine in one_hot if mine[-1:] == (left,) and (*mine[:-1], right) in one_hot), None)
        if hot:
            ties = [path for mine, path in one_hot.items() if any(token in ("tie", "bothbad") for token in mine)]
            return {"left": one_hot[hot], "right": one_hot[(*hot[:-1], right)], **({"tie": ties} if ties else {})}
    annotators = [
        column.path for column in columns
        if re.fullmatch(r"(annotator|rater|judge|worker)s?_?\d+", "_".join(column.tokens)) and _names_sides(column)
    ]  # fmt: skip
    if len(annotators) > 1:
        return annotators
    for name in WINNER_NAMES:
        for column in columns:
            if name in column.tokens and column.path not in marked and column.texts and _names_sides(column):
                return column.path
    if any("chosen" in left.tokens or "accepted" in left.tokens or "preferred" in left.tokens for left, _ in sides):
        return {"always": "left"}
    return None


def _names_sides(column: Column) -> bool:
    if column.numbers is not None and not set(column.numbers) <= {0.0, 1.0, 2.0}:
        return False
    known = [_side(one) for one in column.words]
    return len(column.words) <= MAX_WORDS and all(side is not None for side in known) and bool(set(known) - {"tie"})


def _side(one: str) -> str | None:
    if one in WINNERS:
        return WINNERS[one]
    ends = {left: "left" for left, _ in SIDES} | {right: "right" for _, right in SIDES}
    last = one.split("_")[-1]
    return "tie" if "tie" in one or "equal" in one or "both" in one else ends.get(last)
