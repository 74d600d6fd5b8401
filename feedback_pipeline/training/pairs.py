"""`preference_pairs`: two answers to the same input, of which people preferred one."""

from dataclasses import dataclass

import polars as pl

from feedback_pipeline.privacy.placeholders import PLACEHOLDER
from feedback_pipeline.training import caps, splits
from feedback_pipeline.training.corrections import REWRITE
from feedback_pipeline.training.curation import Curated
from feedback_pipeline.training.draws import row_id
from feedback_pipeline.training.funnel import Funnel
from feedback_pipeline.training.preferences import preferred
from feedback_pipeline.training.tables import PREFERENCE_PAIRS
from feedback_pipeline.training.weights import rounded_quantum

_SIDES = ("tenant", "messages", "shape", "context", "cluster", "completion", "interaction_id", "feedback_ids", "voters",
          "people", "conversation_id", "day", "intent", "language", "split", "weight_trust")  # fmt: skip
_COLUMNS = ("tenant", "origin", "chosen_interaction_id", "rejected_interaction_id", "feedback_ids", "voters",
            "votes_for", "votes_against", "messages", "chosen", "rejected", "shape", "context", "conversation_id",
            "cluster", "day", "intent", "language", "split", "trust")  # fmt: skip
_STRONGEST_FIRST = (
    pl.col("origin").replace_strict({"correction": 0, "preference": 1, "regeneration": 2, "same_prompt": 3}),
    pl.col("votes_against").cast(pl.Int64) - pl.col("votes_for").cast(pl.Int64),
    pl.col("pair_id"),
)


@dataclass(frozen=True)
class Pairs:
    """The preference pairs of a window (PREFERENCE_PAIRS, sorted by pair_id) and FUNNEL of the stage `pairs`."""

    pairs: pl.DataFrame
    funnel: pl.DataFrame


def preference_pairs(
    curated: Curated,
    votes: pl.DataFrame,
    answers: pl.LazyFrame,
    signatures: pl.DataFrame,
    trust: pl.DataFrame,
    *,
    evaluation_hashes: pl.Series | None = None,
    reviewed: pl.Series | None = None,
) -> Pairs:
    """The preference pairs of the window of `curated`; the other arguments are those of `curate`.

    Pairs come from corrections (better than the answer corrected), pairwise preferences (the majority of people; ties
    count for nobody), and approved and disapproved answers to the same input, in one conversation (regenerations) or
    over several.
    """
    funnel = Funnel("pairs")
    stated = preferred(votes, answers, signatures, trust, curated, evaluation_hashes, reviewed, funnel)
    found = pl.concat(
        [_from_corrections(curated), _from_verdicts(curated.examples), stated.select(_COLUMNS)],
        how="vertical_relaxed",
    )
    parts = [found[name] for name in ("tenant", "origin", "chosen_interaction_id", "rejected_interaction_id")]
    event = found.select(pl.when(pl.col("origin") == "correction").then(pl.col("feedback_ids").list.first()))
    named = found.with_columns(pair_id=row_id([*parts, event.to_series()], "pair"))
    consistent = _consistent(named, funnel)
    capped = _capped(consistent, curated, trust, funnel)
    clean = _without_leaks(capped, curated.examples, funnel)
    age = (pl.lit(curated.window_end) - pl.col("day")).dt.total_days().clip(0)
    product = pl.col("trust") * pl.lit(0.5).pow(age / curated.settings.half_life_days)
    weighed = clean.with_columns(importance=product)
    mean = weighed.filter(pl.col("split") == "train")["importance"].mean()
    quantum = rounded_quantum(float(mean) if isinstance(mean, float) else 1.0)
    pairs = PREFERENCE_PAIRS.conform(weighed.with_columns(pl.col("importance") / quantum)).sort("pair_id")
    return Pairs(pairs, funnel.frame())


def likely_pairs(examples: pl.LazyFrame) -> pl.DataFrame:
    """The `example_id` of every answer (TRAINING_EXAMPLES) that shares its input with one of the other label, and of
    hardly any other: told by a hash of the input, because grouping by text copies it. Answers without a text share
    none."""
    answers = (
        examples.filter((pl.col("kind") == "answer") & pl.col("messages").is_not_null())
        .select("example_id", "label", input=pl.struct("tenant", "messages").hash())
        .collect(engine="streaming")
    )
    return answers.filter((pl.col("label").any() & ~pl.col("label").all()).over("input")).select("example_id")


def _from_verdicts(examples: pl.DataFrame) -> pl.DataFrame:
    """Approved against disapproved answers to exactly the same input, best against worst; each answer is used once."""
    group = ["tenant", "messages"]
    likely = examples.join(likely_pairs(examples.lazy()), on="example_id", how="semi", maintain_order="left")
    contested = likely.filter((pl.col("label").any() & ~pl.col("label").all()).over(group))
    ranked = contested.sort(["people", "example_id"], descending=[True, False]).with_columns(
        rank=pl.int_range(pl.len()).over(*group, "label")
    )
    up = ranked.filter("label").select(*_SIDES, "rank")
    down = ranked.filter(~pl.col("label")).select(*_SIDES, "rank")
    joined = up.join(down, on=[*group, "rank"], suffix="_rejected")
    again = (pl.col("conversation_id") == pl.col("conversation_id_rejected")).fill_null(value=False)
    holdout = (pl.col("split") == "holdout") | (pl.col("split_rejected") == "holdout")
    return joined.select(
        "tenant",
        pl.when(again).then(pl.lit("regeneration")).otherwise(pl.lit("same_prompt")).alias("origin"),
        pl.col("interaction_id").alias("chosen_interaction_id"),
        pl.col("interaction_id_rejected").alias("rejected_interaction_id"),
        pl.concat_list("feedback_ids", "feedback_ids_rejected").list.unique().list.sort().alias("feedback_ids"),
        pl.concat_list("voters", "voters_rejected").list.unique().list.sort().alias("voters"),
        (pl.col("people") + pl.col("people_rejected")).alias("votes_for"),
        pl.lit(0, dtype=pl.UInt32).alias("votes_against"),
        "messages",
        pl.col("completion").alias("chosen"),
        pl.col("completion_rejected").alias("rejected"),
        "shape",
        "context",
        "conversation_id",
        "cluster",
        pl.min_horizontal("day", "day_rejected").alias("day"),
        "intent",
        "language",
        pl.when(holdout).then(pl.lit("holdout")).otherwise("split").alias("split"),
        ((pl.col("weight_trust") + pl.col("weight_trust_rejected")) / 2).alias("trust"),
    )


def _from_corrections(curated: Curated) -> pl.DataFrame:
    """Corrections against the answers they correct, unless they are a different text altogether."""
    originals = curated.corrections.filter(
        (pl.col("changed") <= REWRITE)
        & pl.col("original").is_not_null()
        & ~pl.col("original").str.contains(PLACEHOLDER)
    ).select(pl.col("feedback_ids").list.first().alias("event"), "original")
    written = curated.examples.filter(pl.col("kind") == "correction").with_columns(
        event=pl.col("feedback_ids").list.first()
    )
    return written.join(originals, on="event").select(
        "tenant",
        pl.lit("correction").alias("origin"),
        pl.col("interaction_id").alias("chosen_interaction_id"),
        pl.col("interaction_id").alias("rejected_interaction_id"),
        "feedback_ids",
        "voters",
        pl.col("people").alias("votes_for"),
        pl.lit(0, dtype=pl.UInt32).alias("votes_against"),
        "messages",
        pl.col("completion").alias("chosen"),
        pl.col("original").alias("rejected"),
        "shape",
        "context",
        "conversation_id",
        "cluster",
        "day",
        "intent",
        "language",
        "split",
        pl.col("weight_trust").alias("trust"),
    )


def _consistent(pairs: pl.DataFrame, funnel: Funnel) -> pl.DataFrame:
    """One pair for the same two texts, and no text both chosen and rejected for the same input."""
    same = ["tenant", "messages", "chosen", "rejected"]
    unique = pairs.sort(_STRONGEST_FIRST).unique(same, keep="first", maintain_order=True)
    funnel.count(pairs.height, unique.height, "repeated pairs", "pair", "the same two texts from another source")
    side = ["tenant", "messages", "text"]
    chosen = unique.select("tenant", "messages", text="chosen")
    rejected = unique.select("tenant", "messages", text="rejected")
    both = chosen.join(rejected, on=side, how="semi").unique()
    settled = unique.join(both, left_on=["tenant", "messages", "chosen"], right_on=side, how="anti").join(
        both, left_on=["tenant", "messages", "rejected"], right_on=side, how="anti"
    )
    distinct = settled.filter(pl.col("chosen") != pl.col("rejected"))
    funnel.count(unique.height, distinct.height, "contradictions", "pair",
                 "a text that is chosen here and rejected there")  # fmt: skip
    return distinct


def _capped(pairs: pl.DataFrame, curated: Curated, trust: pl.DataFrame, funnel: Funnel) -> pl.DataFrame:
    rules = curated.settings
    few = caps.capped_by_group(pairs, ["tenant", "cluster"], rules.cluster_pairs, list(_STRONGEST_FIRST))
    funnel.count(pairs.height, few.height, "prompt cap", "pair",
                 f"more than {rules.cluster_pairs} for a group of prompts")  # fmt: skip
    links = few.select("tenant", row_id="pair_id", voter="voters").explode("voter")
    staying, cap = caps.capped_by_person(links, rules.person_rows, rules.person_share, rules.key)
    few = funnel.keep(few, pl.col("pair_id").is_in(staying.implode()), "person cap", "pair",
                      f"more than {cap} rows because of one person")  # fmt: skip
    few = caps.capped_newcomers(few.rename({"pair_id": "row_id"}), trust, rules, funnel, "pair")
    return few.rename({"row_id": "pair_id"})


def _without_leaks(pairs: pl.DataFrame, examples: pl.DataFrame, funnel: Funnel) -> pl.DataFrame:
    """No input in train here that is held out here or among the examples, nor the other way round."""
    keyed, others = splits.with_conversation_key(pairs), splits.with_conversation_key(examples)
    place = ["cluster", "conversation_key"]
    training = pl.col("split") == "train"
    held_out = pl.concat([keyed.filter(~training).select(place), others.filter(~training).select(place)])
    leaking = pl.select(
        pl.when(keyed["split"] == "train")
        .then(splits.leaks(keyed, held_out))
        .otherwise(splits.leaks(keyed, others.filter(training)))
    ).to_series()
    kept = pairs.filter(~leaking)
    funnel.count(pairs.height, kept.height, "leaks", "pair",
                 "its conversation or a near-duplicate prompt is on the other side of the split")  # fmt: skip
    return kept
