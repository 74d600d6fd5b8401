"""What the heavy steps need of a machine: read by the executors of clusters, ignored by all others."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StepSize:
    """Cores and memory that a step is given."""

    cores: float
    memory_mb: int


ORDINARY = StepSize(1, 1024)
HEAVY = {
    "clean_interactions": StepSize(1, 2048),
    "clean_feedback": StepSize(1, 2048),
    "text_signatures": StepSize(1, 2048),
    "prompt_clusters": StepSize(1, 4096),
    "rater_trust": StepSize(2, 4096),
    "slice_findings": StepSize(1, 4096),
    "term_findings": StepSize(1, 4096),
    "failure_topics": StepSize(1, 4096),
    "judgements": StepSize(1, 2048),
    "training_examples": StepSize(2, 6144),
    "preference_pairs": StepSize(2, 4096),
    "sft_file": StepSize(2, 4096),
    "dpo_file": StepSize(2, 4096),
    "kto_file": StepSize(2, 4096),
    "training_manifest": StepSize(2, 4096),
    "weekly_report": StepSize(1, 2048),
}
"""For weeks of about a million votes; a week is bounded by its batches, not by its votes. Two cores stand for steps
that use them both, or that hold so much text that no other should run beside them."""


def size_of(asset: str) -> StepSize:
    """What the step of an asset needs."""
    return HEAVY.get(asset, ORDINARY)


def op_tags(asset: str) -> dict[str, Any]:
    """The tags of an asset's step, for Kubernetes and for Ray."""
    size = size_of(asset)
    wanted = {"cpu": f"{int(size.cores * 1000)}m", "memory": f"{size.memory_mb}Mi"}
    return {
        "dagster-k8s/config": {
            "container_config": {"resources": {"requests": wanted, "limits": {"memory": wanted["memory"]}}}
        },
        "dagster-ray/config": {"num_cpus": size.cores, "memory": size.memory_mb * 1024 * 1024},
    }
