"""The configured judging model, with its budget and its cache, for one run over one week."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from urllib.parse import urlsplit

import yaml

from feedback_pipeline.judging.backends.model import ModelJudge
from feedback_pipeline.judging.rubrics import read_rubric
from feedback_pipeline.llm.calls import CallLayer, Endpoint
from feedback_pipeline.llm.prices import FREE, Price, UnknownPriceError, read_prices
from feedback_pipeline.llm.progress import LoggedProgress, Report
from feedback_pipeline.settings import Settings, SettingsError
from feedback_pipeline.store import replies
from feedback_pipeline.store.database import Database

LOOPBACK = ("127.0.0.1", "::1", "localhost")
NO_KEY = "none"
"""What endpoints that ask for no key are sent."""


@contextmanager
def model_judge(
    settings: Settings,
    database: Database,
    week: date,
    *,
    criteria: Sequence[str] = (),
    occasion: int = 0,
    progress: Report | None = None,
) -> Iterator[ModelJudge]:
    """The configured model as a judge. What its calls cost is written to the week's account when the block ends.

    Args:
        settings: `judge_model` must be set.
        database: where replies and accounts are kept.
        week: whose account is charged; earlier runs over it count against the cap.
        criteria: those of the rubric to judge; all unless given.
        occasion: the same for what may be answered from the cache; another to ask the same things anew.
        progress: told how far the calls are; the log is, unless given.

    Raises:
        SettingsError: the rubric cannot be judged by.
        UnknownPriceError: the model has no price and is not on this machine, so that no cap could hold.
    """
    endpoint = judge_endpoint(settings)
    left = max(0.0, settings.judge_cost_cap_usd - replies.spent_usd(database, week))
    run = replies.start_run(database, week)
    cache = replies.PostgresReplyCache(database, run)
    layer = CallLayer(endpoint, cache=cache, cost_cap_usd=left, progress=progress or LoggedProgress())
    try:
        yield configured_judge(settings, layer, criteria=criteria, occasion=occasion)
    finally:
        replies.settle_run(database, run, layer.statistics.cost_usd, layer.statistics.attempts)


def configured_judge(
    settings: Settings, layer: CallLayer, *, criteria: Sequence[str] = (), occasion: int = 0
) -> ModelJudge:
    """The model as the settings ask it, over given calls.

    Args:
        criteria: those of the rubric to judge; all unless given.

    Raises:
        SettingsError: the rubric does not exist, cannot be read, or lacks a criterion.
    """
    try:
        rubric = read_rubric(settings.judge_rubric)
        chosen = rubric.only(*criteria) if criteria else rubric
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SettingsError(f"FEEDBACK_JUDGE_RUBRIC cannot be judged by: {error}") from error
    mode, samples, nonce = settings.judge_mode, settings.judge_samples, settings.judge_nonce
    return ModelJudge(layer, chosen, mode, samples, echo_nonce=nonce, occasion=occasion)


def judge_endpoint(settings: Settings) -> Endpoint:
    """Address, model, key and price of the configured model.

    Raises:
        ValueError: no model is configured.
        UnknownPriceError: see `model_judge`.
    """
    if settings.judge_model is None:
        raise ValueError("no judging model is configured: set FEEDBACK_JUDGE_MODEL")
    return Endpoint(
        settings.judge_url,
        settings.judge_model,
        settings.model_key or NO_KEY,
        _price(settings, settings.judge_model),
        concurrency=settings.judge_concurrency,
        requests_per_minute=settings.judge_requests_a_minute,
        tokens_per_minute=settings.judge_tokens_a_minute,
    )


def _price(settings: Settings, model: str) -> Price:
    try:
        return read_prices(settings.prices_file).price(model)
    except UnknownPriceError:
        if urlsplit(settings.judge_url).hostname in LOOPBACK:
            return FREE
        raise
