"""The configured place that trains, and what it asks for."""

from urllib.parse import urlsplit

import orjson

from feedback_pipeline.settings import OPENAI_URL, Settings
from feedback_pipeline.training.costs import Price, read_prices
from feedback_pipeline.tuning.providers.dry_run import DryRun
from feedback_pipeline.tuning.providers.local_command import LocalCommand
from feedback_pipeline.tuning.providers.protocol import Provider

FREE = ("dry-run", "local")
_NO_KEY = "none"


def provider_name(settings: Settings) -> str:
    """What the ledger calls the configured provider: its end dates, prices and file format go by it."""
    if settings.tuning_provider == "dry_run":
        return DryRun.name
    if settings.tuning_provider == "local":
        return LocalCommand.name
    host = urlsplit(settings.tuning_url or OPENAI_URL).hostname or "openai"
    if host.endswith(".openai.com"):
        return "openai"
    return "azure" if host.endswith((".azure.com", ".azure.us")) else host


def open_provider(settings: Settings) -> Provider:
    """The configured provider; nothing is asked of it yet."""
    if settings.tuning_provider == "dry_run":
        return DryRun()
    if settings.tuning_provider == "local":
        return LocalCommand(settings.tuning_command, settings.home / "training_runs")
    # importing the client takes half a second, which whoever only loads the definitions need not wait for
    import openai

    from feedback_pipeline.tuning.providers.openai_wire import OpenAIWire

    client = openai.OpenAI(base_url=settings.tuning_url or OPENAI_URL, api_key=settings.model_key or _NO_KEY)
    return OpenAIWire(client, provider_name(settings), orjson.loads(settings.tuning_extra))


def training_price(settings: Settings) -> Price | None:
    """What the configured provider asks for training the configured model; None where nobody wrote it down."""
    name = provider_name(settings)
    for price in read_prices(settings.tuning_prices_file):
        fits = price.model in {settings.tuning_model, "any"} or settings.tuning_model.startswith(f"{price.model}-2")
        if fits and price.provider == name and price.method == settings.tuning_method:
            return price
    return None


def training_format(settings: Settings) -> str:
    """The format of the files the configured provider is given for the configured method."""
    return format_name(provider_name(settings), settings.tuning_method)


def format_name(provider: str, method: str) -> str:
    """The format of the files a provider is given."""
    family = {"azure": "azure", "local": "trl"}.get(provider, "openai")
    return f"{family}_{'sft' if method == 'supervised' else 'dpo'}"
