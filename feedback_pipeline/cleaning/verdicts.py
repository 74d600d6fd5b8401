"""One verdict per event: how thumbs, stars, outcomes, implicit signals and corrections say up, neutral or down.

The mapping is a value (`VerdictPolicy`); the original signal is kept beside the verdict. A thumb decides over stars. A
correction says the original was not good enough. A preference and a comment judge nothing by themselves.
`docs/verdicts.md` has the table.
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from feedback_pipeline.tables.vocabulary import VERDICTS

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

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any]) -> "VerdictPolicy":
        """The default policy with what is given in its place: the keys of docs/verdicts.md.

        A number of stars or a signal takes the place of the default's, or is added; a signal set to false judges
        nothing.

        Raises:
            PolicyError: an unknown key, or a value that is no verdict and strength.
        """
        usual = cls()
        unknown = sorted(set(given) - set(cls.__dataclass_fields__))
        if unknown:
            raise PolicyError(f"{unknown[0]}: unknown; known are {', '.join(cls.__dataclass_fields__)}")
        single = {name: _verdict(name, given[name]) for name in ("success", "failure", "correction") if name in given}
        stars = {_stars(name): _verdict(f"stars.{name}", value) for name, value in _table(given, "stars").items()}
        signals = _table(given, "implicit")
        kept = {name: value for name, value in usual.implicit.items() if signals.get(name) is not False}
        added = {name: _verdict(f"implicit.{name}", value) for name, value in signals.items() if value is not False}
        return cls(
            thumb_strength=_strength("thumb_strength", given.get("thumb_strength", usual.thumb_strength)),
            stars={**usual.stars, **stars},
            implicit={**kept, **added},
            **single,
        )

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that differ where two policies do."""
        said = json.dumps(asdict(self), sort_keys=True)
        return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()


class PolicyError(ValueError):
    """A policy says something that cannot be; the message names the key, what it held and what it takes."""


def read_policy(path: Path) -> VerdictPolicy:
    """The policy in a TOML file.

    Raises:
        PolicyError: the file cannot be read, is not TOML, or holds what `VerdictPolicy.from_mapping` refuses.
    """
    try:
        return VerdictPolicy.from_mapping(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise PolicyError(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, PolicyError) as error:
        raise PolicyError(f"{path.name}: {error}") from error


def _table(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = given.get(name, {})
    if not isinstance(table, Mapping):
        raise PolicyError(f"{name}: {table!r} is no table")
    return table


def _verdict(name: str, value: Any) -> Verdict:
    if not (isinstance(value, list | tuple) and len(value) == 2 and value[0] in VERDICTS):
        raise PolicyError(f'{name}: {value!r} is no verdict and strength, such as ["up", 0.5]')
    return value[0], _strength(name, value[1])


def _strength(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise PolicyError(f"{name}: {value!r} is no strength from 0 to 1")
    return float(value)


def _stars(name: Any) -> int:
    if str(name) not in {"1", "2", "3", "4", "5"}:
        raise PolicyError(f"stars.{name}: stars are 1 to 5")
    return int(name)


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


def meaningless(events: pl.DataFrame, policy: VerdictPolicy = DEFAULT_POLICY) -> int:
    """How many implicit signals and outcomes of events (as for `add_verdicts`) say nothing by a policy."""
    told = events.filter(pl.col("kind").is_in(["implicit", "outcome"]))
    if told.is_empty():
        return 0
    judged = add_verdicts(told.select("kind", "thumb", "stars", "value"), policy)
    return judged.filter(pl.col("verdict").is_null() & pl.col("success").is_null()).height
