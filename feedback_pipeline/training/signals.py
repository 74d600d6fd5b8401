"""From votes to candidates: which votes may train, on which answers, saying what."""

from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from feedback_pipeline.cleaning.signatures import hash_texts
from feedback_pipeline.training.conflicts import approval_probability
from feedback_pipeline.training.funnel import Funnel
from feedback_pipeline.training.rules import CurationSettings

PLACEHOLDER = r"\[[A-Z][A-Z_]*_\d+\]"
"""A redaction placeholder such as [EMAIL_1]."""

REFUSAL = (
    r"(?i)^\W*(?:i(?:'|’)m sorry|i am sorry|sorry|unfortunately|i apologi[sz]e)?[\s,.!—-]*(?:but )?"
    r"(?:i (?:can(?:no|')t|can’t|am (?:not able|unable)|won(?:'|’)t)|i(?:'|’)m (?:not able|unable)|"
    r"as an ai(?: language)? model)"
)
CREDENTIAL = (
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bsk-[A-Za-z0-9_-]{20,}|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36,}|"
    r"\bxox[abprs]-[A-Za-z0-9-]{10,}|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\."
)
CUT_OFF = ("length", "max_tokens", "model_length", "content_filter", "error", "cancelled")
"""Finish reasons of answers that are not whole."""

_VOTE_COLUMNS = ("feedback_id", "interaction_id", "tenant", "voter", "user_key", "day", "occurred_at", "kind",
                 "verdict", "strength", "counts", "correction", "use_for_training")  # fmt: skip
_DIMENSIONS = ("interaction_id", "conversation_id", "context", "project", "model", "prompt_version", "intent",
               "language", "action_type")  # fmt: skip
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
    """The wanted answers without their text, with what curation must know about it; sorted by interaction_id."""
    answer = pl.col("answer")
    ids = pl.LazyFrame({"interaction_id": wanted.unique()}, schema={"interaction_id": pl.String})
    return (
        answers.join(ids, on="interaction_id", how="semi")
        .select(
            *_DIMENSIONS,
            pl.col("day").alias("answer_day"),
            pl.col("tenant").alias("answer_tenant"),
            pl.col("occurred_at").alias("answered_at"),
            pl.col("provenance").alias("answer_provenance"),
            pl.col("use_for_training").alias("answer_allowed"),
            has_text=answer.is_not_null() & (pl.col("prompt").is_not_null() | pl.col("messages").is_not_null()),
            blank=answer.str.strip_chars().str.len_chars() < 2,
            cut_off=pl.col("finish_reason").str.to_lowercase().is_in(CUT_OFF).fill_null(value=False),
            placeholder=answer.str.contains(PLACEHOLDER),
            refusal=answer.str.slice(0, 200).str.contains(REFUSAL),
            secret=answer.str.contains(CREDENTIAL),
        )
        .collect()
        .sort("interaction_id")
    )


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
    recent = window(votes.select(_VOTE_COLUMNS), settings, window_end)
    funnel.count(votes.height, recent.height, "window", "vote", f"older than {settings.window_weeks} weeks")
    judges = pl.col("counts") & pl.col("verdict").is_in(["up", "down"])
    corrects = (pl.col("kind") == "correction") & (pl.col("correction").str.strip_chars().str.len_chars() > 0)
    told = funnel.keep(recent, judges | corrects.fill_null(value=False), "signal", "vote",
                       "neutral, comment or preference: says nothing about one answer alone")  # fmt: skip
    flags = answer_flags(answers, told["interaction_id"])
    placed = _with_clusters(flags, signatures).with_row_index("answer_row")
    about = placed.select("interaction_id", "answer_row", *_FROM_ANSWER, "cluster", "prompt_hash", "pair")
    known = funnel.keep(
        told.join(about, on="interaction_id", how="left"),
        pl.col("has_text") & (pl.col("answer_tenant") == pl.col("tenant")),
        "answer", "vote", "the answer's text is not kept, or belongs to another tenant",
    )  # fmt: skip
    allowed = funnel.keep(known, pl.col("use_for_training") & pl.col("answer_allowed"), "consent", "vote",
                          "tenant or person does not allow training")  # fmt: skip
    keyed = trusted(allowed, trust).with_columns(
        pair_key=pl.struct("tenant", "pair").hash(),
        cluster_key=pl.struct("tenant", "cluster").hash(),
        person_key=pl.struct("tenant", "voter").hash(),
    )
    verdicts = keyed.filter(judges)
    judged = _latest(verdicts)
    funnel.count(verdicts.height, judged.height, "repeated votes", "vote",
                 "the same person judged the same text more than once: the latest counts")  # fmt: skip
    return Signals(judged.drop("correction"), keyed.filter(corrects), placed)


def trusted(votes: pl.DataFrame, trust: pl.DataFrame) -> pl.DataFrame:
    """Adds `trust`, the weight of each vote's voter: 0.1–1, and 1 where nothing is known."""
    if trust.is_empty():
        return votes.with_columns(trust=pl.lit(1.0))
    weights = trust.select("tenant", "voter", trust=pl.col("weight").cast(pl.Float64).clip(0.1, 1.0))
    return votes.join(weights, on=["tenant", "voter"], how="left").with_columns(pl.col("trust").fill_null(1.0))


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
    up = pl.col("verdict") == "up"
    evidence = (pl.col("trust") * pl.col("strength").cast(pl.Float64).fill_null(1.0) * 1000).round().cast(pl.Int64)
    tally = told.judged.group_by("pair_key").agg(
        ups=up.sum().cast(pl.UInt32),
        downs=(~up).sum().cast(pl.UInt32),
        evidence_up=(evidence * up).sum() / 1000,
        evidence_down=(evidence * ~up).sum() / 1000,
    )
    probability = approval_probability(tally["evidence_up"], tally["evidence_down"])
    labelled = tally.with_columns(probability, label=probability > 0.5).drop("evidence_up", "evidence_down")
    supports = (pl.col("verdict") == "up") == pl.col("label")
    detail = told.judged.join(labelled.select("pair_key", "label"), on="pair_key").group_by("pair_key").agg(
        answer_row=pl.col("answer_row").filter(pl.col("answered_at") == pl.col("answered_at").max()).min(),
        tenant=pl.col("tenant").first(),
        cluster=pl.col("cluster").min(),
        cluster_key=pl.col("cluster_key").min(),
        prompt_hash=pl.col("prompt_hash").min(),
        feedback_ids=pl.col("feedback_id"),
        voters=pl.col("voter").filter(supports),
        people=supports.sum(),
        identified=(supports & pl.col("user_key").is_not_null()).sum(),
        trust=((pl.col("trust") * 1000).round().cast(pl.Int64) * supports).sum() / supports.sum() / 1000,
        provenance=pl.col("answer_provenance").max(),
        browser=(pl.col("answer_provenance") == "browser").any(),
        reviewed=pl.col("feedback_id").is_in(reviewed.implode()).any(),
        day=pl.col("day").min(),
        occurred_at=pl.col("occurred_at").max(),
    )  # fmt: skip
    return (
        detail.join(labelled, on="pair_key")
        .with_columns(
            pl.col("feedback_ids", "voters").list.sort(),
            provenance=pl.when("browser").then(pl.lit("browser")).otherwise("provenance"),
            kind=pl.lit("answer"),
        )
        .drop("browser")
        .sort("answer_row", "pair_key")
    )
