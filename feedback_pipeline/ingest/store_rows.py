"""Read votes as the rows of the store: answers, the application's names for them, votes, and repeated deliveries."""

from dataclasses import dataclass

import polars as pl

from feedback_pipeline.ingest.fields import ANSWER_KEYS, ANSWER_TEXT
from feedback_pipeline.ingest.identity import derived_ids
from feedback_pipeline.ingest.mapping import SIDES
from feedback_pipeline.ingest.readers.chunks import ROW
from feedback_pipeline.ingest.rows import ANNOTATOR, FIELD, REASON, VOTE_ID, Reading, side_columns
from feedback_pipeline.ingest.source_entry import Source
from feedback_pipeline.store.rows import INCOMING_FEEDBACK, INCOMING_INTERACTION, INCOMING_KEY
from feedback_pipeline.tables.vocabulary import TIMESTAMP

CORRECTION = "#correction"
"""What is added to a vote's id for the correction that the same row brings."""
_ANSWER_LISTS = ("tags", "tools_called", "techniques")
_VOTE_LISTS = ("reasons",)
_CONVERSATION = "\x00conversation"


@dataclass(frozen=True)
class StoreRows:
    """The rows of one batch for the store, and the repeated deliveries among them.

    Attributes:
        interactions, keys, feedback: as `store/rows.py` declares them.
        repeated: ROW, ANNOTATOR, FIELD, REASON and what is known of the rows whose vote was delivered before.
        redactions: identifiers replaced, by type.
    """

    interactions: pl.DataFrame
    keys: pl.DataFrame
    feedback: pl.DataFrame
    repeated: pl.DataFrame
    redactions: dict[str, int]


def file_rows(good: pl.DataFrame, reading: Reading) -> StoreRows:
    """The rows that votes (`read_votes(…).good`) become."""
    source = reading.source
    delivered_before = reading.seen.repeated(good["feedback_id"])
    repeated = good.filter(delivered_before).select(
        ROW, ANNOTATOR, "tenant", "user_key", "occurred_at", VOTE_ID,
        pl.lit("id").alias(FIELD), pl.lit("delivered_twice").alias(REASON),
    )  # fmt: skip
    votes = good.filter(~delivered_before)
    interactions, answer_counts = _answers(votes, reading)
    feedback, vote_counts = _feedback(votes, reading)
    counts = {name: answer_counts.get(name, 0) + vote_counts.get(name, 0) for name in {**answer_counts, **vote_counts}}
    return StoreRows(interactions, _keys(votes, source), feedback, repeated, counts)


def _answers(votes: pl.DataFrame, reading: Reading) -> tuple[pl.DataFrame, dict[str, int]]:
    """One row an answer that the votes bring with them, the first of each id."""
    source = reading.source
    sides: tuple[str | None, ...] = SIDES if source.pairwise else (None,)
    frames = []
    for side in sides:
        columns = side_columns(votes, side)
        brought = [columns[name] for name in ANSWER_TEXT if name in columns]
        if not brought or source.answers:
            continue
        with_text = votes.filter(pl.any_horizontal(value.is_not_null() for value in brought))
        frames.append(with_text.select(*_answer_columns(with_text, side, columns, reading)))
    if not frames:
        return INCOMING_INTERACTION.empty(), {}
    answers = pl.concat(frames).unique("id", keep="first", maintain_order=True)
    if len(frames) > 1:
        answers = answers.sort("\x00order", maintain_order=True)
    answers = answers.with_columns(
        pl.coalesce(pl.concat_str("tenant", "conversation_id", separator="\x1f"), "id").alias(_CONVERSATION)
    )
    answers = reading.privacy.without_own_id(answers, _ANSWER_LISTS)
    redacted = reading.privacy.redact(
        answers, ("prompt", "output"), ("messages", "content_snapshot", "metadata"), _CONVERSATION, _ANSWER_LISTS
    )
    return INCOMING_INTERACTION.conform(redacted.frame), redacted.counts


def _answer_columns(
    votes: pl.DataFrame, side: str | None, columns: dict[str, pl.Expr], reading: Reading
) -> list[pl.Expr]:
    source = reading.source
    given = {name: value for name, value in columns.items() if name not in ANSWER_KEYS}
    identity = (pl.col(f"{side}_interaction_id"), pl.col(f"{side}.id")) if side else (
        pl.col("interaction_id"), pl.col("answer_source_id"),
    )  # fmt: skip
    messages = given.get("messages", pl.lit(None, pl.String))
    own = {
        "id": identity[0],
        "source_id": identity[1],
        "tenant": pl.col("tenant"),
        "source": pl.lit(source.name),
        "provenance": pl.lit(source.provenance),
        "context": pl.when(messages.is_not_null() | source.whole_without_messages)
        .then(pl.lit("full"))
        .otherwise(pl.lit("partial")),
        # The voter is who asked, unless the row says otherwise or people compare answers for others.
        "user_key": pl.col("asker_key") if side else pl.coalesce("asker_key", "user_key"),
        "session_key": pl.lit(None, pl.String) if side else pl.col("session_key"),
        "occurred_at": pl.col("answered_at"),
        "inclusion_probability": pl.lit(1.0),
    }
    empty = {
        column.name: pl.lit(None, column.dtype)
        for column in INCOMING_INTERACTION.columns
        if column.name not in own and column.name not in given
    }
    chosen = {**empty, **given, **own}
    order = pl.int_range(pl.len(), dtype=pl.UInt32).alias("\x00order")
    return [*(chosen[name].alias(name) for name in INCOMING_INTERACTION.names), order]


def _keys(votes: pl.DataFrame, source: Source) -> pl.DataFrame:
    """The application's names for the answers that the votes bring."""
    if source.pairwise or source.answers or not any(name in votes.columns for name in ANSWER_TEXT):
        return INCOMING_KEY.empty()
    brings = pl.any_horizontal(pl.col(name).is_not_null() for name in ANSWER_TEXT if name in votes.columns)
    frames = [
        votes.filter(brings & pl.col(name).is_not_null()).select(
            "tenant", pl.lit(kind).alias("kind"), _key_value(name, votes).alias("value"), "interaction_id"
        )
        for name, kind in ANSWER_KEYS.items()
    ]
    return INCOMING_KEY.conform(pl.concat(frames).unique(maintain_order=True))


def _feedback(votes: pl.DataFrame, reading: Reading) -> tuple[pl.DataFrame, dict[str, int]]:
    """One row a vote, and one more for the correction of a row that also judges."""
    source = reading.source
    if source.pairwise:
        about = {"interaction_id": pl.col("left_interaction_id"), "other": pl.col("right_interaction_id")}
    else:
        about = {"interaction_id": pl.col("interaction_id"), "other": pl.lit(None, pl.String)}
    key_kind, key_value = waiting_for(votes)
    events = votes.filter(pl.col("kind").is_not_null()).select(
        pl.col("feedback_id").alias("id"),
        "tenant",
        about["interaction_id"].alias("interaction_id"),
        (pl.lit(None, pl.String) if source.pairwise else key_kind).alias("key_kind"),
        (pl.lit(None, pl.String) if source.pairwise else key_value).alias("key_value"),
        "kind", "thumb", "stars", "value", "comment", "correction", "reasons", "preference",
        about["other"].alias("other_interaction_id"),
        "user_key",
        "session_key",
        "occurred_at",
        pl.lit(reading.received_at, TIMESTAMP).alias("received_at"),
        "withdrawn",
        pl.lit(source.name).alias("source"),
        pl.col(VOTE_ID).alias("source_id"),
    )  # fmt: skip
    corrections = _corrections(events, source)
    both = pl.concat([_only_of_kind(events), corrections]) if corrections.height else _only_of_kind(events)
    both = both.with_columns(pl.coalesce("interaction_id", "key_value").alias(_CONVERSATION))
    both = reading.privacy.without_own_id(both, _VOTE_LISTS)
    redacted = reading.privacy.redact(both, ("comment", "correction"), ("value",), _CONVERSATION, _VOTE_LISTS)
    return INCOMING_FEEDBACK.conform(redacted.frame), redacted.counts


def _key_value(name: str, votes: pl.DataFrame) -> pl.Expr:
    """The application's name for an answer. Ids of content are its own within a kind of content, as in live capture
    (`store.rows.content_name`), so that an imported vote and a live one on the same content meet."""
    if name != "content_id" or "content_type" not in votes.columns:
        return pl.col(name)
    typed = pl.concat_str(pl.col("content_type"), pl.col(name), separator="/")
    return pl.coalesce(typed, pl.col(name))


def waiting_for(votes: pl.DataFrame) -> tuple[pl.Expr, pl.Expr]:
    """The name under which a vote waits for an answer whose id is not known."""
    unknown = pl.col("interaction_id").is_null()
    kinds = pl.coalesce(pl.when(pl.col(name).is_not_null()).then(pl.lit(kind)) for name, kind in ANSWER_KEYS.items())
    return pl.when(unknown).then(kinds), pl.when(unknown).then(
        pl.coalesce(_key_value(name, votes) for name in ANSWER_KEYS)
    )


def _corrections(events: pl.DataFrame, source: Source) -> pl.DataFrame:
    rows = events.filter((pl.col("kind") != "correction") & pl.col("correction").is_not_null() & ~pl.col("withdrawn"))
    rows = rows.with_columns(
        pl.lit("correction").alias("kind"),
        pl.concat_str("source_id", pl.lit(CORRECTION)).alias("source_id"),
        *(
            pl.lit(None, events.schema[name]).alias(name)
            for name in ("thumb", "stars", "value", "comment", "preference")
        ),
        pl.lit(None, pl.List(pl.String)).alias("reasons"),
        pl.lit(None, pl.String).alias("other_interaction_id"),
    )
    return rows.with_columns(derived_ids(rows["tenant"], source.name, rows["source_id"]).alias("id"))


def _only_of_kind(events: pl.DataFrame) -> pl.DataFrame:
    """A correction stands in an event of its own."""
    is_correction = pl.col("kind") == "correction"
    return events.with_columns(pl.when(is_correction).then("correction").alias("correction"))
