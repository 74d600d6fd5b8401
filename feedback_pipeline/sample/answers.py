"""The answers of a part, before they have words: who asked what, which model answered, and whether the answer is good.

A drawn answer is a row of codes; `rows` turns codes into the rows ingest delivers.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from feedback_pipeline.sample import planted as cast
from feedback_pipeline.sample.people import Floats, Ints, People
from feedback_pipeline.sample.planted import Level, code_of
from feedback_pipeline.sample.timeline import Part, Timeline

Flags = npt.NDArray[np.bool_]

ANSWERS_PER_MILLION = 1_400_000
POPULAR_PER_MILLION = 20_000
PAIRS_PER_MILLION = 20_000
POPULAR_INTENTS = ("billing", "code", "how_to", "travel", "summarisation", "writing")
"""The intent of each often-asked prompt, in the order of the wording's `popular` table."""

POPULAR_SHARES = (0.30, 0.22, 0.17, 0.13, 0.10, 0.08)
BRIGADE_TARGETS = 10

GOOD_BODY, VAGUE_BODY, WRONG_BODY, REFUSED_BODY = range(4)
NO_DEFECT, RESTATING, STALE_RECORD, OLD_TIMETABLE = range(4)

_EPOCH = date(1970, 1, 1)
SECOND = 1_000_000
"""Microseconds."""

_HOURLY_TRAFFIC = np.array([1, 1, 1, 1, 1, 2, 4, 7, 11, 13, 13, 12, 11, 12, 13, 12, 11, 9, 7, 6, 5, 4, 2], dtype=float)
_ANONYMOUS = 0.03
_PARTIAL = 0.12
_OWN_LANGUAGE = 0.97


@dataclass(frozen=True)
class Calendar:
    """What happens on which day of a sample (day indices from 0)."""

    brigade_day: int
    mix_shift_day: int | None
    """First day of the week with the shifted mix; None in a sample of one week."""

    @classmethod
    def of(cls, timeline: Timeline) -> "Calendar":
        return cls(
            brigade_day=7 * max(timeline.weeks - 3, 0) + 2,
            mix_shift_day=timeline.days - 7 if timeline.weeks > 1 else None,
        )


def midnight(day: date) -> int:
    """Microseconds from the epoch to the start of a day in UTC."""
    return (day - _EPOCH).days * 86_400 * SECOND


def release_day(level: Level, timeline: Timeline) -> int:
    """Index of the first day on which a level appears."""
    return int(level.release * timeline.settled_days)


def shares_on(levels: tuple[Level, ...], part: Part, timeline: Timeline) -> Floats:
    """The traffic shares of a dimension on a day, over what is released by then."""
    shares = np.array([level.share if part.day_index >= release_day(level, timeline) else 0.0 for level in levels])
    return np.asarray(shares / shares.sum())


def intent_shares(part: Part, calendar: Calendar) -> Floats:
    """The shares of the intents; in the shifted week the hard intent takes traffic from all others alike."""
    shares: Floats = np.array([level.share for level in cast.INTENTS])
    if calendar.mix_shift_day is None or part.day_index < calendar.mix_shift_day:
        return shares
    hard = code_of(cast.INTENTS, "code")
    others = (1.0 - cast.SHIFTED_CODE_SHARE) / (1.0 - shares[hard])
    shifted: Floats = shares * others
    shifted[hard] = cast.SHIFTED_CODE_SHARE
    return shifted


def draw_answers(timeline: Timeline, people: People, part: Part) -> pl.DataFrame:
    """The answers of a part as codes, one row each; second answers to the same prompt come last (`pair_of` ≥ 0)."""
    calendar = Calendar.of(timeline)
    random = timeline.random("answers", part.day_index, part.number)
    asked = _asked(timeline, calendar, people, part, random)
    asked = _ask_popular(asked, part, calendar, random)
    answers = pl.concat([asked, _second_answers(asked, timeline, part, random)])
    return _judge(answers, people, random)


def _conversations(count: int, random: np.random.Generator) -> tuple[Ints, Ints]:
    """The conversation and turn of each of `count` answers, conversation after conversation."""
    lengths = random.choice([1, 2, 3], size=count, p=[0.70, 0.22, 0.08])
    starts = np.cumsum(lengths) - lengths
    conversations = int(np.searchsorted(starts, count))
    conversation = np.repeat(np.arange(conversations), lengths[:conversations])[:count]
    return conversation, np.arange(count) - starts[conversation]


def _asked(
    timeline: Timeline, calendar: Calendar, people: People, part: Part, random: np.random.Generator
) -> pl.DataFrame:
    count = part.quota(ANSWERS_PER_MILLION)
    conversation, turn = _conversations(count, random)
    conversations = int(conversation[-1]) + 1 if count else 0
    person = np.searchsorted(people.asking, random.random(conversations)).clip(0, len(people.ids) - 1)
    own_language = random.random(conversations) < _OWN_LANGUAGE
    hour = random.choice(len(_HOURLY_TRAFFIC), size=conversations, p=_HOURLY_TRAFFIC / _HOURLY_TRAFFIC.sum())
    start = np.sort(np.minimum(hour * 3600 + random.integers(0, 3600, conversations), 22 * 3600 + 2400))

    def pick(levels: tuple[Level, ...], size: int = conversations) -> Ints:
        return random.choice(len(levels), size=size, p=shares_on(levels, part, timeline))

    whole = {
        "person": person,
        "anonymous": random.random(conversations) < _ANONYMOUS,
        "tenant": people.tenant[person],
        "language": np.where(own_language, people.language[person], 0),
        "variant": people.variant[person],
        "intent": random.choice(len(cast.INTENTS), size=conversations, p=intent_shares(part, calendar)),
        "project": pick(cast.PROJECTS),
        "model": pick(cast.MODELS),
        "version": pick(cast.PROMPT_VERSIONS),
        "framework": pick(cast.FRAMEWORKS),
        "provenance": pick(cast.PROVENANCES),
        "partial": random.random(conversations) < _PARTIAL,
    }
    seconds = start[conversation] + turn * random.integers(60, 180, count)
    return pl.DataFrame(
        {
            "conversation": conversation,
            "turn": turn.astype(np.int32),
            **{name: values[conversation] for name, values in whole.items()},
            "content_type": pick(cast.CONTENT_TYPES, count),
            "action_type": pick(cast.ACTION_TYPES, count),
            "tools": _pick_set(cast.TOOL_SETS, count, random),
            "tags": _pick_set(cast.TAG_SETS, count, random),
            "techniques": _pick_set(cast.TECHNIQUE_SETS, count, random),
            "prompt_term": random.random(count) < cast.TERM_SHARE,
            "occurred": midnight(part.day) + seconds * SECOND + random.integers(0, SECOND, count),
            "popular": np.full(count, -1),
            "targeted": np.zeros(count, dtype=np.bool_),
            "pair_of": np.full(count, -1),
        }
    )


def _pick_set(sets: tuple[tuple[tuple[str, ...], float], ...], count: int, random: np.random.Generator) -> Ints:
    return random.choice(len(sets), size=count, p=[share for _, share in sets])


def _ask_popular(asked: pl.DataFrame, part: Part, calendar: Calendar, random: np.random.Generator) -> pl.DataFrame:
    """Some first turns ask one of the popular prompts; on the brigade's day some of its answers are targets."""
    codes = {name: asked[name].to_numpy().copy() for name in ("popular", "intent", "targeted", "language")}
    english = code_of(cast.LANGUAGES, "en")
    opening = asked["turn"].to_numpy() == 0
    candidates = np.flatnonzero(opening & (codes["language"] == english))
    rows = random.permutation(candidates)[: part.quota(POPULAR_PER_MILLION)]
    codes["popular"][rows] = random.choice(len(POPULAR_SHARES), size=len(rows), p=POPULAR_SHARES)
    if part.day_index == calendar.brigade_day and part.number == 0:
        morning = asked["occurred"].to_numpy() < midnight(part.day) + 14 * 3600 * SECOND
        home = asked["tenant"].to_numpy() == 0
        targets = random.permutation(np.flatnonzero(opening & morning & home))[:BRIGADE_TARGETS]
        codes["popular"][targets], codes["targeted"][targets], codes["language"][targets] = 0, True, english
    intents = np.array([code_of(cast.INTENTS, intent) for intent in POPULAR_INTENTS])
    chosen = codes["popular"] >= 0
    codes["intent"][chosen] = intents[codes["popular"][chosen]]
    return asked.with_columns(**{name: pl.Series(values) for name, values in codes.items()}).with_columns(
        prompt_term=pl.col("prompt_term") & (pl.col("popular") < 0)
    )


def _second_answers(asked: pl.DataFrame, timeline: Timeline, part: Part, random: np.random.Generator) -> pl.DataFrame:
    """Another model's answers to some of the same prompts, shown beside the first for a preference."""
    named = ~asked["anonymous"].to_numpy() & (asked["turn"].to_numpy() == 0) & ~asked["targeted"].to_numpy()
    originals = np.sort(random.permutation(np.flatnonzero(named))[: part.quota(PAIRS_PER_MILLION)])
    pairs = asked[originals]
    released = np.flatnonzero(shares_on(cast.MODELS, part, timeline))
    ahead = random.integers(1, len(released), len(originals))
    model = released[(np.searchsorted(released, pairs["model"].to_numpy()) + ahead) % len(released)]
    return pairs.with_columns(model=pl.Series(model, dtype=asked["model"].dtype), pair_of=pl.Series(originals))


def _judge(answers: pl.DataFrame, people: People, random: np.random.Generator) -> pl.DataFrame:
    """Adds whether each answer is good, and how a bad one shows."""
    count = answers.height
    code = {name: answers[name].to_numpy() for name in answers.columns}
    plain = code["popular"] < 0
    answer_term = (random.random(count) < cast.TERM_SHARE) & plain
    cut = (random.random(count) < cast.CUT_SHARE) & plain
    causes = _causes(code)
    bad_probability = cast.BASE_BAD + sum(
        np.array([level.bad for level in levels])[code[name]]
        for name, levels in (
            ("model", cast.MODELS),
            ("version", cast.PROMPT_VERSIONS),
            ("intent", cast.INTENTS),
            ("variant", cast.VARIANTS),
        )
    )
    bad_probability += cast.CAUSE_BAD * sum(cause.astype(float) for cause in causes)
    bad_probability += cast.TERM_BAD * (code["prompt_term"].astype(float) + answer_term) + cast.CUT_BAD * cut
    bad_probability = bad_probability.clip(cast.MIN_BAD, cast.MAX_BAD)
    good = (random.random(count) >= bad_probability) | code["targeted"]
    return answers.with_columns(
        answer_term=pl.Series(answer_term),
        cut=pl.Series(cut),
        bad_probability=pl.Series(bad_probability),
        good=pl.Series(good),
        body=pl.Series(_bodies(good, random)),
        defect=pl.Series(_defects(causes, good | ~plain, random)),
        leniency=pl.Series(people.leniency[code["person"]]),
    )


def _causes(code: dict[str, npt.NDArray[np.generic]]) -> tuple[Flags, Flags, Flags]:
    """Which answers each of the three planted causes touches."""
    with_tool = np.array([cast.CAUSE_TOOL in tools for tools, _ in cast.TOOL_SETS])
    return (
        (code["model"] == code_of(cast.MODELS, cast.CAUSE_MODEL))
        & (code["version"] == code_of(cast.PROMPT_VERSIONS, cast.CAUSE_VERSION)),
        with_tool[code["tools"]],
        (code["intent"] == code_of(cast.INTENTS, cast.CAUSE_INTENT))
        & (code["language"] == code_of(cast.LANGUAGES, cast.CAUSE_LANGUAGE)),
    )


def _bodies(good: Flags, random: np.random.Generator) -> Ints:
    """What the text looks like: mostly, but not always, as good or bad as the answer is."""
    drawn = random.random(len(good))
    if_good = np.where(drawn < 0.94, GOOD_BODY, VAGUE_BODY)
    if_bad = np.searchsorted([0.22, 0.57, 0.92], drawn, side="right")
    return np.where(good, if_good, if_bad).astype(np.int64)


def _defects(causes: tuple[Flags, Flags, Flags], spared: Flags, random: np.random.Generator) -> Ints:
    """How the planted cause shows in the bad answers it touches (in most of them)."""
    defect = np.full(len(spared), NO_DEFECT)
    shows = (random.random(len(spared)) < 0.6) & ~spared
    for code, cause in zip((RESTATING, STALE_RECORD, OLD_TIMETABLE), causes, strict=True):
        defect = np.where(shows & cause, code, defect)
    return defect


def latency_and_confidence(answers: pl.DataFrame, random: np.random.Generator) -> tuple[Floats, Floats]:
    """Milliseconds to the complete answer, and the application's own confidence, which knows a little about quality."""
    typical = np.array([model.latency_ms for model in cast.MODELS])
    latency = typical[answers["model"].to_numpy()] * random.lognormal(0.0, 0.35, answers.height)
    certainty = 0.78 + 0.06 * answers["good"].to_numpy() + random.normal(0.0, 0.09, answers.height)
    return latency, certainty.clip(0.05, 0.99)
