"""What votes mean and what is looked for in them."""

from dataclasses import dataclass
from pathlib import Path

from feedback_pipeline.environment import setting, share


@dataclass(frozen=True)
class FindingSettings:
    """What votes mean and what is looked for in them."""

    verdicts_file: Path | None = setting(
        "FEEDBACK_VERDICTS",
        None,
        "what each signal says, a TOML file; none for the mapping that comes with the project",
    )
    names_model: str | None = setting(
        "FEEDBACK_NAMES_MODEL", None, "model that finds names in what reports quote, `language:model`", needs="names"
    )
    approval_target: float = setting(
        "FEEDBACK_APPROVAL_TARGET", 0.8, "approval below which people are alerted", read=share
    )
