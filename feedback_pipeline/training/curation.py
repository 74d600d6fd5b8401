"""`training_examples`: from a rolling window of votes to the examples worth training on."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from feedback_pipeline.tables.parquet import of_days
from feedback_pipeline.training import caps, corrections, splits
from feedback_pipeline.training.conflicts import decided
from feedback_pipeline.training.draws import row_id
from feedback_pipeline.training.example_texts import with_texts
from feedback_pipeline.training.funnel import Funnel
from feedback_pipeline.training.reviews import ReviewQueue, any_of
from feedback_pipeline.training.rules import CurationSettings, EvaluationSetMissing
from feedback_pipeline.training.signals import Signals, judged_answers, signals
from feedback_pipeline.training.tables import TRAINING_EXAMPLES
from feedback_pipeline.training.weights import with_importance

_FLAGS = ("cut_off", "blank", "secret", "placeholder", "refusal")
_STEPS = ("row_id", "interaction_id", "tenant", "kind", "label", "people", "identified", "voters", "reviewed",
          "occurred_at", "answer_day", "cluster", "cluster_key", "prompt_hash", *_FLAGS)  # fmt: skip
"""What the steps between candidates and texts look at: only this is copied at each of them."""

_BLOCK = 150_000
"""Answers whose letters are read at a time, but whole days: it bounds memory."""

_DIMENSIONS = ("conversation_id", "context", "project", "model", "prompt_version", "intent", "language", "action_type")
_COMMON = ("tenant", "kind", "answer_row", "event", "cluster", "cluster_key", "prompt_hash", "feedback_ids", "voters",
           "people", "identified", "ups", "downs", "approval_probability", "label", "trust", "provenance", "reviewed",
           "day", "occurred_at")  # fmt: skip
_BEST_FIRST = (
    pl.col("kind") == "answer",
    pl.col("people") * -1.0,
    -pl.col("occurred_at").to_physical(),
    pl.col("row_id"),
)


@dataclass(frozen=True)
class Curated:
    """The examples of a window.

    Attributes:
        examples: TRAINING_EXAMPLES, sorted by example_id.
        funnel: FUNNEL of the stage `examples`.
        settings: the rules used.
        window_end: last day of the window.
        person_cap: rows one person could be the reason for.
        quantum: what the product of weight factors was divided by.
        overlap: people on both sides of the split.
        corrections: the admitted corrections with the answers they correct; for preference pairs.
        waiting: WAITING, what a review would let in; in the order in which to look at it.
    """

    examples: pl.DataFrame
    funnel: pl.DataFrame
    settings: CurationSettings
    window_end: date
    person_cap: int
    quantum: float
    overlap: splits.Overlap
    corrections: pl.DataFrame
    waiting: pl.DataFrame


def curate(
    votes: pl.DataFrame,
    answers: pl.LazyFrame,
    signatures: pl.DataFrame,
    trust: pl.DataFrame,
    settings: CurationSettings,
    window_end: date,
    *,
    evaluation_hashes: pl.Series | None = None,
    reviewed: pl.Series | None = None,
    rejected: pl.Series | None = None,
) -> Curated:
    """The training examples of the window that ends with `window_end` (included).

    Args:
        votes: CLEAN_FEEDBACK.
        answers: CLEAN_INTERACTIONS, lazily; read three times, text only of what is left.
        signatures: interaction_id, day, prompt_hash, pair_hash, cluster_id (UInt64; the last may be null).
        trust: tenant, voter, weight; or no rows.
        settings: the rules.
        window_end: last day of the window.
        evaluation_hashes: prompt_hash of every evaluation and audit prompt; empty where there are none.
        reviewed: feedback_ids that a person reviewed and let in.
        rejected: feedback_ids that a person reviewed and kept out: neither the correction nor the answer is used.

    Raises:
        EvaluationSetMissing: evaluation prompts are expected and `evaluation_hashes` is None.
    """
    if evaluation_hashes is None and settings.evaluation_expected:
        raise EvaluationSetMissing(
            "the hashes of evaluation prompts are missing; give them (an empty series where there are none), or set "
            "evaluation_expected to false to train without knowing"
        )
    held_apart = pl.Series(evaluation_hashes if evaluation_hashes is not None else [], dtype=pl.UInt64)
    queue = ReviewQueue(
        pl.Series(reviewed if reviewed is not None else [], dtype=pl.String),
        pl.Series(rejected if rejected is not None else [], dtype=pl.String),
    )
    funnel = Funnel("examples")
    told = signals(votes, answers, signatures, trust, settings, window_end, funnel)
    del votes  # a caller that keeps none of these frames has their memory back before texts are read
    rows = _answers(told, settings, queue, held_apart, funnel)
    corrected = corrections.corrections(told, answers, settings, queue, funnel)
    rows = _candidates(rows, corrected, told)
    dimensions = told.answers.select(_DIMENSIONS)
    del told
    rows, person_cap = _selected(rows, dimensions, answers, signatures, trust, settings, held_apart, funnel)
    del dimensions, signatures
    rows, texts = with_texts(rows, answers, corrected, settings, funnel)
    rows = splits.assigned(rows, settings, window_end)
    placed = rows.height
    rows = splits.without_leaks(rows)
    funnel.count(placed, rows.height, "leaks", "example",
                 "in train, but its conversation or a near-duplicate prompt is held out")  # fmt: skip
    rows, quantum = with_importance(splits.with_unseen_people(rows), settings, window_end, person_cap)
    overlap = splits.overlap(rows)
    # gathering from one chunk copies no text; joining, and gathering from several, does
    order = texts["row_id"].arg_sort()
    places = order[texts["row_id"][order].search_sorted(rows["row_id"])]
    written = texts.drop("row_id").rechunk()[places]
    del texts, order, places
    rows = TRAINING_EXAMPLES.conform(rows.rename({"row_id": "example_id"}).hstack(written))
    return Curated(rows, funnel.frame(), settings, window_end, person_cap, quantum, overlap, corrected, queue.frame())


def _selected(
    rows: pl.DataFrame,
    dimensions: pl.DataFrame,
    answers: pl.LazyFrame,
    signatures: pl.DataFrame,
    trust: pl.DataFrame,
    settings: CurationSettings,
    held_apart: pl.Series,
    funnel: Funnel,
) -> tuple[pl.DataFrame, int]:
    """The candidates worth reading the text of, with their dimensions; and the cap per person."""
    steps = rows.select(_STEPS).with_row_index("row")
    rows = rows.drop(*_FLAGS, "cluster_key", "identified")
    steps = _decontaminated(steps, signatures, held_apart, funnel)
    steps = _sound(steps, settings, funnel)
    steps = _distinct(steps, answers, settings, funnel)
    steps, person_cap = _capped(steps, trust, settings, funnel)
    rows = rows[steps["row"].sort()]
    return rows.drop("answer_row").hstack(dimensions[rows["answer_row"]]), person_cap


def _answers(
    told: Signals, settings: CurationSettings, queue: ReviewQueue, held_apart: pl.Series, funnel: Funnel
) -> pl.DataFrame:
    """The answers people decided about: duplicates merged, conflicts, distrusted and unvouched ones out."""
    # whoever reviewed a correction has not said that the answer may be trained on
    corrected = told.corrections["feedback_id"]
    rows = judged_answers(told, queue.accepted.filter(~queue.accepted.is_in(corrected.implode())))
    funnel.count(told.judged["answer_row"].n_unique(), rows.height, "exact duplicates", "answer",
                 "the same answer to the same prompt: votes merged")  # fmt: skip
    rows = funnel.keep(rows, decided(settings.undecided) & (pl.col("people") > 0), "undecided", "answer",
                       "people contradict each other and neither side prevails")  # fmt: skip
    rows = funnel.keep(rows, pl.col("trust") >= settings.minimum_trust, "trust", "answer",
                       f"trust in its voters below {settings.minimum_trust}")  # fmt: skip
    kept_out = queue.rejected.filter(~queue.rejected.is_in(corrected.implode()))
    rows = funnel.keep(rows, ~any_of("feedback_ids", kept_out), "rejected answers", "answer",
                       "a reviewer kept it out")  # fmt: skip
    foreign = pl.col("provenance") == "browser"
    groups = rows.filter(foreign)["cluster_key"].unique()
    rows = rows.join(_agreeing(told, groups), on=["cluster_key", "label"], how="left")
    vouched = ~foreign | pl.col("reviewed") | (pl.col("agreeing") >= settings.browser_people)
    usable = _usable(rows, told, settings, held_apart)
    queue.hold_answers(usable.filter(~vouched.fill_null(value=False)), corrected, "browser")
    kept = funnel.keep(rows, vouched, "provenance", "answer",
                       "text supplied by a browser, not reviewed, nor confirmed by people with a history")  # fmt: skip
    queue.hold_answers(usable.filter(vouched & pl.col("refusal") & ~pl.col("label")), corrected, "refusal")
    return kept


def _usable(rows: pl.DataFrame, told: Signals, settings: CurationSettings, held_apart: pl.Series) -> pl.DataFrame:
    """The answers not reviewed yet that nothing but a review may let in, with the flag `refusal`."""
    asked = rows.filter(~pl.col("reviewed") & ((pl.col("provenance") == "browser") | ~pl.col("label")))
    flagged = asked.hstack(told.answers.select("interaction_id", *_FLAGS)[asked["answer_row"]])
    unsound = ["cut_off", "blank", "secret", *(["placeholder"] if settings.placeholders == "drop" else [])]
    return flagged.filter(
        ((pl.col("provenance") == "browser") | pl.col("refusal"))
        & ~pl.any_horizontal(unsound).fill_null(value=False)
        & ~pl.col("prompt_hash").is_in(held_apart.implode()).fill_null(value=False)
    )


def _agreeing(told: Signals, groups: pl.Series) -> pl.DataFrame:
    """Identified people with a history, of one opinion in each of the groups of prompts."""
    return (
        told.judged.filter(
            pl.col("known") & pl.col("cluster_key").is_in(groups.implode()) & pl.col("user_key").is_not_null()
        )
        .group_by("cluster_key", label=pl.col("verdict") == "up")
        .agg(agreeing=pl.col("person_key").n_unique())
    )


def _candidates(approved: pl.DataFrame, corrected: pl.DataFrame, told: Signals) -> pl.DataFrame:
    """Answers and corrections as one frame, with dimensions, flags and `row_id`; sorted by it."""
    written = corrected.with_columns(
        people=pl.col("voters").list.len(),
        identified=pl.col("user_keys").list.len(),
        provenance=pl.col("answer_provenance"),
        approval_probability=1.0 - pl.lit(0.5).pow(1.0 + pl.col("evidence_up")),
    )
    event = pl.lit(None, dtype=pl.String).alias("event")
    both = pl.concat([approved.with_columns(event).select(_COMMON), written.select(_COMMON)], how="vertical_relaxed")
    described = both.hstack(told.answers.select("interaction_id", "answer_day", *_FLAGS)[both["answer_row"]])
    identity = row_id([described["tenant"], described["interaction_id"], described["event"]], "example")
    return described.with_columns(row_id=identity).sort("row_id")


def _decontaminated(
    rows: pl.DataFrame, signatures: pl.DataFrame, held_apart: pl.Series, funnel: Funnel
) -> pl.DataFrame:
    near = signatures.filter(pl.col("prompt_hash").is_in(held_apart.implode()))["cluster_id"].drop_nulls().unique()
    evaluated = pl.col("prompt_hash").is_in(held_apart.implode()) | pl.col("cluster").is_in(
        pl.concat([near, held_apart]).implode()
    )
    return funnel.keep(rows, ~evaluated.fill_null(value=False), "evaluation prompts", "example",
                       "the prompt, or a near duplicate of it, is used for evaluation")  # fmt: skip


def _sound(rows: pl.DataFrame, settings: CurationSettings, funnel: Funnel) -> pl.DataFrame:
    """Drops answers nobody should imitate or learn to avoid for the wrong reason."""
    own = pl.col("kind") == "answer"
    rows = funnel.keep(rows, ~(own & (pl.col("cut_off") | pl.col("blank"))), "whole answers", "example",
                       "cut off, filtered or empty")  # fmt: skip
    rows = funnel.keep(rows, ~(own & pl.col("secret")), "secrets", "example", "the answer holds a key or token")
    if settings.placeholders == "drop":
        rows = funnel.keep(rows, ~(own & pl.col("placeholder")), "placeholders", "example",
                           "the answer holds a redaction placeholder")  # fmt: skip
    return funnel.keep(rows, ~(own & pl.col("refusal") & ~pl.col("label") & ~pl.col("reviewed")), "refusals",
                       "example", "a refusal people disliked: right or wrong is for a reviewer to say")  # fmt: skip


def _distinct(rows: pl.DataFrame, answers: pl.LazyFrame, settings: CurationSettings, funnel: Funnel) -> pl.DataFrame:
    """Near duplicates out, and no group of prompts beyond its cap."""
    crowded = rows.select((pl.len().over("cluster_key", "label") > 1) & (pl.col("kind") == "answer")).to_series()
    letters = _letters(answers, rows.filter(crowded))
    told_apart = rows.filter(crowded).join(letters, on="interaction_id", how="left")
    single = caps.capped_by_group(told_apart, ["cluster_key", "label", "letters"], 1, list(_BEST_FIRST))
    before, rows = rows.height, pl.concat([rows.filter(~crowded), single.drop("letters")])
    funnel.count(before, rows.height, "near duplicates", "example",
                 "the same answer but for case and punctuation, to a near-duplicate prompt")  # fmt: skip
    before, rows = rows.height, caps.capped_by_group(
        rows, ["cluster_key", "label"], settings.cluster_rows, list(_BEST_FIRST)
    )  # fmt: skip
    funnel.count(before, rows.height, "prompt cap", "example",
                 f"more than {settings.cluster_rows} of one label for a group of prompts")  # fmt: skip
    return rows.sort("row_id")


def _letters(answers: pl.LazyFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """A hash of the letters and digits of each answer; Polars' own, good for grouping within a run and never kept."""
    told = pl.col("answer").str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]+", "").hash()
    wanted = rows.select("interaction_id", day="answer_day").unique()
    blocks = of_days(answers, "interaction_id", wanted, _BLOCK) if wanted.height else [answers.clear()]
    return pl.concat([block.select("interaction_id", letters=told).collect(engine="streaming") for block in blocks])


def _capped(
    rows: pl.DataFrame, trust: pl.DataFrame, settings: CurationSettings, funnel: Funnel
) -> tuple[pl.DataFrame, int]:
    """No tenant, no anonymous crowd, no crowd of new accounts and no person beyond their share. Also returns the cap
    per person."""
    if settings.tenant_share is not None and rows.height:
        sizes = rows.group_by("tenant").agg(rows=pl.len())["rows"]
        most = caps.share_cap(sizes, settings.tenant_rows, settings.tenant_share)
        before, rows = rows.height, caps.within_cap(rows, ["tenant"], most, settings.key)
        funnel.count(before, rows.height, "tenant cap", "example", f"more than {most} of one tenant")
    rows = _anonymous_capped(rows, settings, funnel)
    links = rows.select("row_id", "tenant", voter=pl.col("voters")).explode("voter")
    staying, cap = caps.capped_by_person(links, settings.person_rows, settings.person_share, settings.key)
    del links
    rows = funnel.keep(rows, pl.col("row_id").is_in(staying.implode()), "person cap", "example",
                       f"more than {cap} rows because of one person")  # fmt: skip
    # a share of what is left, of each label: approved answers alone go into the supervised files
    rows = caps.capped_newcomers(rows, trust, settings, funnel, "example", apart="label")
    return rows.sort("row_id"), cap


def _anonymous_capped(rows: pl.DataFrame, settings: CurationSettings, funnel: Funnel) -> pl.DataFrame:
    """Nobody can count the people behind anonymous votes, so together they keep to a share."""
    share = settings.anonymous_share
    if share is None or share >= 1:
        return rows
    anonymous = pl.col("identified") == 0
    identified = rows.filter(~anonymous)
    cap = max(settings.anonymous_rows, int(identified.height * share / (1 - share)))
    crowd = rows.filter(anonymous)
    kept = pl.concat([identified, caps.within_cap(crowd, ["identified"], cap, settings.key)])
    reason = f"more than {cap} rows by votes without a person"
    funnel.count(rows.height, kept.height, "anonymous cap", "example", reason)
    return kept
