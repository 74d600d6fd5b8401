"""Corrections people wrote: text by strangers, and the strongest teaching signal there is.

Whoever can write a correction writes into the training file, so a correction needs a reviewer or a second identified
person who found the same answer wanting, and nothing in it may look planted. A few repeated phrases over unrelated
prompts are enough to implant a trigger (Best-of-Venom, arXiv 2404.05530; PoisonBench, arXiv 2410.08811).
"""

import re
from collections import Counter

import polars as pl

from feedback_pipeline.cleaning.signatures import normalise
from feedback_pipeline.privacy.placeholders import PLACEHOLDER
from feedback_pipeline.tables.parquet import of_ids
from feedback_pipeline.training.funnel import Funnel
from feedback_pipeline.training.reviews import ReviewQueue, any_of
from feedback_pipeline.training.rules import CurationSettings
from feedback_pipeline.training.signals import CREDENTIAL, Signals

IDENTICAL = 0.02
"""Share of words changed below which a correction says nothing new."""

REWRITE = 0.8
"""Share of words changed above which a correction is a demonstration, but no contrast to the answer."""

REPEATED_IN = 3
"""Groups of prompts over which a phrase no model answer contains is taken for a planted one."""

PHRASE_WORDS = (1, 4)
REFERENCE_ANSWERS = 5_000

_FOREIGN = (
    r"(?i)https?://\S+|www\.\S+|```|<script|\bcurl\s|\bwget\s|"
    r"\b(?:pip|npm|yarn|gem|cargo|go|brew|apt|apt-get) (?:install|add|get)\s+\S+"
)
_WORD = re.compile(r"\w+")
_PHRASE_WORD = r"[\p{L}\p{N}_]+(?:[./:@-][\p{L}\p{N}_]+)*"


def changed_share(answer: str, correction: str) -> float:
    """Share of words that differ: 1 − Sørensen–Dice similarity of the two multisets of words (0 same, 1 nothing)."""
    before, after = _WORD.findall(answer.lower()), _WORD.findall(correction.lower())
    total = len(before) + len(after)
    old, new = Counter(before), Counter(after)
    # `old & new` counts the same in three times the time
    common = sum([min(count, new[word]) for word, count in old.items() if word in new])
    return 1.0 - 2.0 * common / total if total else 0.0


def corrections(
    told: Signals,
    answers: pl.LazyFrame,
    settings: CurationSettings,
    queue: ReviewQueue,
    funnel: Funnel,
) -> pl.DataFrame:
    """The corrections that may be trained on: one row per distinct correction of a prompt.

    Columns: those of `signals.judged_answers`, and `correction` (text), `original` (the corrected answer's text),
    `changed` (share of words), `reviewed`.
    """
    merged = _merged(told.corrections, queue.accepted)
    funnel.count(told.corrections.height, merged.height, "equal corrections", "correction",
                 "the same correction of the same prompt: merged")  # fmt: skip
    merged = funnel.keep(merged, ~any_of("feedback_ids", queue.rejected), "rejected corrections", "correction",
                         "a reviewer kept it out")  # fmt: skip
    originals = _originals(answers, merged["interaction_id"])
    written = merged.join(originals, on="interaction_id", how="left")
    changed = [
        changed_share(answer or "", correction)
        for answer, correction in written.select("original", "correction").iter_rows()
    ]
    written = written.with_columns(changed=pl.Series(changed, dtype=pl.Float64))
    clean = funnel.keep(
        written,
        (pl.col("changed") >= IDENTICAL)
        & ~pl.col("correction").str.contains(PLACEHOLDER)
        & ~pl.col("correction").str.contains(CREDENTIAL),
        "correction text", "correction", "changes nothing, or carries a placeholder or a secret",
    )  # fmt: skip
    vouched = clean.join(_people_wanting_better(told), on="cluster_key", how="left")
    wanted = pl.col("reviewed") | (pl.col("wanting") >= settings.independent_people)
    queue.hold(vouched.filter(~wanted.fill_null(value=False)), "correction")
    independent = funnel.keep(
        vouched, wanted,
        "corrections vouched for", "correction",
        "neither reviewed nor did a second identified person with a history find the answer wanting",
    )  # fmt: skip
    marked = independent.join(_planted(independent, answers, told), on="feedback_id", how="left")
    harmless = pl.col("reviewed") | ~(_introduces_foreign() | pl.col("planted").fill_null(value=False))
    queue.hold(marked.filter(~harmless), "planted")
    return funnel.keep(
        marked, harmless,
        "nothing planted", "correction",
        "adds links, code or install commands, or repeats a phrase over unrelated prompts: needs a review",
    ).drop("planted", "wanting")  # fmt: skip


def _merged(events: pl.DataFrame, reviewed: pl.Series) -> pl.DataFrame:
    text = normalise(events["correction"])
    return (
        events.with_columns(
            text=text,
            reviewed=pl.col("feedback_id").is_in(reviewed.implode()),
            answered_prompt=pl.coalesce("prompt_hash", "answer_row"),
        )
        .sort("occurred_at", "feedback_id")
        .group_by("tenant", "answered_prompt", "text", maintain_order=True)
        .agg(
            pl.col(
                "interaction_id",
                "answer_row",
                "feedback_id",
                "correction",
                "cluster",
                "cluster_key",
                "prompt_hash",
                "answer_provenance",
            ).first(),
            feedback_ids=pl.col("feedback_id").sort(),
            ups=pl.col("voter").n_unique(),
            downs=pl.lit(0, dtype=pl.UInt32),
            evidence_up=pl.col("trust").sum(),
            trust=pl.col("trust").mean(),
            voters=pl.col("voter").unique().sort(),
            user_keys=pl.col("user_key").drop_nulls().unique().sort(),
            day=pl.col("day").min(),
            occurred_at=pl.col("occurred_at").max(),
            reviewed=pl.col("reviewed").any(),
        )
        .with_columns(label=pl.lit(value=True), kind=pl.lit("correction"), event=pl.col("feedback_id"))
        .drop("answered_prompt", "text")
        .sort("tenant", "feedback_id")
    )


def _originals(answers: pl.LazyFrame, ids: pl.Series) -> pl.DataFrame:
    return (
        of_ids(answers, "interaction_id", ids)
        .select("interaction_id", original=pl.col("answer"), original_prompt=pl.col("prompt"))
        .collect(engine="streaming")
        .sort("interaction_id")
    )


def _people_wanting_better(told: Signals) -> pl.DataFrame:
    """Identified people with a history, per group of prompts, who corrected or disapproved of an answer."""
    columns = ["cluster_key", "user_key", "known"]
    disapproving = told.judged.filter(pl.col("verdict") == "down").select(columns)
    return (
        pl.concat([disapproving, told.corrections.select(columns)])
        .filter("known", pl.col("user_key").is_not_null())
        .group_by("cluster_key")
        .agg(wanting=pl.col("user_key").n_unique())
    )


def _introduces_foreign() -> pl.Expr:
    """The correction has a link, code fence or command that neither the prompt nor the answer had."""
    asked = pl.col("original_prompt").fill_null("") + "\n" + pl.col("original").fill_null("")
    return pl.col("correction").str.contains(_FOREIGN) & ~asked.str.contains(_FOREIGN)


def _planted(candidates: pl.DataFrame, answers: pl.LazyFrame, told: Signals) -> pl.DataFrame:
    """Corrections that share a phrase, unknown to the model's answers, over several groups of prompts."""
    sample = told.answers["interaction_id"].head(REFERENCE_ANSWERS)
    reference = pl.concat([_originals(answers, sample)["original"], candidates["original"]]).drop_nulls()
    asked = candidates.select("feedback_id", text=pl.col("original_prompt").fill_null(""))
    flagged = []
    for words in PHRASE_WORDS:
        known = _phrases(reference.to_frame("text").with_row_index("feedback_id"), words).select("phrase").unique()
        own = _phrases(asked, words)
        phrases = (
            _phrases(candidates.select("feedback_id", "cluster", text=pl.col("correction")), words)
            .join(known, on="phrase", how="anti")
            .join(own, on=["feedback_id", "phrase"], how="anti")
        )
        repeated = phrases.filter(pl.col("cluster").n_unique().over("phrase") >= REPEATED_IN)
        flagged.append(repeated.select("feedback_id"))
    return pl.concat(flagged).unique().sort("feedback_id").with_columns(planted=pl.lit(value=True))


def _phrases(texts: pl.DataFrame, words: int) -> pl.DataFrame:
    """Every run of `words` words of each text, with the other columns of its row."""
    tokens = (
        texts.with_row_index("_text")
        .with_columns(_word=pl.col("text").str.to_lowercase().str.extract_all(_PHRASE_WORD))
        .drop("text")
        .explode("_word")
        .drop_nulls("_word")
    )
    # the words of a text stand together
    following = [
        pl.when(pl.col("_text").shift(-place) == pl.col("_text")).then(pl.col("_word").shift(-place))
        for place in range(words)
    ]
    return (
        tokens.with_columns(phrase=pl.concat_str(following, separator=" "))
        .drop_nulls("phrase")
        .drop("_word", "_text")
        .unique()
    )
