"""Training files and fine-tuning."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from feedback_pipeline.environment import Derived, SettingsError, address, dollars, parts, setting

TuningProvider = Literal["dry_run", "openai", "azure", "together", "fireworks", "vertex", "local", "trl"]
TuningMethod = Literal["supervised", "preference", "kto"]
TuningApproval = Literal["required", "not_required"]
TrainingFormat = Literal[
    "azure",
    "export",
    "fireworks",
    "llama_factory",
    "openai",
    "promptfoo",
    "table",
    "together",
    "trl",
    "vertex",
    "weighted",
]

BASE_MODELS = {
    "openai": "gpt-4.1-mini", "azure": "gpt-4.1-mini", "together": "Qwen/Qwen3-8B",
    "fireworks": "accounts/fireworks/models/qwen3-8b", "vertex": "gemini-2.5-flash", "trl": "Qwen/Qwen3-0.6B",
}  # fmt: skip
"""What is tuned where nobody says otherwise; models with open weights end when whoever runs them wants."""


def _training_formats(name: str, text: str) -> tuple[TrainingFormat, ...]:
    """`all`, or a list, separated by commas, of {}"""
    known: tuple[TrainingFormat, ...] = get_args(TrainingFormat)
    named = parts(text)
    if named == ("all",):
        return known
    if not named or (unknown := [one for one in named if one not in known]):
        wrong = f"names {unknown[0]!r}" if named else "names nothing"
        raise SettingsError(f"{name} {wrong}, expected all, or some of {', '.join(known)}")
    return tuple(one for one in known if one in named)


def _json_object(name: str, text: str) -> str:
    """a JSON object"""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise SettingsError(f'{name} is not a JSON object such as {{"trainingType": "GlobalStandard"}}')
    return text


def _command(name: str, text: str) -> tuple[str, ...]:
    """words, split as a shell does"""
    return tuple(shlex.split(text))


@dataclass(frozen=True)
class TuningSettings:
    """Training files and fine-tuning."""

    training_weeks: int = setting(
        "FEEDBACK_TRAINING_WEEKS", 12, "length of the rolling window of training data, weeks", low=1
    )
    training_formats: tuple[TrainingFormat, ...] = setting(
        "FEEDBACK_TRAINING_FORMATS",
        ("openai", "promptfoo", "trl"),
        "kinds of training files written every week, separated by commas, or `all`; the provider's own always is",
        read=_training_formats,
    )
    tuning_provider: TuningProvider = setting(
        "FEEDBACK_TUNING_PROVIDER", "dry_run", "who trains; a dry run sends nothing"
    )
    tuning_enabled: bool = setting(
        (),
        Derived(lambda env, _: bool(env.get("FEEDBACK_TUNING_PROVIDER")), "whether a provider was named"),
        "fine-tunes may start by themselves",
    )
    tuning_url: str | None = setting(
        "FEEDBACK_TUNING_BASE_URL",
        None,
        "endpoint of an OpenAI-compatible provider, which also serves what it trained; of a local trainer, where its "
        "models are served",
        read=address("https", "http"),
    )
    tuning_model: str = setting(
        "FEEDBACK_TUNING_MODEL",
        Derived(lambda _, values: BASE_MODELS.get(values["tuning_provider"], "Qwen/Qwen3-8B"), "by provider"),
        "base model",
    )
    tuning_method: TuningMethod = setting("FEEDBACK_TUNING_METHOD", "supervised", "what is trained on")
    tuning_python: Path = setting(
        "FEEDBACK_TUNING_PYTHON",
        Derived(lambda _, values: values["home"] / "trainer" / "bin" / "python", "`trainer/bin/python` in the home"),
        "interpreter of the environment that `trl` trains in",
    )
    tuning_account: str | None = setting(
        "FEEDBACK_TUNING_ACCOUNT",
        None,
        "account at the provider: of Fireworks its id, of Vertex `project/location/bucket`",
    )
    tuning_command: tuple[str, ...] = setting(
        "FEEDBACK_TUNING_COMMAND",
        (),
        "command of a local trainer, split as a shell does",
        read=_command,
    )
    tuning_budget_usd: float = setting(
        "FEEDBACK_TUNING_BUDGET", 0.0, "US dollars that fine-tunes may cost in a calendar month", read=dollars
    )
    tuning_cooldown_days: int = setting("FEEDBACK_TUNING_COOLDOWN", 7, "least days between two fine-tunes")
    tuning_least_examples: int = setting("FEEDBACK_TUNING_EXAMPLES", 500, "approved examples a fine-tune needs", low=10)
    tuning_approval: TuningApproval = setting(
        "FEEDBACK_TUNING_APPROVAL",
        "required",
        "a person must approve the dataset before it is uploaded; no model is promoted without one in any case",
    )
    tuning_prices_file: Path | None = setting(
        "FEEDBACK_TUNING_PRICES", None, "what training costs, a file in the form of `training/prices.yaml`"
    )
    tuning_extra: str = setting(
        "FEEDBACK_TUNING_EXTRA",
        "{}",
        'further fields of a job\'s creation, a JSON object such as `{"trainingType": "GlobalStandard"}` of Azure',
        read=_json_object,
    )
    tuning_webhook_secret: str | None = setting(
        "FEEDBACK_TUNING_WEBHOOK_SECRET",
        None,
        "what the provider signs its webhooks with, `whsec_…`; without one none is taken",
        secret=True,
    )
