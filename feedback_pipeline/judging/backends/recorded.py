"""Somebody else's judgements, read from a table."""

from dataclasses import dataclass
from functools import cached_property

import polars as pl

from feedback_pipeline.ingest.words import THUMBS, word
from feedback_pipeline.judging.labels import VERDICT_VALUES
from feedback_pipeline.judging.orders import PAIR, one_row_a_pair, turned_round
from feedback_pipeline.judging.stable_hash import text_hash
from feedback_pipeline.judging.tables import OVERALL, PREFERENCE_SCORES, PREFERENCES, VERDICTS
from feedback_pipeline.llm.fingerprints import fingerprint

_SCORES = VERDICT_VALUES | PREFERENCE_SCORES


WORDS = {
    **{said: "up" if up else "down" for said, up in THUMBS.items()},
    **dict.fromkeys(("pass", "passed", "good", "correct", "relevant", "faithful", "helpful", "grounded", "safe"), "up"),
    **dict.fromkeys(
        ("fail", "failed", "bad", "incorrect", "irrelevant", "unfaithful", "unhelpful", "ungrounded", "unsafe",
         "hallucinated", "toxic"), "down"),
    "neutral": "neutral",
}  # fmt: skip
"""What judges elsewhere call a verdict on an answer."""


def recorded_verdict(label: str | None, score: float | None) -> str | None:
    """The verdict of a judge elsewhere: its label where that is a word we know, else its score of 0–1, up from a half;
    None where neither says one."""
    known = WORDS.get(word(label)) if label else None
    if known is None and score is not None and 0 <= score <= 1:
        known = "up" if score >= VERDICT_VALUES["neutral"] else "down"
    return known


@dataclass(frozen=True)
class RecordedJudge:
    """Verdicts recorded elsewhere.

    `verdicts` has `interaction_id`, `verdict` (up, neutral, down; of pairs this, other, tie), for pairs
    `other_interaction_id`, and optionally `criterion`, `score` (0–1) and `rationale`. A verdict off that menu, or two
    different ones on the same thing, is no verdict: the judgement is unscored, with the reason.
    """

    name: str
    verdicts: pl.DataFrame

    @cached_property
    def fingerprint(self) -> str:
        rows = self._rows(("interaction_id", "other_interaction_id"))
        keys = rows.select(pl.concat_str(pl.all().cast(pl.String).fill_null(""), separator="\x1f").alias("key"))["key"]
        return fingerprint(["recorded", self.name, int(text_hash(keys).sum()), rows.height])

    @property
    def criteria(self) -> tuple[str, ...]:
        if "criterion" not in self.verdicts.columns:
            return (OVERALL,)
        return tuple(self.verdicts["criterion"].unique().sort())

    def judge_answers(self, answers: pl.DataFrame) -> pl.DataFrame:
        return self._lookup(answers, ("interaction_id",), VERDICTS)

    def judge_pairs(self, pairs: pl.DataFrame) -> pl.DataFrame:
        """As the protocol says; a pair recorded the other way round is found too.

        A pair recorded in both orders is one judgement: `consistent` says whether they agree, and where they do not it
        is a tie.
        """
        swapped = pairs.select(pl.col(PAIR[1]).alias(PAIR[0]), pl.col(PAIR[0]).alias(PAIR[1]))
        both_ways = pl.concat([pairs.select(PAIR), swapped])
        found = self._lookup(both_ways.unique(), PAIR, PREFERENCES)
        usable = one_row_a_pair(found.filter(pl.col("status") == "ok"), ("criterion",))
        turned = pl.col(PAIR[0]) > pl.col(PAIR[1])
        keys = [*PAIR, "criterion"]
        best = (
            turned_round(found, turned)
            .sort(*keys, pl.col("status") != "ok", "verdict")
            .unique(keys, keep="first", maintain_order=True)
            .drop("verdict", "score")
            .join(usable, on=keys, how="left")
        )
        wanted = pairs.select(*PAIR, turned.alias("_asked_turned")).unique()
        canonical = turned_round(wanted.with_columns(verdict=pl.lit(None, pl.String)), pl.col("_asked_turned"))
        asked = canonical.drop("verdict").join(best, on=list(PAIR))
        return turned_round(asked, pl.col("_asked_turned")).drop("_asked_turned").sort(keys)

    def _rows(self, ids: tuple[str, ...]) -> pl.DataFrame:
        """The recorded verdicts with every optional column."""
        optional = {
            "criterion": pl.lit(OVERALL),
            "score": pl.lit(None, pl.Float64),
            "rationale": pl.lit(None, pl.String),
            "other_interaction_id": pl.lit(""),
        }
        missing = [value.alias(name) for name, value in optional.items() if name not in self.verdicts.columns]
        return self.verdicts.with_columns(missing).select(*ids, "criterion", "verdict", "score", "rationale")

    def _lookup(self, wanted: pl.DataFrame, ids: tuple[str, ...], menu: tuple[str, ...]) -> pl.DataFrame:
        keys = [*ids, "criterion"]
        on_menu = pl.col("verdict").is_in(menu).fill_null(False)
        return (
            self._rows(ids)
            .join(wanted.select(ids), on=list(ids), how="semi")
            .group_by(keys)
            .agg(
                pl.col("verdict").n_unique().alias("_different"),
                pl.col("verdict", "score", "rationale").sort_by("verdict").first(),
            )
            .with_columns(
                pl.when(pl.col("_different") > 1)
                .then(pl.lit("contradictory_records"))
                .when(~on_menu)
                .then(pl.lit("verdict_off_the_menu"))
                .alias("reason")
            )
            .with_columns(
                pl.when(pl.col("reason").is_null())
                .then(pl.lit("ok"))
                .when(pl.col("reason") == "verdict_off_the_menu")
                .then(pl.lit("off_menu"))
                .otherwise(pl.lit("unscored"))
                .alias("status")
            )
            .with_columns(
                pl.when(pl.col("status") == "ok").then("verdict").alias("verdict"),
                pl.when(pl.col("status") == "ok")
                .then(pl.coalesce("score", pl.col("verdict").replace_strict(_SCORES, default=None)))
                .alias("score"),
            )
            .drop("_different")
            .sort(keys)
        )
