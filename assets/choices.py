"""What a person may choose for one run in the Launchpad (or by `dg launch --config-json`), beside the partition.

A choice holds for the run alone; the next run takes the settings again. Money can only be chosen lower than the
settings allow: whoever reaches the UI may start a run, not raise what it costs.
"""

from typing import Any

import dagster as dg
from pydantic import Field

from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.resources import as_chosen
from feedback_pipeline.settings import plain


class Sampling(dg.Config):
    """How much is drawn to be judged."""

    judge_sample_size: int | None = Field(None, description="Answers judged of the week (FEEDBACK_JUDGE_SAMPLE).")
    audit_size: int | None = Field(None, description="Answers that people are asked about (FEEDBACK_AUDIT_SAMPLE).")


class Judging(dg.Config):
    """What the week's judging may cost, and who judges."""

    judge_cost_cap_usd: float | None = Field(
        None, description="US dollars that the week may cost in all its runs, at most FEEDBACK_JUDGE_COST_CAP."
    )
    judge_model: str | None = Field(None, description="Model that judges (FEEDBACK_JUDGE_MODEL).")
    judge_samples: int | None = Field(None, description="How often each answer is judged (FEEDBACK_JUDGE_SAMPLES).")


class Formats(dg.Config):
    """Which files are written."""

    training_formats: list[str] | None = Field(
        None, description="Kinds of training files (FEEDBACK_TRAINING_FORMATS): openai, trl, … or all."
    )


class Tuning(dg.Config):
    """What starting a training run may do."""

    dry_run: bool = Field(False, description="Go through every step and send nothing.")
    tuning_budget_usd: float | None = Field(
        None, description="US dollars that fine-tunes may cost this month, at most FEEDBACK_TUNING_BUDGET."
    )


class Importing(dg.Config):
    """What is imported."""

    sources: list[str] = Field(
        default_factory=list, description="Names of sources.yaml; every one where none is named."
    )
    dry_run: bool = Field(False, description="Read and refuse as ever, and file nothing.")


def chosen(pipeline: Pipeline, choices: dict[str, Any]) -> Pipeline:
    """The pipeline as a run's choices have it.

    Raises:
        SettingsError: a choice is none that the setting takes.
    """
    named = {name: value for name, value in choices.items() if value is not None and name != "dry_run"}
    texts = {name: ",".join(value) if isinstance(value, list) else plain(value) for name, value in named.items()}
    if choices.get("dry_run"):
        texts["tuning_provider"] = "dry_run"
    return as_chosen(pipeline, texts)
