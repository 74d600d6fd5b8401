"""Evaluation: answers that nobody voted on are judged, and the judges are held against the people."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import date, timedelta
from typing import TYPE_CHECKING

import polars as pl

from assets.choices import Judging, Sampling
from assets.declaration import Check, Outcome, weekly
from feedback_pipeline.calendar import days_of, monday_of, weeks_before, window
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, CLEAN_INTERACTIONS, TEXT_SIGNATURES
from feedback_pipeline.judging import drift, preferences, tables
from feedback_pipeline.judging.audit import audit_verdicts, audited_criteria, audited_prompt_hashes, draw_audit
from feedback_pipeline.judging.backends.local import LocalBackend
from feedback_pipeline.judging.backends.recorded import RecordedJudge, recorded_verdict
from feedback_pipeline.judging.calibration import calibrate
from feedback_pipeline.judging.controls import controls_passed, judge_controls, withheld
from feedback_pipeline.judging.judgements import judge_answers, judge_pairs, separated_by_model
from feedback_pipeline.judging.local import MAX_LABELS, LocalJudge, NotEnoughLabels, train_local
from feedback_pipeline.judging.local import NAME as LOCAL
from feedback_pipeline.judging.quality import judged_quality as quality_of
from feedback_pipeline.judging.sample import draw_pairs, draw_sample
from feedback_pipeline.judging.stable_hash import text_hash
from feedback_pipeline.judging.versions import compare_versions
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.stats.estimates import Estimate
from feedback_pipeline.store import audits, bulk
from feedback_pipeline.tables.parquet import of_ids

if TYPE_CHECKING:
    from feedback_pipeline.judging.backends.model import ModelJudge

GROUP = "evaluation"
KINDS = ("polars", "parquet", "scikitlearn")
LEARNED_WEEKS = 8
"""The local judge learns from the votes of this many weeks before the one it judges."""

ANSWERED_WEEKS = 4
"""Answers that people compare this week were given in these weeks."""

ANCHOR_WEEKS = 52
"""The first judgement of an anchor is looked for in this many weeks."""

CORRECTED = ("corrected_rate", "low", "high", "method")
UNSCORED_LIMIT = 0.05
NO_MODEL = "no judging model is configured"


@weekly(
    tables.JUDGE_SAMPLE,
    group=GROUP,
    after=["clean_interactions", "clean_feedback"],
    choices=Sampling,
    carries={"clean_interactions": ("interaction_id", "conversation_id", "model", "prompt_version", "intent")},
)
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
    code_version="2",
    warning=["scored", "known_bad_at_floor", "one_model_answered"],
    choices=Judging,
    carries={"judge_sample": ("interaction_id",)},
)
def judgements(pipeline: Pipeline, week: date) -> Outcome:
    """One verdict, or the reason for none, by one judge on one answer or pair. A text classifier trained on the votes
    of earlier weeks (named `local`) always judges; a model judges beside it where one is configured, within its budget;
    recorded verdicts of other judges are used where an import brought them."""
    local = train_local(_earlier_votes(pipeline, week), seed="local")
    answers = _sampled_texts(pipeline, week)
    found = [
        _not_enough(answers, local)
        if isinstance(local, NotEnoughLabels)
        else judge_answers(answers, LocalBackend(local)),
        *(judge_answers(rated, judge) for judge, rated in _recorded_answers(pipeline, week, answers)),
        *(judge_pairs(pairs, judge) for judge, pairs in _recorded(pipeline, week)),
    ]
    controls = [tables.JUDGE_CONTROLS.empty()]
    seed = f"controls {week}"
    if isinstance(local, LocalJudge):
        controls.append(judge_controls(LocalBackend(local), answers, seed))
    if pipeline.settings.judge_model is not None:
        with _model(pipeline, week) as judge:
            controls.append(judge_controls(judge, answers, seed))
            found.append(separated_by_model(judge_answers(answers, judge)))
            overall = tables.OVERALL in judge.criteria
        if overall:  # what people compared by; a rubric of one's own may not have it
            with _model(pipeline, week, criteria=[tables.OVERALL]) as judge:
                found.append(separated_by_model(judge_pairs(_preference_texts(pipeline, week), judge)))
    known_bad = pl.concat(controls).sort(tables.JUDGE_CONTROLS.key)
    pipeline.frames.write(tables.JUDGE_CONTROLS, week, known_bad)
    rows = pl.concat(found)
    unscored = rows.filter(pl.col("status") != "ok").height
    numbers = {
        "judged": rows.height - unscored,
        "unscored": unscored,
        "calls": rows["calls"].sum(),
        "cost_usd": rows["cost_usd"].sum(),
        **_learned(local),
    }
    return Outcome(rows, numbers=numbers, checks=[_scored(rows), _known_bad(known_bad), _one_model(rows)])


@weekly(
    tables.JUDGE_ANCHORS,
    group=GROUP,
    kinds=("polars", "parquet", "openai"),
    after=["judgements", "clean_interactions"],
    warning=["judge_steady"],
)
def judge_anchors(pipeline: Pipeline, week: date) -> Outcome:
    """One answer that people judged in an audit of an earlier week, judged anew this week by the configured model: its
    scores move only if the judge does."""
    if pipeline.settings.judge_model is None:
        return Outcome(tables.JUDGE_ANCHORS.empty(), checks=[Check("judge_steady", True, {}, NO_MODEL, "warn")])
    labels = audits.read_labels(pipeline.database).filter(pl.col("week") < week)
    anchors = drift.choose_anchors(labels)
    with _model(pipeline, week, occasion=week.toordinal()) as judge:
        rows = drift.judge_anchors(judge, anchors, _anchor_texts(pipeline, anchors))
    before = weeks_before(week, ANCHOR_WEEKS)
    found = drift.judge_drift(rows, [pipeline.frames.read(tables.JUDGE_ANCHORS, [one]) for one in before])
    return Outcome(rows, numbers={"anchors": rows["interaction_id"].n_unique()}, checks=[_steady(found)])


@weekly(group=GROUP, kinds=("polars", "postgres"), after=["judge_sample", "judgements", "clean_interactions"])
def audit_queue(pipeline: Pipeline, week: date) -> Outcome:
    """Answers of the week drawn at random for people to judge (`feedback audit`), once the week has ended. They are
    kept in the store, without text; so is what people say of them."""
    if pipeline.today() >= week + timedelta(weeks=1):
        sample = pipeline.frames.read(tables.JUDGE_SAMPLE, [week])
        drawn = draw_audit(sample, _judgements(pipeline, week), pipeline.settings.audit_size, seed=str(week))
        answered = of_ids(
            pipeline.frames.scan(CLEAN_INTERACTIONS, days_of(week)), "interaction_id", drawn["interaction_id"]
        )
        days = answered.select("interaction_id", "day").collect()
        dated = drawn.join(days, on="interaction_id", maintain_order="left")
        audits.keep_items(pipeline.database, week, dated)
    queued = audits.read_items(pipeline.database).filter(pl.col("week") == week)
    labels = audits.read_labels(pipeline.database).filter(pl.col("week") == week)
    return Outcome(numbers={"queued": queued.height, "labelled": labels["interaction_id"].n_unique()})


@weekly(tables.JUDGE_CALIBRATION, group=GROUP, after=["judgements", "clean_feedback"])
def judge_calibration(pipeline: Pipeline, week: date) -> Outcome:
    """One statistic of one judge against people's verdicts on the same answers, or the reason why there is none."""
    rows = calibrate(_judgements(pipeline, week), _verdicts(pipeline, week))
    agreement = rows.filter(pl.col("statistic") == "observed_agreement")["value"].drop_nulls()
    return Outcome(rows, numbers={"agreement": agreement[0] if agreement.len() else None})


@weekly(tables.JUDGED_QUALITY, group=GROUP, after=["judge_sample", "judgements", "clean_feedback", "audit_queue"])
def judged_quality(pipeline: Pipeline, week: date) -> Outcome:
    """Quality of one slice of answers by one judge: what the judge says, what people said, and the judge's rate
    corrected by the people (of a random audit where there are enough labels, else those who voted), or the reason why
    it may not be corrected. A judge that let known-bad answers pass corrects nothing."""
    sample = pipeline.frames.read(tables.JUDGE_SAMPLE, [week])
    judged, audited = _judgements(pipeline, week), _audit_verdicts(pipeline, week)
    by_audit = pl.col("criterion").is_in(audited_criteria(audited))
    found = [
        quality_of(sample, judged.filter(by_audit), audited, audit=True),
        quality_of(sample, judged.filter(~by_audit), _verdicts(pipeline, week)),
    ]
    rows = withheld(pl.concat(found), _distrusted(pipeline, week), CORRECTED).sort(tables.JUDGED_QUALITY.key)
    overall = rows.filter(pl.col("dimension") == "all").head(1)
    numbers = overall.select("raw_rate", "people_rate", "corrected_rate", "low", "high", "labelled")
    return Outcome(rows, numbers=numbers.row(0, named=True) if numbers.height else {})


@weekly(
    tables.VERSION_COMPARISON, group=GROUP, after=["judge_sample", "judgements", "clean_feedback", "text_signatures"]
)
def version_comparison(pipeline: Pipeline, week: date) -> pl.DataFrame:
    """Two prompt versions compared on one criterion: difference, interval, and the smallest difference detectable."""
    sample = pipeline.frames.read(tables.JUDGE_SAMPLE, [week])
    prompts = (
        of_ids(pipeline.frames.scan(TEXT_SIGNATURES, days_of(week)), "interaction_id", sample["interaction_id"])
        .select("interaction_id", prompt_key=pl.col("prompt_hash").cast(pl.String))
        .filter(pl.col("prompt_key").is_not_null())
        .collect()
        .sort("interaction_id")
    )
    return compare_versions(sample, _judgements(pipeline, week), _verdicts(pipeline, week), prompts=prompts)


@weekly(
    tables.PREFERENCE_RANKING,
    group=GROUP,
    after=["clean_feedback", "judgements"],
    code_version="2",
)
def preference_ranking(pipeline: Pipeline, week: date) -> Outcome:
    """One model's strength in pairwise preferences (Bradley–Terry) of one project in the rolling window, by people or
    by a judge."""
    rows = preferences.preference_ranking(_preferences(pipeline, week), _pair_judgements(pipeline, week))
    return Outcome(rows, numbers={"models": rows["model"].n_unique(), "raters": rows["rater"].n_unique()})


@weekly(tables.PREFERENCE_AGREEMENT, group=GROUP, after=["clean_feedback", "judgements"])
def preference_agreement(pipeline: Pipeline, week: date) -> pl.DataFrame:
    """One statistic of a judge's pairwise verdicts against people's preferences of the rolling window."""
    return preferences.preference_agreement(_preferences(pipeline, week), _pair_judgements(pipeline, week))


def audited_prompts(pipeline: Pipeline) -> pl.Series:
    """`prompt_hash` of every prompt that people labelled in an audit: never to be trained on."""
    labels = audits.read_labels(pipeline.database)
    labelled = audits.read_items(pipeline.database).join(labels, on="interaction_id", how="semi")
    signatures = pipeline.frames.scan(TEXT_SIGNATURES, labelled["day"].unique().sort().to_list())
    return audited_prompt_hashes(signatures, labels)


def _model(
    pipeline: Pipeline, week: date, *, criteria: Sequence[str] = (), occasion: int = 0
) -> "AbstractContextManager[ModelJudge]":
    """The configured model, charged to the week's budget."""
    # importing the client takes half a second, which whoever only loads the definitions need not wait for
    from feedback_pipeline.judging.model_judge import model_judge

    return model_judge(pipeline.settings, pipeline.database, week, criteria=criteria, occasion=occasion)


def _scored(rows: pl.DataFrame) -> Check:
    """Whether enough has a verdict, and between which bounds the share of ups lies whatever the rest would get."""
    numbers: dict[str, float] = {}
    worst = 0.0
    for (judge,), judged in rows.group_by(["judge"], maintain_order=True):
        unscored = judged.filter(pl.col("status") != "ok").height / judged.height
        ups = judged.filter((pl.col("status") == "ok") & pl.col("verdict").is_in(["up", "this"])).height / judged.height
        numbers |= {f"{judge}/unscored_share": unscored, f"{judge}/worst": ups, f"{judge}/best": ups + unscored}
        worst = max(worst, unscored)
    described = f"at most {worst:.1%} of a judge's verdicts are missing"
    return Check("scored", worst <= UNSCORED_LIMIT, numbers, described, "warn")


def _known_bad(controls: pl.DataFrame) -> Check:
    """What each judge lets pass. The local one is measured too, but cannot be talked to: it fails nothing."""
    numbers = {
        f"{judge}/{kind}/{criterion}": highest
        for judge, kind, criterion, highest in controls.select("judge", "kind", "criterion", "highest").iter_rows()
        if highest is not None
    }
    liked = controls.filter(~pl.col("passed")).group_by("judge").agg(pl.col("kind").unique().sort()).sort("judge")
    described = "; ".join(f"{judge} scored above the floor: {', '.join(kinds)}" for judge, kinds in liked.iter_rows())
    models = controls.filter(pl.col("judge") != LOCAL).partition_by("judge")
    answered = f"{controls['answered'].sum()} answered" if controls.height else NO_MODEL
    passed = all(controls_passed(rows) for rows in models)
    return Check("known_bad_at_floor", passed, numbers, described or answered)


def _one_model(rows: pl.DataFrame) -> Check:
    answered = rows.drop_nulls("model_returned").group_by("judge").agg(pl.col("model_returned").unique().sort())
    mixed = answered.filter(pl.col("model_returned").list.len() > 1)
    numbers = {f"{judge}/models": len(models) for judge, models in answered.sort("judge").iter_rows()}
    described = "; ".join(f"{judge}: {', '.join(models)}" for judge, models in mixed.sort("judge").iter_rows())
    return Check("one_model_answered", mixed.is_empty(), numbers, described or "no judge changed its model", "warn")


def _steady(drifts: list[drift.Drift]) -> Check:
    measured = [series for series in drifts if isinstance(series.shift, Estimate)]
    numbers: dict[str, object] = {}
    for series in measured:
        assert isinstance(series.shift, Estimate)
        numbers |= {f"{series.criterion}/shift": series.shift.value, f"{series.criterion}/p_value": series.p_value}
    drifted = [f"{series.judge} on {series.criterion}" for series in drifts if series.drifted]
    described = f"scores the same answers differently: {', '.join(drifted)}" if drifted else ""
    nothing = "" if measured else "cannot say: too few anchors were judged before"
    return Check("judge_steady", not drifted, numbers, described or nothing or "no shift", "warn")


def _distrusted(pipeline: Pipeline, week: date) -> list[str]:
    """Judges that can be talked to and whose known-bad controls did not stay at the floor."""
    controls = pipeline.frames.read(tables.JUDGE_CONTROLS, [week]).filter(pl.col("judge") != LOCAL)
    judges = controls.partition_by("judge", maintain_order=True)
    return [str(rows["judge"][0]) for rows in judges if not controls_passed(rows)]


def _audit_verdicts(pipeline: Pipeline, week: date) -> pl.DataFrame:
    """What people said in the week's audit."""
    items = audits.read_items(pipeline.database).filter(pl.col("week") == week)
    return audit_verdicts(items, audits.read_labels(pipeline.database).filter(pl.col("week") == week))


def _anchor_texts(pipeline: Pipeline, anchors: pl.DataFrame) -> pl.DataFrame:
    """The texts of the anchors that are still kept."""
    items = audits.read_items(pipeline.database).join(anchors, on="interaction_id", how="semi")
    texts = pipeline.frames.scan(CLEAN_INTERACTIONS, items["day"].unique().sort().to_list())
    kept = texts.select("interaction_id", "prompt", "answer").filter(pl.col("answer").is_not_null())
    return of_ids(kept, "interaction_id", items["interaction_id"]).collect()


def _judgements(pipeline: Pipeline, week: date) -> pl.DataFrame:
    return pipeline.frames.read(tables.JUDGEMENTS, [week])


_PAIR_OF_JUDGE = ("judge", "interaction_id", "other_interaction_id", "criterion")
"""Not the fingerprint: that of a recorded judge is of the records of one week."""


def _pair_judgements(pipeline: Pipeline, week: date) -> pl.DataFrame:
    """The judgements on pairs of the window of preferences, each pair and judge once."""
    weeks = [week - timedelta(weeks=back) for back in range(pipeline.settings.training_weeks)]
    pairs = pipeline.frames.scan(tables.JUDGEMENTS, weeks).filter(pl.col("other_interaction_id") != "")
    return pairs.collect().unique(_PAIR_OF_JUDGE, keep="first", maintain_order=True)


def _verdicts(pipeline: Pipeline, week: date) -> pl.DataFrame:
    """People's verdicts on the week's sampled answers."""
    sample = pipeline.frames.scan(tables.JUDGE_SAMPLE, [week]).select("interaction_id").collect().to_series()
    columns = ["interaction_id", "voter", "verdict", "conversation_id", "answer_chars"]
    votes = pipeline.frames.scan(CLEAN_FEEDBACK, days_of(week)).filter("counts").select(columns)
    return of_ids(votes, "interaction_id", sample).collect().sort("interaction_id", "voter")


def _preferences(pipeline: Pipeline, week: date) -> pl.DataFrame:
    # a week holds too few comparisons to rank models by: the window that training files are made from
    days = window(week, pipeline.settings.training_weeks)
    votes = pipeline.frames.scan(CLEAN_FEEDBACK, days).filter(pl.col("kind") == "preference")
    columns = ["interaction_id", "other_interaction_id", "project", "model", "other_model", "preference", "voter"]
    known = votes.filter(pl.col("model").is_not_null() & pl.col("other_model").is_not_null())
    return known.select(columns).collect()


def _preference_texts(pipeline: Pipeline, week: date) -> pl.DataFrame:
    """A hash-stable part of the pairs that people compared this week, with both answers' texts."""
    votes = pipeline.frames.scan(CLEAN_FEEDBACK, days_of(week)).filter(pl.col("kind") == "preference").collect()
    pairs = draw_pairs(votes, pipeline.settings.judge_sample_size // 10, seed=f"judged pairs {week}")
    # the other answer's day is not known: usually that of the vote, never long before it
    days = window(week, ANSWERED_WEEKS)
    compared = pl.concat([pairs["interaction_id"], pairs["other_interaction_id"]])
    scanned = of_ids(pipeline.frames.scan(CLEAN_INTERACTIONS, days), "interaction_id", compared)
    texts = scanned.select("interaction_id", "prompt", "answer").collect()
    other = texts.select(other_interaction_id="interaction_id", other_answer="answer")
    both = pairs.join(texts, on="interaction_id").join(other, on="other_interaction_id")
    return both.sort("interaction_id", "other_interaction_id")


def _sampled_texts(pipeline: Pipeline, week: date) -> pl.DataFrame:
    sample = pipeline.frames.scan(tables.JUDGE_SAMPLE, [week]).select("interaction_id").collect().to_series()
    texts = pipeline.frames.scan(CLEAN_INTERACTIONS, days_of(week)).select("interaction_id", "prompt", "answer")
    return of_ids(texts, "interaction_id", sample).collect().sort("interaction_id")


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
    drawn = drawn.sort("_hash", "voter").head(2 * MAX_LABELS)
    answered = pipeline.frames.scan(CLEAN_INTERACTIONS, drawn["interaction_day"].unique().sort().to_list())
    texts = of_ids(answered, "interaction_id", drawn["interaction_id"]).select("interaction_id", "prompt", "answer")
    columns = ["prompt", "answer", "verdict", "voter"]
    return drawn.join(texts.collect(), on="interaction_id", maintain_order="left").select(columns)


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


def _recorded_answers(
    pipeline: Pipeline, week: date, answers: pl.DataFrame
) -> Iterator[tuple[RecordedJudge, pl.DataFrame]]:
    """Judges elsewhere of single answers, one a criterion of theirs, and the sampled answers each has judged."""
    recorded = bulk.read_day(pipeline.database, "read_recorded_verdicts", monday_of(week))
    said = pl.struct("label", "score").map_elements(lambda one: recorded_verdict(**one), pl.String, skip_nulls=False)
    for (fingerprint, criterion), rows in recorded.group_by(["fingerprint", "criterion"], maintain_order=True):
        name = f"{str(fingerprint).removeprefix('recorded:')}/{criterion}"
        rated = answers.join(rows, on="interaction_id", how="semi", maintain_order="left")
        yield RecordedJudge(name, rows.select("interaction_id", said.alias("verdict"))), rated


def _recorded(pipeline: Pipeline, week: date) -> Iterator[tuple[RecordedJudge, pl.DataFrame]]:
    """Judges whose verdicts were imported, and the week's pairs of answers each knows."""
    recorded = bulk.read_day(pipeline.database, "read_recorded_judgements", monday_of(week))
    for (fingerprint,), verdicts in recorded.group_by(["fingerprint"], maintain_order=True):
        ids = ["interaction_id", "other_interaction_id"]
        # a recorded verdict needs no text: what stands here only says that there is some
        pairs = verdicts.select(ids).with_columns(prompt=pl.lit(""), answer=pl.lit("…"), other_answer=pl.lit("…"))
        yield RecordedJudge(str(fingerprint).removeprefix("recorded:"), verdicts.drop("fingerprint")), pairs


def declarations() -> Iterator[object]:
    """The assets of this stage, in the order the data flows."""
    yield from (judge_sample, judgements, judge_anchors, audit_queue)
    yield from (judge_calibration, judged_quality, version_comparison)
    yield from (preference_ranking, preference_agreement)
