"""The feedback on a part's answers, before it has words: who says what, when, and when it is delivered."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from feedback_pipeline.sample import planted as cast
from feedback_pipeline.sample.answers import (
    NO_DEFECT,
    REFUSED_BODY,
    SECOND,
    WRONG_BODY,
    Calendar,
    Flags,
    midnight,
)
from feedback_pipeline.sample.people import SPAM_PER_MILLION, SPAM_RUN, Floats, Ints, People
from feedback_pipeline.sample.timeline import Part, Timeline
from feedback_pipeline.tables.vocabulary import KINDS

SHARED_PER_MILLION = 40_000
CONFLICTS_PER_MILLION = 1_000
VOTES_IN_CONFLICT = 6
LATE_PER_MILLION = 20_000
LATE_ARRIVAL_PER_MILLION = 10_000
PENDING_PER_MILLION = 4_000
ORPHAN_PER_MILLION = 2_000
CHANGED_PER_MILLION = 10_000
WITHDRAWN_PER_MILLION = 5_000
DUPLICATE_PER_MILLION = 5_000
CORRECTION_PER_MILLION = 20_000
OUTCOME_PER_MILLION = 40_000
IMPLICIT_PER_MILLION = 50_000
LATER_COMMENT_PER_MILLION = 6_000

DAY = 86_400 * SECOND

COMMENT_TOPICS = (
    "up", "vague", "wrong", "refused", "cut", "restating", "stale_record", "old_timetable", "spam",
)  # fmt: skip
"""What a comment is about; the keys of the wording's `comments` table."""

VALUES = (
    '{"task_succeeded": true}',
    '{"task_succeeded": false}',
    '{"signal": "copy"}',
    '{"signal": "accept"}',
    '{"signal": "retry"}',
    '{"signal": "edit"}',
    '{"signal": "abandon"}',
)
PLANTS = (
    "asker", "shared", "conflict", "spam", "brigade", "changed", "withdrawn", "correction", "outcome", "implicit",
    "preference", "comment",
)  # fmt: skip
"""Why an event is in the sample."""

_EVENT = pl.Schema(
    {
        "answer": pl.Int64,
        "voter": pl.Int64,
        "plant": pl.Int64,
        "kind": pl.Int64,
        "thumb": pl.Boolean,
        "stars": pl.Int16,
        "value": pl.Int64,
        "topic": pl.Int64,
        "corrected": pl.Boolean,
        "preference": pl.Int64,
        "other": pl.Int64,
        "occurred": pl.Int64,
        "received": pl.Int64,
        "withdrawn": pl.Boolean,
    }
)
_DEFAULTS: dict[str, Any] = {
    "thumb": None, "stars": None, "value": -1, "topic": -1, "corrected": False, "preference": -1, "other": -1,
    "withdrawn": False,
}  # fmt: skip


@dataclass(frozen=True)
class DrawnVotes:
    """The feedback events of a part as codes, and the days their answers and they are delivered on.

    Attributes:
        events: one row an event; `answer` and `other` are rows of the drawn answers, `voter` an index of people
            or −1; `deliver_after` days pass before delivery; `copies` is 2 where the delivery is repeated.
        answers_after: for each answer, days until it is delivered; −1 where it never is.
        late: days from the answer to each vote that is late, by event row; likewise `arrived_late`.
    """

    events: pl.DataFrame
    answers_after: Ints
    late: int
    arrived_late: int


@dataclass
class _Draw:
    """What the functions below share while they draw one part."""

    part: Part
    people: People
    answers: pl.DataFrame
    random: np.random.Generator
    code: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.code = {name: self.answers[name].to_numpy() for name in self.answers.columns}

    def events(self, plant: str, kind: str, answer: Ints, voter: Ints, occurred: Ints, **columns: Any) -> pl.DataFrame:
        count = len(answer)
        values: dict[str, Any] = {
            **_DEFAULTS,
            "answer": answer,
            "voter": voter,
            "plant": PLANTS.index(plant),
            "kind": KINDS.index(kind),
            "occurred": occurred,
            "received": occurred + self.random.integers(SECOND // 20, 2 * SECOND, count),
            **columns,
        }
        return pl.DataFrame(
            {
                name: pl.Series(name, value, dtype=dtype, strict=False)
                if isinstance(value := values[name], np.ndarray | list | pl.Series)
                else pl.Series(name, [value], dtype=dtype).new_from_index(0, count)
                for name, dtype in _EVENT.items()
            }
        )

    def some(self, rows: Ints, count: int) -> Ints:
        """`count` of the rows, or all if there are fewer, in random order."""
        return self.random.permutation(rows)[: max(count, 0)]

    def askers(self, rows: Ints) -> Ints:
        return np.where(self.code["anonymous"][rows], -1, self.code["person"][rows])

    def soon(self, rows: Ints) -> Ints:
        """A little after the answers: seconds to fifty minutes."""
        seconds = np.minimum(self.random.lognormal(3.7, 1.0, len(rows)) + 2.0, 3000.0)
        return np.asarray(self.code["occurred"][rows] + (seconds * SECOND).astype(np.int64))


def draw_votes(timeline: Timeline, people: People, part: Part, answers: pl.DataFrame) -> DrawnVotes:
    """The feedback on a part's answers; exactly `part.votes` of it are first explicit votes."""
    draw = _Draw(part, people, answers, timeline.random("votes", part.day_index, part.number))
    brigade = _brigade(draw, Calendar.of(timeline))
    conflict_rows, conflicts = _conflicts(draw, room=(part.votes - brigade.height) // 2)
    spam = _spam(draw, conflict_rows, room=(part.votes - brigade.height - conflicts.height) // 2)
    remaining = part.votes - brigade.height - conflicts.height - spam.height
    shared_count = min(part.quota(SHARED_PER_MILLION), remaining // 2)
    own = _asker_votes(draw, conflict_rows, remaining - shared_count)
    shared = _shared(draw, own["answer"].to_numpy(), shared_count)
    own, late = _delay(draw, own, part.quota(LATE_PER_MILLION))
    own, arrived_late = _delay(draw, own, part.quota(LATE_ARRIVAL_PER_MILLION), only_arrival=True)
    first = pl.concat([own, shared, conflicts, spam, brigade])
    answers_after = _withheld(draw, own)
    later = [
        _changes(draw, own[0::2]),
        _withdrawals(draw, own[1::2]),
        _corrections(draw),
        _signals(draw),
        _preferences(draw),
        _later_comments(draw, own),
    ]
    events = pl.concat([first, *later])
    return DrawnVotes(_delivered(draw, events), answers_after, late, arrived_late)


def _verdicts(draw: _Draw, rows: Ints, leniency: Floats) -> Flags:
    """How honest people find answers: true is up."""
    good = draw.code["good"][rows]
    chance_of_down = down_probability(good, leniency)
    return np.asarray(draw.random.random(len(rows)) >= chance_of_down)


def down_probability(good: Flags, leniency: Floats) -> Floats:
    """Probability that a person of this leniency votes down answers that are good, or bad."""
    if_good = (cast.DOWN_IF_GOOD - 0.02 * leniency).clip(0.0, 0.2)
    if_bad = (cast.DOWN_IF_BAD - 0.04 * leniency).clip(0.6, 1.0)
    return np.where(good, if_good, if_bad)


def _topics(draw: _Draw, rows: Ints, ups: Flags, chance_if_down: float, chance_if_up: float) -> Ints:
    """What the comments are about: after a down, what is wrong with the answer; −1 where there is none."""
    body, defect = draw.code["body"][rows], draw.code["defect"][rows]
    generic = np.where(
        draw.random.random(len(rows)) < 0.5, COMMENT_TOPICS.index("vague"), COMMENT_TOPICS.index("wrong")
    )
    topic = np.where(body == WRONG_BODY, COMMENT_TOPICS.index("wrong"), generic)
    topic = np.where(body == REFUSED_BODY, COMMENT_TOPICS.index("refused"), topic)
    topic = np.where(draw.code["cut"][rows], COMMENT_TOPICS.index("cut"), topic)
    topic = np.where(defect != NO_DEFECT, COMMENT_TOPICS.index("restating") + defect - 1, topic)
    topic = np.where(ups, COMMENT_TOPICS.index("up"), topic)
    says = draw.random.random(len(rows)) < np.where(ups, chance_if_up, chance_if_down)
    return np.where(says, topic, -1)


def _rated(draw: _Draw, plant: str, rows: Ints, voters: Ints, occurred: Ints, ups: Flags) -> pl.DataFrame:
    """Explicit votes: three in four a thumb, the rest stars, some both (a few of which contradict each other)."""
    count, random = len(rows), draw.random
    form = random.random(count)
    stars = np.where(ups, random.choice([3, 4, 5], count, p=[0.06, 0.34, 0.60]), 0)
    stars = np.where(ups, stars, random.choice([1, 2, 3], count, p=[0.55, 0.37, 0.08]))
    contradicting = random.random(count) < 0.02
    stars = np.where(contradicting & (form >= 0.94), 6 - stars, stars)
    return draw.events(
        plant,
        "explicit",
        rows,
        voters,
        occurred,
        thumb=_known(ups, (form < 0.76) | (form >= 0.94)),
        stars=_known(stars, form >= 0.76),
        topic=_topics(draw, rows, ups, 0.25, 0.04),
    )


def _known(values: npt.NDArray[np.generic], known: Flags) -> pl.Series:
    """The values where they are known, else null."""
    return pl.select(pl.when(pl.Series(known)).then(pl.Series(values))).to_series()


def _asker_votes(draw: _Draw, conflict_rows: Ints, count: int) -> pl.DataFrame:
    """Votes by the people who asked; who is dissatisfied votes more, the one-way voters only then."""
    code, people, random = draw.code, draw.people, draw.random
    response = np.array([model.response for model in cast.MODELS])[code["model"]]
    one_way = (code["person"] >= people.one_way.start) & (code["person"] < people.one_way.stop)
    weight = response * np.where(code["good"], 1.0, cast.BAD_ANSWERS_GET_VOTES)
    weight = np.where(one_way, np.where(code["good"], 1e-9, 3.0), weight)
    weight[conflict_rows] = 1e-9
    weight[code["targeted"]] = 1e-9
    # Efraimidis and Spirakis (2006): the largest log(u)/w are a weighted sample without replacement.
    order = np.log(random.random(len(weight))) / weight
    rows = np.sort(np.argsort(order, kind="stable")[len(order) - count :]) if count else np.arange(0)
    ups = _verdicts(draw, rows, code["leniency"][rows]) & ~one_way[rows]
    return _rated(draw, "asker", rows, draw.askers(rows), draw.soon(rows), ups)


def _colleagues(draw: _Draw, rows: Ints, each: int) -> Ints:
    """`each` different ordinary people of the answer's tenant, none of them its asker; shape (rows, each)."""
    chosen = np.zeros((len(rows), each), dtype=np.int64)
    for tenant, members in enumerate(draw.people.colleagues):
        here = draw.code["tenant"][rows] == tenant
        place = np.searchsorted(members, draw.code["person"][rows[here]])
        start = place[:, None] + 1 + draw.random.integers(0, max(len(members) - each - 1, 1), int(here.sum()))[:, None]
        chosen[here] = members[(start + np.arange(each)) % len(members)]
    return chosen


def _shared(draw: _Draw, voted: Ints, count: int) -> pl.DataFrame:
    """Second opinions by a colleague on answers somebody has voted on."""
    rows = draw.some(voted, count)
    if len(rows) < count:
        raise ValueError(f"only {len(rows)} answers for {count} second opinions")
    voters = _colleagues(draw, rows, 1)[:, 0]
    return _rated(draw, "shared", rows, voters, draw.soon(rows), _verdicts(draw, rows, draw.people.leniency[voters]))


def _conflicts(draw: _Draw, room: int) -> tuple[Ints, pl.DataFrame]:
    """Answers on which six colleagues split three to three; nobody else votes on them."""
    free = (draw.code["pair_of"] < 0) & ~draw.code["targeted"] & (draw.code["tenant"] == 0)
    count = min(draw.part.quota(CONFLICTS_PER_MILLION), room // VOTES_IN_CONFLICT)
    rows = draw.some(np.flatnonzero(free), count)
    voters = _colleagues(draw, rows, VOTES_IN_CONFLICT).ravel()
    repeated = np.repeat(rows, VOTES_IN_CONFLICT)
    ups = np.tile([True, False], len(repeated) // 2)
    thumbs = draw.events(
        "conflict", "explicit", repeated, voters, draw.soon(repeated), thumb=ups,
        topic=_topics(draw, repeated, ups, 0.1, 0.1),
    )  # fmt: skip
    return rows, thumbs


def _spam(draw: _Draw, conflict_rows: Ints, room: int) -> pl.DataFrame:
    """Runs of twenty random votes a second apart, late in the evening, with pasted comments."""
    part, random, raters = draw.part, draw.random, draw.people.spam
    runs = list(part.whole_quota(SPAM_PER_MILLION, SPAM_RUN))
    home = draw.code["tenant"] == 0
    home[conflict_rows] = False
    candidates = np.flatnonzero(home & ~draw.code["targeted"])
    runs = runs[: min(room, len(candidates)) // SPAM_RUN]
    count = len(runs) * SPAM_RUN
    rows = draw.some(candidates, count)
    run = np.arange(count) // SPAM_RUN
    voters = raters.start + np.array(runs, dtype=np.int64)[run] % len(raters) if count else np.arange(0)
    gaps = random.uniform(0.4, 1.4, count) * SECOND
    within = np.cumsum(gaps.reshape(-1, SPAM_RUN), axis=1).ravel()
    start = midnight(part.day) + 23 * 3600 * SECOND + (300 + random.integers(0, 2400, len(runs))) * SECOND
    occurred = (start[run] + within).astype(np.int64)
    topic = np.where(random.random(count) < 0.7, COMMENT_TOPICS.index("spam"), -1)
    return draw.events("spam", "explicit", rows, voters, occurred, thumb=random.random(count) < 0.5, topic=topic)


def _brigade(draw: _Draw, calendar: Calendar) -> pl.DataFrame:
    """New accounts voting down good answers to one popular prompt within forty minutes, two answers each."""
    targets = np.flatnonzero(draw.code["targeted"])
    accounts = np.array(draw.people.brigade)[: draw.part.votes // 6]
    if draw.part.day_index != calendar.brigade_day or len(targets) < 2:
        accounts = accounts[:0]
    first = draw.random.integers(0, max(len(targets), 1), len(accounts))
    second = first + draw.random.integers(1, max(len(targets), 2), len(accounts))
    picked = np.concatenate([first, second]) % max(len(targets), 1)
    start = midnight(draw.part.day) + (15 * 3600 + 60) * SECOND
    arrival = (draw.random.uniform(0, 2100, len(accounts)) * SECOND).astype(np.int64)
    occurred = start + np.concatenate([arrival, arrival + draw.random.integers(15, 240, len(accounts)) * SECOND])
    topic = np.where(draw.random.random(len(picked)) < 0.2, COMMENT_TOPICS.index("wrong"), -1)
    return draw.events(
        "brigade", "explicit", targets[picked] if len(picked) else targets[:0], np.tile(accounts, 2), occurred,
        thumb=np.zeros(len(picked), dtype=np.bool_), topic=topic,
    )  # fmt: skip


def _delay(draw: _Draw, votes: pl.DataFrame, count: int, *, only_arrival: bool = False) -> tuple[pl.DataFrame, int]:
    """Some votes come days later, or are cast in time by a client that is offline for days (`only_arrival`)."""
    chosen = draw.some(np.arange(votes.height), count if draw.part.days_left else 0)
    days = np.zeros(votes.height, dtype=np.int64)
    longest = 9 if only_arrival else 20
    days[chosen] = np.minimum(draw.random.integers(1, longest + 1, len(chosen)), draw.part.days_left)
    if only_arrival:
        days[(votes["received"] - votes["occurred"]).to_numpy() > DAY // 2] = 0
        # A vote that is itself late must still arrive within the sample.
        days[votes["occurred"].to_numpy() >= midnight(draw.part.day) + DAY] = 0
    shift = pl.Series(days * DAY)
    moved = votes.with_columns(received=pl.col("received") + shift)
    if not only_arrival:
        moved = moved.with_columns(occurred=pl.col("occurred") + shift)
    return moved, int((days > 0).sum())


def _withheld(draw: _Draw, own: pl.DataFrame) -> Ints:
    """Days until each answer is delivered: some come a day after their vote, some (−1) never."""
    after = np.zeros(draw.answers.height, dtype=np.int64)
    prompt = own.filter(pl.col("received") < midnight(draw.part.day) + DAY)["answer"].to_numpy()
    in_pair = np.concatenate([draw.code["pair_of"], np.flatnonzero(draw.code["pair_of"] >= 0)])
    free = prompt[~np.isin(prompt, in_pair)]
    pending, orphans = draw.part.quota(PENDING_PER_MILLION), draw.part.quota(ORPHAN_PER_MILLION)
    chosen = draw.some(free, pending + orphans)
    after[chosen[:orphans]] = -1
    if draw.part.days_left:
        after[chosen[orphans:]] = 1
    return after


def _follow_up(draw: _Draw, votes: pl.DataFrame, count: int) -> tuple[pl.DataFrame, Ints]:
    """Some of the named people's votes, and the moments a few seconds to five minutes after them."""
    named = votes.with_row_index("row").filter(pl.col("voter") >= 0)["row"].to_numpy()
    chosen = votes[draw.some(named, count)]
    moments = chosen["occurred"].to_numpy() + draw.random.integers(5, 300, chosen.height) * SECOND
    return chosen, moments


def _changes(draw: _Draw, own: pl.DataFrame) -> pl.DataFrame:
    """People who change their mind: a second vote on the same answer, the other way."""
    chosen, moments = _follow_up(draw, own, draw.part.quota(CHANGED_PER_MILLION))
    was_up = chosen.select(pl.coalesce("thumb", pl.col("stars") >= 4)).to_series().to_numpy()
    return draw.events(
        "changed", "explicit", chosen["answer"].to_numpy(), chosen["voter"].to_numpy(), moments, thumb=~was_up
    )


def _withdrawals(draw: _Draw, own: pl.DataFrame) -> pl.DataFrame:
    """People who take their vote back, ten minutes after it at most."""
    chosen, moments = _follow_up(draw, own, draw.part.quota(WITHDRAWN_PER_MILLION))
    return draw.events(
        "withdrawn", "explicit", chosen["answer"].to_numpy(), chosen["voter"].to_numpy(),
        moments + 300 * SECOND, withdrawn=True,
    )  # fmt: skip


def _corrections(draw: _Draw) -> pl.DataFrame:
    bad = np.flatnonzero(~draw.code["good"] & ~draw.code["anonymous"] & (draw.code["pair_of"] < 0))
    rows = draw.some(bad, draw.part.quota(CORRECTION_PER_MILLION))
    return draw.events("correction", "correction", rows, draw.askers(rows), draw.soon(rows), corrected=True)


def _signals(draw: _Draw) -> pl.DataFrame:
    """Outcomes and implicit signals, which know about quality but not for certain."""
    everything = np.flatnonzero(draw.code["pair_of"] < 0)
    outcome_rows = draw.some(everything, draw.part.quota(OUTCOME_PER_MILLION))
    implicit_rows = draw.some(everything, draw.part.quota(IMPLICIT_PER_MILLION))
    good = draw.code["good"]
    succeeded = draw.random.random(len(outcome_rows)) < np.where(good[outcome_rows], 0.93, 0.15)
    pleased = draw.random.random(len(implicit_rows)) < np.where(good[implicit_rows], 0.85, 0.2)
    sign = np.where(
        pleased,
        draw.random.choice([2, 3], len(implicit_rows), p=[0.8, 0.2]),
        draw.random.choice([4, 5, 6], len(implicit_rows), p=[0.5, 0.3, 0.2]),
    )
    return pl.concat(
        [
            draw.events("outcome", "outcome", outcome_rows, draw.askers(outcome_rows), draw.soon(outcome_rows),
                        value=np.where(succeeded, 0, 1)),
            draw.events("implicit", "implicit", implicit_rows, draw.askers(implicit_rows), draw.soon(implicit_rows),
                        value=sign),
        ]
    )  # fmt: skip


def _preferences(draw: _Draw) -> pl.DataFrame:
    """The asker's choice between two answers to the same prompt (0 this, 1 other, 2 tie)."""
    second = np.flatnonzero(draw.code["pair_of"] >= 0)
    first = draw.code["pair_of"][second]
    good = draw.code["good"]
    lead = good[first].astype(float) - good[second]
    drawn = draw.random.random(len(second))
    tie = drawn < np.where(lead == 0, 0.4, 0.08)
    this = draw.random.random(len(second)) < 0.5 + 0.4 * lead
    return draw.events(
        "preference", "preference", first, draw.askers(first), draw.soon(second),
        other=second, preference=np.where(tie, 2, np.where(this, 0, 1)),
    )  # fmt: skip


def _later_comments(draw: _Draw, own: pl.DataFrame) -> pl.DataFrame:
    """Comments sent as events of their own, after a thumb without one."""
    silent = own.filter((pl.col("topic") < 0) & pl.col("thumb").is_not_null())
    chosen, moments = _follow_up(draw, silent, draw.part.quota(LATER_COMMENT_PER_MILLION))
    rows = chosen["answer"].to_numpy()
    ups = chosen["thumb"].to_numpy()
    return draw.events(
        "comment", "comment", rows, chosen["voter"].to_numpy(), moments, topic=_topics(draw, rows, ups, 1.0, 1.0)
    )


def _delivered(draw: _Draw, events: pl.DataFrame) -> pl.DataFrame:
    """Adds when each event is delivered, and which deliveries are repeated."""
    day = midnight(draw.part.day)
    last_moment = day + (draw.part.days_left + 1) * DAY - SECOND
    events = events.with_columns(pl.col("occurred", "received").clip(upper_bound=last_moment)).with_columns(
        received=pl.max_horizontal("occurred", "received")
    )
    repeated = np.zeros(events.height, dtype=np.bool_)
    repeated[draw.some(np.arange(events.height), draw.part.quota(DUPLICATE_PER_MILLION))] = True
    again = np.where(draw.random.random(events.height) < 0.5, 0, 1)
    after = (events["received"].to_numpy() - day) // DAY
    by_key = draw.random.random(events.height) < 0.15
    return events.with_columns(
        deliver_after=pl.Series(after),
        repeated=pl.Series(repeated),
        repeat_after=pl.Series(np.minimum(after + again, draw.part.days_left)),
        by_key=pl.Series(by_key),
    )
