"""Evaluation: answers that nobody voted on are judged, and the judges are held against the people."""

from collections.abc import Iterator
from datetime import date, timedelta

import polars as pl

from assets.declaration import Check, Outcome, weekly
from assets.partitions import days_of, monday, window
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, CLEAN_INTERACTIONS, TEXT_SIGNATURES
from feedback_pipeline.judging import tables
from feedback_pipeline.judging.backends.local import LocalBackend
from feedback_pipeline.judging.backends.recorded import RecordedJudge
from feedback_pipeline.judging.calibration import calibrate
from feedback_pipeline.judging.judgements import judge_answers, judge_pairs
from feedback_pipeline.judging.local import MAXIMUM_LABELS, LocalJudge, NotEnoughLabels, train_local
from feedback_pipeline.judging.preferences import preference_agreement, preference_ranking
from feedback_pipeline.judging.quality import judged_quality as quality_of
from feedback_pipeline.judging.sample import draw_sample
from feedback_pipeline.judging.stable_hash import text_hash
from feedback_pipeline.judging.versions import compare_versions
from feedback_pipeline.resources import Pipeline
from feedback_pipeline.store import bulk

GROUP = "evaluation"
KINDS = ("polars", "parquet", "scikitlearn")
LEARNED_WEEKS = 8
"""The local judge learns from the votes of this many weeks before the one it judges."""


@weekly(tables.JUDGE_SAMPLE, group=GROUP, after=["clean_interactions", "clean_feedback"])
def judge_sample(pipeline: Pipeline, week: date) -> Outcome:
    """One answer of the week drawn to be judged, voted on or not, with the probability it was drawn with. No text."""
    voted = pipeline.frames.scan(CLEAN_FEEDBACK, days_of(week)).filter("counts").select("interaction_id").unique()
    answers = (
        pipeline.frames.scan(CLEAN_INTERACTIONS, days_of(week))
        .select("interaction_id", "conversation_id", "model", "prompt_version", "intent")
        .join(voted.with_columns(has_vote=pl.lit(value=True)), on="interaction_id", how="left")
        .with_columns(pl.col("has_vote").fill_null(value=False))
        .collect()
        .sort("interaction_id")
    )
    sample = draw_sample(answers, pipeline.settings.judge_sample_size, seed=f"judge_sample {week}")
    return Outcome(sample, numbers={"answers": answers.height, "drawn": sample.height})


@weekly(
    tables.JUDGEMENTS,
    group=GROUP,
    kinds=KINDS,
    after=["judge_sample", "clean_interactions", "clean_feedback"],
    warning=["scored"],
)
def judgements(pipeline: Pipeline, week: date) -> Outcome:
    """One verdict, or the reason for none, by one judge on one answer or pair. Without a key the judge is a text
    classifier trained on the votes of earlier weeks (named `local`); recorded verdicts of other judges are used where
    an import brought them."""
    local = train_local(_earlier_votes(pipeline, week), seed="local")
    answers = _sampled_texts(pipeline, week)
    found = [
        _not_enough(answers, local)
        if isinstance(local, NotEnoughLabels)
        else judge_answers(answers, LocalBackend(local)),
        *(judge_pairs(pairs, judge) for judge, pairs in _recorded(pipeline, week)),
    ]
    rows = pl.concat(found)
    unscored = rows.filter(pl.col("status") != "ok").height
    share = unscored / rows.height if rows.height else 0.0
    numbers = {"judged": rows.height - unscored, "unscored": unscored, **_learned(local)}
    check = Check(
        "scored", share <= 0.05, {"unscored_share": share}, f"{unscored} of {rows.height} without a verdict", "warn"
    )
    return Outcome(rows, numbers=numbers, checks=[check])


@weekly(tables.JUDGE_CALIBRATION, group=GROUP, after=["judgements", "clean_feedback"])
def judge_calibration(pipeline: Pipeline, week: date) -> Outcome:
    """One statistic of one judge against people's verdicts on the same answers, or the reason why there is none."""
    rows = calibrate(_judgements(pipeline, week), _verdicts(pipeline, week))
    agreement = rows.filter(pl.col("statistic") == "observed_agreement")["value"].drop_nulls()
    return Outcome(rows, numbers={"agreement": agreement[0] if agreement.len() else None})


@weekly(tables.JUDGED_QUALITY, group=GROUP, after=["judge_sample", "judgements", "clean_feedback"])
def judged_quality(pipeline: Pipeline, week: date) -> Outcome:
    """Quality of one slice of answers by one judge: what the judge says, what people said, and the judge's rate
    corrected by the people, or the reason why it may not be corrected."""
    sample = pipeline.frames.read(tables.JUDGE_SAMPLE, [week])
    rows = quality_of(sample, _judgements(pipeline, week), _verdicts(pipeline, week))
    overall = rows.filter(pl.col("dimension") == "all").head(1)
    numbers = overall.select("raw_rate", "people_rate", "corrected_rate", "lower", "upper", "labelled")
    return Outcome(rows, numbers=numbers.row(0, named=True) if numbers.height else {})


@weekly(
    tables.VERSION_COMPARISON, group=GROUP, after=["judge_sample", "judgements", "clean_feedback", "text_signatures"]
)
def version_comparison(pipeline: Pipeline, week: date) -> pl.DataFrame:
    """Two prompt versions compared on one criterion: difference, interval, and the smallest difference detectable."""
    sample = pipeline.frames.read(tables.JUDGE_SAMPLE, [week])
    prompts = (
        pipeline.frames.scan(TEXT_SIGNATURES, days_of(week))
        .select("interaction_id", prompt_key=pl.col("prompt_hash").cast(pl.String))
        .filter(pl.col("prompt_key").is_not_null())
        .join(sample.lazy().select("interaction_id"), on="interaction_id", how="semi")
        .collect()
        .sort("interaction_id")
    )
    return compare_versions(sample, _judgements(pipeline, week), _verdicts(pipeline, week), prompts=prompts)


@weekly(tables.PREFERENCE_RANKING, name="preference_ranking", group=GROUP, after=["clean_feedback", "judgements"])
def preference_ranking_(pipeline: Pipeline, week: date) -> Outcome:
    """One model's strength in pairwise preferences (Bradley–Terry) of the rolling window, by people or by a judge."""
    rows = preference_ranking(_preferences(pipeline, week), _pair_judgements(pipeline, week))
    return Outcome(rows, numbers={"models": rows["model"].n_unique(), "raters": rows["rater"].n_unique()})


@weekly(tables.PREFERENCE_AGREEMENT, name="preference_agreement", group=GROUP, after=["clean_feedback", "judgements"])
def preference_agreement_(pipeline: Pipeline, week: date) -> pl.DataFrame:
    """One statistic of a judge's pairwise verdicts against people's preferences of the rolling window."""
    return preference_agreement(_preferences(pipeline, week), _pair_judgements(pipeline, week))


def _judgements(pipeline: Pipeline, week: date) -> pl.DataFrame:
    return pipeline.frames.read(tables.JUDGEMENTS, [week])


def _pair_judgements(pipeline: Pipeline, week: date) -> pl.DataFrame:
    """The judgements on pairs of the window of preferences, each pair and judge once."""
    weeks = [week - timedelta(weeks=back) for back in range(pipeline.settings.training_weeks)]
    pairs = pipeline.frames.scan(tables.JUDGEMENTS, weeks).filter(pl.col("other_interaction_id") != "")
    return pairs.collect().unique(tables.JUDGEMENTS.key, keep="first", maintain_order=True)


def _verdicts(pipeline: Pipeline, week: date) -> pl.DataFrame:
    """People's verdicts on the week's sampled answers."""
    sample = pipeline.frames.scan(tables.JUDGE_SAMPLE, [week]).select("interaction_id")
    columns = ["interaction_id", "voter", "verdict", "conversation_id", "answer_chars"]
    votes = pipeline.frames.scan(CLEAN_FEEDBACK, days_of(week)).filter("counts").select(columns)
    return votes.join(sample, on="interaction_id", how="semi").collect().sort("interaction_id", "voter")


def _preferences(pipeline: Pipeline, week: date) -> pl.DataFrame:
    # a week holds too few comparisons to rank models by: the window that training files are made from
    days = window(week, pipeline.settings.training_weeks)
    votes = pipeline.frames.scan(CLEAN_FEEDBACK, days).filter(pl.col("kind") == "preference")
    columns = ["interaction_id", "other_interaction_id", "model", "other_model", "preference", "voter"]
    known = votes.filter(pl.col("model").is_not_null() & pl.col("other_model").is_not_null())
    return known.select(columns).collect()


def _sampled_texts(pipeline: Pipeline, week: date) -> pl.DataFrame:
    sample = pipeline.frames.scan(tables.JUDGE_SAMPLE, [week]).select("interaction_id")
    texts = pipeline.frames.scan(CLEAN_INTERACTIONS, days_of(week)).select("interaction_id", "prompt", "answer")
    return texts.join(sample, on="interaction_id", how="semi").collect().sort("interaction_id")


def _earlier_votes(pipeline: Pipeline, week: date) -> pl.DataFrame:
    """A hash-stable part of the verdicts of earlier weeks with their texts, at most twice what a judge learns from."""
    days = [week - timedelta(days=back) for back in range(7 * LEARNED_WEEKS, 0, -1)]
    votes = (
        pipeline.frames.scan(CLEAN_FEEDBACK, days)
        .filter(pl.col("counts") & pl.col("verdict").is_in(["up", "down"]))
        .select("interaction_id", "interaction_day", "voter", "verdict")
        .collect()
    )
    drawn = votes.with_columns(_hash=pl.Series(text_hash(votes["interaction_id"], "local")))
    drawn = drawn.sort("_hash", "voter").head(2 * MAXIMUM_LABELS)
    texts = pipeline.frames.scan(CLEAN_INTERACTIONS, drawn["interaction_day"].unique().sort().to_list())
    columns = ["prompt", "answer", "verdict", "voter"]
    return drawn.lazy().join(texts, on="interaction_id", maintain_order="left").select(columns).collect()


def _not_enough(answers: pl.DataFrame, few: NotEnoughLabels) -> pl.DataFrame:
    """Every sampled answer unscored, because there were too few votes to learn from."""
    rows = answers.select("interaction_id").with_columns(
        other_interaction_id=pl.lit(""),
        judge=pl.lit("local"),
        fingerprint=pl.lit("untrained"),
        criterion=pl.lit(tables.OVERALL),
        status=pl.lit("unscored"),
        reason=pl.lit(few.reason),
    )
    missing = [
        pl.lit(None, dtype).alias(name) for name, dtype in tables.JUDGEMENTS.schema.items() if name not in rows.columns
    ]
    return tables.JUDGEMENTS.conform(rows.with_columns(missing))


def _learned(local: LocalJudge | NotEnoughLabels) -> dict[str, object]:
    if isinstance(local, NotEnoughLabels):
        return {"local_judge": local.reason, "ups": local.ups, "downs": local.downs}
    held_out = local.held_out
    if held_out is None:
        return {"local_judge": local.fingerprint}
    agreement = getattr(held_out.agreement, "value", None)
    return {"local_judge": local.fingerprint, "held_out_agreement": agreement, "learned_from": held_out.labels}


def _recorded(pipeline: Pipeline, week: date) -> Iterator[tuple[RecordedJudge, pl.DataFrame]]:
    """Judges whose verdicts were imported, and the week's pairs of answers each knows."""
    recorded = bulk.read_day(pipeline.database, "read_recorded_judgements", monday(week))
    for (fingerprint,), verdicts in recorded.group_by(["fingerprint"], maintain_order=True):
        ids = ["interaction_id", "other_interaction_id"]
        # a recorded verdict needs no text: what stands here only says that there is some
        pairs = verdicts.select(ids).with_columns(prompt=pl.lit(""), answer=pl.lit("…"), other_answer=pl.lit("…"))
        yield RecordedJudge(str(fingerprint).removeprefix("recorded:"), verdicts.drop("fingerprint")), pairs


def declarations() -> Iterator[object]:
    """The assets of this stage, in the order the data flows."""
    yield from (judge_sample, judgements, judge_calibration, judged_quality, version_comparison)
    yield from (preference_ranking_, preference_agreement_)
