"""How much an example weighs, and what that means where a trainer knows no weights.

Copies instead of weights: resampling is equivalent to reweighting in expectation and more stable under stochastic
gradient descent (An, Ying and Zhu, arXiv 2009.13447).
"""

import math
from dataclasses import dataclass
from datetime import date

import polars as pl

from feedback_pipeline.training.draws import uniform_of_ids
from feedback_pipeline.training.rules import CurationSettings

MAX_COPIES = 4
"""More copies of one example are memorised rather than learned from."""

MIN_EFFECTIVE_SHARE = 0.3
"""Share of the examples that the effective sample size must reach."""

KTO_RATIO = (1.0, 4.0 / 3.0)
"""Range of (λ_D · n_D) / (λ_U · n_U) that KTO asks for (Ethayarajh et al., arXiv 2402.01306, section 4.2)."""

_QUANTUM_STEP = 0.05
_BALANCE_RANGE = (0.5, 2.0)


@dataclass(frozen=True)
class WeightPolicy:
    """What each kind of example weighs before its own importance.

    Attributes:
        name: what the manifest calls it.
        positive: an answer people approved.
        negative: an answer people rejected, in supervised files that carry weights.
        correction: a correction.
        graded: whether trust, recency and balance count; otherwise the three numbers are the weights.
    """

    name: str
    positive: float
    negative: float
    correction: float
    graded: bool = True

    def __post_init__(self) -> None:
        if min(self.positive, self.negative, self.correction) < 0:
            raise ValueError(f"weight policy {self.name} has a negative weight: its loss would have no lower bound")

    @property
    def warnings(self) -> list[str]:
        """What a reader must know before training with it."""
        if self.negative > 0:
            return [
                f"policy {self.name} gives rejected answers weight {self.negative}: supervised training would teach "
                "the model to say them; they are left out of every format that carries no weight"
            ]
        return []


ORIGINAL = WeightPolicy("original", positive=2.0, negative=0.5, correction=2.0, graded=False)
RECOMMENDED = WeightPolicy("recommended", positive=1.0, negative=0.0, correction=1.0)


@dataclass(frozen=True)
class KtoWeights:
    """λ_D (desirable) and λ_U (undesirable) of a KTO run, and the ratio they give; without a value, why."""

    desirable: float | None
    undesirable: float | None
    ratio: float | None
    reason: str | None = None


def with_importance(
    rows: pl.DataFrame, settings: CurationSettings, window_end: date, person_cap: int
) -> tuple[pl.DataFrame, float]:
    """Adds the factors and `importance`; returns the quantum they were divided by.

    The quantum, the mean product of factors in train, is rounded so that the erasure of one person does not move
    everybody's weight, and with it everybody's copies.
    """
    age = (pl.lit(window_end) - pl.col("day")).dt.total_days().clip(0)
    factored = rows.with_columns(
        weight_trust=pl.col("trust"),
        weight_recency=pl.lit(0.5).pow(age / settings.half_life_days),
        weight_balance=(
            _balance("intent", settings.balance_exponent) * _balance("language", settings.balance_exponent)
        ).clip(*_BALANCE_RANGE),
    ).with_columns(_product=pl.col("weight_trust") * pl.col("weight_recency") * pl.col("weight_balance"))
    mean = _train_mean(factored)
    by_row = _person_factors(factored, person_cap * mean)
    person = factored.select("row_id").join(by_row, on="row_id", how="left", maintain_order="left")["weight_person"]
    factored = factored.with_columns(person, _product=pl.col("_product") * person)
    quantum = rounded_quantum(_train_mean(factored))
    return factored.with_columns(importance=pl.col("_product") / quantum).drop("_product"), quantum


def rounded_quantum(mean: float) -> float:
    """The mean to the nearest step, at least one step."""
    return max(1, round(mean / _QUANTUM_STEP)) * _QUANTUM_STEP


def _train_mean(rows: pl.DataFrame) -> float:
    mean = rows.filter(pl.col("split") == "train")["_product"].mean()
    return float(mean) if isinstance(mean, float) else 1.0


def _balance(column: str, exponent: float) -> pl.Expr:
    """share**(exponent − 1), scaled to a mean of 1: exponential smoothing of sampling shares (Devlin et al. 2019).

    Rounded, so that a row more or less elsewhere does not move it."""
    raw = (pl.len().over(column) / pl.len()).pow(exponent - 1.0)
    return (raw / raw.mean() / _QUANTUM_STEP).round() * _QUANTUM_STEP


def _person_factors(rows: pl.DataFrame, allowed: float) -> pl.DataFrame:
    """For each row the mean, over its voters, of what brings each back under the weight they may have."""
    shares = rows.select("row_id", "tenant", "voters", share=pl.col("_product") / pl.col("voters").list.len()).explode(
        "voters"
    )
    total = pl.col("share").sum().over("tenant", "voters")
    return (
        shares.with_columns(factor=(allowed / total).clip(upper_bound=1.0))
        .sort("row_id", "voters")
        .group_by("row_id", maintain_order=True)
        .agg(weight_person=pl.col("factor").mean())
    )


def policy_weight(policy: WeightPolicy) -> pl.Expr:
    """The weight of an example (TRAINING_EXAMPLES) under a policy, rounded so that files stay short."""
    base = (
        pl.when(~pl.col("label"))
        .then(policy.negative)
        .when(pl.col("kind") == "correction")
        .then(policy.correction)
        .otherwise(policy.positive)
    )
    return (base * pl.col("importance") if policy.graded else base).round(4).cast(pl.Float64)


def with_copies(rows: pl.DataFrame, identity: str, key: str) -> pl.DataFrame:
    """One row per copy, with `copy` from 0: floor(weight) copies and one more with the probability of the fraction.

    A row's draw depends on its own identity alone: adding or erasing others changes nothing about its copies.

    Args:
        rows: with `weight`.
        identity: column that identifies a row.
        key: secret for the draw.
    """
    whole = pl.col("weight").floor()
    drawn = uniform_of_ids(rows[identity], key, "copies")
    count = (whole + (drawn < pl.col("weight") - whole).cast(pl.Float64)).clip(0, MAX_COPIES).cast(pl.UInt8)
    return (
        rows.with_columns(copy=pl.int_ranges(0, count, dtype=pl.UInt8))
        .filter(pl.col("copy").list.len() > 0)
        .explode("copy")
    )


def effective_sample_size(weights: pl.Series) -> float:
    """(Σw)² / Σw² (Kish 1965): the equally weighted examples that would be worth as much."""
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def rescaled_epochs(epochs: int, examples: int, lines: int) -> int:
    """Epochs over `lines` copies that cost what `epochs` over `examples` would have; at least 1."""
    return max(1, round(epochs * examples / lines)) if lines else epochs


def kto_weights(desirable: int, undesirable: int) -> KtoWeights:
    """λ that bring the ratio to the (geometric) middle of KTO_RATIO, unless both at 1 already keep it in range.

    D stands for desirable and U for undesirable.
    """
    if not desirable or not undesirable:
        missing = "approved" if not desirable else "rejected"
        return KtoWeights(None, None, None, f"there are no {missing} examples")
    ratio = desirable / undesirable
    low, high = KTO_RATIO
    middle = math.sqrt(low * high)
    if ratio > high:
        return KtoWeights(1.0, round(ratio / middle, 4), round(middle, 4))
    if ratio < low:
        return KtoWeights(round(middle / ratio, 4), 1.0, round(middle, 4))
    return KtoWeights(1.0, 1.0, round(ratio, 4))
