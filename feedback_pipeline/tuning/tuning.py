"""Whether a week's training file may be trained on, and a run's steps from planned to over."""

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from feedback_pipeline.calendar import monday_of
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store.statements import statement
from feedback_pipeline.training.costs import (
    PARTIAL,
    TokenTotal,
    Trainable,
    advice,
    cost_estimates,
    default_epochs,
    run_epochs,
    token_total,
    trainable,
)
from feedback_pipeline.training.draws import row_id
from feedback_pipeline.tuning import approvals
from feedback_pipeline.tuning.configured import FREE, open_provider, provider_name, training_format, training_price
from feedback_pipeline.tuning.providers.ledger import Policy, Situation, advance, next_step, refusals
from feedback_pipeline.tuning.providers.protocol import (
    FileChanged,
    JobState,
    Provider,
    ProviderError,
    TrainingFile,
    TrainingRequest,
)
from feedback_pipeline.tuning.runs import PLANNING, Ledger, Run

FILES = "training_files"
FAMILIES = {"supervised": "sft", "preference": "dpo", "kto": "kto"}


@dataclass(frozen=True)
class Consideration:
    """What is known of a run before it starts.

    Attributes:
        week: of the dataset: the newest closed one.
        provider: where it would be trained.
        request: what would be asked; None where there is nothing to train on.
        examples: different examples in the training file.
        tokens: of the file, the JSON around the words included: rather too many.
        highest_usd: upper end of the cost; None where no price is known.
        usd_per_million: price of a million training tokens.
        refusals: why it may not start; empty where it may.
        warnings: what a person should know who approves it.
        advice: whether it is time to train.
        due: it is time to train.
    """

    week: dt.date
    provider: str
    request: TrainingRequest | None
    examples: int = 0
    tokens: TokenTotal | None = None
    highest_usd: float | None = None
    usd_per_million: float = 0.0
    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    advice: str = ""
    due: bool = False

    @property
    def key(self) -> str | None:
        """The run's identity in the ledger."""
        return None if self.request is None else self.request.key(self.provider)


def newest_closed_week(pipeline: Pipeline) -> dt.date:
    """The Monday of the newest week that is closed."""
    week = monday_of(pipeline.today())
    while not pipeline.is_closed(week):
        week -= dt.timedelta(weeks=1)
    return week


def consider(pipeline: Pipeline, *, seed: int = 0, asked: bool = False) -> Consideration:
    """Looks at the newest closed week's training file: nothing is sent.

    Args:
        pipeline: settings, store and files.
        seed: of the run; another one makes another run of the same data.
        asked: a person asks for the run, so that it need not be switched on, nor be time for it.

    Raises:
        ProviderError: the provider could not be asked about the base model.
    """
    settings = pipeline.settings
    week, name = newest_closed_week(pipeline), provider_name(settings)
    found = _dataset(pipeline, week)
    if found is None:
        return Consideration(week, name, None, refusals=(f"the week of {week} has no dataset that passed its checks",))
    dataset_id, manifest, tainted = found
    wanted = training_format(settings)
    described, held = _files(manifest, wanted), trainable(manifest["content"]["files"], wanted)
    if "train" not in described:
        reason = f"the dataset of {week} holds nothing for {settings.tuning_method} training"
        if held.partial:
            reason = f"{reason}: all of its {held.partial} examples are partial, {PARTIAL}"
        return Consideration(week, name, None, refusals=(reason,))
    training = _file(pipeline, week, described["train"])
    validation = _file(pipeline, week, described["validation"]) if "validation" in described else None
    lines = int(described["train"]["lines"])
    request = TrainingRequest(
        dataset_id, settings.tuning_method, settings.tuning_model, training, validation,
        epochs=run_epochs(held.examples, lines), seed=seed,
    )  # fmt: skip
    # the run's own: where a provider keeps nothing else of ours, its jobs and models are known by it
    request = replace(request, suffix=f"feedback-{week:%Y%m%d}-{request.key(name)[:8]}")
    problems, warnings = _preparation(pipeline, open_provider(settings), request)
    if tainted:
        problems.append("rows of the dataset were erased since it was made: make the week's files again")
    ledger = Ledger(pipeline.database)
    return _judged(pipeline, ledger, week, request, held, problems, warnings, asked=asked)


def _judged(
    pipeline: Pipeline,
    ledger: Ledger,
    week: dt.date,
    request: TrainingRequest,
    held: Trainable,
    problems: list[str],
    warnings: list[str],
    *,
    asked: bool,
) -> Consideration:
    settings, now, name = pipeline.settings, pipeline.now(), provider_name(pipeline.settings)
    examples = held.examples
    changed = any("is not the file" in problem for problem in problems)
    tokens, highest, rate = (None, None, 0.0) if changed else _cost(pipeline, request, name)
    price = training_price(settings)
    if price is not None and name not in FREE:
        warnings.append(f"price: {price.note}")
    if highest is None and not changed:
        problems.append(f"no price is known for {request.method} training of {request.model} at {name}: "
                        "give one in FEEDBACK_TUNING_PRICES")  # fmt: skip
    last = ledger.last_started()
    situation = Situation(
        dataset_id=request.dataset_id, examples=examples, checks_passed=not changed, highest_cost_usd=highest or 0.0,
        spent_usd=ledger.spent_usd(now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)),
        last_run=last[0] if last else None,
        approved_dataset_id=approvals.approved_hash(pipeline, approvals.DATASET), now=now,
    )  # fmt: skip
    policy = Policy(
        enabled=settings.tuning_enabled or asked, least_examples=settings.tuning_least_examples,
        budget_usd=settings.tuning_budget_usd, cooldown=dt.timedelta(days=settings.tuning_cooldown_days),
        approval_required=settings.tuning_approval == "required" and name not in FREE[:1],
    )  # fmt: skip
    same_week = [
        run for run in ledger.runs()
        if run.week == week and run.provider == name and run.entry.state not in ("refused", "not_run")
        and run.request.seed == request.seed and run.entry.key != request.key(name)
    ]  # fmt: skip
    if same_week:
        problems.append(f"the week of {week} was trained on already, by run {same_week[0].entry.key[:12]}")
    known = ledger.run(request.key(name))
    if known is not None:
        problems.append(f"the run is in the ledger already: {known.entry.state}")
    advised = advice(
        examples, partial=held.partial, trained_on=last[1] if last else None,
        days_since=(now - last[0]).days if last else None, enough=settings.tuning_least_examples,
    )  # fmt: skip
    return Consideration(
        week, name, request, examples, tokens, highest, rate, (*problems, *refusals(policy, situation)),
        tuple(warnings), advised.text, advised.train_now,
    )  # fmt: skip


def start(pipeline: Pipeline, *, seed: int = 0, asked: bool = False) -> tuple[Run | None, Consideration]:
    """Enters the run into the ledger where nothing speaks against it; budgets are looked at by one process at a time.

    A run that is in the ledger already is returned as it is.
    """
    ledger = Ledger(pipeline.database)
    with ledger.exclusively(PLANNING) as alone:
        considered = consider(pipeline, seed=seed, asked=asked)
        known = None if considered.key is None else ledger.run(considered.key)
        if known is not None:
            return known, considered
        if not alone:
            return None, replace(considered, refusals=(*considered.refusals, "another process plans a run right now"))
        if considered.refusals or considered.request is None or considered.highest_usd is None:
            return None, considered
        run = ledger.plan(
            considered.request, considered.provider, considered.week, examples=considered.examples,
            highest_usd=considered.highest_usd, usd_per_million=considered.usd_per_million, now=pipeline.now(),
        )  # fmt: skip
    return run, considered


def step(pipeline: Pipeline, run: Run, provider: Provider) -> Run:
    """Takes the next step of a run, unless another process is at it; returns the run as stored.

    Raises:
        ProviderError: the provider could not be reached or will not yet; the run goes on later.
    """
    ledger, key = Ledger(pipeline.database), run.entry.key
    with ledger.exclusively(key) as alone:
        if not alone:
            return run
        current = ledger.run(key)
        if current is None or current.over:
            return current or run
        if current.provider != provider.name:
            raise ProviderError(provider.name, f"go on with a run of {current.provider}", "not configured")
        now = pipeline.now()
        ledger.look(key, now)
        watched = _Watched(provider)
        try:
            advance(current.entry, watched, current.request, lambda old, new: ledger.save(old, new, now), now)
        except (FileChanged, FileNotFoundError) as error:
            stored = ledger.run(key)
            assert stored is not None
            reason = str(error) if isinstance(error, FileChanged) else "a training file is gone: make it again"
            refused = replace(stored.entry, state="refused", version=stored.entry.version + 1, since=now, reason=reason)
            ledger.save(stored.entry, refused, now)
        if watched.said is not None and watched.said.losses:
            ledger.keep_losses(key, watched.said.losses)
        stored = ledger.run(key)
        assert stored is not None
        return stored


def submit(pipeline: Pipeline, run: Run, provider: Provider) -> Run:
    """Takes steps until the provider has the job, or the run is over, or a step leads no further for now."""
    while next_step(run.entry) in ("upload", "create", "adopt"):
        after = step(pipeline, run, provider)
        if after.entry.state == run.entry.state or after.entry.reason is not None:
            return after
        run = after
    return run


def cancel(pipeline: Pipeline, run: Run, provider: Provider) -> Run:
    """Ends a run that has no job yet, or asks the provider to stop its job; the next look says whether it did.

    Raises:
        ProviderError: the provider could not be asked, or may be starting the job at this moment.
    """
    ledger = Ledger(pipeline.database)
    with ledger.exclusively(run.entry.key) as alone:
        current = ledger.run(run.entry.key)
        assert current is not None
        entry = current.entry
        if current.over:
            return current
        if not alone or entry.state == "creating":
            raise ProviderError(current.provider, "cancel the run", "its job is being started: cancel it in a while")
        if entry.job_id is not None:
            provider.cancel(entry.job_id)
            return current
        now, reason = pipeline.now(), "stopped by a person before its job was started"
        # `refused`: it cost nothing, so that neither budget nor cool-down count it
        ledger.save(entry, replace(entry, state="refused", version=entry.version + 1, since=now, reason=reason), now)
    return ledger.run(run.entry.key) or current


class _Watched:
    """A provider whose last word about a job is remembered."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.said: JobState | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    def poll(self, job_id: str) -> JobState:
        self.said = self._provider.poll(job_id)
        return self.said


def _dataset(pipeline: Pipeline, week: dt.date) -> tuple[str, dict[str, Any], float | None] | None:
    """A dataset is recorded by `training_manifest`, which only runs once the files' blocking checks passed."""
    with pipeline.database.engine.connect() as connection:
        row = connection.execute(statement("tuning_dataset"), {"week": week}).first()
    return (row.id, row.manifest, row.tainted_share) if row else None


def _files(manifest: dict[str, Any], format_: str) -> dict[str, dict[str, Any]]:
    """The files of a format by split; partial context is for people to use, not for us."""
    listed = manifest["content"]["files"]
    return {file["split"]: file for file in listed if file["format"] == format_ and file["context"] == "full"}


def _file(pipeline: Pipeline, week: dt.date, described: dict[str, Any]) -> TrainingFile:
    family = FAMILIES[pipeline.settings.tuning_method]
    place: Any = pipeline.frames.root / FILES / week.isoformat() / family / described["name"]
    return TrainingFile(place, described["sha256"])


def _preparation(pipeline: Pipeline, provider: Provider, request: TrainingRequest) -> tuple[list[str], list[str]]:
    """What speaks against the run: files that are not those of the manifest, the provider's rules, end dates."""
    problems: list[str] = []
    for file in (request.training, request.validation):
        try:
            if file is not None:
                file.content()
        except (FileChanged, FileNotFoundError):
            problems.append(f"{file.path.name} is not the file that its dataset's manifest names" if file else "")
    if problems:
        return problems, []
    prepared = provider.prepare(request, pipeline.today())
    return [*prepared.problems, *provider.validate(request)[:3]], list(prepared.warnings)


def _cost(pipeline: Pipeline, request: TrainingRequest, provider: str) -> tuple[TokenTotal | None, float | None, float]:
    lines = pl.Series("messages", request.training.content().decode("utf-8-sig").split("\n")[:-1], dtype=pl.String)
    # a line's number is its identity here: copies of one example are drawn independently
    numbers = pl.int_range(len(lines), eager=True).cast(pl.String)
    frame = pl.DataFrame([row_id([numbers], "line").alias("example_id"), lines])
    tokens = token_total(frame.with_columns(completion=pl.lit("")), request.training.sha256)
    if provider in FREE:
        return tokens, 0.0, 0.0
    price = training_price(pipeline.settings)
    if price is None:
        return tokens, None, 0.0
    epochs = request.epochs or default_epochs(len(lines))
    return tokens, cost_estimates(tokens, epochs, [price])[0].high, price.usd_per_million
