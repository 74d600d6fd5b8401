"""Experiments, with a check that the people came as they were asked; prompts proposed from votes, held against what
answers now, and looked at again after their promotion."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import polars as pl

from assets.building import build
from assets.declaration import Check, Declaration, Outcome, daily, weekly
from assets.partitions import Calendar
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK
from feedback_pipeline.experiments import prompts, registry, routing
from feedback_pipeline.experiments.readout import read_experiment
from feedback_pipeline.experiments.signals import seen
from feedback_pipeline.experiments.tables import (
    APPROVAL_OF_ALL,
    EXPERIMENT_READOUT,
    PROMPT_CANDIDATES,
    PROMPT_EFFECT,
    PROMPT_EVALUATION,
    ROUTING_POLICY,
    SHADOW_COMPARISON,
)
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.tuning import effect
from feedback_pipeline.tuning import registry as registry_of_candidates

GROUP = "experiments"


@daily(
    EXPERIMENT_READOUT,
    group=GROUP,
    kinds=("polars", "parquet", "postgres"),
    after=["clean_feedback", "clean_interactions"],
    warning=["sample_ratio", "guardrails"],
)
def experiment_readout(pipeline: Pipeline, day: date) -> Outcome:
    """One measure of one arm against its control, over everybody exposed up to the end of the day: people as units, a
    confidence sequence that may be looked at daily beside the planned interval, guardrails, one verdict an arm."""
    found = [one for one in registry.experiments(pipeline.database, None) if _concerned(pipeline, one, day)]
    frames = [
        read_experiment(
            one, registry.versions(pipeline.database, one.experiment.name, one.tenant), seen(pipeline, one, day), day
        )
        for one in found
    ]
    rows = pl.concat([EXPERIMENT_READOUT.empty(), *frames])
    decided = rows.filter(pl.col("role") == "primary")
    numbers = {"experiments": len(found), **dict(decided.group_by("verdict").len().iter_rows())}
    return Outcome(
        rows,
        numbers=numbers,
        checks=[
            _check("sample_ratio", decided, "broken_assignment", "the arms' shares of people are not those asked for"),
            _check("guardrails", decided, "guardrail", "a guardrail got worse than allowed"),
        ],
    )


def _concerned(pipeline: Pipeline, found: registry.Registered, day: date) -> bool:
    """Experiments that ran on the day: drafts and those that ended before have nothing new to say."""
    zone = pipeline.settings.zone
    if found.started_at is None or found.started_at.astimezone(zone).date() > day:
        return False
    return found.ended_at is None or found.ended_at.astimezone(zone).date() >= day


def _check(name: str, rows: pl.DataFrame, verdict: str, said: str) -> Check:
    bad = rows.filter(pl.col("verdict") == verdict)
    named = ", ".join(f"{row['experiment']}/{row['arm']}" for row in bad.iter_rows(named=True))
    return Check(name, bad.is_empty(), {"arms": bad.height}, f"{named}: {said}" if named else "as it should be", "warn")


@weekly(
    PROMPT_CANDIDATES,
    group=GROUP,
    kinds=("polars", "parquet", "openai"),
    after=["clean_feedback", "clean_interactions", "slice_findings", "training_examples"],
    warning=["proposed"],
    pool=GROUP,
)
def prompt_candidates(pipeline: Pipeline, week: date) -> Outcome:
    """Proposals for the registered prompts from what people said of the versions that answer: reasons, findings,
    comments and corrections of four weeks. Each cites what it answers; one that may not become a version says why."""
    from feedback_pipeline.experiments import prompt_work

    known = prompt_work.week_of(pipeline, week)
    names = sorted({(one.tenant, one.name) for one in prompts.prompts(pipeline.database, None)})
    frames = [prompt_work.propose(pipeline, week, tenant=tenant, name=name, known=known) for tenant, name in names]
    rows = pl.concat([PROMPT_CANDIDATES.empty(), *frames])
    proposed = rows.filter(pl.col("status") == "proposed").height
    said = f"{proposed} versions proposed for {len(names)} prompts" if names else "no prompt is registered"
    return Outcome(
        rows,
        numbers={"prompts": len(names), "proposed": proposed},
        checks=[Check("proposed", proposed > 0, {"proposed": proposed}, said, "warn")],
    )


@weekly(
    PROMPT_EVALUATION,
    group=GROUP,
    kinds=("polars", "parquet", "openai"),
    after=["prompt_candidates", "training_examples"],
    warning=["gate"],
    pool=GROUP,
)
def prompt_evaluation(pipeline: Pipeline, week: date) -> Outcome:
    """One measure of a proposed version against the one that answers, and what the gate says of it: the same held-out
    and formerly rejected prompts, the judge in both orders, the probes. What passed waits for a person's approval."""
    from feedback_pipeline.experiments import prompt_work

    proposed = pipeline.frames.read(PROMPT_CANDIDATES, [week]).filter(pl.col("status") == "proposed")
    evaluations = [
        prompt_work.evaluate(pipeline, week, prompts.prompt_named(pipeline.database, name, version, tenant))
        for tenant, name, version in proposed.select("tenant", "prompt", "version").iter_rows()
    ]
    rows = pl.concat([PROMPT_EVALUATION.empty(), *(evaluation.rows() for evaluation in evaluations)])
    refused = [evaluation.model for evaluation in evaluations if not evaluation.passed]
    said = (
        f"the gate refused {', '.join(refused)}"
        if refused
        else f"{len(evaluations)} passed"
        if evaluations
        else "none proposed"
    )
    return Outcome(
        rows,
        numbers={"candidates": len(evaluations), "passed": len(evaluations) - len(refused)},
        checks=[Check("gate", not refused, {"refused": len(refused)}, said, "warn")],
    )


@weekly(PROMPT_EFFECT, group=GROUP, after=["clean_feedback"], warning=["approval_held"])
def prompt_effect(pipeline: Pipeline, week: date) -> Outcome:
    """Approval of a promoted prompt since its promotion against the four weeks before, for four weeks: its difference
    with an interval, and a rollback proposed where it fell."""
    frames = []
    for event in registry_of_candidates.history(pipeline.database):
        after, before = prompts.parsed(event["model"]), prompts.parsed(event["previous"] or "")
        if event["event"] != "promoted" or after is None or before is None:
            continue
        promoted_on = event["at"].astimezone(pipeline.settings.zone).date()
        if not promoted_on <= week + timedelta(days=6) < promoted_on + timedelta(weeks=effect.WEEKS_AFTER + 1):
            continue
        first = promoted_on - timedelta(weeks=effect.WEEKS_BEFORE)
        days = [first + timedelta(days=offset) for offset in range((week - first).days + 7)]
        votes = pipeline.frames.scan(CLEAN_FEEDBACK, days).filter("counts", pl.col("tenant") == after[0])
        named = votes.select("day", "voter", "verdict", model=pl.col("prompt_version").cast(pl.String)).collect()
        rows = effect.model_effect(named, week, model=after[2], previous=before[2], promoted_on=promoted_on)
        frames.append(rows.with_columns(model=pl.lit(event["model"]), previous=pl.lit(event["previous"])))
    rows = pl.concat([PROMPT_EFFECT.empty(), *frames]).unique(PROMPT_EFFECT.key, keep="last", maintain_order=True)
    fell = rows.filter(pl.col("verdict") == "worse")["model"].to_list()
    said = f"approval fell with {', '.join(fell)}: consider feedback prompt rollback" if fell else "no fall"
    return Outcome(rows, checks=[Check("approval_held", not fell, {}, said, "warn")])


@daily(
    ROUTING_POLICY,
    group=GROUP,
    kinds=("polars", "parquet", "postgres"),
    after=["experiment_readout"],
    warning=["best_arm"],
)
def routing_policy(pipeline: Pipeline, day: date) -> Outcome:
    """The weight of one arm in one leaf of an adaptive experiment after the day (Thompson sampling with a floor, from
    votes that had time to come), and what each arm alone would have earned. The newest day's weights are served."""
    frames = []
    for found in registry.experiments(pipeline.database, None):
        if not found.adaptive or not _concerned(pipeline, found, day):
            continue
        read = pipeline.frames.read(EXPERIMENT_READOUT, [day]).filter(
            (pl.col("tenant") == found.tenant) & (pl.col("experiment") == found.experiment.name)
        )
        off = frozenset(read.filter(pl.col("verdict") == "guardrail")["arm"])
        policy = routing.route(found, seen(pipeline, found, day), day, off=off)
        if found.state == "running" and not read.filter(pl.col("verdict") == "broken_assignment").height:
            routing.serve(pipeline, found, policy, day)
        frames.append(policy.rows)
    rows = pl.concat([ROUTING_POLICY.empty(), *frames])
    best = rows.filter(pl.col("advice").is_not_null())
    named = ", ".join(f"{row['experiment']}/{row['arm']}" for row in best.iter_rows(named=True))
    said = f"{named}: the best arm is known, conclude the experiment" if named else "no arm is known to be the best"
    return Outcome(rows, checks=[Check("best_arm", best.is_empty(), {"arms": best.height}, said, "warn")])


@daily(
    SHADOW_COMPARISON,
    group=GROUP,
    kinds=("polars", "parquet", "openai"),
    after=["clean_interactions"],
    pool=GROUP,
)
def shadow_comparison(pipeline: Pipeline, day: date) -> Outcome:
    """One measure of a candidate's shadow answers of the day against what was shown: judged in both orders where a
    judge is configured; length, refusals, personal data, cost and time beside."""
    from feedback_pipeline.experiments.shadow_comparison import compare_day

    rows = compare_day(pipeline, day)
    return Outcome(rows, numbers={"candidates": rows["candidate"].n_unique()})


@weekly(
    APPROVAL_OF_ALL,
    group=GROUP,
    kinds=("polars", "parquet", "postgres"),
    after=["clean_feedback", "clean_interactions", "judgements"],
)
def approval_of_all(pipeline: Pipeline, week: date) -> Outcome:
    """Approval of all answers of the week, from the random few that somebody was asked about, beside that of the people
    who chose to vote; refused where nobody was asked."""
    from feedback_pipeline.experiments.asked_answers import approvals_of_week

    rows = approvals_of_week(pipeline, week)
    return Outcome(rows, numbers={"asked": int(rows["asked"].sum()), "answered": int(rows["answered"].sum())})


ON_DEMAND: tuple[Declaration, ...] = (prompt_candidates, prompt_evaluation)


def build_on_demand(calendar: Calendar) -> list[Any]:
    """The assets that may cost money: they run when asked for."""
    return [build(one, calendar) for one in ON_DEMAND]


def declarations() -> Iterator[object]:
    """The assets of this stage that belong to the loop."""
    yield experiment_readout
    yield routing_policy
    yield shadow_comparison
    yield approval_of_all
    yield prompt_effect
