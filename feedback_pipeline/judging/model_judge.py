"""The configured judging model, with its budget and its cache, for one run over one week."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from urllib.parse import urlsplit

from feedback_pipeline.judging.backends.chat import ChatJudge
from feedback_pipeline.judging.calls import CallLayer, Endpoint
from feedback_pipeline.judging.prices import FREE, PRICE_FILE, Price, UnknownPriceError, read_prices
from feedback_pipeline.judging.rubrics import read_rubric
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import replies
from feedback_pipeline.store.database import Database

LOOPBACK = ("127.0.0.1", "::1", "localhost")
NO_KEY = "none"
"""What endpoints that ask for no key are sent."""


@contextmanager
def model_judge(settings: Settings, database: Database, week: date, *, occasion: int = 0) -> Iterator[ChatJudge]:
    """The configured model as a judge. What its calls cost is written to the week's account when the block ends.

    Args:
        settings: `judge_model` must be set.
        database: where replies and accounts are kept.
        week: whose account is charged; earlier runs over it count against the cap.
        occasion: the same for what may be answered from the cache; another to ask the same things anew.

    Raises:
        UnknownPriceError: the model has no price and is not on this machine, so that no cap could hold.
    """
    endpoint = judge_endpoint(settings)
    left = max(0.0, settings.judge_cost_cap_usd - replies.spent_usd(database, week))
    run = replies.start_run(database, week)
    layer = CallLayer(endpoint, cache=replies.PostgresReplyCache(database, run), cost_cap_usd=left)
    try:
        yield ChatJudge(layer, read_rubric(), occasion=occasion)
    finally:
        replies.settle_run(database, run, layer.statistics.cost_usd, layer.statistics.attempts)


def judge_endpoint(settings: Settings) -> Endpoint:
    """Address, model, key and price of the configured model.

    Raises:
        ValueError: no model is configured.
        UnknownPriceError: see `model_judge`.
    """
    if settings.judge_model is None:
        raise ValueError("no judging model is configured: set FEEDBACK_JUDGE_MODEL")
    price = _price(settings, settings.judge_model)
    return Endpoint(settings.judge_url, settings.judge_model, settings.model_key or NO_KEY, price)


def _price(settings: Settings, model: str) -> Price:
    try:
        return read_prices(settings.judge_prices_file or PRICE_FILE).price(model)
    except UnknownPriceError:
        if urlsplit(settings.judge_url).hostname in LOOPBACK:
            return FREE
        raise
