"""Candidate and current model answer the same prompts through an OpenAI-compatible endpoint."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import urlsplit

import orjson
import polars as pl

from feedback_pipeline.judging.model_judge import LOOPBACK, NO_KEY
from feedback_pipeline.llm.calls import CallLayer, ChatCall, Endpoint
from feedback_pipeline.llm.endpoint import ChatReply
from feedback_pipeline.llm.prices import FREE, Price, UnknownPriceError, read_prices
from feedback_pipeline.settings import OPENAI_URL, Settings
from feedback_pipeline.store import replies
from feedback_pipeline.store.database import Database

SERVED_AT = {"together": "https://api.together.xyz/v1", "fireworks": "https://api.fireworks.ai/inference/v1"}
"""Where providers with an API of their own answer in OpenAI's."""

OUTPUT_TOKENS = 1_000
"""Longest answer asked for; longer ones count as unusable, as they would for a person who waits."""

TIMED = 20
"""Prompts whose answers are timed: one at a time, so that no answer waits for another."""


class NotServedError(RuntimeError):
    """Nothing is configured that a model could answer from."""


@dataclass(frozen=True)
class Budget:
    """What an evaluation may still spend: charged to the account of judging the week."""

    database: Database
    week: date
    cap_usd: float

    @contextmanager
    def layer(self, endpoint: Endpoint) -> Iterator[CallLayer]:
        """Calls to one endpoint within what is left; settled when the block ends.

        Replies are not kept: they quote what people asked, and an erasure would have to find them.
        """
        left = max(0.0, self.cap_usd - replies.spent_usd(self.database, self.week))
        run = replies.start_run(self.database, self.week)
        layer = CallLayer(endpoint, cost_cap_usd=left)
        try:
            yield layer
        finally:
            replies.settle_run(self.database, run, layer.statistics.cost_usd, layer.statistics.attempts)


def serving_endpoint(settings: Settings, model: str, base: str | None) -> Endpoint:
    """Where a model answers; a tuned model that has no price of its own costs what its base does.

    Raises:
        NotServedError: nothing is configured that serves it.
        UnknownPriceError: neither has a price, and the endpoint is not on this machine.
    """
    if settings.tuning_provider == "dry_run":
        raise NotServedError("a dry run trains nothing that could answer")
    if settings.tuning_provider in ("local", "trl") and settings.tuning_url is None:
        raise NotServedError("nothing serves the local trainer's models: set FEEDBACK_TUNING_BASE_URL")
    if settings.tuning_provider == "vertex":
        raise NotServedError("answers of models tuned on Vertex AI are not asked for here")
    url = settings.tuning_url or SERVED_AT.get(settings.tuning_provider, OPENAI_URL)
    return Endpoint(url, model, settings.model_key or NO_KEY, _price(settings, url, model, base))


def prompt_endpoint(settings: Settings) -> Endpoint:
    """Where the model answers whose prompts are worked on.

    Raises:
        NotServedError: no model is configured.
        UnknownPriceError: it has no price, and the endpoint is not on this machine.
    """
    if settings.prompt_model is None:
        raise NotServedError("no model is configured that prompts are for: set FEEDBACK_PROMPT_MODEL")
    url = settings.model_url
    price = _price(settings, url, settings.prompt_model, None)
    return Endpoint(url, settings.prompt_model, settings.model_key or NO_KEY, price)


def answer_prompts(
    budget: Budget, endpoint: Endpoint, prompts: pl.DataFrame, clock: Callable[[], float] = time.perf_counter
) -> pl.DataFrame:
    """What a model answers.

    Args:
        budget: what it may cost.
        endpoint: where the model answers.
        prompts: `prompt_id`, `messages` (JSON array of messages).
        clock: seconds since some moment.

    Returns:
        `prompt_id`, `answer` (null where there is none), `status`, `output_tokens`, `cost_usd`, `seconds` (mean of the
        first `TIMED` prompts, which are asked one after another; null of the others), in the same order.

    Raises:
        EndpointRefusedError: the endpoint answers nothing.
    """
    alone, together = prompts.head(TIMED), prompts.slice(TIMED)
    started = clock()
    with budget.layer(replace(endpoint, concurrency=1)) as layer:
        first = _asked(layer, alone)
    seconds = (clock() - started) / max(1, alone.height)
    with budget.layer(endpoint) as layer:
        others = _asked(layer, together)
    return pl.concat([
        first.with_columns(seconds=pl.lit(seconds)), others.with_columns(seconds=pl.lit(None, pl.Float64)),
    ])  # fmt: skip


def _asked(layer: CallLayer, prompts: pl.DataFrame) -> pl.DataFrame:
    found = layer.run([ChatCall(_messages(messages), OUTPUT_TOKENS) for messages in prompts["messages"]], _usable)
    rows = {
        "answer": [reply.text if reply.status == "ok" else None for reply in found],
        "status": [reply.status for reply in found],
        "output_tokens": [reply.output_tokens for reply in found],
        "cost_usd": [reply.cost_usd for reply in found],
    }
    schema = {"answer": pl.String, "status": pl.String, "output_tokens": pl.Int64, "cost_usd": pl.Float64}
    return prompts.select("prompt_id").with_columns(pl.DataFrame(rows, schema=schema))


def _usable(reply: ChatReply) -> str | None:
    return None if reply.text.strip() else "empty"


def _messages(text: str) -> tuple[dict[str, str], ...]:
    return tuple({"role": one["role"], "content": one["content"]} for one in orjson.loads(text))


def _price(settings: Settings, url: str, model: str, base: str | None) -> Price:
    listed = read_prices(settings.prices_file)
    for name in (model, base):
        try:
            if name is not None:
                return listed.price(name)
        except UnknownPriceError:
            continue
    if urlsplit(url).hostname in LOOPBACK:
        return FREE
    raise UnknownPriceError(model)
