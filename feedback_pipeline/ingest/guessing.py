"""A first entry of `sources.yaml` for a file or table that nobody has described: `feedback source guess`.

A column becomes a field where its name speaks for it and its values allow it; what the names leave open, values decide.
The entry is then tried on the rows that were looked at. A guess is a start: each line says what it rests on.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import orjson
import polars as pl

from feedback_pipeline.ingest.conversations import ROLES, messages_expression
from feedback_pipeline.ingest.documents import load_document
from feedback_pipeline.ingest.first_rows import FirstRows
from feedback_pipeline.ingest.mapping import CHAT, THREAD
from feedback_pipeline.ingest.paths import as_text, steps, walk
from feedback_pipeline.ingest.readers.json_array import DOCUMENT
from feedback_pipeline.ingest.sources import PRESETS, preset_names
from feedback_pipeline.ingest.times import parsed_times
from feedback_pipeline.ingest.words import THUMBS, WINNERS, word

NAMES: dict[str, tuple[str, ...]] = {
    "id": ("id", "feedback_id", "vote_id", "annotation_id", "score_id", "response_id", "respondent_id", "review_id",
           "row_id", "question_id", "uuid", "idx", "key", "index"),
    "user": ("user_id", "user", "voter", "worker", "rater", "annotator", "author_user_id", "author", "username", "who",
             "by", "customer", "agent", "employee", "respondent", "completed_by", "created_by", "source_id", "judge",
             "email", "person", "member", "kunde", "nutzer", "benutzer", "client", "utilisateur", "cliente", "usuario"),
    "session": ("session_id", "session"),
    "occurred_at": ("occurred_at", "voted_at", "submitted_at", "feedback_at", "created_at", "timestamp", "created",
                    "create_time", "at", "time", "ts", "tstamp", "datetime", "date", "day", "submitted", "when",
                    "updated_at",
                    "start_time", "request_time", "zeitpunkt", "datum", "zeit", "erstellt", "fecha", "heure"),
    "thumb": ("thumb", "thumbs", "thumbs_up", "vote", "rating", "feedback", "helpful", "useful", "liked", "like",
              "reaction", "label", "score", "verdict", "sentiment", "satisfied", "correct", "value", "rate", "good",
              "v", "result", "choices", "choice", "urteil", "daumen", "hilfreich", "avis", "utile", "útil"),
    "stars": ("stars", "star", "rating", "score", "grade", "csat", "quality", "overall", "satisfaction", "value",
              "bewertung", "sterne", "punkte", "étoiles", "estrellas"),
    "comment": ("comment", "comments", "remark", "remarks", "note", "notes", "feedback_text", "rationale",
                "explanation", "reason", "why", "wrong", "improve", "improvement", "free_text", "feedback", "message",
                "bemerkung", "kommentar", "anmerkung", "commentaire", "comentario"),
    "correction": ("correction", "corrected_answer", "corrected", "better_answer", "expected_output",
                   "expected_response", "expected", "ideal", "edited", "demonstration", "gold", "ground_truth"),
    "reasons": ("reasons", "reason_codes", "categories", "issues", "feedback_tags", "reason"),
    "prompt": ("prompt", "question", "query", "instruction", "user_message", "user_input", "input_text", "request",
               "q", "input", "inputs", "ask", "asked", "frage", "pregunta"),
    "output": ("output", "answer", "response", "completion", "assistant_response", "output_text", "reply", "a",
               "generated", "prediction", "answered", "outputs", "text", "content", "antwort", "réponse", "respuesta"),
    "messages": ("messages", "conversation", "conversations", "chat", "history", "dialogue", "dialog", "msgs", "turns",
                 "input_messages", "prompt", "input"),
    "model": ("model", "model_name", "model_id", "engine", "llm", "provided_model_name", "deployment",
              "modell", "modèle", "modelo"),
    "prompt_version": ("prompt_version", "prompt_name", "template_version", "prompt_template"),
    "conversation_id": ("conversation_id", "chat_id", "thread_id", "dialog_id", "conversation"),
    "request_id": ("request_id", "trace_id", "run_id", "inference_id", "generation_id"),
    "message_id": ("message_id", "msg_id"),
    "language": ("language", "lang", "locale", "sprache", "langue", "idioma"),
    "project": ("project", "product", "app", "application", "feature"),
    "intent": ("intent", "topic", "category", "task", "use_case"),
    "latency_ms": ("latency_ms", "duration_ms", "latency", "lat"),
    "input_tokens": ("input_tokens", "prompt_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens"),
    "cost_usd": ("cost_usd", "total_cost", "cost"),
    "tags": ("tags",),
}  # fmt: skip
"""What a column is called that holds a field, the likeliest first."""

SAYS: dict[str, bool] = {
    **dict.fromkeys(("good", "great", "excellent", "correct", "helpful", "useful", "satisfied", "pass", "passed",
                     "accepted", "accept", "acceptable", "right", "ok", "happy", "gut", "bien", "success"), True),
    **dict.fromkeys(("bad", "poor", "terrible", "incorrect", "wrong", "unhelpful", "not_helpful", "not_useful",
                     "useless", "unsatisfied", "dissatisfied", "fail", "failed", "rejected", "reject", "unacceptable",
                     "sad", "schlecht", "mal", "mauvais", "failure"), False),
    # the words of other languages for helpful and not
    **dict.fromkeys(("hilfreich", "nützlich", "ja", "utile", "oui", "bon", "útil", "sí", "buono", "goed", "bom"), True),
    **dict.fromkeys(("nicht_hilfreich", "nutzlos", "nein", "inutile", "pas_utile", "non", "inútil", "no_útil", "slecht",
                     "ruim", "cattivo", "unnütz"), False),
}  # fmt: skip
"""Words that are taken for a thumb here, and written out in the entry, because a person should look at them."""
NOTHING = frozenset(
    (
        "neutral",
        "none",
        "n/a",
        "na",
        "unknown",
        "mixed",
        "so_so",
        "unsure",
        "skip",
        "skipped",
        "0",
        "geht_so",
        "weiß_nicht",
        "bof",
        "moyen",
        "regular",
    )
)
STAR_WORDS: dict[str, bool | None] = {"1": False, "2": False, "3": None, "4": True, "5": True}
"""What a number of stars says as a thumb, where a column holds both."""
SIDES = (
    ("a", "b"), ("left", "right"), ("1", "2"), ("x", "y"), ("chosen", "rejected"), ("0", "1"), ("first", "second"),
    ("accepted", "rejected"), ("preferred", "dispreferred"), ("better", "worse"),
)  # fmt: skip
"""How the two answers of a pair are told apart in names of columns."""
WINNER_NAMES = ("winner", "preference", "preferred", "choice", "vote", "label", "better", "result", "w", "verdict")
TIME_FORMATS = (
    "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M %p", "%m/%d/%Y",
    "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y",
    "%Y/%m/%d %H:%M:%S", "%b %d, %Y", "%d %b %Y %H:%M",
)  # fmt: skip
MAX_DEPTH, MAX_ENTRIES, MAX_WORDS = 6, 40, 10
"""How deep objects are looked into, keys of one that is looked into, and different words of a verdict."""
MAX_LEFT_OVER = 20
"""Characters of a value that is shown of a column that no line names."""
_ENOUGH = 0.9
_PRESET_COLUMNS = 3
_MIN_TEXT = 8


@dataclass(frozen=True)
class Column:
    """A path and what the rows hold there; `exploded` is the list that must be taken apart to reach it."""

    path: str
    values: tuple[Any, ...]
    exploded: str | None = None

    @cached_property
    def texts(self) -> list[str]:
        """What is there, as it would be delivered."""
        return [text for value in self.values if (text := as_text(value)) is not None and text.strip()]

    @cached_property
    def words(self) -> Counter[str]:
        return Counter(word(text) for text in self.texts)

    @cached_property
    def numbers(self) -> list[float] | None:
        """The values as numbers; None where one is none."""
        try:
            return [float(text) for text in self.texts] if self.texts else None
        except ValueError:
            return None

    @property
    def is_text(self) -> bool:
        return all(isinstance(value, str) or value is None for value in self.values) and bool(self.texts)

    @cached_property
    def is_prose(self) -> bool:
        """Words of people or models: text, not all alike, with a space in it somewhere."""
        return self.is_text and not self.is_time and not self.is_json and any(" " in text for text in self.texts)

    @cached_property
    def is_json(self) -> bool:
        return all(text[:1] in "{[" for text in self.texts)

    @cached_property
    def is_time(self) -> bool:
        return bool(self.texts) and _parsed(self.texts) is not None

    @cached_property
    def thumbs(self) -> dict[str, bool | None] | None:
        """What each word says as a thumb; None where they are no thumbs."""
        return _thumbs(self)

    @property
    def is_messages(self) -> bool:
        texts = pl.Series(self.texts, dtype=pl.String)
        if not len(texts):
            return False
        read = texts.to_frame("t").select(messages_expression(pl.col("t"))).to_series()
        return read.null_count() <= (1 - _ENOUGH) * len(texts)

    @property
    def last_role(self) -> str | None:
        """The role of the last message, where it is the same in most rows."""
        last = Counter(ROLES.get(str(_role(walk(text, steps("[last]"), ()))).lower()) for text in self.texts)
        return last.most_common(1)[0][0] if last else None

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        return _tokens(self.path)

    def said(self, rows: int, *, words: bool = False) -> str:
        """What its values look like, for the comment beside it: counts, and of a verdict its words."""
        part = "all rows" if len(self.texts) == rows else f"{len(self.texts)} of {rows} rows"
        if words and len(self.words) <= MAX_WORDS:
            return f"{part}: " + ", ".join(f"{one} {count}" for one, count in self.words.most_common())
        return part


@dataclass
class Guess:
    """An entry and what each of its lines rests on.

    Attributes:
        entry: as in `sources.yaml`.
        why: remarks by dotted place in the entry (`mapping.thumb`, `spread`).
        missing: what a person has to add before it can be used.
        unused: columns that no line names, with the words of those that have few.
    """

    entry: dict[str, Any]
    why: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)

    def map(self, name: str, column: Column, rows: int, path: Any = None) -> None:
        """Fills a field from a column."""
        self.entry.setdefault("mapping", {})[name] = path or column.path
        self.why[f"mapping.{name}"] = column.said(rows, words=name in ("thumb", "stars"))


def guess(found: FirstRows, now: datetime | None = None) -> Guess:
    """The entry that fits the rows best."""
    made = Guess(dict(found.settings), dict(found.remarks))
    columns, rows = _columns(found.rows), len(found.rows)
    if exploded := _list_of_votes(columns):
        rows = sum(len(_listed(walk(row, steps(exploded), ()))) for row in found.rows)
        made.entry["explode"] = exploded
        made.why["explode"] = "one row an item of this list"
    columns = [column for column in columns if column.exploded in (None, exploded)]
    if not _pair(made, columns, rows):
        _vote(made, columns, rows)
    _time(made, now or datetime.now(UTC))
    made.unused = [_left_over(one) for one in columns if one.texts and one.path not in named_paths(made.entry)]
    times = next((one for one in columns if one.path == made.entry.get("mapping", {}).get("occurred_at")), None)
    if times is not None and (written := _parsed(times.texts)):
        made.entry["time_format"] = written
        made.why["time_format"] = "how the times are written; day and month may be the other way round"
    return made


def named_paths(entry: Any) -> set[str]:
    """Every text in an entry: paths of columns, or what begins with one."""
    if isinstance(entry, dict):
        return {path for value in entry.values() for path in named_paths(value)}
    if isinstance(entry, list):
        return {path for value in entry for path in named_paths(value)}
    return {entry, entry.partition("[")[0]} if isinstance(entry, str) else set()


def _left_over(column: Column) -> str:
    if len(column.words) > MAX_WORDS or (column.numbers is None and max(map(len, column.texts)) > MAX_LEFT_OVER):
        return column.path
    return f"{column.path} ({', '.join(f'{one} {count}' for one, count in column.words.most_common())})"


_ANSWERED_BY = {
    **{f"tensorzero-{kind}": "tensorzero-inferences" for kind in ("boolean", "comments", "demonstrations")},
    "langfuse-scores": "langfuse-observations",
}
"""Presets of votes on answers that another source brings, and that source's preset."""


def guess_preset(found: FirstRows, now: datetime | None = None) -> Guess | None:
    """The entry with the preset most of whose columns are there, of those that need nothing that is not."""
    settings = dict(found.settings)
    name = _preset(found.rows)
    if name is None and found.document is not None and (name := _preset([found.document])) is not None:
        settings["rows"] = DOCUMENT
    if name is None:
        return None
    document = load_document(PRESETS / f"{name}.yaml")
    made = Guess({**settings, "preset": name}, dict(found.remarks))
    made.why["preset"] = "it has the columns of this table (docs/sources.md); lines of your own go before its own"
    if name in _ANSWERED_BY:
        made.missing.append(f"name the source of the answers: `answers: NAME` (preset {_ANSWERED_BY[name]})")
    if not {"occurred_at", "answered_at"} & {*(document.get("mapping") or {}), *(document.get("constants") or {})}:
        _time(made, now or datetime.now(UTC))
    return made


def _preset(rows: Sequence[Mapping[str, Any]]) -> str | None:
    best: tuple[int, str] | None = None
    for name in preset_names():
        document = load_document(PRESETS / f"{name}.yaml")
        needed, explode = _needed(document), document.get("explode")
        held = [any(_held(row, path, explode) for row in rows for path in either) for either in needed]
        if len(needed) >= _PRESET_COLUMNS and all(held) and (best is None or len(needed) > best[0]):
            best = (len(needed), name)
    return best[1] if best else None


def _needed(document: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The paths a preset cannot do without; of several, one is enough."""
    sides = document.get("pairwise") or {}
    references = [*(document.get("mapping") or {}).values()]
    references += [value for side in ("left", "right") for value in (sides.get(side) or {}).values()]
    winner = sides.get("winner")
    references += winner if isinstance(winner, list) else [winner] if isinstance(winner, str) else []
    thread = document.get("thread") or {}
    references += [thread[name] for name in ("messages", "answer") if name in thread]
    references += (document.get("chat") or {}).values()
    references += [document["explode"]] if document.get("explode") else []
    references += [path for path, said in (document.get("where") or {}).items() if said is not None]
    found: list[tuple[str, ...]] = []
    for reference in references:
        if isinstance(reference, str):
            found += [] if reference.endswith("?") or reference in (*THREAD, *CHAT) else [(reference,)]
        elif isinstance(reference, list):
            found += [(path,) for path in reference]
        elif isinstance(reference, dict) and not reference.get("optional"):
            if "first" in reference:
                found.append(tuple(reference["first"]))
            else:
                columns = [reference["column"]] if "column" in reference else reference.get("columns") or []
                found += [(path,) for path in columns]
    return list(dict.fromkeys(found))


def _held(row: Mapping[str, Any], path: str, explode: str | None) -> bool:
    """Whether a row has the place a path leads to, with nothing in it or something."""
    if path in row:
        return True
    head, bracket, _ = path.partition("[")
    if explode and path.startswith(f"{explode}."):
        items = _listed(walk(dict(row), steps(explode), ()))
        return any(isinstance(item, dict) and _held(item, path.removeprefix(f"{explode}."), None) for item in items)
    value: Any = row
    for step in steps(head.rstrip(".")):
        value = _parsed_json(value)
        if not isinstance(value, dict) or step.name not in value:
            return False
        value = value[step.name]
    return not bracket or bool(value)


def _listed(value: Any) -> list[Any]:
    value = _parsed_json(value)
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def _parsed_json(value: Any) -> Any:
    if isinstance(value, str) and value.strip()[:1] in ("{", "["):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


# Columns


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[Column]:
    """Every path of the rows with its values, in the order of the rows' keys."""
    found: dict[tuple[str, str | None], list[Any]] = {}
    for row in rows:
        for path, value, exploded in _flat(row, "", None, MAX_DEPTH):
            found.setdefault((path, exploded), []).append(value)
    return [Column(path, tuple(values), exploded) for (path, exploded), values in found.items() if _usable(path)]


def _usable(path: str) -> bool:
    try:
        steps(path)
    except ValueError:
        return False
    return True


def _flat(
    row: Mapping[str, Any], above: str, exploded: str | None, depth: int
) -> Iterable[tuple[str, Any, str | None]]:
    for key, value in row.items():
        path = f"{above}{key}"
        inner = _parsed_json(value)
        if isinstance(inner, dict) and 0 < len(inner) <= MAX_ENTRIES and depth and not (above and "." in key):
            yield from _flat(inner, f"{path}.", exploded, depth - 1)
        elif isinstance(inner, list) and inner and all(isinstance(item, dict) for item in inner):
            yield path, value, exploded
            if _role(inner[0]) is None and depth:
                items = inner[:1] if exploded else inner
                below = f"{path}[0]." if exploded else f"{path}."
                for item in items:
                    yield from _flat(item, below, exploded or path, depth - 1)
        elif exploded and isinstance(inner, list) and len(inner) == 1:
            yield f"{path}[0]", inner[0], exploded
        else:
            yield path, value, exploded


def _role(message: Any) -> Any:
    if not isinstance(message, dict):
        return None
    held = next((message[key] for key in ("role", "from", "author", "speaker") if key in message), None)
    return held if isinstance(held, str) and held.strip().lower() in ROLES else None


def _list_of_votes(columns: Sequence[Column]) -> str | None:
    """The list whose items hold a verdict, where nothing outside of it does."""
    if any(_verdict(column) for column in columns if column.exploded is None):
        return None
    inside = [column.exploded for column in columns if column.exploded and _verdict(column)]
    return Counter(inside).most_common(1)[0][0] if inside else None


def _verdict(column: Column) -> bool:
    named = max(_name_score("thumb", column), _name_score("stars", column))
    return named > 0 and (column.thumbs is not None or _is_stars(column))


def _tokens(path: str) -> tuple[str, ...]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", path)
    return tuple(token for token in re.split(r"[^0-9a-zäöüßéèà]+", spaced.lower()) if token)


def _name_score(field_name: str, column: Column) -> float:
    """How well a column's name speaks for a field: its whole name before a part, a place higher up before a lower."""
    last = _tokens(re.sub(r"\[[^\]]*\]$", "", column.path).rpartition(".")[2]) if "." in column.path else column.tokens
    best = 0.0
    for place, name in enumerate(NAMES[field_name]):
        wanted = tuple(name.split("_"))
        if column.tokens == wanted:
            score = 10.0
        elif last == wanted:
            score = 8.0
        elif column.tokens[-len(wanted) :] == wanted and len(name) > 1:
            score = 6.0
        elif len(name) > 1 and set(wanted) <= set(column.tokens):
            score = 5.0
        else:
            continue
        best = max(best, score - place * 0.1)
    return best - 0.3 * column.path.count(".") if best else 0.0


# Votes


def _is_stars(column: Column) -> bool:
    numbers = column.numbers
    return numbers is not None and all(n in (1, 2, 3, 4, 5) for n in numbers) and max(numbers) > 1


def _is_scale(column: Column) -> tuple[float, float] | None:
    """The ends of a scale of numbers that are neither thumbs nor stars: 0–1, 1–10 or 0–100."""
    numbers = column.numbers
    if numbers is None or len(set(numbers)) < 2:
        return None
    ends = ((0.0, 1.0), (0.0, 5.0), (0.0, 10.0), (0.0, 100.0))
    return next(((low, high) for low, high in ends if min(numbers) >= low and max(numbers) <= high), None)


def _thumbs(column: Column) -> dict[str, bool | None] | None:
    words = column.words
    if not words or len(words) > MAX_WORDS or column.is_time:
        return None
    numbers = column.numbers
    if numbers is not None and not set(numbers) <= {-1.0, 0.0, 1.0}:
        return None
    zero_is_down = numbers is not None and -1.0 not in numbers
    said: dict[str, bool | None] = {}
    stars = {one for one in words if one in STAR_WORDS}
    if numbers is None and stars & {"2", "3", "4", "5"}:  # thumbs and stars in one column
        said = {one: STAR_WORDS[one] for one in stars}
    for one in words.keys() - said.keys():
        if one in ("0", "0.0"):
            said[one] = False if zero_is_down else None
        elif one in THUMBS:
            said[one] = THUMBS[one]
        elif one in SAYS:
            said[one] = SAYS[one]
        elif one in NOTHING:
            said[one] = None
        else:
            return None
    return said if any(value is not None for value in said.values()) else None


_GATES: dict[str, Callable[[Column], bool]] = {
    "occurred_at": lambda column: column.is_time,
    "thumb": lambda column: column.thumbs is not None,
    "stars": _is_stars,
    "comment": lambda column: column.is_prose and column.thumbs is None,
    "correction": lambda column: column.is_prose,
    "reasons": lambda column: column.is_json or (column.is_text and not column.is_prose and not column.is_time),
    "prompt": lambda column: column.is_text and column.thumbs is None and not column.is_messages and not column.is_time,
    "output": lambda column: column.is_text and column.thumbs is None and not column.is_messages and not column.is_time,
    "messages": lambda column: column.is_messages,
    "model": lambda column: column.is_text and not column.is_json and max(map(len, column.texts)) <= 200,
    "latency_ms": lambda column: column.numbers is not None and min(column.numbers) >= 0,
    "input_tokens": lambda column: column.numbers is not None,
    "output_tokens": lambda column: column.numbers is not None,
    "cost_usd": lambda column: column.numbers is not None,
    "tags": lambda column: column.is_text or column.is_json,
    "language": lambda column: column.is_text and max(map(len, column.texts)) <= 20,
}
_MAX_ID = 200


def _has_no_clock(column: Column) -> float:
    """A little where times are days only: a column with hours is the better one."""
    return 5.0 if all(re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) for text in column.texts) else 0.0


def _short(column: Column) -> bool:
    return not column.is_prose and not column.is_json and max(map(len, column.texts)) <= _MAX_ID


def _best(names: Iterable[str], columns: Sequence[Column], taken: set[str] = frozenset()) -> dict[str, Column]:  # type: ignore[assignment]
    """Field → column, the best fit first; a column fills one field."""
    fits = [
        (_name_score(name, column) - (name == "occurred_at" and _has_no_clock(column)), -position, name, column)
        for name in names
        for position, column in enumerate(columns)
        if column.texts and column.path not in taken and _GATES.get(name, _short)(column)
    ]
    chosen: dict[str, Column] = {}
    used = set(taken)
    for score, _, name, column in sorted(fits, key=lambda fit: fit[:2], reverse=True):
        if score > 0 and name not in chosen and column.path not in used:
            chosen[name] = column
            used.add(column.path)
    return chosen


def _by_value(columns: Sequence[Column]) -> dict[str, Column]:
    """The verdict that no name gives away: a column whose words are those of thumbs, else one of stars."""
    for column in columns:
        if column.numbers is None and column.thumbs is not None:
            return {"thumb": column}
    stars = [column for column in columns if _is_stars(column) and len(set(column.texts)) > 2]
    return {"stars": stars[0]} if stars else {}


def _vote(made: Guess, columns: Sequence[Column], rows: int) -> None:
    """The mapping of a table with a verdict on one answer a row."""
    names = [name for name in NAMES if name not in ("id", "stars", "thumb")]
    verdicts = _best(("thumb", "stars"), columns)
    if len(verdicts) == 2 and _name_score("stars", verdicts["stars"]) <= 5 < _name_score("thumb", verdicts["thumb"]):
        del verdicts["stars"]
    if not verdicts:
        verdicts = _by_value(columns)
    taken = {column.path for column in verdicts.values()}
    chosen = _best(names, columns, taken)
    used = taken | {column.path for column in chosen.values()}
    if "occurred_at" not in chosen and (times := [one for one in columns if one.is_time and one.path not in used]):
        chosen["occurred_at"] = times[0]
    if (column := _identity(columns, rows, taken | {one.path for one in chosen.values()})) is not None:
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
        likely = [one for one in columns if one.path not in named and one.texts and _score(one) > 0]
        if likely:
            held = _left_over(likely[0])
            made.missing.append(
                f"{held} may be the verdict: add `thumb: {likely[0].path}` and its words under `values`"
            )
    if not {"thumb", "stars", "comment", "correction"} & set(mapping):
        made.missing.append("no column looks like a verdict: add `thumb: COLUMN`, `stars: COLUMN` or `comment: COLUMN`")


def _score(column: Column) -> float:
    """How well a column's name speaks for a verdict."""
    return max(_name_score("thumb", column), _name_score("stars", column))


def _identity(columns: Sequence[Column], rows: int, taken: set[str]) -> Column | None:
    """The column that is different in every row and called like an id."""
    unique = [column for column in columns if len(column.texts) == rows == len(set(column.texts))]
    found = _best(("id",), [column for column in unique if column.path not in taken])
    return found.get("id")


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
    scales = [(column, ends) for column in columns if _name_score("stars", column) > 0 and (ends := _is_scale(column))]
    if scales:
        column, (low, high) = max(scales, key=lambda one: _name_score("stars", one[0]))
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
            text = _text_key(messages)
            made.map("output", messages, rows, f"{messages.path}[last].{text}")
            made.why["mapping.output"] = "the last message is the answer"
            chosen.pop("output", None)
        if "prompt" not in chosen:
            made.map("prompt", messages, rows, _asked(messages))
            made.why["mapping.prompt"] = "the last message of a person"
        elif len(chosen["prompt"].texts) < rows / 2:
            made.map("prompt", chosen["prompt"], rows, {"first": [chosen["prompt"].path, _asked(messages)]})
            chosen.pop("prompt")
    mapping = made.entry.get("mapping", {})
    left = [
        column for column in columns
        if column.is_prose and column.thumbs is None and not _few(column)
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


def _asked(messages: Column) -> str:
    """The path of the last message of a person."""
    key, role = _role_of_user(messages)
    return f"{messages.path}[last {key}={role}].{_text_key(messages)}"


def _text_key(messages: Column) -> str:
    first = walk(messages.texts[0], steps("[0]"), ())
    return next((key for key in ("content", "value", "text", "message") if key in (first or {})), "content")


def _role_of_user(messages: Column) -> tuple[str, str]:
    for text in messages.texts:
        for message in _listed(text):
            if (role := _role(message)) and ROLES[role.lower()] == "user":
                return next(key for key in ("role", "from", "author", "speaker") if message.get(key) == role), role
    return "role", "user"


# Pairs


def _pair(made: Guess, columns: Sequence[Column], rows: int) -> bool:
    """The mapping of a table of votes between two answers; False where it is none."""
    sides = _sides(columns)
    winner = _winner(columns, sides)
    if winner is None or not sides:
        return False
    sides = [pair for pair in sides if pair[0].path not in _paths(winner)]
    texts = [(left, right) for left, right in sides if left.is_messages or (left.is_prose and not _few(left))]
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
            pairwise[side]["output"] = f"{column.path}[last].{_text_key(column)}" if messages else column.path
            why[f"pairwise.{side}"] = "the last message is the answer" if messages else column.said(rows)
        if pair[0].is_messages:
            made.map("messages", pair[0], rows)
            made.map("prompt", pair[0], rows, _asked(pair[0]))
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
    chosen = _best([name for name in NAMES if name not in ("thumb", "stars", "output", "model")], columns, taken)
    if "prompt" in made.entry.get("mapping", {}):
        chosen = {name: column for name, column in chosen.items() if name not in ("prompt", "messages")}
    ids = {column.path for name, column in chosen.items() if name != "id"}
    if (identity := _identity(columns, rows, taken | ids)) is not None:
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


def _few(column: Column) -> bool:
    """The same few values over and over: names of models, not what they said."""
    return (
        len(column.texts) >= 20 and len(set(column.texts)) < len(column.texts) / 4 and max(map(len, column.texts)) < 80
    )


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


# Times


def _parsed(texts: Sequence[str]) -> str | None:
    """How the texts are times: "" for ISO 8601 or seconds, else a format; None where they are no times."""
    series = pl.Series("t", texts, dtype=pl.String).to_frame()
    if all(re.fullmatch(r"-?\d+(\.\d+)?", text) for text in texts) and min(map(float, texts)) < 946_684_800:
        return None  # seconds before the year 2000
    for written in (None, *TIME_FORMATS):
        times = series.select(parsed_times(pl.col("t"), "UTC", written)).to_series()
        if times.null_count() <= (1 - _ENOUGH) * len(texts):
            return written or ""
    return None


def _time(made: Guess, now: datetime) -> None:
    """How times are written; a stretch of weeks where there are none."""
    if "occurred_at" not in made.entry.get("mapping", {}):
        monday = (now - timedelta(weeks=8, days=now.weekday())).date()
        made.entry["spread"] = {"start": monday.isoformat(), "weeks": 8}
        made.why["spread"] = "no column holds times: each vote is given one in these weeks; or map occurred_at"
