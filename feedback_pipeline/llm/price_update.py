"""Writes `prices.yaml` anew from the package genai-prices, which is not needed at run time.

python -m feedback_pipeline.llm.price_update > feedback_pipeline/llm/prices.yaml
"""

import datetime as dt
from decimal import Decimal
from importlib.metadata import version
from typing import Any

PROVIDERS = ("openai", "anthropic", "google", "mistral", "deepseek", "x-ai", "cohere", "zai", "moonshotai", "meta")
"""Whoever makes a model comes before whoever resells it: a name is priced by the first that lists it."""

_HEAD = """\
# US dollars per million tokens, standard tier, requests of ordinary length, as listed by {source}.
# Written by feedback_pipeline.llm.price_update; your own go into a file of the same form (FEEDBACK_MODEL_PRICES).
# A model that is not listed has no price: a run with a cost cap refuses it instead of guessing.
as_of: {today}
source: {source}
models:
"""


def price_file(today: dt.date) -> str:
    """The whole file."""
    from genai_prices import data  # a development tool

    listed: dict[str, str] = {}
    known = {provider.id: provider for provider in data.providers}
    for name in PROVIDERS:
        for model in known[name].models:
            prices = model.get_prices(dt.datetime.combine(today, dt.time(), dt.UTC))
            amounts = {
                "input": _base(prices.input_mtok),
                "cached_input": _base(prices.cache_read_mtok),
                "output": _base(prices.output_mtok),
            }
            if amounts["input"] is None or amounts["output"] is None:
                continue  # not a model of text
            shown = ", ".join(f"{kind}: {amount}" for kind, amount in amounts.items() if amount is not None)
            listed.setdefault(model.id, f"  {model.id}: {{{shown}}}\n")
    head = _HEAD.format(source=f"genai-prices {version('genai-prices')}", today=today)
    return head + "".join(listed[name] for name in sorted(listed))


def _base(price: Any) -> Decimal | None:
    """A price for requests of ordinary length: the lowest of a list of tiers."""
    amount: Decimal | None = getattr(price, "base", price)
    return amount


if __name__ == "__main__":
    print(price_file(dt.datetime.now(dt.UTC).date()), end="")  # noqa: T201 - what it is for
