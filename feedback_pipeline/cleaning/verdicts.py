"""One verdict per event: how thumbs, stars, outcomes, implicit signals and corrections say up, neutral or down.

The mapping is a value (`VerdictPolicy`); the original signal is kept beside the verdict. A thumb decides over stars. A
correction says the original was not good enough. A preference and a comment judge nothing by themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

Verdict = tuple[str, float]
"""A verdict and its strength, 0–1."""


@dataclass(frozen=True)
class VerdictPolicy:
    """What each signal means: verdict and strength.

    The strengths order the signals by how much they say about quality; they never change a count people see.
    """

    thumb_strength: float = 1.0
    stars: Mapping[int, Verdict] = field(
        default_factory=lambda: {
            1: ("down", 1.0),
            2: ("down", 0.6),
            3: ("neutral", 0.5),
            4: ("up", 0.6),
            5: ("up", 1.0),
        }
    )
    success: Verdict = ("up", 0.8)
    failure: Verdict = ("down", 0.8)
    correction: Verdict = ("down", 0.8)
    implicit: Mapping[str, Verdict] = field(
        default_factory=lambda: {
            "copy": ("up", 0.3),
            "accept": ("up", 0.5),
            "retry": ("down", 0.4),
            "regenerate": ("down", 0.4),
            "edit": ("down", 0.3),
            "abandon": ("down", 0.2),
        }
    )


DEFAULT_POLICY = VerdictPolicy()

SUCCESS_STARS = 4


def add_verdicts(events: pl.DataFrame, policy: VerdictPolicy = DEFAULT_POLICY) -> pl.DataFrame:
    """Adds `verdict`, `strength`, `success` and `disagrees` to events with `kind`, `thumb`, `stars` and `value`.

    `value` is a JSON object: an outcome is read from `task_succeeded`, an implicit signal from `signal`. Unknown
    implicit signals and unreadable values judge nothing.
    """
    outcome = pl.col("value").str.json_path_match("$.task_succeeded")
    signal = pl.col("value").str.json_path_match("$.signal")
    is_explicit, is_outcome = pl.col("kind") == "explicit", pl.col("kind") == "outcome"
    is_implicit, is_correction = pl.col("kind") == "implicit", pl.col("kind") == "correction"
    succeeded = pl.when(outcome == "true").then(True).when(outcome == "false").then(False)
    events = events.with_columns(_signal=signal, _succeeded=succeeded)

    def choose(position: int, dtype: pl.DataType) -> pl.Expr:
        thumb = ("up", policy.thumb_strength)[position], ("down", policy.thumb_strength)[position]
        by_stars = pl.col("stars").replace_strict(
            {stars: verdict[position] for stars, verdict in policy.stars.items()}, default=None, return_dtype=dtype
        )
        by_signal = pl.col("_signal").replace_strict(
            {name: verdict[position] for name, verdict in policy.implicit.items()}, default=None, return_dtype=dtype
        )
        return (
            pl.when(is_explicit & pl.col("thumb"))
            .then(pl.lit(thumb[0], dtype))
            .when(is_explicit & ~pl.col("thumb"))
            .then(pl.lit(thumb[1], dtype))
            .when(is_explicit)
            .then(by_stars)
            .when(is_correction)
            .then(pl.lit(policy.correction[position], dtype))
            .when(is_outcome & pl.col("_succeeded"))
            .then(pl.lit(policy.success[position], dtype))
            .when(is_outcome & ~pl.col("_succeeded"))
            .then(pl.lit(policy.failure[position], dtype))
            .when(is_implicit)
            .then(by_signal)
        )

    return events.with_columns(
        verdict=choose(0, pl.String()),
        strength=choose(1, pl.Float32()),
        success=pl.coalesce(
            pl.when(is_explicit).then(pl.coalesce("thumb", pl.col("stars") >= SUCCESS_STARS)),
            pl.when(is_outcome).then("_succeeded"),
        ),
        disagrees=(
            pl.col("thumb") & (pl.col("stars") <= 2) | ~pl.col("thumb") & (pl.col("stars") >= SUCCESS_STARS)
        ).fill_null(value=False),
    ).drop("_signal", "_succeeded")
