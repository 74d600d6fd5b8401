"""Pairwise preferences: models ranked by people and by a judge, and how far the two agree."""

from collections.abc import Iterator

import numpy as np
import polars as pl
import scipy

from feedback_pipeline.judging.agreement import agreement, alpha_of_raters
from feedback_pipeline.judging.alternative_annotator import alternative_annotator_test
from feedback_pipeline.judging.calibration import alternative_annotator_results, interval_columns
from feedback_pipeline.judging.orders import PAIR, one_row_a_pair
from feedback_pipeline.judging.tables import (
    OVERALL,
    PREFERENCE_AGREEMENT,
    PREFERENCE_RANKING,
    PREFERENCE_SCORES,
    PREFERENCES,
)
from feedback_pipeline.stats.bradley_terry import Strengths, fit_bradley_terry
from feedback_pipeline.stats.estimates import (
    Estimate,
    FloatArray,
    Result,
    cluster_codes,
    clustered_proportion,
    normal_quantile,
)
from feedback_pipeline.stats.no_result import NoResult

PEOPLE = "people"
CODES = {"other": 0, "tie": 1, "this": 2}


def preference_ranking(preferences: pl.DataFrame, judged: pl.DataFrame | None = None) -> pl.DataFrame:
    """Bradley–Terry strengths of models by people and, where given, by judges, within each project.

    People's errors are clustered by voter and by pair of answers; a judge's by pair. Two projects that use a model of
    one name ask it different things: it is ranked in each.

    Args:
        preferences: one row per vote: `interaction_id`, `other_interaction_id`, `model`, `other_model`,
            `preference` (this, other, tie), `voter`, and where known `project`.
        judged: `judgements` on pairs; models are looked up in `preferences`, usable rows count.

    Returns:
        `preference_ranking`, best first within each project and rater; one without two models has no rows.
    """
    votes = canonical_votes(preferences)
    frames = [PREFERENCE_RANKING.empty()]
    for (project,), of_project in votes.sort("project", "pair", "voter").group_by(["project"], maintain_order=True):
        frames.append(_ranking(str(project), PEOPLE, of_project, ("voter", "pair")))
        if judged is not None:
            models = of_project.unique("pair").select(*PAIR, "model", "other_model")
            usable = _judged_pairs(judged).join(models, on=list(PAIR)).sort("judge", "pair")
            for (name,), rows in usable.group_by(["judge"], maintain_order=True):
                frames.append(_ranking(str(project), str(name), rows, ("pair",)))
    return pl.concat(frames)


def preference_agreement(preferences: pl.DataFrame, judged: pl.DataFrame) -> pl.DataFrame:
    """How far judges' pairwise verdicts agree with people's, on the pairs both looked at.

    A pair's human verdict is the one most people gave; pairs on which they are split evenly have none.

    Args:
        preferences, judged: as for `preference_ranking`.

    Returns:
        `preference_agreement`: the people's own statistics (judge `""`), then each judge's.
    """
    votes = canonical_votes(preferences)
    majority = pair_majority(votes)
    rows = [{"judge": ""} | _row(name, result) for name, result in _people_statistics(votes)]
    for (name,), verdicts in _judged_pairs(judged).group_by(["judge"], maintain_order=True):
        shared = majority.join(verdicts.select("pair", "verdict", "consistent", "first_slot"), on="pair").sort("pair")
        judge_statistics = _judge_statistics(shared, votes)
        rows += ({"judge": str(name)} | _row(statistic, result) for statistic, result in judge_statistics)
        ranks = rank_correlation(preference_ranking(preferences, judged.filter(pl.col("judge") == name)), str(name))
        rows.append({"judge": str(name)} | _row("rank_correlation", ranks))
    return PREFERENCE_AGREEMENT.conform(pl.DataFrame(rows, schema=PREFERENCE_AGREEMENT.schema))


def pair_majority(votes: pl.DataFrame) -> pl.DataFrame:
    """`pair` and `people`, the verdict most voters gave, from canonical votes; pairs split evenly are left out."""
    return (
        votes.group_by("pair", "verdict")
        .len()
        .filter(pl.col("len") == pl.col("len").max().over("pair"))
        .group_by("pair")
        .agg(pl.col("verdict").min().alias("people"), pl.len().alias("_leaders"))
        .filter(pl.col("_leaders") == 1)
        .select("pair", "people")
        .sort("pair")
    )


def canonical_votes(preferences: pl.DataFrame) -> pl.DataFrame:
    """One row per voter and pair, each pair always the same way round, with `pair`, `verdict` and `project`.

    `_shown_first` is the outcome of the answer named first in the vote, which is the one shown first.
    """
    turned = pl.col("interaction_id") > pl.col("other_interaction_id")
    rows = preferences.filter(
        pl.col("preference").is_in(PREFERENCES), pl.col("interaction_id") != pl.col("other_interaction_id")
    ).drop_nulls(["other_interaction_id"])
    swapped = {"this": "other", "other": "this"}
    project = pl.col("project") if "project" in rows.columns else pl.lit("")
    return (
        rows.select(
            pl.when(turned).then("other_interaction_id").otherwise("interaction_id").alias("interaction_id"),
            pl.when(turned).then("interaction_id").otherwise("other_interaction_id").alias("other_interaction_id"),
            pl.when(turned).then("other_model").otherwise("model").alias("model"),
            pl.when(turned).then("model").otherwise("other_model").alias("other_model"),
            pl.when(turned).then(pl.col("preference").replace(swapped)).otherwise("preference").alias("verdict"),
            _outcome("preference").alias("_shown_first"),
            pl.col("voter").cast(pl.String),
            project.cast(pl.String).fill_null("").alias("project"),
        )
        .with_columns(pl.concat_str(PAIR, separator="|").alias("pair"))
        .sort("pair", "voter", "verdict")
        .unique(["pair", "voter"], keep="first", maintain_order=True)
    )


def _outcome(column: str) -> pl.Expr:
    return pl.col(column).replace_strict(PREFERENCE_SCORES, default=None, return_dtype=pl.Float64)


def _judged_pairs(judged: pl.DataFrame) -> pl.DataFrame:
    """Usable judgements on pairs about what people's preferences are about, one row a judge and pair."""
    usable = judged.filter(pl.col("status") == "ok", pl.col("other_interaction_id") != "")
    about = usable.filter(pl.col("verdict").is_in(PREFERENCES))
    if "criterion" in about.columns:
        about = about.filter(pl.col("criterion") == OVERALL)
    return (
        one_row_a_pair(about, ("judge",))
        .with_columns(pl.concat_str(PAIR, separator="|").alias("pair"))
        .sort("judge", "pair")
    )


def _ranking(project: str, rater: str, rows: pl.DataFrame, groupings: tuple[str, ...]) -> pl.DataFrame:
    between = rows.filter(pl.col("model") != pl.col("other_model")).drop_nulls(["model", "other_model"])
    names = pl.concat([between["model"], between["other_model"]]).unique().sort()
    number = {name: position for position, name in enumerate(names)}
    first, second = (
        between[column].replace_strict(number, return_dtype=pl.Int64).to_numpy() for column in ("model", "other_model")
    )
    outcome = between.select(_outcome("verdict"))["verdict"].to_numpy()
    clusters = [between[grouping].to_numpy() for grouping in groupings]
    fitted = fit_bradley_terry(first, second, outcome, len(names), clusters=clusters)
    if isinstance(fitted, NoResult):
        return PREFERENCE_RANKING.empty()
    win_rates = _win_rates(first, second, outcome, len(names))
    voters = between["voter"].n_unique() if "voter" in groupings else None
    ranked = _ranking_rows(project, rater, names, fitted, win_rates)
    return PREFERENCE_RANKING.conform(ranked.with_columns(pl.lit(voters, pl.Int64).alias("voters")))


def _win_rates(first: FloatArray, second: FloatArray, outcome: FloatArray, players: int) -> FloatArray:
    won = np.bincount(first, outcome, players) + np.bincount(second, 1 - outcome, players)
    return np.asarray(won / (np.bincount(first, minlength=players) + np.bincount(second, minlength=players)))


def _ranking_rows(project: str, rater: str, names: pl.Series, fitted: Strengths, win_rates: FloatArray) -> pl.DataFrame:
    frame = pl.DataFrame(
        {
            "model": names,
            "strength": fitted.values,
            "low": fitted.low,
            "high": fitted.high,
            "comparisons": fitted.comparisons,
            "win_rate": win_rates,
        }
    ).sort("strength", "model", descending=[True, False])
    standing = (
        pl.when(pl.col("low") > 0)
        .then(pl.lit("above average"))
        .when(pl.col("high") < 0)
        .then(pl.lit("below average"))
        .otherwise(pl.lit("cannot tell"))
    )
    return frame.with_columns(
        pl.lit(project).alias("project"),
        pl.lit(rater).alias("rater"),
        pl.int_range(1, pl.len() + 1).alias("rank"),
        (1 / (1 + (-pl.col("strength")).exp())).alias("expected_win_rate"),
        pl.lit(fitted.penalised).alias("penalised"),
        standing.alias("standing"),
    )


def _people_statistics(votes: pl.DataFrame) -> Iterator[tuple[str, Result]]:
    pairs, _ = cluster_codes(votes["pair"].to_numpy())
    codes = votes["verdict"].replace_strict(CODES, return_dtype=pl.Int64).to_numpy()
    yield "people_krippendorff_alpha", alpha_of_raters(pairs, codes, len(CODES))
    yield "people_tie_share", clustered_proportion((codes == CODES["tie"]).astype(np.float64), pairs)
    yield "people_first_slot", clustered_proportion(votes["_shown_first"].to_numpy(), pairs)


def _judge_statistics(shared: pl.DataFrame, votes: pl.DataFrame) -> Iterator[tuple[str, Result]]:
    people, judge = (
        shared[column].replace_strict(CODES, return_dtype=pl.Int64).to_numpy() for column in ("people", "verdict")
    )
    tie = CODES["tie"]
    everything = agreement(people, judge, len(CODES), shared["pair"].to_numpy())
    decided = (people != tie) & (judge != tie)
    yield "agreement_with_ties", everything.observed
    same = (people == judge)[decided].astype(np.float64)
    yield "agreement_without_ties", clustered_proportion(same, np.arange(len(same)))
    yield "cohen_kappa", everything.cohen_kappa
    yield "gwet_ac1", everything.gwet_ac1
    yield "judge_tie_share", clustered_proportion((judge == tie).astype(np.float64), np.arange(len(judge)))
    for name, column in (("judge_order_consistency", "consistent"), ("judge_first_slot", "first_slot")):
        known = shared[column].drop_nulls().cast(pl.Float64).to_numpy()
        both_orders = clustered_proportion(known, np.arange(len(known)))
        yield name, both_orders if len(known) else NoResult("only_one_order_was_asked")
    tested = alternative_annotator_test(
        shared.select(pl.col("pair").alias("item"), "verdict"),
        votes.select(pl.col("pair").alias("item"), pl.col("voter").alias("annotator"), "verdict"),
    )
    for name, result in alternative_annotator_results(tested):
        yield f"alternative_annotator_{name}", result


def rank_correlation(ranking: pl.DataFrame, judge: str) -> Result:
    """Spearman's correlation of people's and a judge's strengths, interval after Bonett and Wright (2000).

    Strengths are against the average model of the project, so that the models of all projects count together.
    """
    sides = (
        ranking.filter(pl.col("rater") == rater).select("project", "model", pl.col("strength").alias(rater))
        for rater in (PEOPLE, judge)
    )
    people, judged = sides
    both = people.join(judged, on=["project", "model"]).sort("project", "model")
    if both.height < 4:
        return NoResult("fewer_than_four_models", both.height)
    value = float(scipy.stats.spearmanr(both[PEOPLE].to_numpy(), both[judge].to_numpy()).statistic)
    if not np.isfinite(value):
        return NoResult("all_models_tied", both.height)
    error = float(np.sqrt((1 + value**2 / 2) / (both.height - 3)))
    half = normal_quantile() * error
    centre = np.arctanh(np.clip(value, -1 + 1e-12, 1 - 1e-12))
    low, high = float(np.tanh(centre - half)), float(np.tanh(centre + half))
    return Estimate(value, low, high, error, both.height, both.height, "spearman_bonett_wright")


def _row(statistic: str, result: Result) -> dict[str, object]:
    return {"statistic": statistic, "items": result.items, **interval_columns(result)}
