"""The ledger of training runs: what was intended, done and paid, and what to do next.

Every act is written down before and after it is done. After a crash the state says what may have happened: an upload
or a job that the provider already has is adopted, and a job is created again only when the provider, asked after a
while, still knows none. Two daemons cannot take the same step, because a step is saved only over the version it was
read at.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from feedback_pipeline.tuning.providers.protocol import FINAL, JobState, Provider, ProviderError, TrainingRequest

State = Literal["planned", "uploading", "uploaded", "creating", "following", "succeeded", "failed", "cancelled",
                "not_run", "lost", "refused"]  # fmt: skip
Step = Literal["upload", "create", "adopt", "poll", "none"]

ADOPTION_GRACE = timedelta(minutes=10)
"""How long a provider may take to list a job it has created; longer than the creating call may last."""

ADOPTION_LOOKS = 3
"""Looks that must find no such job before it is created again: a clock that jumps ahead is not enough."""

LOST_AFTER = 3
"""Polls in a row that find no such job before it is given up."""

_REFUSED = ("400", "404", "413", "422")
"""Answers that will be the same next time, and after which nothing was started."""

_NOT_NOW = ("401", "403", "429")
"""Answers after which nothing was started, and which may be different next time."""

JOB_LISTED_WITHIN = timedelta(days=1)
"""A job of the same upload, model and seed that is not older than this before its run was about to create one may be
the run's own, by a call whose answer was lost."""

WAIT_AT_MOST = timedelta(days=1)
"""How long an upload may be not ready, or a job be looked at by its provider before it starts: then the run is given
up and the job cancelled. Providers read files in minutes."""

OVER: frozenset[State] = frozenset({"succeeded", "failed", "cancelled", "not_run", "lost", "refused"})


@dataclass(frozen=True)
class Entry:
    """One training run.

    Attributes:
        key: `TrainingRequest.key`: the run's identity.
        state: how far it is.
        version: counts every change; a change is saved only over the version it was made from.
        since: when the state was entered.
        training_file_id: the provider's id of the upload.
        validation_file_id: likewise.
        job_id: the provider's id of the job.
        fine_tuned_model: the model made.
        reported: the provider's last word on the job.
        trained_tokens: tokens billed.
        misses: looks in a row that found no such job.
        reason: why the run is over without a model, or why it waits, as a code or in our words.
    """

    key: str
    state: State
    version: int
    since: datetime
    training_file_id: str | None = None
    validation_file_id: str | None = None
    job_id: str | None = None
    fine_tuned_model: str | None = None
    reported: str | None = None
    trained_tokens: int | None = None
    misses: int = 0
    reason: str | None = None


Save = Callable[[Entry, Entry], bool]
"""Saves the second entry in place of the first; False where the first is no longer what is stored."""


@dataclass(frozen=True)
class Policy:
    """What a training run must meet before it costs anything.

    Attributes:
        enabled: uploads are switched on.
        least_examples: approved examples and corrections in train.
        budget_usd: what may be spent in the current month.
        cooldown: least time between two runs.
        approval_required: a person must have approved this very dataset.
    """

    enabled: bool = False
    least_examples: int = 500
    budget_usd: float = 0.0
    cooldown: timedelta = timedelta(days=7)
    approval_required: bool = True


@dataclass(frozen=True)
class Situation:
    """What is known when a run is considered.

    Attributes:
        dataset_id: the dataset.
        examples: approved examples and corrections in train.
        checks_passed: its blocking checks passed.
        highest_cost_usd: upper end of the cost estimate.
        spent_usd: spent this month, running jobs at their highest estimate included.
        last_run: when the last run was created.
        approved_dataset_id: the dataset a person approved, if any.
        now: the time.
    """

    dataset_id: str
    examples: int
    checks_passed: bool
    highest_cost_usd: float
    spent_usd: float
    last_run: datetime | None
    approved_dataset_id: str | None
    now: datetime


def refusals(policy: Policy, situation: Situation) -> list[str]:
    """Why a run may not start; empty where it may."""
    found = []
    if not policy.enabled:
        found.append("uploads are switched off")
    if not situation.checks_passed:
        found.append("the dataset did not pass its checks")
    if situation.examples < policy.least_examples:
        found.append(f"{situation.examples} examples, at least {policy.least_examples} are asked for")
    if situation.spent_usd + situation.highest_cost_usd > policy.budget_usd:
        found.append(
            f"would cost up to {situation.highest_cost_usd:.2f} USD; {situation.spent_usd:.2f} of "
            f"{policy.budget_usd:.2f} USD are spent"
        )
    if situation.last_run is not None and situation.now - situation.last_run < policy.cooldown:
        found.append(f"the last run was less than {policy.cooldown.days} days ago")
    if policy.approval_required and situation.approved_dataset_id != situation.dataset_id:
        other = situation.approved_dataset_id is not None
        found.append("another dataset was approved, not this one" if other else "nobody approved this dataset")
    return found


_STEPS: dict[State, Step] = {
    "planned": "upload",
    "uploading": "upload",
    "uploaded": "create",
    "creating": "adopt",
    "following": "poll",
}


def next_step(entry: Entry) -> Step:
    """What to do with a run: `adopt` looks for the job a creating call may have left; `none` when it is over."""
    return _STEPS.get(entry.state, "none")


def advance(entry: Entry, provider: Provider, request: TrainingRequest, save: Save, now: datetime) -> Entry:
    """Takes the next step of a run and returns the entry as stored; the same entry where somebody else was faster.

    Raises:
        ProviderError: the provider could not be reached or will not yet; the state says what may have happened.
        FileChanged: a file is not the one that was validated; nothing was sent.
    """
    step = next_step(entry)
    if step == "upload":
        return _upload(entry, provider, request, save, now)
    if step == "create":
        return _create(entry, provider, request, save, now)
    if step == "adopt":
        return _adopt(entry, provider, request, save, now)
    if step == "poll":
        return _poll(entry, provider, save, now)
    return entry


def _moved(entry: Entry, save: Save, now: datetime, state: State, **changes: str | int | None) -> Entry | None:
    """The entry in its new state, once saved; None where somebody else changed it first."""
    since = entry.since if state == entry.state else now
    changed = replace(entry, state=state, version=entry.version + 1, since=since, **changes)  # type: ignore[arg-type]
    return changed if save(entry, changed) else None


def _upload(entry: Entry, provider: Provider, request: TrainingRequest, save: Save, now: datetime) -> Entry:
    intended = _moved(entry, save, now, "uploading")
    if intended is None:
        return entry
    try:
        training = provider.find_file(request.training) or provider.upload(request.training)
        held_out = request.validation
        validation = None if held_out is None else provider.find_file(held_out) or provider.upload(held_out)
    except ProviderError as error:
        if error.code[:3] in _REFUSED and not error.not_yet:
            return _moved(intended, save, now, "refused", reason=str(error)) or intended
        if error.code[:3] in _NOT_NOW or error.not_yet:
            return _waiting(intended, save, now, "uploading", error)
        raise
    uploads = {"training_file_id": training, "validation_file_id": validation, "reason": None}
    return _moved(intended, save, now, "uploaded", **uploads) or intended


def _waiting(entry: Entry, save: Save, now: datetime, state: State, error: ProviderError) -> Entry:
    """A run whose provider will not yet: it stays where it is and says why, and is tried again at the next look."""
    if error.not_yet and now - entry.since > WAIT_AT_MOST:
        return _moved(entry, save, now, "refused", reason=f"{error}, for more than {_days(WAIT_AT_MOST)}") or entry
    return _moved(entry, save, now, state, reason=str(error)) or entry


def _days(length: timedelta) -> str:
    return f"{length.days} day{'' if length.days == 1 else 's'}"


def _create(entry: Entry, provider: Provider, request: TrainingRequest, save: Save, now: datetime) -> Entry:
    if entry.training_file_id is None:
        raise ValueError(f"run {entry.key[:12]} is {entry.state} without an upload: the ledger was edited by hand")
    # An earlier life of this entry may have created it.
    if (job := provider.find_job(request, entry.training_file_id, _earliest(entry))) is not None:
        return _moved(entry, save, now, "following", job_id=job, reason=None) or entry
    waiting_since = entry.since
    intended = _moved(entry, save, now, "creating")
    if intended is None:
        return entry
    try:
        job = provider.create(request, entry.training_file_id, entry.validation_file_id)
    except ProviderError as error:
        if error.code[:3] in _REFUSED and not error.not_yet:
            return _moved(intended, save, now, "refused", reason=str(error)) or intended
        if error.code[:3] in _NOT_NOW or error.not_yet:
            return _back(intended, save, now, waiting_since, error)
        raise
    return _moved(intended, save, now, "following", job_id=job, reason=None) or intended


def _back(intended: Entry, save: Save, now: datetime, waiting_since: datetime, error: ProviderError) -> Entry:
    """The run as before its creation was tried, with the reason; it has waited since it was first tried."""
    if error.not_yet and now - waiting_since > WAIT_AT_MOST:
        reason = f"{error}, for more than {_days(WAIT_AT_MOST)}"
        return _moved(intended, save, now, "refused", reason=reason) or intended
    back = replace(intended, state="uploaded", version=intended.version + 1, since=waiting_since, reason=str(error))
    return back if save(intended, back) else intended


def _earliest(entry: Entry) -> datetime:
    """From when on a job may be this run's: clocks differ, and the creation may have been tried before."""
    return entry.since - JOB_LISTED_WITHIN


def _adopt(entry: Entry, provider: Provider, request: TrainingRequest, save: Save, now: datetime) -> Entry:
    """The creating call may or may not have come through."""
    if entry.training_file_id is None:
        raise ValueError(f"run {entry.key[:12]} is {entry.state} without an upload: the ledger was edited by hand")
    if (job := provider.find_job(request, entry.training_file_id, _earliest(entry))) is not None:
        return _moved(entry, save, now, "following", job_id=job, misses=0, reason=None) or entry
    waited = now - entry.since
    if waited < timedelta(0):  # the clock went back: start waiting anew rather than for ever
        restarted = replace(entry, version=entry.version + 1, since=now)
        return restarted if save(entry, restarted) else entry
    if waited >= ADOPTION_GRACE and entry.misses + 1 >= ADOPTION_LOOKS:
        return _moved(entry, save, now, "uploaded", misses=0) or entry
    if entry.misses + 1 < ADOPTION_LOOKS:
        return _moved(entry, save, now, "creating", misses=entry.misses + 1) or entry
    return entry


def _poll(entry: Entry, provider: Provider, save: Save, now: datetime) -> Entry:
    if entry.job_id is None:
        raise ValueError(f"run {entry.key[:12]} is followed without a job: the ledger was edited by hand")
    job = provider.poll(entry.job_id)
    if job.status == "lost":
        over = entry.misses + 1 >= LOST_AFTER
        state: State = "lost" if over else "following"
        reason = "the provider no longer knows the job" if over else None
        return _moved(entry, save, now, state, misses=entry.misses + 1, reported=job.reported, reason=reason) or entry
    if job.status not in FINAL:
        return _still_open(entry, provider, job, save, now)
    if job.status == "succeeded" and not job.fine_tuned_model:
        return _moved(entry, save, now, "failed", reported=job.reported, trained_tokens=job.trained_tokens,
                      reason="the job succeeded without naming a model") or entry  # fmt: skip
    final: State = job.status  # type: ignore[assignment]
    reason = job.error_code or (entry.reason if final == "cancelled" else None)
    return (
        _moved(entry, save, now, final, reported=job.reported, fine_tuned_model=job.fine_tuned_model,
               trained_tokens=job.trained_tokens, misses=0, reason=reason)
        or entry
    )  # fmt: skip


def _still_open(entry: Entry, provider: Provider, found: JobState, save: Save, now: datetime) -> Entry:
    """A job that goes on; one that its provider does not begin is cancelled after a while."""
    reason = None
    if found.status == "pending" and now - entry.since > WAIT_AT_MOST and entry.job_id is not None:
        reason = f"not begun after {_days(WAIT_AT_MOST)} ({found.reported}): the provider was asked to cancel the job"
        if entry.reason != reason:
            provider.cancel(entry.job_id)
    if (entry.reported, entry.misses, entry.reason) == (found.reported, 0, reason):
        return entry
    return _moved(entry, save, now, "following", misses=0, reported=found.reported, reason=reason) or entry
