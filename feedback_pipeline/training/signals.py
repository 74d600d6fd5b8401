"""From votes to candidates: which votes may train, on which answers, saying what."""

from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from feedback_pipeline.cleaning.signatures import hash_texts
from feedback_pipeline.patterns.refusals import refuses
from feedback_pipeline.privacy.placeholders import PLACEHOLDER
from feedback_pipeline.tables.parquet import of_days, of_ids
from feedback_pipeline.training.conflicts import probabilities
from feedback_pipeline.training.funnel import Funnel
from feedback_pipeline.training.rules import CurationSettings

CREDENTIAL = (
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bsk-[A-Za-z0-9_-]{20,}|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36,}|"
    r"\bxox[abprs]-[A-Za-z0-9-]{10,}|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\."
)
CUT_OFF = ("length", "max_tokens", "model_length", "content_filter", "error", "cancelled")
"""Finish reasons of answers that are not whole."""

VOTE_COLUMNS = ("feedback_id", "interaction_id", "tenant", "voter", "user_key", "day", "occurred_at", "kind",
                 "verdict", "strength", "counts", "correction", "preference", "other_interaction_id",
                "use_for_training")  # fmt: skip
"""What curation and pairs read of CLEAN_FEEDBACK."""

_CODED = ("context", "project", "model", "prompt_version", "intent", "language", "action_type")
_JUDGED = ("feedback_id", "tenant", "voter", "user_key", "day", "occurred_at", "verdict", "strength", "trust", "known",
           "answer_row", "answered_at", "answer_provenance", "cluster", "prompt_hash", "pair_key", "cluster_key",
           "person_key")  # fmt: skip
_BLOCK = 150_000
"""Answers read at a time, but whole days: it bounds memory."""

_FROM_ANSWER = ("answer_tenant", "answer_allowed", "answer_provenance", "answered_at", "has_text")


@dataclass(frozen=True)
class Signals:
    """Candidates for training, before curation.

    Attributes:
        judged: one row per tenant, person and distinct answer text: their latest verdict. `pair_key`, `cluster_key`
            and `person_key` stand for the text, the group of prompts and the person, each within the tenant; they are
            Polars' own hashes, good for grouping within a run and never kept. `answer_row` points into `answers`.
        corrections: one row per correction event, with its text and the same keys.
        answers: one row per answer voted on, sorted by interaction_id: dimensions and flags, without text.
    """

    judged: pl.DataFrame
    corrections: pl.DataFrame
    answers: pl.DataFrame


def window(votes: pl.DataFrame, settings: CurationSettings, window_end: date) -> pl.DataFrame:
    """The votes of the rolling window that ends with `window_end` (included)."""
    first = window_end - timedelta(days=7 * settings.window_weeks - 1)
    return votes.filter(pl.col("day").is_between(first, window_end))


def answer_flags(answers: pl.LazyFrame, wanted: pl.Series) -> pl.DataFrame:
    """The wanted answers without their text, with what curation must know about it; sorted by interaction_id.

    Dimensions are categories, which take a quarter of the memory.
    """
    placed = answers.select("interaction_id", "day")
    if len(wanted) <= _BLOCK:
        placed = of_ids(placed, "interaction_id", wanted)
    else:  # a join takes both columns in whole: less than asking for a million ids in every group of rows
        ids = wanted.drop_nulls().alias("interaction_id").to_frame().lazy()
        placed = placed.join(ids, on="interaction_id", how="semi")
    known = placed.collect(engine="streaming")
    blocks = of_days(answers, "interaction_id", known, _BLOCK) if known.height else [answers.clear()]
    flags = [block.select(_flags()).collect(engine="streaming") for block in blocks]
    return pl.concat(flags).sort("interaction_id")


def _flags() -> list[pl.Expr]:
    answer = pl.col("answer")
    return [
        pl.col("interaction_id", "conversation_id"),
        pl.col(_CODED).cast(pl.Categorical),
        pl.col("day").alias("answer_day"),
        pl.col("tenant").alias("answer_tenant"),
        pl.col("occurred_at").alias("answered_at"),
        pl.col("provenance").alias("answer_provenance"),
        pl.col("use_for_training").alias("answer_allowed"),
        (answer.is_not_null() & (pl.col("prompt").is_not_null() | pl.col("messages").is_not_null())).alias("has_text"),
        (answer.str.strip_chars().str.len_chars() < 2).alias("blank"),
        pl.col("finish_reason").str.to_lowercase().is_in(CUT_OFF).fill_null(value=False).alias("cut_off"),
        answer.str.contains(PLACEHOLDER).alias("placeholder"),
        refuses(answer).alias("refusal"),
        answer.str.contains(CREDENTIAL).alias("secret"),
    ]


def signals(
    votes: pl.DataFrame,
    answers: pl.LazyFrame,
    signatures: pl.DataFrame,
    trust: pl.DataFrame,
    settings: CurationSettings,
    window_end: date,
    funnel: Funnel,
) -> Signals:
    """Takes the votes of the window through the first steps of the funnel: window, signal, answer, consent."""
    rows = window(votes.select(VOTE_COLUMNS).drop("preference", "other_interaction_id"), settings, window_end)
    funnel.count(votes.height, rows.height, "window", "vote", f"older than {settings.window_weeks} weeks")
    judges = pl.col("counts") & pl.col("verdict").is_in(["up", "down"])
    corrects = (pl.col("kind") == "correction") & (pl.col("correction").str.strip_chars().str.len_chars() > 0)
    # one name for what is left at each step: a frame of a million votes is not kept for longer than it is needed
    rows = funnel.keep(rows, judges | corrects.fill_null(value=False), "signal", "vote",
                       "neutral, comment or preference: says nothing about one answer alone")  # fmt: skip
    flags = answer_flags(answers, rows["interaction_id"])
    placed = _with_clusters(flags, signatures).with_row_index("answer_row")
    about = placed.select("interaction_id", "answer_row", *_FROM_ANSWER, "cluster", "prompt_hash", "pair")
    rows = funnel.keep(
        rows.join(about, on="interaction_id", how="left"),
        pl.col("has_text") & (pl.col("answer_tenant") == pl.col("tenant")),
        "answer", "vote", "the answer's text is not kept, or belongs to another tenant",
    )  # fmt: skip
    del flags, about
    rows = funnel.keep(rows, pl.col("use_for_training") & pl.col("answer_allowed"), "consent", "vote",
                       "tenant or person does not allow training")  # fmt: skip
    rows = trusted(rows, trust).with_columns(
        pair_key=pl.struct("tenant", "pair").hash(),
        cluster_key=pl.struct("tenant", "cluster").hash(),
        person_key=pl.struct("tenant", "voter").hash(),
    )
    corrected = rows.filter(corrects)
    rows = rows.filter(judges).select(_JUDGED)
    judged = _latest(rows)
    funnel.count(rows.height, judged.height, "repeated votes", "vote",
                 "the same person judged the same text more than once: the latest counts")  # fmt: skip
    return Signals(judged, corrected, placed)


def trusted(votes: pl.DataFrame, trust: pl.DataFrame) -> pl.DataFrame:
    """Adds `trust`, the weight of each vote's voter: 0.1–1, and 1 where nothing is known; and `known`, whether they had
    voted before the week. In the first week of all nobody had, and everybody counts as known."""
    if trust.is_empty():
        return votes.with_columns(trust=pl.lit(1.0), known=pl.lit(value=True))
    weights = trust.select("tenant", "voter", trust=pl.col("weight").cast(pl.Float64).clip(0.1, 1.0))
    return votes.join(weights, on=["tenant", "voter"], how="left").with_columns(
        pl.col("trust").fill_null(1.0), known=pl.col("trust").is_not_null()
    )


def _with_clusters(flags: pl.DataFrame, signatures: pl.DataFrame) -> pl.DataFrame:
    """Adds `pair` (hash of prompt and answer) and `cluster` (group of prompts); an unsigned answer is its own."""
    signed = signatures.select("interaction_id", "prompt_hash", "pair_hash", "cluster_id")
    placed = flags.join(signed, on="interaction_id", how="left", maintain_order="left")
    unsigned = placed.filter(pl.col("prompt_hash").is_null() | pl.col("pair_hash").is_null())["interaction_id"]
    own = pl.DataFrame({"interaction_id": unsigned, "own_hash": hash_texts(unsigned)})
    return placed.join(own, on="interaction_id", how="left", maintain_order="left").with_columns(
        pair=pl.coalesce("pair_hash", "own_hash"), cluster=pl.coalesce("cluster_id", "prompt_hash", "own_hash")
    )


def _latest(verdicts: pl.DataFrame) -> pl.DataFrame:
    """One verdict per person and text; only the few that repeat are sorted."""
    repeated = verdicts.select(pl.len().over("pair_key", "person_key") > 1).to_series()
    latest = (
        verdicts.filter(repeated)
        .sort("pair_key", "person_key", "occurred_at", "feedback_id")
        .unique(["pair_key", "person_key"], keep="last", maintain_order=True)
    )
    return pl.concat([verdicts.filter(~repeated), latest])


def judged_answers(told: Signals, reviewed: pl.Series) -> pl.DataFrame:
    """One row per distinct answer text: who approved, who did not, and what follows; sorted by `answer_row`.

    Evidence is trust × strength, in thousandths so that sums do not depend on their order. `voters`, `people`,
    `identified` and `trust` are those of the people whose verdict is the label; `answer_row` is the newest answer.
    """
    evidence = (pl.col("trust") * pl.col("strength").cast(pl.Float64).fill_null(1.0) * 1000).round().cast(pl.Int64)
    judged = told.judged.with_columns(up=pl.col("verdict") == "up", evidence=evidence).drop("verdict", "strength")
    alone = judged.select(pl.len().over("pair_key") == 1).to_series()
    # nearly every answer has one vote, and grouping a million rows into groups of one is dear
    answers = pl.concat([_judged_by_one(judged.filter(alone)), _judged_by_several(judged.filter(~alone))])
    return answers.with_columns(
        reviewed=pl.col("feedback_ids").list.eval(pl.element().is_in(reviewed.implode())).list.any()
        if len(reviewed)
        else pl.lit(value=False),
        kind=pl.lit("answer"),
    ).sort("answer_row", "pair_key")


_ANSWER_COLUMNS = ("pair_key", "answer_row", "tenant", "cluster", "cluster_key", "prompt_hash", "feedback_ids",
                   "voters", "people", "identified", "trust", "provenance", "day", "occurred_at", "ups", "downs",
                   "approval_probability", "label")  # fmt: skip


def _labelled(tally: pl.DataFrame) -> pl.DataFrame:
    """Adds `approval_probability` and `label`; reads the evidence of each side, in thousandths."""
    probability = probabilities(tally["evidence_up"] / 1000, tally["evidence_down"] / 1000)
    return tally.with_columns(probability, label=probability > 0.5).drop("evidence_up", "evidence_down")


def _judged_by_one(judged: pl.DataFrame) -> pl.DataFrame:
    up = pl.col("up")
    labelled = _labelled(
        judged.with_columns(evidence_up=pl.col("evidence") * up, evidence_down=pl.col("evidence") * ~up)
    )
    people = (up == pl.col("label")).cast(pl.UInt32)
    return labelled.with_columns(
        feedback_ids=pl.concat_list("feedback_id"),
        voters=pl.concat_list("voter").list.head(people),
        people=people,
        identified=people * pl.col("user_key").is_not_null(),
        trust=(pl.col("trust") * 1000).round() * people / people / 1000,
        provenance=pl.col("answer_provenance"),
        ups=up.cast(pl.UInt32),
        downs=(~up).cast(pl.UInt32),
    ).select(_ANSWER_COLUMNS)


def _judged_by_several(judged: pl.DataFrame) -> pl.DataFrame:
    up = pl.col("up")
    tally = judged.group_by("pair_key").agg(
        ups=up.sum().cast(pl.UInt32),
        downs=(~up).sum().cast(pl.UInt32),
        evidence_up=(pl.col("evidence") * up).sum(),
        evidence_down=(pl.col("evidence") * ~up).sum(),
    )
    labelled = _labelled(tally)
    supports = up == pl.col("label")
    browser = (pl.col("answer_provenance") == "browser").any()
    detail = judged.join(labelled.select("pair_key", "label"), on="pair_key").group_by("pair_key").agg(
        answer_row=pl.col("answer_row").filter(pl.col("answered_at") == pl.col("answered_at").max()).min(),
        tenant=pl.col("tenant").first(),
        cluster=pl.col("cluster").min(),
        cluster_key=pl.col("cluster_key").min(),
        prompt_hash=pl.col("prompt_hash").min(),
        feedback_ids=pl.col("feedback_id").sort(),
        voters=pl.col("voter").filter(supports).sort(),
        people=supports.sum().cast(pl.UInt32),
        identified=(supports & pl.col("user_key").is_not_null()).sum().cast(pl.UInt32),
        trust=((pl.col("trust") * 1000).round().cast(pl.Int64) * supports).sum() / supports.sum() / 1000,
        provenance=pl.when(browser).then(pl.lit("browser")).otherwise(pl.col("answer_provenance").max()),
        day=pl.col("day").min(),
        occurred_at=pl.col("occurred_at").max(),
    )  # fmt: skip
    return detail.join(labelled, on="pair_key").select(_ANSWER_COLUMNS)
