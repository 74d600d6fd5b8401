"""The prompt behind the sample's answers, with a flaw planted in the version that people like least."""

from feedback_pipeline.experiments import prompts
from feedback_pipeline.experiments.prompts import Prompt
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.sample.planted import CAUSE_VERSION, TENANTS

NAME = "assistant"
FLAW = "Keep it as short as possible: answer in only one sentence."
"""What makes the answers of this version incomplete; taken away, the simulated model answers in full."""

TEXT = f"You are the assistant of {{project}}.\nAnswer in the language of the question. {FLAW}"


def add_sample_prompt(pipeline: Pipeline) -> Prompt:
    """Registers the version of the sample that carries the flaw; again changes nothing."""
    return prompts.add(
        pipeline.database, NAME, TEXT, now=pipeline.now(), version=CAUSE_VERSION, tenant=TENANTS[0].name,
        person="the sample",
    )  # fmt: skip
