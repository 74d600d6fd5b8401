"""Where votes are worse than elsewhere: the week's findings over all slices of one to three dimensions."""

import datetime as dt
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feedback_pipeline.patterns.adjustment import adjusted_differences
from feedback_pipeline.patterns.covering import Found, PersonTotals, SliceSettings, Votes, cluster, cover
from feedback_pipeline.patterns.cube import Cells, Combination, Mask
from feedback_pipeline.patterns.levels import Dimension, dense_people, encode_all
from feedback_pipeline.patterns.tables import SLICE_FINDINGS
from feedback_pipeline.patterns.tracking import HELD, Memory, Slice, canonical, finding_id, recall, slice_json
from feedback_pipeline.stats.exact import log_upper_tail
from feedback_pipeline.stats.intervals import (
    NO_VOTES,
    ONE_PERSON,
    BetaPrior,
    Difference,
    Rate,
    benjamini_hochberg,
    clustered_rate,
    difference,
    fit_beta_prior,
)

EXAMPLES = 5
WORSE = 1.25
LIKED_SHARE = 0.1
"""A level that makes the rest look better than it is holds at least this share of the votes."""
LIKED_LEVEL = 1e-3
"""A level is liked where it is better than the others, with the finding set aside, at this level …"""
SHADOW_LEVEL = 0.05
"""… and the finding its shadow where it is no worse than the others, with the liked level set aside, at this one."""
COVERED = 0.8
"""A followed slice whose votes lie to this part in a finding of the week is the same story."""


@dataclass(frozen=True)
class SliceSearch:
    """What the week's search saw and found."""

    findings: pl.DataFrame
    """`slice_findings`."""
    negative_rate: Rate
    """Of all votes up or down."""
    tests: int
    """Slices over the support floor; 0 where nothing could be tested."""
    folded: dict[str, int]
    """Levels per dimension that were too rare to be looked at."""
    reason: str | None
    """Why nothing could be tested."""


@dataclass(frozen=True)
class SearchRecord:
    """What a search that may have found nothing looked at: kept beside the findings, for reports."""

    tests: int
    reason: str | None
    folded: dict[str, int]

    @classmethod
    def of(cls, search: SliceSearch) -> Self:
        return cls(search.tests, search.reason, search.folded)

    def to_json(self) -> str:
        """The record as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The record of a JSON text."""
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Population:
    """The week's votes that are up or down, ready to be sliced."""

    facts: pl.DataFrame
    votes: Votes
    dimensions: list[Dimension]
    known: Mask | None = None
    """Votes of people who voted in an earlier week; None where that cannot be told."""

    @property
    def size(self) -> int:
        return self.votes.size

    def rate(self, inside: Mask) -> Rate:
        """Negative rate of the masked votes, clustered by person."""
        person, down = self.votes.person, self.votes.down
        everyone = np.bincount(person[inside])
        return clustered_rate(np.bincount(person[inside & down], minlength=everyone.size), everyone)

    def dimension(self, name: str) -> Dimension | None:
        return next((d for d in self.dimensions if d.name == name), None)


def find_slices(
    vote_facts: pl.DataFrame,
    dimensions: Sequence[str],
    *,
    week: dt.date,
    history: pl.DataFrame | None = None,
    known_people: pl.Series | None = None,
    settings: SliceSettings | None = None,
) -> SliceSearch:
    """The week's slice findings, and the findings of earlier weeks looked at again.

    Args:
        vote_facts: the week's `vote_facts`; `feedback_id`, `person`, `verdict`, `strength` and the dimensions are read.
        dimensions: columns to slice by, lists of strings (tags, tools) included.
        week: Monday of the week.
        history: `slice_findings` of earlier weeks.
        known_people: `person` of everybody who voted in an earlier week; left out or empty where nothing is known, and
            nothing is said of new voters.
        settings: floors and levels.
    """
    settings = settings or SliceSettings()
    ordered = sorted(dict.fromkeys(dimensions))
    # Sorted, so that sums of floating-point numbers do not depend on the order the rows came in.
    judged = (
        vote_facts.select("feedback_id", "person", "verdict", "strength", *ordered)
        .filter(pl.col("verdict") != 0)
        .sort("person", "feedback_id")
    )
    votes = Votes(dense_people(judged), (judged["verdict"] == -1).to_numpy())
    encoded = encode_all(judged, ordered, max_levels=settings.max_levels, min_votes=settings.min_votes)
    known = None if known_people is None or known_people.is_empty() else judged["person"].is_in(known_people.implode())
    population = Population(judged, votes, encoded, None if known is None else known.to_numpy())
    overall = population.rate(np.ones(votes.size, dtype=bool))
    folded = {d.name: d.folded_levels for d in encoded if d.folded_levels}
    memory = recall(history, week)
    reason = _untestable(overall, settings)
    if reason is not None:
        rows = _follow(population, memory, [], week, overall, settings, reason)
        return SliceSearch(_frame(rows), overall, 0, folded, reason)
    found, cells = cover(encoded, votes, settings)
    found = _without_shadows(_needed(found, population, settings), population)
    tests = sum(cell.keys.size for cell in cells)
    rows = _describe_found(population, found, cells, memory, week, overall, tests)
    rows += _follow(population, memory, rows, week, overall, settings, None)
    return SliceSearch(_frame(rows), overall, tests, folded, None)


def _untestable(overall: Rate, settings: SliceSettings) -> str | None:
    if overall.n == 0:
        return NO_VOTES
    if overall.people == 1:
        return ONE_PERSON
    if overall.up == 0:
        return "no vote is down"
    if overall.up == overall.n:
        return "every vote is down, so there is nothing to compare with"
    if overall.n < 2 * settings.min_votes:
        return f"only {overall.n} votes; a slice needs {settings.min_votes}, and as many to compare with"
    if overall.people < 2 * settings.min_people:
        return f"only {overall.people} people; a slice needs {settings.min_people}, and as many to compare with"
    return None


def _needed(found: Sequence[Found], population: Population, settings: SliceSettings) -> list[Found]:
    """The findings that still say something when the votes of the other findings are set aside.

    Greedy covering can take a shadow of a cause before the cause itself; afterwards the shadow has nothing of its own.
    """
    masks = [each.combination.votes_in(each.key, population.size) for each in found]
    down = population.votes.down
    kept = list(range(len(found)))
    for index in range(len(found)):
        others = np.zeros(population.size, dtype=bool)
        for other in kept:
            if other != index:
                others |= masks[other]
        own, rest = masks[index] & ~others, ~masks[index] & ~others
        if np.count_nonzero(own) < settings.min_votes:
            continue
        if _log_p(own, rest, down) > np.log(settings.false_discovery_rate):
            kept.remove(index)
    return [found[index] for index in kept]


def _without_shadows(found: Sequence[Found], population: Population) -> list[Found]:
    """The findings that are worse than the rest not only because the rest holds a level that people like.

    Of "medium is worse than long and short" and "long is better than the others" the second is true where medium does
    no worse once long is set aside, and long does better still with medium set aside. Votes of findings about other
    dimensions are set aside throughout.
    """
    masks = [each.combination.votes_in(each.key, population.size) for each in found]
    kept = []
    for each, inside in zip(found, masks, strict=True):
        shadow = False
        for dimension, label in zip(each.combination.dimensions, each.combination.labels_of(each.key), strict=True):
            alive = np.ones(population.size, dtype=bool)
            for other, mask in zip(found, masks, strict=True):
                if dimension.name not in other.combination.names:
                    alive &= ~mask
            shadow |= _is_shadow(dimension, label, inside, alive, population)
        if not shadow:
            kept.append(each)
    return kept


def _is_shadow(dimension: Dimension, label: str, inside: Mask, alive: Mask, population: Population) -> bool:
    down, inside = population.votes.down, inside & alive
    sizes = np.bincount(dimension.codes, minlength=dimension.size)
    for code in np.flatnonzero(sizes >= LIKED_SHARE * population.size):
        level = dimension.labels[code]
        if level is None or level == label or not inside.any():
            continue
        liked = dimension.votes_with(level, population.size) & alive & ~inside
        rest = alive & ~inside & ~liked
        if not rest.any() or not liked.any() or _log_p(rest, liked, down) > np.log(LIKED_LEVEL):
            continue
        if _log_p(inside, rest, down) > np.log(SHADOW_LEVEL):
            return True
    return False


def _log_p(inside: Mask, outside: Mask, down: Mask) -> float:
    """Log p of the one-sided exact test that the votes inside are worse than those outside."""
    both = inside | outside
    # counting marks is thirty times faster than adding them up
    hits, drawn, marked, total = (np.count_nonzero(mask) for mask in (inside & down, inside, both & down, both))
    return float(log_upper_tail(hits, drawn, marked, total))


def _pairs(found: Found) -> Slice:
    return canonical(zip(found.combination.names, found.combination.labels_of(found.key), strict=True))


def _describe_found(
    population: Population,
    found: Sequence[Found],
    cells: Sequence[Cells],
    memory: Memory,
    week: dt.date,
    overall: Rate,
    tests: int,
) -> list[dict[str, Any]]:
    masks = [each.combination.votes_in(each.key, population.size) for each in found]
    adjusted = adjusted_differences(
        population.dimensions,
        [(frozenset(each.combination.names), np.flatnonzero(mask)) for each, mask in zip(found, masks, strict=True)],
        population.votes.down,
        population.votes.person,
    )
    counts = {cell.combination.names: cell for cell in cells}
    rows = []
    for each, mask, effect in zip(found, masks, adjusted, strict=True):
        cell = counts[each.combination.names]
        prior = fit_beta_prior(cell.down, cell.votes)
        row = _describe(population, _pairs(each), mask, overall, prior, each.uncovered)
        identity = row["finding_id"]
        crude = Difference(row["difference"], row["difference_low"], row["difference_high"])
        rows.append(
            row
            | _adjusted_columns(crude, effect)
            | {
                "reason": row["reason"] or effect.reason,
                "week": week,
                "status": memory.status(identity),
                "discovered": True,
                "first_week": memory.first_week(identity, week),
                "weeks_seen": memory.weeks_held(identity) + 1,
                "p_value": float(np.exp(each.log_p)),
                "q_value": each.q_value,
                "tests": tests,
            }
            | _new_voters(population, mask & each.uncovered, each.uncovered & ~mask)
        )
    rows.sort(key=lambda row: (-_ranking_value(row), row["finding_id"]))
    return [row | {"rank": place} for place, row in enumerate(rows, start=1)]


def _new_voters(population: Population, inside: Mask, outside: Mask) -> dict[str, Any]:
    """How much of a finding rests on people who never voted before, and whether it holds without them.

    Accounts are made by the dozen: what only new ones say is told, and heads no report.
    """
    if population.known is None:
        return {"new_voter_share": None, "rests_on_new_voters": None}
    down, known = population.votes.down, population.known
    new = float(np.count_nonzero(inside & down & ~known) / max(int(np.count_nonzero(inside & down)), 1))
    left = inside & known
    holds = bool(left.any()) and _log_p(left, outside & known, down) <= np.log(SHADOW_LEVEL)
    return {"new_voter_share": new, "rests_on_new_voters": new > 0.0 and not holds}


def _ranking_value(row: dict[str, Any]) -> float:
    """Excess negatives at the shrunk rate's lower quantile: large and certain slices first."""
    return float((row["shrunk_low"] - row["rest_negative_rate"]) * row["votes"])


def _adjusted_columns(crude: Difference, effect: Difference) -> dict[str, Any]:
    opposed = crude.estimate is not None and effect.estimate is not None and crude.estimate * effect.estimate < 0.0
    return {
        "adjusted_difference": effect.estimate,
        "adjusted_low": effect.low,
        "adjusted_high": effect.high,
        "reverses": opposed and crude.excludes_zero and effect.excludes_zero,
    }


def _describe(
    population: Population,
    chosen: Slice,
    whole: Mask,
    overall: Rate,
    prior: BetaPrior | None,
    compared: Mask | None = None,
) -> dict[str, Any]:
    """The columns of a slice that follow from its votes alone, among those that were `compared` (all by default)."""
    mask = whole if compared is None else whole & compared
    rate, rest = population.rate(mask), population.rate(~mask if compared is None else compared & ~whole)
    gap = difference(rate, rest)
    row: dict[str, Any] = {
        "finding_id": finding_id(chosen),
        "slice": slice_json(chosen),
        "dimensions": [name for name, _ in chosen],
        "values": [value for _, value in chosen],
        "votes": rate.n,
        "down": rate.up,
        "people": rate.people,
        "negative_rate": rate.estimate,
        "low": rate.low,
        "high": rate.high,
        "rest_negative_rate": rest.estimate,
        "rest_votes": rest.n,
        "rest_down": rest.up,
        "set_aside": np.count_nonzero(whole) - rate.n,
        "difference": gap.estimate,
        "difference_low": gap.low,
        "difference_high": gap.high,
        "excess_negatives": None if gap.estimate is None else gap.estimate * rate.n,
        "excess_negatives_low": None if gap.low is None else gap.low * rate.n,
        "share_of_negatives": rate.up / overall.up if overall.up else None,
        "example_feedback_ids": _examples(population.facts, mask & population.votes.down),
        "reason": gap.reason,
    }
    if prior is not None and overall.estimate is not None:
        row["shrunk_rate"] = float(prior.shrink(rate.up, rate.n))
        row["shrunk_low"] = float(prior.quantile(rate.up, rate.n, 0.05))
        row["probability_worse"] = float(prior.probability_above(rate.up, rate.n, WORSE * overall.estimate))
    return row


def _examples(facts: pl.DataFrame, mask: NDArray[np.bool_]) -> list[str]:
    """Ids of the strongest votes under the mask, one per person."""
    return (
        facts.select("feedback_id", "person", "strength")
        .filter(pl.Series(mask))
        .sort("strength", "feedback_id", descending=[True, False])
        .unique("person", keep="first", maintain_order=True)
        .head(EXAMPLES)["feedback_id"]
        .to_list()
    )


def _follow(
    population: Population,
    memory: Memory,
    found: Sequence[dict[str, Any]],
    week: dt.date,
    overall: Rate,
    settings: SliceSettings,
    reason: str | None,
) -> list[dict[str, Any]]:
    """Followed slices that this week's search did not bring up, each tested alone on the fresh votes."""
    already = {row["finding_id"] for row in found}
    waiting = {identity: past for identity, past in sorted(memory.followed.items()) if identity not in already}
    found_masks = {row["finding_id"]: _mask(population, _zip(row)) for row in found}
    rows, log_p = [], []
    for identity, past in waiting.items():
        mask = _mask(population, past.chosen)
        row = _describe(population, past.chosen, mask, overall, None)
        tested = None if reason else _test_again(population, past.chosen, row, settings)
        log_p.append(0.0 if tested is None else tested)
        rows.append(
            row
            | {
                "week": week,
                "discovered": False,
                "first_week": past.first_week,
                "weeks_seen": past.weeks_held,
                "p_value": None if tested is None else float(np.exp(tested)),
                "tests": len(waiting),
                "covered_by": _covering(mask, found_masks),
                "status": "untested" if tested is None else memory.status(identity),
                "reason": row["reason"] if tested is not None else reason or "too few votes or people this week",
            }
        )
    tested_rows = [place for place, row in enumerate(rows) if row["p_value"] is not None]
    q_values = benjamini_hochberg(np.exp([log_p[place] for place in tested_rows]))
    for place, q_value in zip(tested_rows, q_values, strict=True):
        holds = q_value <= settings.false_discovery_rate
        rows[place] |= {"q_value": float(q_value)}
        rows[place] |= {"weeks_seen": rows[place]["weeks_seen"] + 1} if holds else {"status": "gone"}
    _share_once(population, rows, found_masks.values())
    return rows


def _share_once(population: Population, rows: Sequence[dict[str, Any]], found: Iterable[Mask]) -> None:
    """Counts each vote down with one finding only, so that shares of findings add up to that of all of them."""
    told = np.zeros(population.size, dtype=bool)
    for mask in found:
        told |= mask
    every = np.count_nonzero(population.votes.down)
    for row in rows:
        mask = _mask(population, _zip(row)) & ~told
        if row["status"] not in HELD or row["covered_by"] is not None:
            continue
        row["share_of_negatives"] = np.count_nonzero(mask & population.votes.down) / every if every else None
        told |= mask


def _zip(row: dict[str, Any]) -> Slice:
    return canonical(zip(row["dimensions"], row["values"], strict=True))


def _mask(population: Population, chosen: Slice) -> Mask:
    mask = np.ones(population.size, dtype=bool)
    for name, value in chosen:
        dimension = population.dimension(name)
        mask &= np.zeros_like(mask) if dimension is None else dimension.votes_with(value, population.size)
    return mask


def _covering(mask: Mask, found: dict[str, Mask]) -> str | None:
    size = np.count_nonzero(mask)
    return next(
        (key for key, other in found.items() if size and np.count_nonzero(mask & other) >= COVERED * size), None
    )


def _test_again(population: Population, chosen: Slice, row: dict[str, Any], settings: SliceSettings) -> float | None:
    """Log p of one slice against the rest; None where it is under a floor."""
    if row["votes"] < settings.min_votes or row["people"] < settings.min_people or row["votes"] == population.size:
        return None
    named = {dimension.name: dimension for dimension in population.dimensions}
    used = [named[name] for name, _ in chosen]
    codes = [d.code_of(value) for d, (_, value) in zip(used, chosen, strict=True)]
    combination = Combination(tuple(used))
    key = combination.key_of([code for code in codes if code is not None])
    alive = np.ones(population.size, dtype=bool)
    people = int(population.votes.person.max()) + 1
    totals = PersonTotals.of(population.votes, alive, people)
    clustered = cluster(combination, np.array([key]), population.votes, alive, totals)
    down = np.count_nonzero(population.votes.down)
    exact = float(log_upper_tail(row["down"], row["votes"], down, population.size))
    return float(clustered.log_p(np.array([exact]))[0])


def _frame(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    complete = [{name: row.get(name) for name in SLICE_FINDINGS.names} for row in rows]
    return pl.DataFrame(complete, schema=SLICE_FINDINGS.schema, orient="row")
