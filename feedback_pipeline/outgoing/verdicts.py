"""Verdicts with the names that their answers have elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import polars as pl

from feedback_pipeline.calendar import days_between, monday_of
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK
from feedback_pipeline.ingest.tool_sources import tool_of
from feedback_pipeline.judging.tables import JUDGEMENTS
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store.statements import Queries

PEOPLE = "user_feedback"
"""The name that people's verdicts have in other tools."""
SCORES = {"up": 1.0, "neutral": 0.5, "down": 0.0}
AT_A_TIME = 5_000
_queries = Queries(__file__)


@dataclass(frozen=True)
class Verdict:
    """One verdict on one answer.

    Attributes:
        id: the same verdict always has the same: sent twice, it is one.
        name: what was judged: `user_feedback`, or a judge's criterion.
        evaluator: `human`, or the judge's name.
        score: 0 worst – 1 best.
        label: up, neutral or down.
        day: of the vote, or the Monday of the judged week.
        trace_id, span_id, request_id: the answer's names elsewhere; None where it has none.
        correction: the answer that a person wrote instead, redacted; then nothing else is said.
    """

    id: str
    name: str
    evaluator: str
    score: float
    label: str
    day: date
    trace_id: str | None
    span_id: str | None
    request_id: str | None
    correction: str | None = None

    @property
    def is_human(self) -> bool:
        return self.evaluator == "human"


def verdicts(pipeline: Pipeline, first: date, last: date, *, corrections: bool = False) -> Iterator[Verdict]:
    """The verdicts of some days, and of the weeks that begin in them; those without a name elsewhere are left out.
    With `corrections`, also what people wrote instead of answers: words, which nothing here takes back from there.

    A vote that an import brought from the tool that its answer came from is not sent back there, and verdicts of judges
    elsewhere are not sent at all.
    """
    days = days_between(first, last)
    votes = _votes(pipeline, [day.isoformat() for day in days])
    judged = _judged(pipeline, sorted({monday_of(day).isoformat() for day in days}))
    written = [_corrections(pipeline, [day.isoformat() for day in days])] if corrections else []
    rows = pl.concat([votes, judged, *written])
    for part in rows.iter_slices(AT_A_TIME):
        yield from _named(pipeline, part)


_SCHEMA = pl.Schema(
    {"id": pl.String, "interaction_id": pl.String, "name": pl.String, "evaluator": pl.String, "score": pl.Float64,
     "label": pl.String, "day": pl.Date, "correction": pl.String}
)  # fmt: skip


def _votes(pipeline: Pipeline, days: list[str]) -> pl.DataFrame:
    known = [day for day in pipeline.frames.partitions(CLEAN_FEEDBACK) if day in set(days)]
    if not known:
        return _SCHEMA.to_frame()
    given = pl.col("counts") & pl.col("verdict").is_not_null() & (pl.col("kind") == "explicit")
    return (
        pipeline.frames.scan(CLEAN_FEEDBACK, known)
        .filter(given)
        .select(
            pl.col("feedback_id").alias("id"), "interaction_id", pl.lit(PEOPLE).alias("name"),
            pl.lit("human").alias("evaluator"),
            pl.col("verdict").replace_strict(SCORES, return_dtype=pl.Float64).alias("score"),
            pl.col("verdict").alias("label"), "day", pl.lit(None, pl.String).alias("correction"),
        )
        .collect()
        .cast(_SCHEMA)
    )  # fmt: skip


def _corrections(pipeline: Pipeline, days: list[str]) -> pl.DataFrame:
    known = [day for day in pipeline.frames.partitions(CLEAN_FEEDBACK) if day in set(days)]
    if not known:
        return _SCHEMA.to_frame()
    given = (pl.col("kind") == "correction") & pl.col("correction").is_not_null()
    return (
        pipeline.frames.scan(CLEAN_FEEDBACK, known)
        .filter(given)
        .select(
            pl.col("feedback_id").alias("id"), "interaction_id", pl.lit("output").alias("name"),
            pl.lit("human").alias("evaluator"), pl.lit(SCORES["down"]).alias("score"), pl.lit("down").alias("label"),
            "day", "correction",
        )
        .collect()
        .cast(_SCHEMA)
    )  # fmt: skip


def _judged(pipeline: Pipeline, weeks: list[str]) -> pl.DataFrame:
    known = [week for week in pipeline.frames.partitions(JUDGEMENTS) if week in weeks]
    frames = [_SCHEMA.to_frame()]
    with pipeline.database.engine.connect() as connection:
        theirs = list(connection.execute(_queries.statement("read_recorded_judges")).scalars())
    for week in known:
        usable = (
            ~pl.col("judge").is_in(theirs)
            & (pl.col("status") == "ok")
            & (pl.col("other_interaction_id") == "")
            & pl.col("score").is_not_null()
        )
        frames.append(
            pipeline.frames.scan(JUDGEMENTS, [week])
            .filter(usable)
            .select(
                pl.concat_str("interaction_id", "fingerprint", "criterion", separator="/").alias("id"),
                "interaction_id", pl.col("criterion").alias("name"), pl.col("judge").alias("evaluator"), "score",
                pl.col("verdict").alias("label"), pl.lit(date.fromisoformat(week)).alias("day"),
                pl.lit(None, pl.String).alias("correction"),
            )
            .collect()
            .cast(_SCHEMA)
        )  # fmt: skip
    return pl.concat(frames)


def _named(pipeline: Pipeline, rows: pl.DataFrame) -> Iterator[Verdict]:
    with pipeline.database.engine.connect() as connection:

        def read(name: str, ids: pl.Series) -> pl.DataFrame:
            found = connection.execute(_queries.statement(name), {"ids": ids.unique().to_list()})
            return pl.DataFrame(
                list(map(tuple, found)), schema=list(found.keys()), orient="row", infer_schema_length=None
            )

        places = read("read_places", rows["interaction_id"])
        people = rows.filter(pl.col("evaluator") == "human")
        sources = read("read_sources", people["id"]) if people.height else None
    if places.is_empty():
        return
    named = rows.join(places.cast(pl.String), on="interaction_id")
    if sources is not None and sources.height:
        named = named.join(sources.cast(pl.String), left_on="id", right_on="feedback_id", how="left")
        tool = {name: tool_of(name) for name in {*sources["vote_source"].drop_nulls(), *named["source"].drop_nulls()}}
        same = pl.col("vote_source").replace(tool) == pl.col("source").replace(tool)
        echo = same & (pl.col("source") != "api")
        named = named.filter(~echo.fill_null(value=False))
    for row in named.iter_rows(named=True):
        # what came from a tool without a trace of its own: the request is the trace, the answer's id the span
        trace, span = row["trace_id"] or row["request_id"], row["span_id"] or row["message_id"]
        if span is None and row["trace_id"] is None and row["request_id"] not in (None, row["source_id"]):
            span = row["source_id"]
        if trace or span:
            yield Verdict(
                row["id"], row["name"], row["evaluator"], row["score"], row["label"], row["day"], trace, span,
                row["request_id"], row["correction"],
            )  # fmt: skip
