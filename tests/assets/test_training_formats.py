"""Which formats the weekly assets write."""

from types import SimpleNamespace

from assets.training import _formats
from feedback_pipeline.settings import Settings
from feedback_pipeline.training.formats import FORMATS


def chosen(**environment: str) -> list[str]:
    return _formats(SimpleNamespace(settings=Settings.from_environment(environment)))


def test_what_the_configured_provider_trains_on_is_written_whatever_is_chosen() -> None:
    azure = {"FEEDBACK_TUNING_PROVIDER": "openai", "FEEDBACK_TUNING_BASE_URL": "https://me.openai.azure.com/openai/v1/"}
    assert chosen(FEEDBACK_TRAINING_FORMATS="promptfoo", **azure) == ["azure_sft", "promptfoo_jsonl", "promptfoo_yaml"]
    preference = {**azure, "FEEDBACK_TUNING_METHOD": "preference"}
    assert "azure_dpo" in chosen(FEEDBACK_TRAINING_FORMATS="trl", **preference)
    local = {"FEEDBACK_TUNING_PROVIDER": "local", "FEEDBACK_TUNING_COMMAND": "train"}
    assert "trl_sft" in chosen(FEEDBACK_TRAINING_FORMATS="openai", **local)


def test_nothing_more_is_written_than_was_asked_for() -> None:
    assert chosen() == [
        "openai_sft",
        "openai_dpo",
        "trl_sft",
        "trl_dpo",
        "trl_kto",
        "promptfoo_jsonl",
        "promptfoo_yaml",
    ]
    assert chosen(FEEDBACK_TRAINING_FORMATS="fireworks") == ["fireworks_sft", "fireworks_dpo"]
    assert chosen(FEEDBACK_TRAINING_FORMATS="all") == list(FORMATS)
