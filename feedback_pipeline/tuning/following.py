"""Open runs followed to their end, and the models they made entered as candidates."""

from collections.abc import Callable
from dataclasses import dataclass

from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.tuning import registry, tuning
from feedback_pipeline.tuning.configured import open_provider
from feedback_pipeline.tuning.providers.protocol import Provider, ProviderError
from feedback_pipeline.tuning.runs import Ledger, Run

Opening = Callable[[Settings], Provider]


@dataclass(frozen=True)
class Followed:
    """One look at one run.

    Attributes:
        run: as stored after the look.
        changed: something happened.
        problem: why it could not be looked at; it is tried again.
        attention: a state a person should look at.
    """

    run: Run
    changed: bool
    problem: str | None = None

    @property
    def attention(self) -> str | None:
        entry = self.run.entry
        if entry.state in ("failed", "lost", "refused", "cancelled"):
            return f"{entry.state}: {entry.reason or entry.reported or 'no reason given'}"
        if entry.reason:
            return f"{entry.state}: {entry.reason}"
        if entry.misses:
            return f"the provider did not know the job, {entry.misses} looks in a row"
        if entry.state == "following" and entry.reported not in _USUAL:
            return f"the provider says {entry.reported!r}"
        return None


_USUAL = (None, "validating_files", "queued", "pending", "running", "no exit code yet")


def follow(pipeline: Pipeline, opening: Opening = open_provider, *, due_only: bool = False) -> list[Followed]:
    """Takes one step of every open run, and enters models of runs that succeeded; one bad run holds up no other.

    Args:
        pipeline: settings and store.
        opening: opens the configured provider.
        due_only: leave alone what was looked at a moment ago (`Run.due`).
    """
    ledger = Ledger(pipeline.database)
    open_runs = [run for run in ledger.open_runs() if not due_only or run.due(pipeline.now())]
    provider = opening(pipeline.settings) if open_runs else None
    found = []
    for run in open_runs:
        assert provider is not None
        try:
            after = tuning.step(pipeline, run, provider)
        except ProviderError as error:
            found.append(Followed(ledger.run(run.entry.key) or run, changed=False, problem=str(error)))
            continue
        found.append(Followed(after, changed=after.entry.version != run.entry.version))
    enter_candidates(pipeline, provider, opening)
    return found


def enter_candidates(pipeline: Pipeline, provider: Provider | None, opening: Opening = open_provider) -> list[str]:
    """Enters the models of succeeded runs that the registry does not know, also after a crash between the two."""
    known = {model.name for model in registry.models(pipeline.database)}
    entered = []
    for run in Ledger(pipeline.database).runs():
        name = run.entry.fine_tuned_model
        if run.entry.state != "succeeded" or name is None or name in known:
            continue
        provider = provider or opening(pipeline.settings)
        try:
            told = provider.describe(name).shutdown
        except ProviderError:
            continue  # its end date is not known yet: it is entered at the next look
        registry.register_candidate(pipeline.database, run, told=told, now=pipeline.now())
        entered.append(name)
    return entered
