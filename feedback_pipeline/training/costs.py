"""Tokens, prices and whether it is time to train."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from feedback_pipeline.tables.parquet import of_ids
from feedback_pipeline.training.draws import uniform_of_ids
from feedback_pipeline.training.files import WrittenFile
from feedback_pipeline.training.formats import FORMATS
from feedback_pipeline.training.tokens import MESSAGE_OVERHEAD, count_tokens
from feedback_pipeline.training.weights import rescaled_epochs

SAMPLE = 2_000
"""Lines counted exactly; the total of longer files is estimated from as many."""

FIRST_TRAINING = (500, 1_000)
"""Approved examples from which a first fine-tune is worth trying, and from which it should be made."""

PARTIAL = (
    "only prompt and answer of their conversation are known; map `messages`, or write `context: full` in the source "
    "where each prompt was all that was asked"
)
"""What `partial` means, where it is met."""

NEXT_TRAINING_SHARE = 0.25
"""Growth since the last training that makes another worth its cost."""

_PRICES = Path(__file__).parent / "prices.yaml"
_NORMAL_95 = 1.959964


@dataclass(frozen=True)
class TokenTotal:
    """Tokens of a file: an estimate with a 95 % interval, which is the number itself where all were counted."""

    tokens: float
    low: float
    high: float
    counted_lines: int
    lines: int

    @property
    def exact(self) -> bool:
        return self.counted_lines == self.lines


@dataclass(frozen=True)
class Price:
    """What a provider asks for a million training tokens, and why we believe so.

    Attributes:
        as_of: day of the source.
        also: what is billed apart from training.
        verified: read on the provider's own pages.
        source: address of the source.
        billions: of parameters, from more than the first to the second: the price of every model of that size, told by
            its name. None for the price of one model.
    """

    provider: str
    model: str
    method: str
    usd_per_million: float
    as_of: date
    also: str | None
    verified: bool = False
    source: str | None = None
    billions: tuple[float, float] | None = None

    def fits(self, model: str) -> bool:
        """Whether it is the price of a model: by name, a dated version of it, or its size."""
        if self.billions is not None:
            size = parameter_billions(model)
            return size is not None and self.billions[0] < size <= self.billions[1]
        return self.model in {model, "any"} or model.startswith(f"{self.model}-2")

    @property
    def note(self) -> str:
        """What a reader of an estimate must know about the price behind it."""
        basis = "as published by the provider" if self.verified else "not verified with the provider"
        apart = f"; billed apart: {self.also}" if self.also else ""
        return f"{self.usd_per_million:g} USD a million tokens, {basis}, as of {self.as_of}{apart}"


@dataclass(frozen=True)
class CostEstimate:
    """US dollars of one training run."""

    price: Price
    low: float
    expected: float
    high: float


@dataclass(frozen=True)
class Trainable:
    """What a dataset holds to train on.

    Attributes:
        examples: different ones in the training file whose whole conversation is known: what a run is given.
        partial: as good, but of their conversation only prompt and answer are known; they are in files of their own.
    """

    examples: int
    partial: int


@dataclass(frozen=True)
class Advice:
    """Whether it is time to train, in one sentence."""

    train_now: bool
    text: str


def token_total(examples: pl.DataFrame | pl.LazyFrame, key: str, sample: int = SAMPLE) -> TokenTotal:
    """Tokens of examples (TRAINING_EXAMPLES, or a layout of it with its copies); of a scan, the sample's text alone is
    in memory.

    Longer frames are sampled by a keyed hash of the example; the total is a ratio estimate, tokens per byte times
    bytes, with its normal interval (Cochran 1977, chapter 6).
    """
    size = pl.col("messages").str.len_bytes() + pl.col("completion").str.len_bytes()
    sized = examples.lazy().select("example_id", bytes=size).collect(engine="streaming")
    drawn = sized
    if sized.height > sample:
        draws = uniform_of_ids(sized["example_id"], key, "tokens")
        drawn = sized.with_columns(draw=draws).sort("draw", "example_id").head(sample)
    read = of_ids(examples.lazy(), "example_id", drawn["example_id"]).select("example_id", "messages", "completion")
    texts = read.unique("example_id", keep="any").collect()
    drawn = drawn.join(texts, on="example_id", how="left", maintain_order="left")
    counts = [
        count_tokens(messages) + count_tokens(completion) + MESSAGE_OVERHEAD
        for messages, completion in drawn.select("messages", "completion").iter_rows()
    ]
    if drawn.height == sized.height:
        total = float(sum(counts))
        return TokenTotal(total, total, total, sized.height, sized.height)
    sampled = drawn.with_columns(tokens=pl.Series(counts, dtype=pl.Float64))
    ratio = float(sum(counts)) / float(sampled["bytes"].sum())
    residual = (sampled["tokens"] - ratio * sampled["bytes"]).std()
    error = float(residual) if isinstance(residual, float) else 0.0
    total = ratio * float(sized["bytes"].sum())
    margin = _NORMAL_95 * sized.height * error * math.sqrt((1 - sample / sized.height) / sample)
    return TokenTotal(total, max(0.0, total - margin), total + margin, sample, sized.height)


def training_tokens(examples: pl.DataFrame | pl.LazyFrame, files: Sequence[WrittenFile], key: str) -> dict[str, float]:
    """Tokens of one epoch of supervised training, for the manifest; nothing where there is no such file.

    Counted on the different examples and scaled by their copies, which are drawn whatever an example's length.

    Args:
        examples: TRAINING_EXAMPLES, or a scan of them.
        files: what was written of them.
        key: secret of the sample.
    """
    supervised = [file for file in files if (file.layout or "").startswith("supervised.copies.any.full.train")]
    if not supervised:
        return {}
    lines, distinct = supervised[0].lines, supervised[0].examples
    learned = pl.col("label") & (pl.col("split") == "train") & (pl.col("context") == "full")
    total = token_total(examples.filter(learned), key)
    scale = lines / total.lines
    return {
        "lines": lines, "examples": distinct, "counted": total.counted_lines, "epochs": run_epochs(distinct, lines),
        "tokens": round(total.tokens * scale), "low": round(total.low * scale), "high": round(total.high * scale),
    }  # fmt: skip


def described(tokens: Mapping[str, float], prices: Sequence[Price]) -> list[str]:
    """What supervised training on a dataset would cost at each provider, as lines of text, cheapest first.

    Args:
        tokens: as `training_tokens` gives them.
        prices: from `read_prices`.
    """
    if not tokens:
        return []
    total = TokenTotal(tokens["tokens"], tokens["low"], tokens["high"], int(tokens["counted"]), int(tokens["lines"]))
    epochs = int(tokens["epochs"])
    estimates = cost_estimates(total, epochs, [price for price in prices if price.method == "supervised"])
    return [f"{total.tokens:,.0f} training tokens a pass (o200k_base), {epochs} passes"] + [
        f"{one.price.provider} {one.price.model}: {one.expected:,.2f} USD ({one.low:,.2f} to {one.high:,.2f}), "
        f"at {one.price.note}"
        for one in estimates
    ]


def parameter_billions(model: str) -> float | None:
    """How many billions of parameters a model says in its name that it has (`Qwen3-8B`, `llama-v3p1-70b`); of a
    mixture of experts all of them."""
    found = re.search(r"(?<![a-z0-9.])(?:(\d+)x)?(\d+(?:[.p]\d+)?)b(?![a-z0-9])", model.lower())
    if found is None:
        return None
    return int(found[1] or 1) * float(found[2].replace("p", "."))


def read_prices(path: Path | None = None) -> list[Price]:
    """The price file, ours by default.

    Raises:
        ValueError: the file is not a price file; the message names it and the entry.
    """
    place = path or _PRICES
    content = yaml.safe_load(place.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not isinstance(content.get("as_of"), date):
        raise ValueError(f"{place.name}: expected a mapping with `as_of` (a date) and `prices`")
    return [_price(entry, content["as_of"], f"{place.name}: entry {number}") for number, entry in
            enumerate(content.get("prices") or (), start=1)]  # fmt: skip


def _price(entry: Any, as_of: date, place: str) -> Price:
    if not isinstance(entry, dict) or not {"provider", "model", "method", "usd_per_million"} <= entry.keys():
        raise ValueError(f"{place}: expected provider, model, method and usd_per_million")
    amount = float(entry["usd_per_million"])
    if not 0 <= amount < math.inf:
        raise ValueError(f"{place}: usd_per_million is {amount}, expected a number of at least 0")
    dated = entry.get("as_of", as_of)
    if not isinstance(dated, date):
        raise ValueError(f"{place}: as_of is not a date")
    sizes = entry.get("billions")
    if sizes is not None and not (isinstance(sizes, list) and len(sizes) == 2):
        raise ValueError(f"{place}: billions is not a list of two numbers: from more than the first to the second")
    return Price(
        str(entry["provider"]), str(entry["model"]), str(entry["method"]), amount, dated, entry.get("also"),
        verified=entry.get("verified") is True, source=entry.get("source"),
        billions=None if sizes is None else (float(sizes[0]), float(sizes[1])),
    )  # fmt: skip


def default_epochs(examples: int) -> int:
    """Three, more where that would show fewer than 100 examples (25 at most), fewer beyond 25,000.

    The rule of OpenAI's data preparation guide, for providers that choose the number themselves.
    """
    if examples <= 0:
        return 3
    if examples * 3 < 100:
        return min(25, math.ceil(100 / examples))
    if examples * 3 > 25_000:
        return max(1, 25_000 // examples)
    return 3


def run_epochs(examples: int, lines: int) -> int:
    """Passes over a file whose `lines` are copies of `examples`: copies stand for weights and make no run longer."""
    return rescaled_epochs(default_epochs(examples), examples, lines)


def cost_estimates(tokens: TokenTotal, epochs: int, prices: Sequence[Price]) -> list[CostEstimate]:
    """What a run would cost at each price, cheapest first."""
    million = 1_000_000
    estimates = [
        CostEstimate(
            price,
            low=round(price.usd_per_million * tokens.low * epochs / million, 2),
            expected=round(price.usd_per_million * tokens.tokens * epochs / million, 2),
            high=round(price.usd_per_million * tokens.high * epochs / million, 2),
        )
        for price in prices
    ]
    return sorted(estimates, key=lambda item: (item.expected, item.price.provider, item.price.model))


def trainable(files: Iterable[Mapping[str, Any]], wanted: str) -> Trainable:
    """What the files of a dataset hold to train on: the one count that reports, advice and training runs give.

    Args:
        files: each with `format`, `split`, `context` and `examples`.
        wanted: the format a run is given; where it was not written, the first supervised one tells.
    """
    training = [file for file in files if file["split"] == "train" and file["format"] in FORMATS]
    formats = [file["format"] for file in training]
    if wanted not in formats:
        supervised = [name for name in formats if FORMATS[name].task == "supervised" and not FORMATS[name].one_file]
        wanted = min(supervised, key=list(FORMATS).index, default=wanted)
    counts = {file["context"]: int(file["examples"]) for file in training if file["format"] == wanted}
    return Trainable(counts.get("full", 0), counts.get("partial", 0))


def advice(
    positives: int,
    *,
    partial: int = 0,
    trained_on: int | None = None,
    days_since: int | None = None,
    enough: int = FIRST_TRAINING[0],
) -> Advice:
    """Whether it is time for a fine-tune.

    Args:
        positives: approved examples and corrections in train (`Trainable.examples`).
        partial: those beside them whose conversation is not known whole.
        trained_on: how many the last training had; None before the first.
        days_since: days since the last training.
        enough: approved examples from which a fine-tune is worth trying.
    """
    plenty = max(enough, FIRST_TRAINING[1])
    if positives < enough:
        aside = f" {partial} more are partial, and not trained on: {PARTIAL}." if partial else ""
        return Advice(False, f"{positives} approved examples: a first fine-tune pays off from {enough} to {plenty}; "
                             f"{enough - positives} more to go. Until then, improve the prompt.{aside}")  # fmt: skip
    if trained_on is None:
        if positives < plenty:
            return Advice(
                True, f"{positives} approved examples: enough for a first fine-tune; {plenty} would be safer."
            )
        return Advice(True, f"{positives} approved examples: time for the first fine-tune.")
    growth = positives / trained_on - 1 if trained_on else math.inf
    if growth >= NEXT_TRAINING_SHARE:
        return Advice(True, f"{positives} approved examples, {growth:.0%} more than last time: time to train again.")
    if days_since is not None and days_since >= 30:
        return Advice(True, f"{days_since} days since the last fine-tune: time for the monthly one.")
    return Advice(False, f"{positives} approved examples, {growth:.0%} more than last time: not yet worth another run.")
