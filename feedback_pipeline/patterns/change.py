"""What changed since the week before: mix against rate, level by level, with its uncertainty.

Approval is up / (up + down) of those who voted. No "true quality" is claimed: with thumbs alone, a change of quality
and a change of who answers cannot be told apart, so the response rate and a sensitivity stand beside the rate.
"""

import datetime as dt
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
import scipy
from numpy.typing import NDArray

from feedback_pipeline.patterns.crossing import count_crossed
from feedback_pipeline.patterns.levels import OTHER, UNKNOWN, Dimension, dense_people, encode_all
from feedback_pipeline.patterns.tables import APPROVAL_CHANGE, REPEATED_FAILURES
from feedback_pipeline.stats.intervals import (
    NO_VOTES,
    RESOLUTION,
    Difference,
    Rate,
    benjamini_hochberg,
    clustered_rate,
    effective_people,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

MAX_LEVELS = 200
PAIR_SEPARATOR = " × "
RELEASES = ("model", "prompt_version")
RESPONSE_SHIFT = 0.2
"""Relative change of the response rate from which a change of approval is qualified."""
REPEATED = 2
MAX_REPEATED = 20


@dataclass(frozen=True)
class ChangeSettings:
    """Floors of the level tests."""

    min_votes: int = 30
    min_people: int = 5


@dataclass(frozen=True)
class ApprovalChange:
    """The change of approval between two weeks."""

    table: pl.DataFrame
    """`approval_change`."""
    rate: Rate
    previous: Rate
    change: Difference
    reason: str | None
    """Why there is no change to speak of."""
    p_value: float | None = None
    """Two-sided, of the change."""


@dataclass(frozen=True)
class _TwoWeeks:
    """Votes of both weeks; `now` marks this week's."""

    now: Mask
    up: Mask
    person: Integers

    @cached_property
    def cells(self) -> Integers:
        """Person, week and verdict of each vote in one number: person · 4 + now · 2 + up."""
        return self.person * 4 + self.now * 2 + self.up

    def by_person(self, rows: Integers | None = None) -> NDArray[np.int64]:
        """Votes (some rows, or all) per person, week (before, now) and verdict (down, up)."""
        cells = self.cells if rows is None else self.cells[rows]
        return np.bincount(cells, minlength=4 * (int(cells.max(initial=0)) // 4 + 1)).reshape(-1, 2, 2)


@dataclass(frozen=True)
class _Comparison:
    """Two rates and the user-clustered test of their difference; people who voted in both weeks are paired."""

    rate: Rate
    previous: Rate
    change: Difference
    p_value: float | None

    @classmethod
    def of(cls, by_person: NDArray[np.int64]) -> "_Comparison":
        """Of votes per person, week (before, now) and verdict (down, up): whole counts, whatever the votes' order."""
        ups_before, ups = by_person[:, :, 1].T.astype(np.float64)
        n_before, n = by_person[:, 0, 0] + ups_before, by_person[:, 1, 0] + ups
        rate, previous = clustered_rate(ups, n), clustered_rate(ups_before, n_before)
        if rate.estimate is None or previous.estimate is None:
            missing = NO_VOTES if rate.estimate is None else "no votes the week before"
            return cls(rate, previous, Difference(None, None, None, missing), None)
        estimate = rate.estimate - previous.estimate
        if rate.people < 2 or previous.people < 2:
            return cls(rate, previous, Difference(estimate, None, None, rate.reason or previous.reason), None)
        residual = (ups - rate.estimate * n) / rate.n - (ups_before - previous.estimate * n_before) / previous.n
        pooled = (rate.up + previous.up) / (rate.n + previous.n)
        binomial = pooled * (1.0 - pooled) * (1.0 / rate.n + 1.0 / previous.n)
        error = float(np.sqrt(max((residual**2).sum(), binomial)))
        if error <= RESOLUTION:
            return cls(rate, previous, Difference(0.0, None, None, "every vote of both weeks is the same"), None)
        degrees = max(min(effective_people(n), effective_people(n_before)) - 1.0, 0.1)
        margin = float(scipy.special.stdtrit(degrees, 0.975)) * error
        interval = Difference(estimate, max(-1.0, estimate - margin), min(1.0, estimate + margin))
        return cls(rate, previous, interval, float(2.0 * scipy.special.stdtr(degrees, -abs(estimate) / error)))


@dataclass(frozen=True)
class _Kitagawa:
    """Mix and rate part of the change, per level."""

    mix: Floats
    rate: Floats


def kitagawa(votes: Floats, up: Floats, previous_votes: Floats, previous_up: Floats) -> _Kitagawa:
    """The change of an overall rate split over levels into shares that moved (mix) and rates that moved; it is exact.

    Mix terms are centred on the mean overall rate, so that a level's own term says whether its growth helped. A level
    without votes in a week is given its rate of the other week: its coming or going is all mix.
    Source: Kitagawa 1955, "Components of a difference between two rates", JASA 50; Oaxaca–Blinder with dummies, pooled.
    """
    share, previous_share = votes / votes.sum(), previous_votes / previous_votes.sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        rate, previous_rate = up / votes, previous_up / previous_votes
    rate, previous_rate = (
        np.where(votes > 0, rate, previous_rate),
        np.where(previous_votes > 0, previous_rate, rate),
    )
    centre = (up.sum() / votes.sum() + previous_up.sum() / previous_votes.sum()) / 2.0
    # Levels that are empty in both weeks have no rate and no share.
    rate, previous_rate = np.nan_to_num(rate), np.nan_to_num(previous_rate)
    return _Kitagawa(
        mix=(share - previous_share) * ((rate + previous_rate) / 2.0 - centre),
        rate=(share + previous_share) / 2.0 * (rate - previous_rate),
    )


def approval_change(
    this_week: pl.DataFrame,
    last_week: pl.DataFrame,
    dimensions: Sequence[str],
    *,
    week: dt.date,
    answers: pl.DataFrame | None = None,
    previous_answers: pl.DataFrame | None = None,
    seen_before: Mapping[str, Collection[str]] | None = None,
    settings: ChangeSettings | None = None,
) -> ApprovalChange:
    """What changed from `last_week`'s `vote_facts` to `this_week`'s.

    Args:
        dimensions: columns to split by; lists of strings get level tests, but no mix and rate (their shares overlap).
        answers, previous_answers: answers given, voted on or not: columns `dimension`, `level`, `answers`, with null
            dimension for the whole. Without them there is no response rate.
        seen_before: levels per dimension that had votes in any week before this one; by default last week's. A model
            or prompt version not among them is a release.
    """
    settings = settings or ChangeSettings()
    columns = ["interaction_id", "day", "person", "verdict", *dict.fromkeys(dimensions)]
    both = pl.concat([this_week.select(columns), last_week.select(columns)])
    now = np.arange(both.height) < this_week.height
    responses = _Responses(both, now, answers, previous_answers)
    judged = (both["verdict"] != 0).to_numpy()
    facts = both.filter(pl.Series(judged))
    votes = _TwoWeeks(now[judged], (facts["verdict"] == 1).to_numpy(), dense_people(facts))
    overall = _Comparison.of(votes.by_person())
    rows = [_row(week, "total", None, None, overall) | responses.columns(None, None, overall)]
    encoded = encode_all(facts, sorted(dict.fromkeys(dimensions)), max_levels=MAX_LEVELS)
    level_rows: list[dict[str, Any]] = []
    for dimension in encoded:
        total, levels = _split(week, dimension, votes, overall, responses)
        rows += total
        level_rows += levels
    pair = _pair(encoded, votes, settings) if overall.change.estimate is not None else None
    if pair is not None:
        total, levels = _split(week, pair, votes, overall, responses)
        rows += total
        level_rows += levels
    _correct(level_rows, settings)
    rows += level_rows
    rows += _first_seen(week, facts, encoded, votes, seen_before)
    complete = [{name: row.get(name) for name in APPROVAL_CHANGE.names} for row in rows]
    table = pl.DataFrame(complete, schema=APPROVAL_CHANGE.schema, orient="row")
    table = table.sort(pl.col("part").replace({"total": "0", "level": "1", "first_seen": "2"}), "dimension", "level")
    return ApprovalChange(table, overall.rate, overall.previous, overall.change, overall.change.reason, overall.p_value)


def _row(week: dt.date, part: str, dimension: str | None, level: str | None, comparison: _Comparison) -> dict[str, Any]:
    rate, previous, change = comparison.rate, comparison.previous, comparison.change
    return {
        "week": week,
        "part": part,
        "dimension": dimension,
        "level": level,
        "votes": rate.n,
        "up": rate.up,
        "people": rate.people,
        "approval_rate": rate.estimate,
        "low": rate.low,
        "high": rate.high,
        "previous_votes": previous.n,
        "previous_up": previous.up,
        "previous_rate": previous.estimate,
        "change": change.estimate,
        "change_low": change.low,
        "change_high": change.high,
        "p_value": comparison.p_value,
        "reason": change.reason or rate.reason,
        "_previous_people": previous.people,
    }


def _split(
    week: dt.date, dimension: Dimension, votes: _TwoWeeks, overall: _Comparison, responses: "_Responses"
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of one dimension: its total (single-valued ones only), and its levels."""
    names, comparisons = [], []
    for label, rows in _rows_by_level(dimension):
        names.append(label)
        comparisons.append(_Comparison.of(votes.by_person(rows)))
    levels = [
        _row(week, "level", dimension.name, name, comparison) | responses.columns(dimension.name, name, comparison)
        for name, comparison in zip(names, comparisons, strict=True)
    ]
    if dimension.rows is not None or overall.change.estimate is None:
        return [], levels
    counts = np.array([(c.rate.n, c.rate.up, c.previous.n, c.previous.up) for c in comparisons], dtype=np.float64).T
    parts = kitagawa(*counts)
    for row, mix, rate in zip(levels, parts.mix, parts.rate, strict=True):
        row |= {"mix": float(mix), "rate": float(rate)}
    total = _row(week, "total", dimension.name, None, overall)
    return [total | {"mix": float(parts.mix.sum()), "rate": float(parts.rate.sum())}], levels


def _rows_by_level(dimension: Dimension) -> Iterator[tuple[str | None, Integers]]:
    """Each level that occurs, with its votes."""
    narrow = np.int16 if dimension.size < 2**15 else np.int64  # few bits are sorted by radix
    order = np.argsort(dimension.codes.astype(narrow), kind="stable")
    ends = np.cumsum(np.bincount(dimension.codes, minlength=dimension.size))
    for label, entries in zip(dimension.labels, np.split(order, ends[:-1]), strict=True):
        if entries.size:
            yield label, entries if dimension.rows is None else dimension.rows[entries].astype(np.int64)


def _pair(dimensions: Sequence[Dimension], votes: _TwoWeeks, settings: ChangeSettings) -> Dimension | None:
    """The two dimensions, crossed, whose mix part is the largest; cells of few votes are folded."""
    single = [dimension for dimension in dimensions if dimension.rows is None]
    best: tuple[Dimension, Dimension] | None = None
    largest = 0.0
    for first, second, counts in _pairs(single, votes):
        rare = counts.sum(axis=(1, 2)) < settings.min_votes
        counts = np.concatenate((counts[~rare], counts[rare].sum(axis=0, keepdims=True)))
        n, up = counts.sum(axis=2), counts[:, :, 1]
        mix = abs(float(kitagawa(n[:, 1], up[:, 1], n[:, 0], up[:, 0]).mix.sum()))
        if mix > largest:
            best, largest = (first, second), mix
    return None if best is None else _cross(*best, settings.min_votes)


def _pairs(dimensions: Sequence[Dimension], votes: _TwoWeeks) -> Iterator[tuple[Dimension, Dimension, Floats]]:
    """Every two dimensions, in order, with the votes per cell of both, week (before, now) and verdict (down, up)."""
    counted: dict[tuple[str, ...], list[NDArray[np.int64]]] = {}
    for rows in (np.flatnonzero(~votes.now), np.flatnonzero(votes.now)):
        part = [replace(dimension, codes=dimension.codes[rows]) for dimension in dimensions]
        for each in count_crossed(part, votes.up[rows], 2, first=UNKNOWN):
            names = each.combination.names
            counted.setdefault(names, []).append(np.stack([each.votes - each.down, each.down], axis=1))
    for first, second in combinations(dimensions, 2):
        weeks = counted[first.name, second.name]
        yield first, second, np.stack(weeks, axis=1).astype(np.float64)


def _cross(first: Dimension, second: Dimension, min_votes: int) -> Dimension:
    keys = first.codes.astype(np.int64) * second.size + second.codes
    present, index, counts = np.unique(keys, return_inverse=True, return_counts=True)
    frequent = np.flatnonzero(counts >= min_votes)
    translation = np.full(present.size, OTHER, dtype=np.int64)
    translation[frequent] = np.arange(2, 2 + frequent.size)
    labels = [
        PAIR_SEPARATOR.join(
            str(side.labels[code]) if side.labels[code] is not None else "(unknown)"
            for side, code in ((first, present[i] // second.size), (second, present[i] % second.size))
        )
        for i in frequent
    ]
    return Dimension(
        name=f"{first.name}{PAIR_SEPARATOR}{second.name}",
        labels=(None, "(other)", *labels),
        codes=translation[index],
        rows=None,
        folded_levels=int(present.size - frequent.size),
        folded_votes=int(counts.sum() - counts[frequent].sum()),
    )


def _correct(rows: list[dict[str, Any]], settings: ChangeSettings) -> None:
    """Benjamini–Hochberg over the levels with enough votes and people in both weeks; the others lose their p-value."""
    tested = []
    for row in rows:
        enough = (
            min(row["votes"], row["previous_votes"]) >= settings.min_votes
            and min(row["people"], row["_previous_people"]) >= settings.min_people
        )
        if enough and row["p_value"] is not None:
            tested.append(row)
        else:
            row["p_value"] = None
            row["reason"] = row["reason"] or "too few votes or people to test"
    for row, q in zip(tested, benjamini_hochberg([row["p_value"] for row in tested]), strict=True):
        row["q_value"] = float(q)


def _first_seen(
    week: dt.date,
    facts: pl.DataFrame,
    dimensions: Sequence[Dimension],
    votes: _TwoWeeks,
    seen_before: Mapping[str, Collection[str]] | None,
) -> list[dict[str, Any]]:
    """Models and prompt versions that had no vote before this week, with their first day."""
    days = facts["day"]
    rows = []
    for dimension in dimensions:
        if dimension.name not in RELEASES:
            continue
        for label in dimension.labels[2:]:
            mask = dimension.votes_with(str(label), facts.height)
            known = set((seen_before or {}).get(dimension.name, ()))
            if (mask & ~votes.now).any() or label in known or (seen_before is None and votes.now.all()):
                continue
            row = _row(week, "first_seen", dimension.name, label, _Comparison.of(votes.by_person(np.flatnonzero(mask))))
            first_day = days.filter(pl.Series(mask & votes.now)).min()
            rows.append(row | {"first_seen": first_day, "p_value": None, "reason": None})
    return rows


class _Responses:
    """Response rates per level: answers with any vote over answers given."""

    def __init__(
        self, both: pl.DataFrame, now: Mask, answers: pl.DataFrame | None, previous_answers: pl.DataFrame | None
    ) -> None:
        # told apart by a hash of their ids, which is counted for each level in a tenth of the time
        self._votes = both.with_columns(pl.Series("_now", now), _answer=pl.col("interaction_id").hash())
        self._answers = _lookup(answers)
        self._previous = _lookup(previous_answers)
        self._voted: dict[str | None, dict[tuple[str | None, bool], int]] = {}

    def columns(self, dimension: str | None, level: str | None, comparison: _Comparison) -> dict[str, Any]:
        """answers, response rates, sensitivity, and the reason where the response rate moved a lot."""
        columns: dict[str, Any] = {"sensitivity": sensitivity(comparison.rate, comparison.previous)}
        given = self._answers.get((dimension, level))
        if given is None:
            return columns
        columns |= {"answers": given, "response_rate": self._rate(dimension, level, True, given)}
        before = self._previous.get((dimension, level))
        if before is None:
            return columns
        columns["previous_response_rate"] = self._rate(dimension, level, False, before)
        rate, previous = columns["response_rate"], columns["previous_response_rate"]
        if rate and previous and abs(rate / previous - 1.0) > RESPONSE_SHIFT:
            columns["reason"] = "the response rate moved by more than 20 %: who votes may have changed"
        return columns

    def _rate(self, dimension: str | None, level: str | None, now: bool, answers: int) -> float | None:
        if dimension not in self._voted:
            self._voted[dimension] = self._count(dimension)
        return min(self._voted[dimension].get((level, now), 0) / answers, 1.0) if answers else None

    def _count(self, dimension: str | None) -> dict[tuple[str | None, bool], int]:
        column = pl.lit(None, dtype=pl.String) if dimension is None else pl.col(dimension)
        frame = self._votes.select("_answer", "_now", column.alias("level"))
        if isinstance(frame.schema["level"], pl.List):
            frame = frame.explode("level")
        counted = frame.group_by(pl.col("level").cast(pl.String), "_now").agg(pl.col("_answer").n_unique())
        return {(level, now): count for level, now, count in counted.iter_rows()}


def _lookup(answers: pl.DataFrame | None) -> dict[tuple[str | None, str | None], int]:
    if answers is None:
        return {}
    return {(d, level): n for d, level, n in answers.select("dimension", "level", "answers").iter_rows()}


def sensitivity(rate: Rate, previous: Rate) -> float | None:
    """How many times as ready to answer, against the happy, the unhappy would have had to become for nothing but that
    to have changed: the ratio of the weeks' odds of approval. None where a rate is 0, 1 or missing.

    From observed odds = true odds · readiness of the happy / readiness of the unhappy.
    """
    if not rate.n or not previous.n or rate.up in (0, rate.n) or previous.up in (0, previous.n):
        return None
    return (previous.up / (previous.n - previous.up)) / (rate.up / (rate.n - rate.up))


def repeated_failures(votes: pl.DataFrame, *, week: dt.date) -> pl.DataFrame:
    """`repeated_failures`: the same prompt, answer and action voted down more than twice, most frequent first.

    Args:
        votes: one row per vote with `prompt_key` (prompt cluster or hash), `answer_key` (hash), `action_type`,
            `verdict`, `person`, `feedback_id`; rows without both keys are left out.
    """
    keys = ["prompt_key", "answer_key", "action_type"]
    is_down = pl.col("verdict") == -1
    known = votes.filter(pl.col("prompt_key").is_not_null() & pl.col("answer_key").is_not_null())
    # nearly every vote is about an answer of its own: what did not fail often is left out while keys are numbers
    often = known.filter(is_down).group_by(keys).len().filter(pl.col("len") > REPEATED).select(keys)
    grouped = (
        known.join(often, on=keys, how="semi", nulls_equal=True, maintain_order="left")
        .with_columns(pl.col(keys).cast(pl.String))
        .group_by(keys)
        .agg(
            is_down.sum().alias("down"),
            (pl.col("verdict") != 0).sum().alias("votes"),
            pl.col("person").filter(is_down).n_unique().alias("people"),
            pl.struct("feedback_id", "person").filter(is_down).alias("examples"),
        )
        .filter(pl.col("down") > REPEATED)
        .sort(["down", *keys], descending=[True, False, False, False], nulls_last=True)
        .head(MAX_REPEATED)
    )
    rows = [
        {
            "week": week,
            "failure_id": blake2b(
                json.dumps([row[key] for key in keys], separators=(",", ":")).encode(), digest_size=8
            ).hexdigest(),
            "action_type": row["action_type"],
            "down": row["down"],
            "votes": row["votes"],
            "people": row["people"],
            "example_feedback_ids": _one_per_person(row["examples"]),
        }
        for row in grouped.iter_rows(named=True)
    ]
    return pl.DataFrame(rows, schema=REPEATED_FAILURES.schema, orient="row")


def _one_per_person(examples: Sequence[Mapping[str, Any]], count: int = 5) -> list[str]:
    by_person: dict[int, str] = {}
    for example in sorted(examples, key=lambda each: str(each["feedback_id"])):
        by_person.setdefault(example["person"], example["feedback_id"])
    return list(by_person.values())[:count]
