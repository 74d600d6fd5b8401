"""Bursts: votes faster than anybody reads, and many accounts doing the same thing at the same time."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from feedback_pipeline.cleaning.current_votes import Ballots, Flags, Ints
from feedback_pipeline.stats.majority import approval_probability
from feedback_pipeline.stats.tails import binomial_above, poisson_above

SECOND = 1000
"""Milliseconds, the unit of moments here."""
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


@dataclass(frozen=True)
class Crowding:
    """When many accounts acting alike are a campaign and not a coincidence.

    Attributes:
        minutes: length of the time in which they act.
        people: least number of accounts.
        new_days: an account is new for so long after it was first seen.
        own_share: least share of an account's votes that the campaign has; who also votes elsewhere is a user.
        chance: probability, by each test, below which coincidence is ruled out.
        rush: how much busier than its average hour a target may be without being remarkable.
        seconded: probability that established voters agree with the campaign above which it is none.
    """

    minutes: int = 60
    people: int = 8
    new_days: int = 7
    own_share: float = 0.5
    chance: float = 1e-4
    rush: float = 3.0
    seconded: float = 0.8


@dataclass(frozen=True)
class VotingSpeed:
    """How fast each voter votes; shape (voters,).

    Attributes:
        timed: ballots cast by hand whose time says something about speed.
        fastest_minute: the most of them within sixty seconds.
        hurried: those cast a moment after the one before.
    """

    timed: Ints
    fastest_minute: Ints
    hurried: Ints


def voting_speed(ballots: Ballots, hurried_seconds: float) -> VotingSpeed:
    """How fast each voter votes.

    Times on the minute are dates or rounded, and no clock. Ballots of the same moment are one form sent once: the
    second of them is not hurried.
    """
    known = ballots.by_hand & (ballots.moment % MINUTE != 0)
    voter, moment = ballots.voter[known], ballots.moment[known]
    order = _order(voter, moment)
    voter, moment = voter[order], moment[order]
    gap = np.diff(moment)
    quick = (np.diff(voter) == 0) & (gap > 0) & (gap < hurried_seconds * SECOND)
    fastest = np.zeros(ballots.people, dtype=np.int64)
    np.maximum.at(fastest, voter, _followers(voter, moment, MINUTE - 1, voter, moment))
    return VotingSpeed(
        timed=np.bincount(voter, minlength=ballots.people),
        fastest_minute=fastest,
        hurried=np.bincount(voter[1:][quick], minlength=ballots.people),
    )


def campaigns(ballots: Ballots, target: Ints, first_seen: Ints, policy: Crowding) -> Flags:
    """Voters who took part in a campaign: new accounts with little else to say that, within the hour, say the same of
    one target. Shape (voters,).

    Such accounts have to be improbably many (`chance`) by each of three measures: their share of the target's voters in
    that time, against their share of voters elsewhere; their number, against the target's average hour; the target's
    share of such votes in the tenant in that time, against its share at other times. And established voters must not
    agree with them. A product whose users are all new, or vote once each, has no campaigns by these measures.

    Args:
        ballots: the judgements.
        target: what each ballot is about, as a number; negative where unknown.
        first_seen: the moment of each voter's first vote ever, as far as known.
        policy: the thresholds.
    """
    known = np.flatnonzero((target >= 0) & (ballots.score != 0))
    if not len(known):
        return np.zeros(ballots.people, dtype=np.bool_)
    group, moment, voter = _first_acts(ballots, target, known)
    everything = np.bincount(ballots.voter, minlength=ballots.people)[voter]
    here = _acts_on_target(ballots, target, known, group, voter)
    suspect = (moment - first_seen[voter] <= policy.new_days * DAY) & (here >= policy.own_share * everything)
    tenant = ballots.tenant[voter]
    acts = _Acts(group, moment, voter, tenant, suspect)
    return _flagged(acts, policy, ballots.people)


@dataclass(frozen=True)
class _Acts:
    """The first ballot of each voter on each target and way of voting, in the order of group and moment.

    A group is a target and a way of voting: 2 × target for down, one more for up.
    """

    group: Ints
    moment: Ints
    voter: Ints
    tenant: Ints
    suspect: Flags


def _first_acts(ballots: Ballots, target: Ints, known: Ints) -> tuple[Ints, Ints, Ints]:
    group = target[known] * 2 + (ballots.score[known] > 0)
    moment, voter = ballots.moment[known], ballots.voter[known]
    order = _order(group, voter, moment)
    group, moment, voter = group[order], moment[order], voter[order]
    first = np.concatenate([[True], (group[1:] != group[:-1]) | (voter[1:] != voter[:-1])])
    group, moment, voter = group[first], moment[first], voter[first]
    order = _order(group, moment)  # those of one moment are in the order of their voters already
    return group[order], moment[order], voter[order]


_BITS = 63


def _order(*keys: Ints) -> Ints:
    """The places of rows in the order of their keys, the first of which decides most; equal rows stay as they are.

    Keys are joined to one number as far as they fit into it: each number is a sort.
    """
    numbers: list[Ints] = []
    taken = 0
    for key in reversed(keys):
        low = int(key.min()) if key.size else 0
        bits = (int(key.max(initial=low)) - low).bit_length()
        if not numbers or taken + bits > _BITS:
            numbers.append(key - low)
            taken = bits
        else:
            numbers[-1] |= (key - low) << taken
            taken += bits
    return np.lexsort(numbers)


def _acts_on_target(ballots: Ballots, target: Ints, known: Ints, group: Ints, voter: Ints) -> Ints:
    """Ballots of the voter on the group's target, all of them, for each (group, voter)."""
    pairs = target[known] * ballots.people + ballots.voter[known]
    keys, counts = np.unique(pairs, return_counts=True)
    return np.asarray(counts[np.searchsorted(keys, (group // 2) * ballots.people + voter)])


def _flagged(acts: _Acts, policy: Crowding, people: int) -> Flags:
    flagged = np.zeros(people, dtype=np.bool_)
    rows = np.flatnonzero(acts.suspect)
    width = policy.minutes * MINUTE
    group, moment = acts.group[rows], acts.moment[rows]
    alike = _followers(group, moment, width, group, moment)
    starts = np.flatnonzero((alike >= policy.people) & _first_of_moment(group, moment))
    if not len(starts):
        return flagged
    crowds = rows[starts]
    telling = _improbable(acts, crowds, alike[starts], width, policy) & ~_seconded(acts, crowds, policy)
    flagged[acts.voter[rows[_covered(len(rows), starts[telling], alike[starts][telling])]]] = True
    return flagged


def _first_of_moment(group: Ints, moment: Ints) -> Flags:
    """Which acts, in the order of group and moment, are the first of those of their group at their moment: what
    `_followers` counts begins there. Dates without a time give many acts one moment."""
    return np.concatenate([[True], (group[1:] != group[:-1]) | (moment[1:] != moment[:-1])])


def _covered(size: int, starts: Ints, counts: Ints) -> Flags:
    """Which of `size` rows are in one of the stretches of `counts` rows from `starts`."""
    edges = np.zeros(size + 1, dtype=np.int64)
    np.add.at(edges, starts, 1)
    np.add.at(edges, starts + counts, -1)
    return np.asarray(np.cumsum(edges[:-1]) > 0)


def _improbable(acts: _Acts, crowds: Ints, alike: Ints, width: int, policy: Crowding) -> Flags:
    """Whether coincidence is ruled out for crowds that begin with the acts `crowds` and have `alike` suspects each."""
    group, moment, tenant = acts.group[crowds], acts.moment[crowds], acts.tenant[crowds]
    everyone = np.bincount(acts.tenant)[tenant]
    suspects = np.bincount(acts.tenant, weights=acts.suspect)[tenant]
    in_group = np.bincount(acts.group)[group]
    suspects_in_group = np.bincount(acts.group, weights=acts.suspect)[group]
    elsewhere = (suspects - suspects_in_group + 1) / (everyone - in_group + 2)
    present = _followers(acts.group, acts.moment, width, group, moment)
    by_share = binomial_above(alike - 1, present, elsewhere)

    span = max(int(acts.moment.max() - acts.moment.min()), 2 * width)
    usual = policy.rush * (suspects_in_group - alike) * width / (span - width) + 0.5
    by_number = poisson_above(alike - 1, usual)

    order = np.lexsort((acts.moment[acts.suspect], acts.tenant[acts.suspect]))
    at_the_time = _followers(acts.tenant[acts.suspect][order], acts.moment[acts.suspect][order], width, tenant, moment)
    at_other_times = (suspects_in_group - alike + 0.5) / (suspects - at_the_time + 1.0)
    by_target = binomial_above(alike - 1, at_the_time, np.minimum(at_other_times, 1.0))
    return np.asarray(np.maximum(np.maximum(by_share, by_number), by_target) < policy.chance)


def _seconded(acts: _Acts, crowds: Ints, policy: Crowding) -> Flags:
    """Whether established voters vote the same way on the crowds' targets."""
    size = int(acts.group.max()) + 2
    established = np.bincount(acts.group, weights=~acts.suspect, minlength=size)
    group = acts.group[crowds]
    same, other = established[group], established[group ^ 1]
    return np.asarray(approval_probability(same, other) > policy.seconded)


def copied_by_many(comments: pl.DataFrame, policy: Crowding, least_length: int) -> pl.DataFrame:
    """The comments that many accounts sent word for word within the hour: tenant, voter, `copied` (how many).

    The number of accounts must be improbable against the text's own average hour: everybody writes "thank you, that
    worked", but not eight people in an hour who never did before.

    Args:
        comments: tenant, voter, text (normalised), moment (milliseconds).
        policy: the thresholds.
        least_length: characters below which a text is too common to be copied.
    """
    said = (
        comments.filter(pl.col("text").str.len_chars() >= least_length)
        .group_by("tenant", "text", "voter")
        .agg(pl.col("moment").min(), times=pl.len())
        .filter(pl.len().over("tenant", "text") >= policy.people)
        .sort("tenant", "text", "moment", "voter")
    )
    if said.is_empty():
        return pl.DataFrame(schema={"tenant": pl.String, "voter": pl.String, "copied": pl.UInt32})
    text = said.select(pl.struct("tenant", "text").rle_id()).to_series().to_numpy().astype(np.int64)
    moment = said["moment"].to_numpy()
    width = policy.minutes * MINUTE
    alike = _followers(text, moment, width, text, moment)
    span = max(int(moment.max() - moment.min()), 2 * width)
    usual = policy.rush * (np.bincount(text)[text] - alike) * width / (span - width) + 0.5
    crowded = (alike >= policy.people) & (poisson_above(alike - 1, usual) < policy.chance)
    crowded &= _first_of_moment(text, moment)
    copies = _covered(len(text), np.flatnonzero(crowded), alike[crowded])
    return said.filter(pl.Series(copies)).group_by("tenant", "voter").agg(copied=pl.col("times").sum().cast(pl.UInt32))


def _followers(groups: Ints, moments: Ints, width: int, group: Ints, moment: Ints) -> Ints:
    """How many of the acts (`groups`, `moments`, in this order) are in `group` from `moment` to `width` after it, all
    of the same moment among them, before the act or after it."""
    if not len(group):
        return np.zeros(0, dtype=np.int64)
    origin = min(int(moments.min()), int(moment.min()))
    room = max(int(moments.max()), int(moment.max())) - origin + width + 1
    line = groups * room + (moments - origin)
    start = group * room + (moment - origin)
    return np.asarray(np.searchsorted(line, start + width, side="right") - np.searchsorted(line, start, side="left"))
