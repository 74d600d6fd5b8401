"""`training_examples`: from a rolling window of votes to the examples worth training on."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from feedback_pipeline.training import caps, corrections, splits
from feedback_pipeline.training.conflicts import decided
from feedback_pipeline.training.draws import row_id
from feedback_pipeline.training.example_texts import with_texts
from feedback_pipeline.training.funnel import Funnel
from feedback_pipeline.training.rules import CurationSettings, EvaluationSetMissing
from feedback_pipeline.training.signals import Signals, judged_answers, signals
from feedback_pipeline.training.tables import TRAINING_EXAMPLES
from feedback_pipeline.training.weights import with_importance

_FROM_ANSWER = ("interaction_id", "answer_day", "conversation_id", "context", "project", "model", "prompt_version",
                "intent", "language", "action_type", "cut_off", "blank", "secret", "placeholder",
                "refusal")  # fmt: skip
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
    """

    examples: pl.DataFrame
    funnel: pl.DataFrame
    settings: CurationSettings
    window_end: date
    person_cap: int
    quantum: float
    overlap: splits.Overlap
    corrections: pl.DataFrame


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

    Raises:
        EvaluationSetMissing: evaluation prompts are expected and `evaluation_hashes` is None.
    """
    if evaluation_hashes is None and settings.evaluation_expected:
        raise EvaluationSetMissing(
            "the hashes of evaluation prompts are missing; give them (an empty series where there are none), or set "
            "evaluation_expected to false to train without knowing"
        )
    held_apart = pl.Series(evaluation_hashes if evaluation_hashes is not None else [], dtype=pl.UInt64)
    let_in = pl.Series(reviewed if reviewed is not None else [], dtype=pl.String)
    funnel = Funnel("examples")
    capped, corrected, person_cap = _selected(
        signals(votes, answers, signatures, trust, settings, window_end, funnel),
        answers, signatures, settings, held_apart, let_in, funnel,
    )  # fmt: skip
    written, texts = with_texts(capped, answers, corrected, settings, funnel)
    placed = splits.assigned(written, settings, window_end)
    clean = splits.without_leaks(placed)
    funnel.count(placed.height, clean.height, "leaks", "example",
                 "in train, but its conversation or a near-duplicate prompt is held out")  # fmt: skip
    weighed, quantum = with_importance(splits.with_unseen_people(clean), settings, window_end, person_cap)
    told_whole = weighed.join(texts, on="row_id", how="left").rename({"row_id": "example_id"})
    examples = TRAINING_EXAMPLES.conform(told_whole).sort("example_id")
    return Curated(
        examples, funnel.frame(), settings, window_end, person_cap, quantum, splits.overlap(weighed), corrected
    )


def _selected(
    told: Signals,
    answers: pl.LazyFrame,
    signatures: pl.DataFrame,
    settings: CurationSettings,
    held_apart: pl.Series,
    reviewed: pl.Series,
    funnel: Funnel,
) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """The rows worth reading the text of, the admitted corrections, and the cap per person."""
    approved = _answers(told, settings, reviewed, funnel)
    corrected = corrections.corrections(told, answers, settings, reviewed, funnel)
    candidates = _candidates(approved, corrected, told)
    outside = _decontaminated(candidates, signatures, held_apart, funnel)
    sound = _sound(outside, settings, funnel)
    distinct = _distinct(sound, answers, settings, funnel)
    capped, person_cap = _capped(distinct, settings, funnel)
    return capped, corrected, person_cap


def _answers(told: Signals, settings: CurationSettings, reviewed: pl.Series, funnel: Funnel) -> pl.DataFrame:
    """The answers people decided about: duplicates merged, conflicts, distrusted and unvouched ones out."""
    distinct = judged_answers(told, reviewed)
    funnel.count(told.judged["answer_row"].n_unique(), distinct.height, "exact duplicates", "answer",
                 "the same answer to the same prompt: votes merged")  # fmt: skip
    clear = funnel.keep(distinct, decided(settings.undecided), "undecided", "answer",
                        "people contradict each other and neither side prevails")  # fmt: skip
    trusted = funnel.keep(clear, pl.col("trust") >= settings.minimum_trust, "trust", "answer",
                          f"trust in its voters below {settings.minimum_trust}")  # fmt: skip
    foreign = pl.col("provenance") == "browser"
    groups = trusted.filter(foreign)["cluster_key"].unique()
    vouched = trusted.join(_agreeing(told, groups), on=["cluster_key", "label"], how="left")
    return funnel.keep(
        vouched, ~foreign | pl.col("reviewed") | (pl.col("agreeing") >= settings.independent_people),
        "provenance", "answer", "text supplied by a browser, neither reviewed nor confirmed by a second person",
    )  # fmt: skip


def _agreeing(told: Signals, groups: pl.Series) -> pl.DataFrame:
    """Identified people of one opinion in each of the groups of prompts."""
    return (
        told.judged.filter(pl.col("cluster_key").is_in(groups.implode()) & pl.col("user_key").is_not_null())
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
    described = both.hstack(told.answers.select(_FROM_ANSWER)[both["answer_row"]])
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
    whole = funnel.keep(rows, ~(own & (pl.col("cut_off") | pl.col("blank"))), "whole answers", "example",
                        "cut off, filtered or empty")  # fmt: skip
    safe = funnel.keep(whole, ~(own & pl.col("secret")), "secrets", "example", "the answer holds a key or token")
    if settings.placeholders == "drop":
        safe = funnel.keep(safe, ~(own & pl.col("placeholder")), "placeholders", "example",
                           "the answer holds a redaction placeholder")  # fmt: skip
    return funnel.keep(safe, ~(own & pl.col("refusal") & ~pl.col("label") & ~pl.col("reviewed")), "refusals",
                       "example", "a refusal people disliked: right or wrong is for a reviewer to say")  # fmt: skip


def _distinct(rows: pl.DataFrame, answers: pl.LazyFrame, settings: CurationSettings, funnel: Funnel) -> pl.DataFrame:
    """Near duplicates out, and no group of prompts beyond its cap."""
    crowded = rows.select((pl.len().over("cluster_key", "label") > 1) & (pl.col("kind") == "answer")).to_series()
    letters = _letters(answers, rows.filter(crowded)["interaction_id"])
    told_apart = rows.filter(crowded).join(letters, on="interaction_id", how="left")
    single = caps.capped_by_group(told_apart, ["cluster_key", "label", "letters"], 1, list(_BEST_FIRST))
    unique = pl.concat([rows.filter(~crowded), single.drop("letters")])
    funnel.count(rows.height, unique.height, "near duplicates", "example",
                 "the same answer but for case and punctuation, to a near-duplicate prompt")  # fmt: skip
    few = caps.capped_by_group(unique, ["cluster_key", "label"], settings.cluster_rows, list(_BEST_FIRST))
    funnel.count(unique.height, few.height, "prompt cap", "example",
                 f"more than {settings.cluster_rows} of one label for a group of prompts")  # fmt: skip
    return few.sort("row_id")


def _letters(answers: pl.LazyFrame, ids: pl.Series) -> pl.DataFrame:
    """A hash of the letters and digits of each answer; Polars' own, good for grouping within a run and never kept."""
    wanted = pl.LazyFrame({"interaction_id": ids.unique()}, schema={"interaction_id": pl.String})
    return (
        answers.join(wanted, on="interaction_id", how="semi")
        .select(
            "interaction_id",
            letters=pl.col("answer").str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]+", "").hash(),
        )
        .collect()
    )


def _capped(rows: pl.DataFrame, settings: CurationSettings, funnel: Funnel) -> tuple[pl.DataFrame, int]:
    """No tenant, no anonymous crowd and no person beyond their share. Also returns the cap per person."""
    shared = rows
    if settings.tenant_share is not None and rows.height:
        sizes = rows.group_by("tenant").agg(rows=pl.len())["rows"]
        cap = caps.share_cap(sizes, settings.tenant_rows, settings.tenant_share)
        shared = caps.within_cap(rows, ["tenant"], cap, settings.key)
        funnel.count(rows.height, shared.height, "tenant cap", "example", f"more than {cap} of one tenant")
    known = _anonymous_capped(shared, settings, funnel)
    links = known.select("row_id", "tenant", voter=pl.col("voters")).explode("voter")
    staying, cap = caps.capped_by_person(links, settings.person_rows, settings.person_share, settings.key)
    kept = funnel.keep(known, pl.col("row_id").is_in(staying.implode()), "person cap", "example",
                       f"more than {cap} rows because of one person")  # fmt: skip
    return kept.sort("row_id"), cap


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
