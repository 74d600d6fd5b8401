"""A prompt on its way to everybody: a share of people by experiment, then all of them; and back again."""

from feedback_client.assignment import Arm, Experiment

from feedback_pipeline.experiments import prompts, registry
from feedback_pipeline.experiments.prompts import Prompt
from feedback_pipeline.experiments.registry import Plan, Registered
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.tuning import registry as candidates


def problems(pipeline: Pipeline, prompt: Prompt) -> list[str]:
    """Why a version may not be shown to anybody; empty where it may: gate and a person's approval of this very
    evaluation, as for models."""
    found = candidates.models(pipeline.database, prompt.key)
    if not found:
        return [f"{prompt.key} was not evaluated: materialise prompt_evaluation, or feedback prompt evaluate"]
    return candidates.promotion_problems(pipeline, found[0])


def show_to_some(
    pipeline: Pipeline, prompt: Prompt, share: float, *, person: str, plan: Plan | None = None
) -> Registered:
    """Starts (or ramps) an experiment of the version against the one that answers: half of those who take part get it.

    Args:
        pipeline: store and clock.
        prompt: the version.
        share: of people who take part, both halves.
        person: who decides.
        plan: how it is read.

    Raises:
        PromotionRefusedError: it did not pass the gate, or nobody approved it.
        ExperimentError: it was shown before, and concluded.
    """
    if refused := problems(pipeline, prompt):
        raise candidates.PromotionRefusedError(f"{prompt.key} is shown to nobody: {'; '.join(refused)}")
    current = prompts.answering(pipeline.database, prompt.name, prompt.tenant)
    name = experiment_name(prompt)
    known = registry.experiments(pipeline.database, prompt.tenant, name)
    if known and known[0].state == "running":
        return registry.ramp(pipeline.database, name, share, now=pipeline.now(), tenant=prompt.tenant, person=person)
    arms = tuple(Arm(one.version, 0.5, one.text) for one in (current, prompt))
    made = Experiment(name, 1, arms, current.version, name, coverage=share)
    registry.create(pipeline.database, made, now=pipeline.now(), plan=plan, tenant=prompt.tenant, person=person)
    return registry.start(pipeline.database, name, now=pipeline.now(), tenant=prompt.tenant, person=person)


def show_to_all(pipeline: Pipeline, prompt: Prompt, *, person: str) -> candidates.CurrentModel:
    """Promotes the version: it is what `production` means; its experiment is concluded.

    Raises:
        PromotionRefusedError: it did not pass the gate, nobody approved it, or it was held against another version.
    """
    found = candidates.promote(pipeline, prompt.key, prompts.alias(prompt.tenant, prompt.name))
    _conclude(pipeline, prompt, f"{prompt.version} answers everybody", person)
    return found


def roll_back(
    pipeline: Pipeline, name: str, *, person: str, reason: str, tenant: str = registry.TENANT
) -> candidates.CurrentModel:
    """Lets the version answer again that answered before.

    Raises:
        PromotionRefusedError: nothing was promoted.
    """
    current = prompts.answering(pipeline.database, name, tenant)
    found = candidates.roll_back(pipeline, person=person, reason=reason, alias=prompts.alias(tenant, name))
    _conclude(pipeline, current, f"{current.version} was rolled back", person)
    return found


def experiment_name(prompt: Prompt) -> str:
    """The experiment of a version against the one before it."""
    return f"prompt.{prompt.name}.{prompt.version}"[:80]


def _conclude(pipeline: Pipeline, prompt: Prompt, conclusion: str, person: str) -> None:
    known = registry.experiments(pipeline.database, prompt.tenant, experiment_name(prompt))
    if known and known[0].state in ("running", "stopped"):
        registry.conclude(
            pipeline.database, experiment_name(prompt), conclusion, now=pipeline.now(), tenant=prompt.tenant,
            person=person,
        )  # fmt: skip
