"""What a call costs, from a dated file; estimates before it and the settled amount after."""

import asyncio
import datetime
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, NonNegativeFloat

PRICE_FILE = Path(__file__).with_name("prices.yaml")
BYTES_PER_TOKEN = 3
"""UTF-8 bytes per token, on the low side for every common language: estimates err upwards."""

_DATED = re.compile("-20")


class UnknownPriceError(LookupError):
    """A cost cap was set for a model that the price file does not list."""


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens."""

    input: float
    output: float
    cached_input: float

    def cost(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float:
        """US dollars of a call; cached tokens are part of the input tokens."""
        fresh = max(0, input_tokens - cached_tokens)
        return (fresh * self.input + cached_tokens * self.cached_input + output_tokens * self.output) / 1_000_000


FREE = Price(0.0, 0.0, 0.0)
"""A model on one's own machine."""


class _PriceRow(BaseModel):
    model_config = ConfigDict(extra="forbid")
    input: NonNegativeFloat
    output: NonNegativeFloat
    cached_input: NonNegativeFloat | None = None


class PriceList(BaseModel):
    """A price file as read."""

    model_config = ConfigDict(extra="forbid")
    as_of: datetime.date
    source: str = ""
    models: dict[str, _PriceRow]

    def price(self, model: str) -> Price:
        """The price of a model, also by a dated name such as `gpt-6-luna-2026-09-22`.

        Raises:
            UnknownPriceError: the model is not listed.
        """
        undated = (model[: found.start()] for found in reversed([*_DATED.finditer(model)]))
        known = next((name for name in (model, *undated) if name in self.models), None)
        if known is None:
            raise UnknownPriceError(
                f"no price for model {model}: list it, with 0 if it is free, in a file named by FEEDBACK_MODEL_PRICES"
            )
        row = self.models[known]
        return Price(row.input, row.output, row.input if row.cached_input is None else row.cached_input)

    def cost(self, model: str | None, input_tokens: int | None, output_tokens: int | None) -> float | None:
        """US dollars of a call that was logged; None where the model's price or the tokens are unknown."""
        if model is None or input_tokens is None or output_tokens is None:
            return None
        try:
            return self.price(model).cost(input_tokens, output_tokens)
        except UnknownPriceError:
            return None


@cache
def read_prices(own: Path | None = None) -> PriceList:
    """The prices that come with the project, with those of one's own file before them.

    Raises:
        OSError: the file cannot be read.
        pydantic.ValidationError: it does not have the form of `prices.yaml`.
    """
    listed = _read(PRICE_FILE)
    if own is None:
        return listed
    named = _read(own)
    return named.model_copy(update={"models": listed.models | named.models})


def _read(path: Path) -> PriceList:
    return PriceList.model_validate(yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))


def estimated_tokens(text: bytes) -> int:
    """Tokens of a text in UTF-8, never fewer than there are in common tokenisers."""
    return len(text) // BYTES_PER_TOKEN + 1


class CostLedger:
    """Money set aside before each call and settled after it: the sum never exceeds the cap."""

    def __init__(self, cap_usd: float | None) -> None:
        self.cap_usd = cap_usd
        self.spent_usd = 0.0
        self.reserved_usd = 0.0
        self._outstanding = 0
        self._settled: asyncio.Future[None] | None = None

    async def reserve(self, estimate_usd: float) -> bool:
        """Sets money aside, waiting for calls in flight to settle where that may help.

        False where the cap would be exceeded even so. A cap of 0 allows free calls only.
        """
        while self.cap_usd is not None and self.spent_usd + self.reserved_usd + estimate_usd > self.cap_usd:
            if self._outstanding == 0:
                return False
            if self._settled is None:
                self._settled = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._settled)
        self.reserved_usd += estimate_usd
        self._outstanding += 1
        return True

    def settle(self, estimate_usd: float, actual_usd: float) -> None:
        """Replaces what was set aside by what the call cost."""
        self._outstanding -= 1
        self.reserved_usd = self.reserved_usd - estimate_usd if self._outstanding else 0.0
        self.spent_usd += actual_usd
        if self._settled is not None:
            self._settled.set_result(None)
            self._settled = None
