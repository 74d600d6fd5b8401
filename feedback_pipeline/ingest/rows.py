"""What delivered rows become: answers, their names and votes for the store; or refusals, with the reason."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from feedback_pipeline.ingest.fields import ANSWER_KEYS, ANSWER_TEXT, SIDE_FIELDS
from feedback_pipeline.ingest.identity import SeenIds, content_hashes, derived_ids
from feedback_pipeline.ingest.intake import PrivacyRules
from feedback_pipeline.ingest.mapping import PERSON, SEPARATOR, SIDES, field_of, mapped, people
from feedback_pipeline.ingest.readers.chunks import ROW
from feedback_pipeline.ingest.source_entry import Pairwise, Source
from feedback_pipeline.ingest.times import spread_times
from feedback_pipeline.ingest.values import typed_field
from feedback_pipeline.ingest.words import WINNERS, chosen
from feedback_pipeline.tables.vocabulary import TIMESTAMP

FIELD, REASON = "\x00field", "\x00reason"
"""What is wrong with a row: the first field that is, and a code."""
VOTE_ID, ANNOTATOR = "vote_id", "\x00annotator"
_NO_CHOICE = pl.lit(None, pl.String)
_PREFERENCES = {"left": "this", "right": "other", "tie": "tie"}


@dataclass(frozen=True)
class Votes:
    """The rows of a batch, read: one line a row, or a row and annotator.

    Attributes:
        good: typed fields with ids.
        refused: the others, with FIELD and REASON.
    """

    good: pl.DataFrame
    refused: pl.DataFrame


@dataclass
class Reading:
    """What is remembered over the batches of one import of a source."""

    source: Source
    privacy: PrivacyRules
    received_at: datetime
    seen: SeenIds = field(default_factory=SeenIds)


def read_votes(delivered: pl.DataFrame, reading: Reading) -> Votes:
    """The delivered text of a batch as typed fields with ids; what is wrong is set apart."""
    source = reading.source
    annotators: Sequence[str | None] = (None,)
    if source.pairwise and source.pairwise.has_annotators:
        annotators = source.pairwise.winners
    parts = [_typed(delivered, reading, annotator) for annotator in annotators]
    rows = pl.concat(parts) if len(parts) > 1 else parts[0]
    rows = _with_ids(rows, source)
    rows = _with_rules(rows, source)
    bad = pl.col(REASON).is_not_null()
    return Votes(rows.filter(~bad).drop(FIELD, REASON), rows.filter(bad))


def _typed(delivered: pl.DataFrame, reading: Reading, annotator: str | None) -> pl.DataFrame:
    """Typed fields, pseudonyms, and the first thing that is wrong with each row."""
    source = reading.source
    who = people(delivered, source, annotator)
    tenants = who["tenant"]
    keys = {name: reading.privacy.pseudonyms(tenants, _trimmed(who[name])) for name in ("user", "session", "asker")}
    text = mapped(delivered.with_columns(keys["user"].alias(PERSON)), source, annotator)
    targets = [target for target in text.columns if target not in (ROW, "winner")]
    read = {target: typed_field(field_of(target), pl.col(target), source) for target in targets}
    if source.pairwise:
        read["winner"] = _winner(pl.col("winner"), source.pairwise)
    typed = _read(text, read).rename({"winner": "preference"}, strict=False)
    if source.pairwise:
        winner = annotator or next(iter(source.pairwise.winners), "winner")
        typed = typed.with_columns(pl.col(FIELD).replace("winner", winner))
    missing = {name: pl.lit(None, dtype).alias(name) for name, dtype in _OPTIONAL.items() if name not in text.columns}
    return typed.with_columns(
        *missing.values(),
        tenants,
        keys["user"].alias("user_key"),
        keys["session"].alias("session_key"),
        keys["asker"].alias("asker_key"),
        pl.lit(annotator, pl.String).alias(ANNOTATOR),
        _NO_CHOICE.alias("content") if _has_id(source) else content_hashes(_content(text)).alias("content"),
        *([_NO_CHOICE.alias("preference")] if not source.pairwise else []),
    )


def _read(text: pl.DataFrame, read: dict[str, tuple[pl.Expr, pl.Expr]]) -> pl.DataFrame:
    """The value of every target, and the first thing that is wrong with a row (FIELD, REASON).

    What is wrong is only asked of rows in which a delivered value came to nothing.
    """
    values = text.lazy().select(ROW, *(value.alias(target) for target, (value, _) in read.items())).collect()
    lost = [values[target].is_null() & (text[target].is_not_null() | (target == "winner")) for target in read]
    suspects = text.filter(pl.DataFrame(lost, schema=list(read)).select(pl.any_horizontal(pl.all())).to_series())
    faults = [problem.alias(target) for target, (_, problem) in read.items()]
    wrong = suspects.lazy().select(ROW, *faults).collect()
    wrong = wrong.select(
        ROW,
        pl.coalesce(pl.when(pl.col(target).is_not_null()).then(pl.lit(target)) for target in read).alias(FIELD),
        pl.coalesce(list(read)).alias(REASON),
    )
    return values.join(wrong, on=ROW, how="left", maintain_order="left")


_OPTIONAL: dict[str, pl.DataType] = {
    **dict.fromkeys(("id", "version", "answer_id", "kind", "value", "comment", "correction"), pl.String()),
    **dict.fromkeys(ANSWER_KEYS, pl.String()),
    **dict.fromkeys(("thumb", "withdrawn"), pl.Boolean()),
    "stars": pl.Int64(),
    "reasons": pl.List(pl.String),
    "occurred_at": TIMESTAMP,
    "answered_at": TIMESTAMP,
}


def _has_id(source: Source) -> bool:
    """Every row must have an id, or it is refused; otherwise one without is told by its content."""
    reference = source.mapping.get("id")
    return reference is not None and not reference.optional


def _trimmed(users: pl.Series) -> pl.Series:
    text = pl.col("user").str.strip_chars()
    return users.to_frame("user").select(pl.when(text != "").then(text))["user"]


def _content(text: pl.DataFrame) -> pl.Series:
    """Everything a row says, as one text."""
    said = [pl.col(name).fill_null("\0") for name in sorted(text.columns) if name != ROW]
    return text.select(pl.concat_str(said, separator=SEPARATOR)).to_series()


def _winner(text: pl.Expr, pairwise: Pairwise) -> tuple[pl.Expr, pl.Expr]:
    trimmed = text.str.strip_chars()
    side, known = chosen(trimmed, {**WINNERS, **pairwise.values}, pl.String())
    preference = side.replace_strict(_PREFERENCES, default=None, return_dtype=pl.String)
    given = trimmed.is_not_null() & (trimmed != "")
    problem = (
        pl.when(~given | trimmed.is_null()).then(pl.lit("missing"))
        .when(~known).then(pl.lit("unknown_value"))
    )  # fmt: skip
    return preference, problem


def _with_ids(rows: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Adds `vote_id`, the source's id of the vote, and `feedback_id`; and for answers the same with `answer_…`."""
    vote = pl.coalesce("id", "content")
    own_answer = pl.coalesce(pl.lit("answer:") + pl.col("id"), _answer_content(rows, side_columns(rows, None)))
    vote = pl.concat_str([vote, pl.col(ANNOTATOR)], separator="/", ignore_nulls=True)
    version = pl.when(pl.col("version").is_not_null()).then("@" + pl.col("version"))
    rows = rows.with_columns(pl.concat_str([vote, version], ignore_nulls=True).alias(VOTE_ID))
    rows = rows.with_columns(pl.when(pl.col(VOTE_ID) != "").then(VOTE_ID).alias(VOTE_ID))
    rows = rows.with_columns(derived_ids(rows["tenant"], source.name, rows[VOTE_ID]).alias("feedback_id"))
    if source.pairwise:
        return _with_pair_ids(rows, source)
    named = pl.coalesce("answer_id", *(_prefixed(name) for name in ("request_id", "message_id")))
    brings = [name for name in ANSWER_TEXT if name in rows.columns]
    if brings:
        has_answer = pl.any_horizontal(pl.col(name).is_not_null() for name in brings)
        named = pl.coalesce(named, pl.when(has_answer).then(own_answer))
    else:
        named = pl.col("answer_id")
    rows = rows.with_columns(named.alias("answer_source_id"))
    ids = derived_ids(rows["tenant"], source.answer_source, rows["answer_source_id"])
    return rows.with_columns(ids.alias("interaction_id"))


def _prefixed(name: str) -> pl.Expr:
    return pl.when(pl.col(name).is_not_null()).then(pl.concat_str(pl.lit(f"{ANSWER_KEYS[name]}:"), pl.col(name)))


def _with_pair_ids(rows: pl.DataFrame, source: Source) -> pl.DataFrame:
    for side in SIDES:
        if f"{side}.id" not in rows.columns:
            columns = side_columns(rows, side)
            content = pl.when(columns["output"].is_not_null()).then(_answer_content(rows, columns))
            rows = rows.with_columns(content.alias(f"{side}.id"))
        ids = derived_ids(rows["tenant"], source.answer_source, rows[f"{side}.id"])
        rows = rows.with_columns(ids.alias(f"{side}_interaction_id"))
    return rows


def _answer_content(rows: pl.DataFrame, columns: dict[str, pl.Expr]) -> pl.Expr:
    """A hash that is the same for the same words of a model in the same conversation, for answers without an id."""
    said = [
        columns[name].cast(pl.String).fill_null("\0") if name in columns else pl.lit("\0")
        for name in ("conversation_id", "turn", "model", "messages", "prompt", "output", "content_snapshot")
    ]
    text = rows.select(ROW, pl.concat_str(said, separator=SEPARATOR).alias("said"))["said"]
    return pl.lit(content_hashes(text))


def _with_rules(rows: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Fills in times and kinds, then refuses rows that no vote or answer can be made of."""
    if source.spread:
        spread = spread_times(pl.col("feedback_id"), source.spread)
        rows = rows.with_columns(pl.coalesce("occurred_at", spread).alias("occurred_at"))
    voted_at, answered_at = pl.col("occurred_at"), pl.col("answered_at")
    rows = rows.with_columns(
        pl.coalesce(voted_at, answered_at).alias("occurred_at"),
        pl.coalesce(answered_at, voted_at).alias("answered_at"),
        pl.col("withdrawn").fill_null(value=False),
        pl.lit("preference").alias("kind") if source.pairwise else _kind().alias("kind"),
    )
    if source.pairwise:
        unknown = [(f"{side}.id", pl.col(f"{side}.id").is_null()) for side in SIDES]
        texts = [f"{side}.output" for side in SIDES if f"{side}.output" in rows.columns]
        unknown += [(name, pl.col(name).is_null()) for name in texts]
    else:
        brings = [name for name in ANSWER_TEXT if name in rows.columns]
        answerless = pl.col("interaction_id").is_null() & pl.all_horizontal(
            pl.col(name).is_null() for name in ANSWER_KEYS
        )
        unknown = [(brings[0] if brings else "answer_id", answerless)]
    needs = {
        "explicit": ("thumb", pl.col("thumb").is_null() & pl.col("stars").is_null()),
        "outcome": ("value", pl.col("value").is_null()),
        "implicit": ("value", pl.col("value").is_null()),
        "comment": ("comment", pl.col("comment").is_null()),
        "correction": ("correction", pl.col("correction").is_null()),
    }
    missing = [
        ("occurred_at", pl.col("occurred_at").is_null() & pl.lit(source.judge is None)),
        ("id", pl.col(VOTE_ID).is_null()),
        *unknown,
        *(
            (name, (pl.col("kind") == kind) & absent & ~pl.col("withdrawn"))
            for kind, (name, absent) in needs.items()
        ),
        ("kind", pl.lit(not source.pairwise) & (pl.col("kind") == "preference").fill_null(value=False)),
    ]  # fmt: skip
    faults = [(name, "missing", absent) for name, absent in missing]
    if source.pairwise:
        same = pl.col("left_interaction_id") == pl.col("right_interaction_id")
        faults.append(("right.id", "same_answer", same.fill_null(value=False)))
    return rows.with_columns(
        pl.coalesce(FIELD, *(pl.when(fault).then(pl.lit(name)) for name, _, fault in faults)).alias(FIELD),
        pl.coalesce(REASON, *(pl.when(fault).then(pl.lit(code)) for _, code, fault in faults)).alias(REASON),
    )


def _kind() -> pl.Expr:
    """The delivered kind, else what the row holds; null where it holds no vote: an answer nobody voted on."""
    is_signal = pl.col("value").str.json_path_match("$.signal").is_not_null()
    return pl.coalesce(
        "kind",
        pl.when(pl.col("thumb").is_not_null() | pl.col("stars").is_not_null())
        .then(pl.lit("explicit"))
        .when(pl.col("value").is_not_null() & is_signal)
        .then(pl.lit("implicit"))
        .when(pl.col("value").is_not_null())
        .then(pl.lit("outcome"))
        .when(pl.col("correction").is_not_null())
        .then(pl.lit("correction"))
        .when(pl.col("comment").is_not_null())
        .then(pl.lit("comment"))
        .when(pl.col("withdrawn"))
        .then(pl.lit("explicit")),
    )


def side_columns(rows: pl.DataFrame, side: str | None) -> dict[str, pl.Expr]:
    """The answer's fields of a row, or of one side of a pair, by our names."""
    found = {name: pl.col(name) for name in SIDE_FIELDS if name in rows.columns}
    if side is not None:
        found |= {name: pl.col(f"{side}.{name}") for name in SIDE_FIELDS if f"{side}.{name}" in rows.columns}
    return found
