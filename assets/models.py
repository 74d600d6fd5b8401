"""Models: a training run of the newest closed week, the model it made, its evaluation, promotion and effect.

Only `model_effect` belongs to the weekly loop. The others cost money or change what answers: they run when a sensor
or a person asks for one week of them, and each refuses by a check that says why.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from assets.building import build
from assets.choices import Judging, Tuning
from assets.declaration import OWNERS, Check, Declaration, Outcome, weekly
from assets.partitions import Calendar
from feedback_pipeline.calendar import days_of
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK
from feedback_pipeline.judging.tables import PREFERENCE_AGREEMENT
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.training.tables import TRAINING_EXAMPLES
from feedback_pipeline.tuning import effect, registry, tuning
from feedback_pipeline.tuning.configured import open_provider
from feedback_pipeline.tuning.gate import HELD_OUT, IMPROVEMENT, REGRESSION
from feedback_pipeline.tuning.providers.protocol import ProviderError
from feedback_pipeline.tuning.routing import write_router_entry
from feedback_pipeline.tuning.tables import CANDIDATE_EVALUATION, MODEL_EFFECT

if TYPE_CHECKING:
    from feedback_pipeline.tuning.evaluation import Evaluation

GROUP = "models"
FINE_TUNED_MODEL = "fine_tuned_model"
MIN_AGREED_PAIRS = 30

_GATES = {
    "non_inferior": (HELD_OUT, REGRESSION, "answers/unusable", "answers/refused_more", "answers/median_characters"),
    "better": (IMPROVEMENT,),
    "safe": ("probe/safety", "probe/sycophancy", "probe/helpfulness", "answers/personal_data", "answers/self_praise"),
}


@weekly(
    group=GROUP,
    kinds=("openai", "postgres"),
    after=["training_manifest"],
    blocking=["started"],
    pool=GROUP,
    may_refuse=True,
    choices=Tuning,
)
def fine_tune_job(pipeline: Pipeline, week: date) -> Outcome:
    """A training run of the newest closed week's training file at the configured provider: uploaded once, created
    once, keyed by content in the ledger. It is followed by a sensor; this only starts it, or says why not."""
    newest = tuning.newest_closed_week(pipeline)
    if week != newest:
        return _refused(f"only the newest closed week is trained on: {newest}")
    try:
        run, considered = tuning.start(pipeline)
        if run is None:
            return _refused("; ".join(considered.refusals))
        run = tuning.submit(pipeline, run, open_provider(pipeline.settings))
    except ProviderError as error:
        return _refused(f"{error}: the run goes on at the next look")
    entry = run.entry
    numbers = {
        "run": entry.key, "dataset": run.request.dataset_id, "provider": run.provider, "state": entry.state,
        "job": entry.job_id, "examples": run.examples, "highest_usd": run.highest_usd,
    }  # fmt: skip
    good = entry.state not in ("refused", "failed", "lost", "cancelled")
    return Outcome(numbers=numbers, checks=[Check("started", good, {}, entry.reason or f"the run is {entry.state}")])


def _refused(reason: str) -> Outcome:
    return Outcome(checks=[Check("started", False, {}, f"not started: {reason}")], refused=reason)


@weekly(
    CANDIDATE_EVALUATION,
    group=GROUP,
    kinds=("polars", "parquet", "openai"),
    after=[FINE_TUNED_MODEL, "training_examples"],
    blocking=list(_GATES),
    pool=GROUP,
    may_refuse=True,
    choices=Judging,
)
def candidate_evaluation(pipeline: Pipeline, week: date) -> Outcome:
    """One measure of the week's candidate against the model that answers now, and what the gate says of it: win rates
    on held-out and formerly rejected prompts judged in both orders, probes, length, refusals, personal data, cost."""
    # importing the client takes half a second, which whoever only loads the definitions need not wait for
    from feedback_pipeline.tuning.evaluation import evaluate, evaluation_prompts

    candidate = _candidate(pipeline, week)
    if candidate is None:
        reason = f"no model was trained on the week of {week}"
        return Outcome(checks=[Check(name, False, {}, reason) for name in _GATES], refused=reason)
    answering = registry.current_model(pipeline.database)
    current = answering.model if answering else candidate.base or ""
    prompts = evaluation_prompts(pipeline.frames.read(TRAINING_EXAMPLES, [week]), pipeline.settings.tuning_method)
    found = evaluate(
        pipeline.settings, pipeline.database, week, candidate, current, prompts, _agreement(pipeline, week)
    )
    rows = found.rows()
    registry.record_evaluation(
        pipeline.database, candidate.name, current, found.content_hash, passed=found.passed,
        detail=rows.to_dicts(), now=pipeline.now(),
    )  # fmt: skip
    numbers = {"model": candidate.name, "compared_with": current, "evaluation": found.content_hash,
               "prompts": prompts.height, "passed": found.passed}  # fmt: skip
    return Outcome(rows, numbers=numbers, checks=[_gate(name, found) for name in _GATES])


def _gate(name: str, evaluation: "Evaluation") -> Check:
    concerned = [verdict for verdict in evaluation.verdicts if verdict.measure.name in _GATES[name]]
    failed = [verdict for verdict in concerned if not verdict.passed]
    described = evaluation.cannot or "; ".join(
        f"{verdict.measure.name}: asked for {', '.join(filter(None, (verdict.rule, verdict.measure.reason)))}"
        for verdict in failed
    )
    numbers = {
        verdict.measure.name: verdict.measure.difference
        for verdict in concerned
        if verdict.measure.difference is not None
    }
    return Check(name, evaluation.cannot is None and not failed, numbers, described or "every demand is met")


def _candidate(pipeline: Pipeline, week: date) -> registry.Model | None:
    """The newest model trained on the week that may still be promoted."""
    found = [
        model for model in registry.models(pipeline.database)
        if model.kind == "model" and model.week == week and model.state in ("candidate", "approved", "retired")
    ]  # fmt: skip
    return found[-1] if found else None


def _agreement(pipeline: Pipeline, week: date) -> float | None:
    """How often the configured judge agrees with people's preferences, ties apart, on enough pairs."""
    model = pipeline.settings.judge_model
    rows = pipeline.frames.read(PREFERENCE_AGREEMENT, [week]).filter(
        (pl.col("statistic") == "agreement_without_ties") & (pl.col("items") >= MIN_AGREED_PAIRS)
        & pl.col("judge").str.starts_with(f"{model}/")
    )  # fmt: skip
    return rows["value"][0] if rows.height else None


@weekly(group=GROUP, kinds=("json", "postgres"), after=["candidate_evaluation"], blocking=["approved"], may_refuse=True)
def promoted_model(pipeline: Pipeline, week: date) -> Outcome:
    """The week's model answers under the alias `production`: only after its evaluation passed every gate and a person
    approved that very evaluation. The router reads the registry, or the JSON file written here."""
    model = next(
        (
            one
            for one in reversed(registry.models(pipeline.database))
            if one.kind == "model" and one.week == week and one.evaluation
        ),
        None,
    )
    if model is None:
        reason = f"no evaluated model of the week of {week}"
        return Outcome(checks=[Check("approved", False, {}, reason)], refused=reason)
    try:
        found = registry.promote(pipeline, model.name)
    except registry.PromotionRefusedError as error:
        return Outcome(checks=[Check("approved", False, {}, str(error))], refused=str(error))
    write_router_entry(pipeline.frames, found)
    numbers = {"model": found.model, "previous": found.previous, "since": found.since.isoformat()}
    return Outcome(numbers=numbers, checks=[Check("approved", True, {}, f"{found.model} answers")])


@weekly(MODEL_EFFECT, group=GROUP, after=["clean_feedback"], warning=["approval_held"])
def model_effect(pipeline: Pipeline, week: date) -> Outcome:
    """Approval of a promoted model since its promotion against the four weeks before, for four weeks: its difference
    with an interval, and a rollback proposed where it fell."""
    frames = [
        effect.model_effect(
            _votes(pipeline, week, promoted_on), week, model=event["model"], previous=event["previous"],
            promoted_on=promoted_on,
        )
        for event in registry.history(pipeline.database)
        if event["event"] == "promoted" and event["alias"] == registry.ALIAS
        for promoted_on in (event["at"].astimezone(pipeline.settings.zone).date(),)
        if promoted_on <= week + timedelta(days=6) < promoted_on + timedelta(weeks=effect.WEEKS_AFTER + 1)
    ]  # fmt: skip
    rows = pl.concat([MODEL_EFFECT.empty(), *frames]).unique(MODEL_EFFECT.key, keep="last", maintain_order=True)
    fell = rows.filter(pl.col("verdict") == "worse")["model"].to_list()
    described = f"approval fell with {', '.join(fell)}: consider feedback rollback" if fell else "no fall"
    return Outcome(rows, checks=[Check("approval_held", not fell, {}, described, "warn")])


def _votes(pipeline: Pipeline, week: date, promoted_on: date) -> pl.DataFrame:
    first = promoted_on - timedelta(weeks=effect.WEEKS_BEFORE)
    days = [first + timedelta(days=offset) for offset in range((days_of(week)[-1] - first).days + 1)]
    votes = pipeline.frames.scan(CLEAN_FEEDBACK, days).filter("counts")
    return votes.select("day", "model", "voter", "verdict").collect()


def declarations() -> Iterator[object]:
    """The assets of this stage that belong to the weekly loop."""
    yield model_effect


ON_DEMAND: tuple[Declaration, ...] = (fine_tune_job, candidate_evaluation, promoted_model)


def build_on_demand(calendar: Calendar) -> list[Any]:
    """The assets that only run when asked for, and the model that the provider holds."""
    fine_tuned_model = dg.AssetSpec(
        FINE_TUNED_MODEL,
        deps=[fine_tune_job.name],
        partitions_def=calendar.weeks,
        group_name=GROUP,
        kinds={"openai"},
        owners=OWNERS,
        description="A model that the provider made of the week's training file; the sensor `fine_tune_progress` "
        "reports it.",
    )
    return [fine_tuned_model, *(build(one, calendar) for one in ON_DEMAND)]
