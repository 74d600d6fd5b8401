"""Alerts that can be believed: each states its numbers, and how often it would fire for nothing.

Every check answers with a `Reading`: an alert, or none; with the numbers it looked at, or the reason why it could not.
Explanations are made of numbers and dimension values only.

Daily counts (`count_days`) have one row per day; a day without votes may be absent. In the approval and negative checks
each person counts once a day, whatever they vote in total: one busy person is no incident.
"""

import datetime as dt
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal

import numpy as np
import polars as pl
import scipy
from numpy.typing import NDArray

from feedback_pipeline.stats.exact import log_upper_tail
from feedback_pipeline.stats.intervals import RESOLUTION, Difference, Rate, fit_beta_prior

Floats = NDArray[np.float64]
Severity = Literal["warn", "error"]
Kind = Literal[
    "approval_under_target",
    "approval_drift",
    "approval_fall",
    "negative_count",
    "negative_rate",
    "new_action_type",
    "votes_missing",
    "votes_late",
]

BETS = (0.06, 0.12, 0.20, 0.30, 0.44)
"""Bets of the e-detector, as parts of the largest admissible one; at a target of 0.8 they are .3, .6, 1, 1.5, 2.2."""
FALSE_ALARMS = 0.10
"""Of quarters whose approval is stable at the target or above, the share in which any rule at all may fire.

The levels below share it out by what each rule was measured to use when it looks every day (docs/calibration.md;
`make calibrate alerts` measures all of them together).
"""
UNDER_LEVEL = 1e-3
"""Posterior probability of approval at or above its target."""
RUN_LENGTH = 4_500
"""Days between false alarms of the e-detector: 90/4,500 = 2 % of quarters, whatever the votes."""
FALL_LEVEL = 1e-3
SPIKE_LEVEL = 1e-4
RATE_LEVEL = 1e-3
MISSING_LEVEL = 5e-5
LATE_LEVEL = 1e-4
NEW_TYPE_LEVEL = 1e-3
MIN_PEOPLE = 5
"""Fewer people are no incident: their votes are read in the report."""
TRAILING_WEEKS = 8
MIN_DAYS = 14
NEW_FOR_DAYS = 14


@dataclass(frozen=True)
class Alert:
    """One thing that is wrong on one day."""

    kind: Kind
    severity: Severity
    day: dt.date
    explanation: str
    numbers: Mapping[str, float]
    dimensions: tuple[tuple[str, str], ...] = ()

    @property
    def incident(self) -> str:
        """The same for the same trouble on later days: one incident, one notification."""
        content = "\x1f".join([self.kind, *(part for pair in self.dimensions for part in pair)])
        return blake2b(content.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Reading:
    """What a check saw: an alert or none; or the reason why it could not look."""

    kind: Kind
    day: dt.date
    alert: Alert | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)
    reason: str | None = None


def _percent(value: float) -> str:
    return f"{100.0 * value:.1f} %"


def _between(daily: pl.DataFrame, first: dt.date, last: dt.date) -> pl.DataFrame:
    """The days from first to last that are there, in order."""
    return daily.filter(pl.col("day").is_between(first, last)).sort("day")


def few_people(people: int, window: int) -> str:
    """Why a rule does not look at so few."""
    return (
        f"votes of {people} {'person' if people == 1 else 'people'} over {window} days; an incident needs {MIN_PEOPLE}"
    )


def count_days(vote_facts: pl.DataFrame) -> pl.DataFrame:
    """One row per day with a vote up or down: `day`, `votes`, `people`, `people_up`, `people_down`, in order.

    `people_up` is the sum over people of the share of their votes of the day that were up; with `people_down` it adds
    up to `people`.
    """
    return (
        vote_facts.filter(pl.col("verdict") != 0)
        .group_by("day", "person")
        .agg(pl.len().alias("votes"), (pl.col("verdict") == 1).mean().alias("up"))
        .sort("day", "person")
        .group_by("day", maintain_order=True)
        .agg(
            pl.col("votes").sum().cast(pl.Int64),
            pl.len().cast(pl.Int64).alias("people"),
            pl.col("up").sum().alias("people_up"),
            (1.0 - pl.col("up")).sum().alias("people_down"),
        )
    )


def approval_under_target(
    daily: pl.DataFrame,
    *,
    day: dt.date,
    target: float,
    window: int = 7,
    certainty: float = 1.0 - UNDER_LEVEL,
    voters: int | None = None,
) -> Reading:
    """Warns where the posterior probability that approval over the last `window` days is under target is high.

    Beta(½, ½) prior. Looked at daily for 90 days, it fires in 5 % of quarters at a true approval of exactly the target,
    and in 0 to 2 % at three points above, at 1 to 200 votes a day; a fall from 83 to 70 % is seen after 4 days at 200
    votes a day, 8 at 20, and hardly ever at one.

    Args:
        voters: distinct people behind the window's votes; by default at least the most of any day.
    """
    kind: Kind = "approval_under_target"
    days = _between(daily, day - dt.timedelta(days=window - 1), day)
    up, down, votes = float(days["people_up"].sum()), float(days["people_down"].sum()), int(days["votes"].sum())
    if votes == 0:
        return Reading(kind, day, reason=f"no votes in the {window} days to {day.isoformat()}")
    people = int(days["people"].sum()) if voters is None else voters
    if people < MIN_PEOPLE:
        return Reading(kind, day, reason=few_people(people, window))
    probability = float(scipy.special.betainc(up + 0.5, down + 0.5, target))
    rate = up / (up + down)
    numbers = {"approval_rate": rate, "votes": float(votes), "target": target, "probability_under": probability}
    if probability <= certainty:
        return Reading(kind, day, numbers=numbers)
    text = (
        f"Approval over {window} days is {_percent(rate)} ({votes} votes, each person counted once a day); with "
        f"probability {_percent(probability)} it is under the target of {_percent(target)}."
    )
    return Reading(kind, day, Alert(kind, "warn", day, text, numbers), numbers)


def evidence_against(daily: pl.DataFrame, *, target: float) -> Floats:
    """The e-detector's evidence after each day (Shin, Ramdas & Rinaldo 2022, "E-detectors: a nonparametric framework
    for sequential change detection", Shiryaev–Roberts form), averaged over the bets.

    While every day's mean approval is at least `target`, the first day at which it reaches A comes after A days or more
    on average. A person's votes of a day are one bet on their mean, bounded from below by the mean of the bets
    (Jensen), which keeps the promise.

    Raises:
        ValueError: the target is not strictly between 0 and 1.
    """
    if not 0.0 < target < 1.0:
        raise ValueError(f"a target of {target} leaves nothing to detect")
    bets = np.array(BETS) / (1.0 - target)
    days = daily.sort("day")
    up, down = days["people_up"].to_numpy(), days["people_down"].to_numpy()
    steps = np.outer(up, np.log1p(-bets * (1.0 - target))) + np.outer(down, np.log1p(bets * target))
    log_evidence = np.full(bets.size, -np.inf)
    trail = np.empty(days.height)
    for place, step in enumerate(steps):
        log_evidence = np.logaddexp(log_evidence, 0.0) + step
        trail[place] = np.logaddexp.reduce(log_evidence) - np.log(bets.size)
    return np.asarray(np.exp(np.minimum(trail, 700.0)))


def approval_drift(
    daily: pl.DataFrame,
    *,
    day: dt.date,
    target: float,
    since: dt.date | None = None,
    average_run_length: int = RUN_LENGTH,
) -> Reading:
    """Error where the e-detector's evidence that approval fell under target reaches `average_run_length` (days).

    Started `since` the last incident was closed, or at the first day there is. It does not forget: run it from the same
    start every day.
    """
    kind: Kind = "approval_drift"
    days = daily.filter(pl.col("day") <= day)
    if since is not None:
        days = days.filter(pl.col("day") >= since)
    trail = evidence_against(days, target=target)
    if not trail.size:
        return Reading(kind, day, reason=f"no votes up to {day.isoformat()}")
    numbers = {"evidence": float(trail[-1]), "average_run_length": float(average_run_length), "target": target}
    if trail[-1] < average_run_length:
        return Reading(kind, day, numbers=numbers)
    text = (
        f"Evidence that approval fell under {_percent(target)} is {trail[-1]:.3g}; without a fall it reaches "
        f"{average_run_length} less than once in {average_run_length} days."
    )
    return Reading(kind, day, Alert(kind, "error", day, text, numbers), numbers)


def approval_fall(
    change: Difference,
    rate: Rate,
    previous: Rate,
    *,
    day: dt.date,
    points: float = 10.0,
    p_value: float | None = None,
    level: float = FALL_LEVEL,
) -> Reading:
    """Warns where approval fell by more than `points` against the last period, beyond chance at `level` (at 5 %,
    looked at every day, it fires in four quarters of ten); error where the whole interval lies beyond.

    Args:
        p_value: two-sided, of the same comparison; the interval's own where left out.
    """
    kind: Kind = "approval_fall"
    if change.estimate is None or change.low is None or change.high is None:
        return Reading(kind, day, reason=change.reason)
    if min(rate.people, previous.people) < MIN_PEOPLE:
        return Reading(kind, day, reason=few_people(min(rate.people, previous.people), 7))
    if p_value is None:
        p_value = 2.0 * float(
            scipy.special.ndtr(
                -abs(change.estimate)
                * 2.0
                * float(scipy.special.ndtri(0.975))
                / max(change.high - change.low, RESOLUTION)
            )
        )
    limit = -points / 100.0
    numbers = {"change": change.estimate, "change_low": change.low, "change_high": change.high, "p_value": p_value}
    if change.estimate >= limit or change.high >= 0.0 or p_value >= level:
        return Reading(kind, day, numbers=numbers)
    text = (
        f"Approval fell by {-100.0 * change.estimate:.1f} points (95 % interval {-100.0 * change.high:.1f} to "
        f"{-100.0 * change.low:.1f}): {_percent(rate.estimate or 0.0)} of {rate.n} votes, before "
        f"{_percent(previous.estimate or 0.0)} of {previous.n}."
    )
    severity: Severity = "error" if change.high < limit else "warn"
    return Reading(kind, day, Alert(kind, severity, day, text, numbers), numbers)


@dataclass(frozen=True)
class Expected:
    """A negative binomial forecast of one day's count, by day of the week."""

    mean: float
    dispersion: float
    """k of the variance μ + μ²/k; infinite where counts vary no more than a Poisson's."""

    def upper_p(self, count: float) -> float:
        """P(a day has `count` or more)."""
        if count <= 0:
            return 1.0
        if np.isinf(self.dispersion):
            return float(scipy.special.pdtrc(count - 1, self.mean))
        # The tail in closed form, for k that is not whole: I_{μ/(μ+k)}(count, k).
        return float(scipy.special.betainc(count, self.dispersion, self.mean / (self.mean + self.dispersion)))

    def lower_p(self, count: float) -> float:
        """P(a day has `count` or fewer)."""
        return 1.0 - self.upper_p(count + 1)


def expect(history: pl.DataFrame, counts: str, day: dt.date) -> Expected | str:
    """The forecast of a day's count from the eight weeks before it, or the reason why there is none.

    Mean per day of the week, k by moments over all days; the mean's own uncertainty widens the variance.
    """
    days = _between(history, day - dt.timedelta(weeks=TRAILING_WEEKS), day - dt.timedelta(days=1))
    if days.height < MIN_DAYS:
        return f"only {days.height} days of the {TRAILING_WEEKS} weeks before; {MIN_DAYS} are needed"
    weekday = days["day"].dt.weekday().to_numpy()
    values = days[counts].to_numpy().astype(np.float64)
    same = weekday == day.isoweekday()
    if same.sum() < 2:
        return "fewer than two such days of the week before"
    sizes = np.bincount(weekday, minlength=8)
    means = np.bincount(weekday, weights=values, minlength=8) / np.maximum(sizes, 1)
    fitted = means[weekday]
    freedom = days.height / max(days.height - int((sizes > 0).sum()), 1)
    beyond_poisson = float(((values - fitted) ** 2).sum() * freedom - fitted.sum())
    mean = float(max(means[day.isoweekday()], 0.5 / same.sum()))
    variance = mean + mean**2 * max(beyond_poisson, 0.0) / max(float((fitted**2).sum()), 1e-12)
    variance *= 1.0 + 1.0 / float(same.sum())
    return Expected(mean, mean**2 / (variance - mean))


def negative_count(daily: pl.DataFrame, *, day: dt.date, level: float = SPIKE_LEVEL) -> Reading:
    """Warns where a day has more people voting down than its day of the week explains, overdispersion included."""
    kind: Kind = "negative_count"
    today = _between(daily, day, day)
    if today.is_empty():
        return Reading(kind, day, reason=f"no votes on {day.isoformat()}")
    expected = expect(daily, "people_down", day)
    if isinstance(expected, str):
        return Reading(kind, day, reason=expected)
    count = float(today["people_down"][0])
    p = expected.upper_p(count)
    numbers = {"down": count, "expected": expected.mean, "p_value": p}
    if p >= level:
        return Reading(kind, day, numbers=numbers)
    text = (
        f"{count:.0f} votes down on {day.isoformat()}, each person counted once, where {expected.mean:.1f} are usual "
        "for that day of the week."
    )
    return Reading(kind, day, Alert(kind, "warn", day, text, numbers), numbers)


def negative_rate(daily: pl.DataFrame, *, day: dt.date, level: float = RATE_LEVEL) -> Reading:
    """Error where a day's share of people voting down is above the four weeks before beyond its day-to-day spread.

    Fisher's exact test with its normal quantile divided by the root of Pearson's χ² over its degrees of freedom (at
    least 1), read on a t distribution. It tells worse answers from more traffic, which `negative_count` cannot.
    Source: McCullagh & Nelder 1989, "Generalized Linear Models", §4.5; Rao & Scott 1992, Biometrics 48.
    """
    kind: Kind = "negative_rate"
    today = _between(daily, day, day)
    before = _between(daily, day - dt.timedelta(weeks=4), day - dt.timedelta(days=1))
    if today.is_empty():
        return Reading(kind, day, reason=f"no votes on {day.isoformat()}")
    if before.height < MIN_DAYS // 2:
        return Reading(kind, day, reason=f"only {before.height} days with votes in the four weeks before")
    down, people = before["people_down"].to_numpy(), before["people"].to_numpy()
    usual = float(down.sum() / people.sum())
    smooth = float((down.sum() + 0.5) / (people.sum() + 1.0))
    pearson = ((down - smooth * people) ** 2 / (smooth * (1.0 - smooth) * people)).sum() / (before.height - 1)
    n, count = int(today["people"][0]), round(float(today["people_down"][0]))
    exact = log_upper_tail(count, n, count + round(float(down.sum())), n + int(people.sum()))
    t = -float(scipy.special.ndtri_exp(exact)) / np.sqrt(max(float(pearson), 1.0))
    p = float(scipy.special.stdtr(before.height - 1, -t))
    numbers = {"negative_rate": count / n, "usual": usual, "people": float(n), "p_value": p}
    if p >= level:
        return Reading(kind, day, numbers=numbers)
    text = (
        f"{_percent(count / n)} of {n} people voted down on {day.isoformat()}; over the four weeks before it was "
        f"{_percent(usual)}."
    )
    return Reading(kind, day, Alert(kind, "error", day, text, numbers), numbers)


def new_action_types(
    vote_facts: pl.DataFrame,
    first_days: Mapping[str, dt.date],
    *,
    day: dt.date,
    min_votes: int = 10,
    min_people: int = MIN_PEOPLE,
    margin: float = 0.10,
    certainty: float = 1.0 - NEW_TYPE_LEVEL,
) -> list[Reading]:
    """Error for each action type first seen within 14 days whose negative rate is, almost surely, over the base rate by
    more than `margin`.

    The rate is shrunk to those of all action types (empirical Bayes), so that two votes down out of two are no alarm.

    Args:
        vote_facts: the votes of the last weeks, with `action_type`.
        first_days: first day with a vote of each action type, over all time.
    """
    kind: Kind = "new_action_type"
    counts = (
        vote_facts.filter((pl.col("verdict") != 0) & (pl.col("day") <= day) & pl.col("action_type").is_not_null())
        .group_by(pl.col("action_type").cast(pl.String))
        .agg(
            pl.len().alias("votes"),
            (pl.col("verdict") == -1).sum().alias("down"),
            pl.col("person").n_unique().alias("people"),
        )
        .sort("action_type")
    )
    if counts.is_empty():
        return [Reading(kind, day, reason="no votes on answers with an action type")]
    down, votes = counts["down"].to_numpy(), counts["votes"].to_numpy()
    prior = fit_beta_prior(down, votes)
    base = float(down.sum() / votes.sum())
    readings = []
    for row in counts.iter_rows(named=True):
        first = first_days.get(row["action_type"])
        if first is None or (day - first).days > NEW_FOR_DAYS or first > day:
            continue
        if row["votes"] < min_votes or row["people"] < min_people:
            few = f"only {row['votes']} votes from {row['people']} people on a new action type"
            readings.append(Reading(kind, day, reason=few))
            continue
        probability = float(prior.probability_above(row["down"], row["votes"], base + margin))
        rate = row["down"] / row["votes"]
        numbers = {"negative_rate": rate, "votes": float(row["votes"]), "base": base, "probability_over": probability}
        alert = None
        if probability > certainty:
            text = (
                f"Action type {row['action_type']}, first seen {first.isoformat()}: {_percent(rate)} of {row['votes']} "
                f"votes from {row['people']} people are down; {_percent(base)} is usual."
            )
            alert = Alert(kind, "error", day, text, numbers, (("action_type", row["action_type"]),))
        readings.append(Reading(kind, day, alert, numbers))
    return readings


def votes_missing(daily: pl.DataFrame, *, day: dt.date, level: float = MISSING_LEVEL) -> Reading:
    """Warns where a day has fewer votes than its day of the week explains: capture may be broken."""
    kind: Kind = "votes_missing"
    expected = expect(daily, "votes", day)
    if isinstance(expected, str):
        return Reading(kind, day, reason=expected)
    today = _between(daily, day, day)
    count = 0 if today.is_empty() else int(today["votes"][0])
    p = expected.lower_p(count)
    numbers = {"votes": float(count), "expected": expected.mean, "p_value": p}
    if p >= level:
        return Reading(kind, day, numbers=numbers)
    text = f"{count} votes on {day.isoformat()}, where {expected.mean:.1f} are usual for that day of the week."
    return Reading(kind, day, Alert(kind, "warn", day, text, numbers), numbers)


def votes_late(daily: pl.DataFrame, *, today: dt.date, most_days: int = 2, level: float = LATE_LEVEL) -> Reading:
    """Warns where the newest day with votes is more than `most_days` ago, and so long a silence is rare at the rate at
    which votes came over the eight weeks before it: three days without a vote are usual at one vote a day, and an alarm
    at twenty.
    """
    kind: Kind = "votes_late"
    newest = daily["day"].max()
    if not isinstance(newest, dt.date):
        return Reading(kind, today, reason="there has never been a vote")
    age = (today - newest).days
    numbers = {"days": float(age), "most_days": float(most_days)}
    if age <= most_days:
        return Reading(kind, today, numbers=numbers)
    days = _between(daily, newest - dt.timedelta(weeks=TRAILING_WEEKS) + dt.timedelta(days=1), newest)
    first = days["day"].min()
    spanned = (newest - first).days + 1 if isinstance(first, dt.date) else 1
    # one day's votes are from few deliveries: the longest silence so far is as likely to come again
    silent = _longest_silence(days["day"].to_list())
    busy = days.height / spanned
    p = float((1.0 - busy * spanned / (spanned + 1.0)) ** age)
    numbers |= {"p_value": p, "longest_before": float(silent)}
    if p >= level or age <= silent:
        return Reading(kind, today, numbers=numbers)
    text = (
        f"The newest votes are of {newest.isoformat()}, {age} days ago; in the {TRAILING_WEEKS} weeks before, the "
        f"longest silence was {silent} days."
    )
    return Reading(kind, today, Alert(kind, "warn", today, text, numbers), numbers)


def _longest_silence(days: list[dt.date]) -> int:
    """Most days between two days with votes."""
    return max(((later - earlier).days for earlier, later in itertools.pairwise(days)), default=0)


def was_real(alert_day: dt.date, daily: pl.DataFrame, *, target: float, after: int = 7, least: int = 20) -> bool | None:
    """Whether an approval alert was borne out: approval over the days after it, which it had not seen, under target.

    None while fewer than `least` people voted in them.
    """
    days = _between(daily, alert_day + dt.timedelta(days=1), alert_day + dt.timedelta(days=after))
    up, people = float(days["people_up"].sum()), int(days["people"].sum())
    return None if people < least else up / people < target
