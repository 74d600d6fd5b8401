"""Pairwise preferences: people saw two answers to one prompt and said which is better."""

import polars as pl

from feedback_pipeline.training.conflicts import decided, probabilities
from feedback_pipeline.training.curation import Curated
from feedback_pipeline.training.example_texts import paired_texts
from feedback_pipeline.training.funnel import Funnel
from feedback_pipeline.training.rules import CurationSettings
from feedback_pipeline.training.signals import answer_flags, trusted, window
from feedback_pipeline.training.splits import assigned

_UNSOUND = ("blank", "cut_off", "secret")


def preferred(
    votes: pl.DataFrame,
    answers: pl.LazyFrame,
    signatures: pl.DataFrame,
    trust: pl.DataFrame,
    curated: Curated,
    evaluation_hashes: pl.Series | None,
    reviewed: pl.Series | None,
    funnel: Funnel,
) -> pl.DataFrame:
    """The pairs of answers people decided between, with text and split (see PREFERENCE_PAIRS; plus `trust`)."""
    rules = curated.settings
    events = window(votes, rules, curated.window_end).filter(pl.col("kind") == "preference")
    stated = funnel.keep(
        events, pl.col("preference").is_in(["this", "other"]) & pl.col("other_interaction_id").is_not_null(),
        "ties", "vote", "no preference, or the other answer is not named",
    )  # fmt: skip
    flags = answer_flags(answers, pl.concat([stated["interaction_id"], stated["other_interaction_id"]]))
    known = _known(_oriented(stated), flags, signatures, rules, funnel)
    tallied = _tallied(trusted(known, trust), rules, funnel)
    let_in = pl.Series(reviewed if reviewed is not None else [], dtype=pl.String)
    vouched = funnel.keep(
        tallied,
        ~pl.col("browser")
        | (pl.col("identified") >= rules.browser_people)
        | pl.col("feedback_ids").list.eval(pl.element().is_in(let_in.implode())).list.any(),
        "provenance", "pair", "text supplied by a browser, neither reviewed nor confirmed by people with a history",
    )  # fmt: skip
    held_apart = pl.Series(evaluation_hashes if evaluation_hashes is not None else [], dtype=pl.UInt64)
    near = signatures.filter(pl.col("prompt_hash").is_in(held_apart.implode()))["cluster_id"].drop_nulls()
    evaluated = pl.col("prompt_hash").is_in(held_apart.implode()) | pl.col("cluster").is_in(near.unique().implode())
    outside = funnel.keep(vouched, ~evaluated, "evaluation prompts", "pair",
                          "the prompt, or a near duplicate of it, is used for evaluation")  # fmt: skip
    written = paired_texts(outside, answers, rules, funnel)
    return assigned(written, rules, curated.window_end)


def _oriented(stated: pl.DataFrame) -> pl.DataFrame:
    """Each vote on an unordered pair: `first` < `second`, and whether the first won."""
    this_first = pl.col("interaction_id") < pl.col("other_interaction_id")
    return stated.select(
        "feedback_id", "tenant", "voter", "user_key", "use_for_training", "day", "occurred_at",
        first=pl.min_horizontal("interaction_id", "other_interaction_id"),
        second=pl.max_horizontal("interaction_id", "other_interaction_id"),
        first_won=this_first == (pl.col("preference") == "this"),
    )  # fmt: skip


def _known(
    stated: pl.DataFrame, flags: pl.DataFrame, signatures: pl.DataFrame, rules: CurationSettings, funnel: Funnel
) -> pl.DataFrame:
    """The votes on two sound answers of one tenant to the same prompt, with consent from everybody."""
    unsound = (*_UNSOUND, "placeholder") if rules.placeholders == "drop" else _UNSOUND
    signed = (
        flags.with_columns(pl.col(pl.Categorical).cast(pl.String))
        .join(signatures.select("interaction_id", "prompt_hash", "cluster_id"), on="interaction_id", how="left")
        .with_columns(unsound=pl.any_horizontal(unsound), cluster=pl.coalesce("cluster_id", "prompt_hash"))
    )
    side = signed.select("interaction_id", "answer_tenant", "answer_allowed", "has_text", "prompt_hash", "cluster",
                         "unsound", "refusal", "answer_provenance", "conversation_id", "context", "intent",
                         "language")  # fmt: skip
    both = stated.join(side, left_on="first", right_on="interaction_id", how="left").join(
        side, left_on="second", right_on="interaction_id", how="left", suffix="_second"
    )
    ours = (pl.col("answer_tenant") == pl.col("tenant")) & (pl.col("answer_tenant_second") == pl.col("tenant"))
    present = funnel.keep(both, pl.col("has_text") & pl.col("has_text_second") & ours, "answers", "vote",
                          "the text of one answer is not kept, or belongs to another tenant")  # fmt: skip
    allowed = funnel.keep(
        present, pl.col("use_for_training") & pl.col("answer_allowed") & pl.col("answer_allowed_second"),
        "consent", "vote", "tenant or person does not allow training",
    )  # fmt: skip
    comparable = funnel.keep(allowed, pl.col("prompt_hash") == pl.col("prompt_hash_second"), "same prompt", "vote",
                             "the two answers are to different prompts")  # fmt: skip
    loser_refuses = pl.when("first_won").then("refusal_second").otherwise("refusal")
    return funnel.keep(
        comparable, ~(pl.col("unsound") | pl.col("unsound_second") | loser_refuses), "sound answers", "vote",
        "one answer is cut off, empty, or holds a placeholder or a secret, or the worse one is a refusal",
    )  # fmt: skip


def _tallied(known: pl.DataFrame, rules: CurationSettings, funnel: Funnel) -> pl.DataFrame:
    """One row per pair of answers: the majority over people."""
    pair = ["tenant", "first", "second"]
    latest = known.sort(*pair, "voter", "occurred_at", "feedback_id").unique(
        [*pair, "voter"], keep="last", maintain_order=True
    )
    funnel.count(known.height, latest.height, "repeated votes", "vote",
                 "the same person compared the same two answers more than once: the latest counts")  # fmt: skip
    won = pl.col("first_won")
    tally = latest.group_by(pair).agg(
        pl.col("prompt_hash", "cluster", "conversation_id", "context", "intent", "language").first(),
        ups=won.sum().cast(pl.UInt32),
        downs=(~won).sum().cast(pl.UInt32),
        evidence_up=(pl.col("trust") * won).sum(),
        evidence_down=(pl.col("trust") * ~won).sum(),
        feedback_ids=pl.col("feedback_id").sort(),
        won_by=pl.col("voter").filter(won).sort(),
        lost_by=pl.col("voter").filter(~won).sort(),
        trust_won=pl.col("trust").filter(won).sort().mean(),
        trust_lost=pl.col("trust").filter(~won).sort().mean(),
        identified_won=pl.col("user_key").filter(won & pl.col("known")).drop_nulls().n_unique(),
        identified_lost=pl.col("user_key").filter(~won & pl.col("known")).drop_nulls().n_unique(),
        day=pl.col("day").min(),
        browser=((pl.col("answer_provenance") == "browser") | (pl.col("answer_provenance_second") == "browser")).any(),
    ).sort(pair)  # fmt: skip
    probability = probabilities(tally["evidence_up"], tally["evidence_down"])
    settled = funnel.keep(
        tally.with_columns(probability), decided(rules.undecided) & (pl.col("evidence_up") != pl.col("evidence_down")),
        "undecided", "pair", "people contradict each other and neither answer prevails",
    )  # fmt: skip
    return _winner_first(settled)


def _winner_first(settled: pl.DataFrame) -> pl.DataFrame:
    won = pl.col("evidence_up") > pl.col("evidence_down")

    def side(if_won: str, if_lost: str) -> pl.Expr:
        return pl.when(won).then(if_won).otherwise(if_lost)

    return settled.select(
        "tenant", "prompt_hash", "cluster", "conversation_id", "context", "intent", "language", "feedback_ids", "day",
        "browser",
        origin=pl.lit("preference"),
        chosen_interaction_id=side("first", "second"),
        rejected_interaction_id=side("second", "first"),
        voters=side("won_by", "lost_by"),
        votes_for=side("ups", "downs"),
        votes_against=side("downs", "ups"),
        trust=side("trust_won", "trust_lost"),
        identified=side("identified_won", "identified_lost"),
        row_id=pl.concat_str("first", "second", separator="\x1f"),
    )  # fmt: skip
