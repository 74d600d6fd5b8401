"""The configured place that trains, and what it asks for."""

from urllib.parse import urlsplit

import orjson

from feedback_pipeline.settings import OPENAI_URL, Settings
from feedback_pipeline.training.costs import Price, read_prices
from feedback_pipeline.tuning.providers.dry_run import DryRun
from feedback_pipeline.tuning.providers.local_command import LocalCommand
from feedback_pipeline.tuning.providers.protocol import Provider, ProviderError
from feedback_pipeline.tuning.providers.trl import FORMATS as TRL_FORMATS
from feedback_pipeline.tuning.providers.trl import TrlTrainer

FREE = ("dry-run", "local", "trl")
_NO_KEY = "none"

OWN_FORMATS = {"azure": "azure", "together": "together", "fireworks": "fireworks", "vertex": "vertex", "local": "trl"}
"""Providers whose files are not OpenAI's."""


def provider_name(settings: Settings) -> str:
    """What the ledger calls the configured provider: its end dates, prices and file format go by it."""
    if settings.tuning_provider == "dry_run":
        return DryRun.name
    if settings.tuning_provider not in ("openai", "azure"):
        return settings.tuning_provider
    if settings.tuning_provider == "azure":
        return "azure"
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
    if settings.tuning_provider == "trl":
        return TrlTrainer(settings.tuning_python, settings.home / "training_runs", orjson.loads(settings.tuning_extra))
    if (opened := _open_rest(settings)) is not None:
        return opened
    if settings.tuning_provider == "azure" and settings.tuning_url is None:
        address = "FEEDBACK_TUNING_BASE_URL=https://RESOURCE.openai.azure.com/openai/v1/"
        raise ProviderError("azure", "be asked", f"its address is not set: {address}")
    # importing the client takes half a second, which whoever only loads the definitions need not wait for
    import openai

    from feedback_pipeline.tuning.providers.openai_wire import OpenAIWire

    client = openai.OpenAI(base_url=settings.tuning_url or OPENAI_URL, api_key=settings.model_key or _NO_KEY)
    return OpenAIWire(client, provider_name(settings), orjson.loads(settings.tuning_extra))


def _open_rest(settings: Settings) -> Provider | None:
    """The providers with an API of their own."""
    # httpx2 is imported with them, which takes a while
    from feedback_pipeline.tuning.providers import fireworks, together, vertex
    from feedback_pipeline.tuning.providers.rest import Rest

    key, name, extra = settings.model_key or _NO_KEY, settings.tuning_provider, orjson.loads(settings.tuning_extra)
    account = settings.tuning_account or ""
    if name == "together":
        return together.Together(Rest(name, settings.tuning_url or together.URL, key), extra)
    if name == "fireworks":
        return fireworks.Fireworks(Rest(name, settings.tuning_url or fireworks.URL, key), account, extra)
    if name == "vertex":
        location = account.split("/")[1] if account.count("/") == 2 else "us-central1"
        service = Rest(name, settings.tuning_url or vertex.service_url(location), key)
        return vertex.Vertex(service, Rest(name, settings.tuning_url or vertex.STORAGE_URL, key), account, extra)
    return None


def training_price(settings: Settings) -> Price | None:
    """What the configured provider asks for training the configured model; None where nobody wrote it down."""
    name = provider_name(settings)
    for price in read_prices(settings.tuning_prices_file):
        if price.provider == name and price.method == settings.tuning_method and price.fits(settings.tuning_model):
            return price
    return None


def training_format(settings: Settings) -> str:
    """The format of the files the configured provider is given for the configured method."""
    return format_name(provider_name(settings), settings.tuning_method)


def format_name(provider: str, method: str) -> str:
    """The format of the files a provider is given."""
    if provider == TrlTrainer.name:
        return TRL_FORMATS[method]
    family = OWN_FORMATS.get(provider, "openai")
    return f"{family}_{'sft' if method == 'supervised' else 'kto' if method == 'kto' else 'dpo'}"
