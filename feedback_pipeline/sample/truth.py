"""What was planted in a sample, and what everybody would have said had everybody voted: values fit for JSON."""

from collections import Counter
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from feedback_pipeline.calendar import monday_of
from feedback_pipeline.sample import planted as cast
from feedback_pipeline.sample.answers import Calendar, draw_answers, release_day
from feedback_pipeline.sample.faults import fault_counts
from feedback_pipeline.sample.identities import LOOK_ALIKE_TYPES
from feedback_pipeline.sample.lexicon import lexicon
from feedback_pipeline.sample.people import People, gather_people
from feedback_pipeline.sample.personal import VALUE_TYPES, PlacedValues, place_values
from feedback_pipeline.sample.planted import Level, code_of, level_names
from feedback_pipeline.sample.timeline import Part, Timeline
from feedback_pipeline.sample.votes import PLANTS, DrawnVotes, down_probability, draw_votes

_DIMENSIONS: dict[str, tuple[Level, ...]] = {
    "model": cast.MODELS,
    "prompt_version": cast.PROMPT_VERSIONS,
    "intent": cast.INTENTS,
    "language": cast.LANGUAGES,
    "framework": cast.FRAMEWORKS,
    "variant": cast.VARIANTS,
    "project": cast.PROJECTS,
}
_COLUMN = {"prompt_version": "version"}
_CAUSES = ("cause_model_version", "cause_tool", "cause_intent_language")
_TERMS = ("term_in_prompts", "term_in_answers")
_SUMS = ("answers", "good", "expected_ups", "voted", "votes", "ups", "downs")


def truth(votes: int, weeks: int, seed: int, end: date) -> dict[str, Any]:
    """The truth about `generate` with the same arguments.

    Keys: `parameters`; `counts` (rows delivered, by what they are); `policies` (what tenants and people allow);
    `releases`; `approval` (by dimension and level: `true_approval` had every asker voted, and the honest votes there
    are); `plants` (by stable name, each with its parameters and what of it is in the sample).

    Raises:
        ValueError: fewer than one vote or week, or a negative seed.
    """
    timeline = Timeline(votes, weeks, seed, end)
    people = gather_people(timeline)
    counts: Counter[str] = Counter()
    groups: list[pl.DataFrame] = []
    for part in timeline.parts():
        answers = draw_answers(timeline, people, part)
        drawn = draw_votes(timeline, people, part, answers)
        placed = place_values(timeline, part, answers, drawn.events)
        counts += _counts(people, part, answers, drawn, placed)
        groups.append(_groups(part, answers, drawn))
    sums = _sum(pl.concat(groups))
    return {
        "parameters": {
            "votes": votes,
            "weeks": weeks,
            "seed": seed,
            "end": end.isoformat(),
            "first_day": timeline.first_day.isoformat(),
            "last_day": timeline.last_day.isoformat(),
        },
        "counts": _delivered_counts(counts),
        "policies": {
            "tenants": {
                tenant.name: {
                    "use_for_analysis": tenant.use_for_analysis,
                    "use_for_training": tenant.use_for_training,
                }
                for tenant in cast.TENANTS
            },
            "opted_out": [people.ids[person] for person in people.opted_out],
        },
        "releases": _releases(timeline),
        "approval": {name: _approval(sums, name) for name in ("everything", *_DIMENSIONS, "week", "tenant")},
        "plants": {
            **_slice_plants(timeline, sums),
            "mix_shift": _mix_shift(timeline, sums),
            **_people_plants(timeline, people, counts),
            **_event_plants(counts),
            **_text_plants(counts, sums),
        },
    }


def _counts(people: People, part: Part, answers: pl.DataFrame, drawn: DrawnVotes, placed: PlacedValues) -> Counter[str]:
    """What a part holds, by name."""
    events, after = drawn.events, drawn.answers_after
    plant, voter = events["plant"].to_numpy(), events["voter"].to_numpy()
    about = after[events["answer"].to_numpy()]
    named = voter >= 0
    cohort_votes = (plant == PLANTS.index("asker")) & named
    found: Counter[str] = Counter(
        {
            "answers": int((after >= 0).sum()),
            "events": events.height,
            "repeated": int(events["repeated"].sum()),
            "orphans": int((about < 0).sum()),
            "pending": int((about > 0).sum()),
            "anonymous": int((~named).sum()),
            "by_key": int(events["by_key"].sum()),
            "late": drawn.late,
            "arrived_late": drawn.arrived_late,
            "conflict answers": events.filter(pl.col("plant") == PLANTS.index("conflict"))["answer"].n_unique(),
            "brigade answers": events.filter(pl.col("plant") == PLANTS.index("brigade"))["answer"].n_unique(),
            "opted_out": int(people.opted_out_flags()[np.maximum(voter, 0)][named].sum()),
            "stars": int(events["stars"].is_not_null().sum()),
            "comments": int((events["topic"] >= 0).sum()),
            "pairs": int((answers["pair_of"] >= 0).sum()),
            "cut": int((answers["cut"].to_numpy() & (after >= 0)).sum()),
        }
    )
    for name in ("heavy", "one_way"):
        cohort: range = getattr(people, name)
        found[f"{name} votes"] = int((cohort_votes & (voter >= cohort.start) & (voter < cohort.stop)).sum())
    for number, name in enumerate(PLANTS):
        found[f"plant {name}"] = int((plant == number).sum())
    for fault, count in fault_counts(part).items():
        found[f"fault {fault}"] = count
    popular = answers["popular"].to_numpy()
    for cluster in range(len(lexicon().wordings[0]["popular"])):
        found[f"popular {cluster}"] = int(((popular == cluster) & (after >= 0)).sum())
    return found + _value_counts(placed, after)


def _value_counts(placed: PlacedValues, after: np.ndarray) -> Counter[str]:
    """Planted values by type and place, in what is delivered."""
    found: Counter[str] = Counter()
    prompts = placed.prompts.filter(pl.Series(after[placed.prompts["row"].to_numpy()] >= 0))
    for place, frame in (
        ("prompts", prompts),
        ("answers", prompts.filter("echoed")),
        ("comments", placed.comments),
    ):
        for kind, count in zip(*np.unique(frame["type"].to_numpy(), return_counts=True), strict=True):
            found[f"{place} {VALUE_TYPES[kind]}"] = int(count)
    return found


def _groups(part: Part, answers: pl.DataFrame, drawn: DrawnVotes) -> pl.DataFrame:
    """Sums over the delivered answers of a part, by dimension and level (`_SUMS`)."""
    honest = drawn.events.filter(pl.col("plant").is_in([PLANTS.index("asker"), PLANTS.index("shared")]))
    size = answers.height
    rows = honest["answer"].to_numpy()
    up = pl.coalesce("thumb", pl.col("stars") >= 4)
    down = pl.coalesce(~pl.col("thumb"), pl.col("stars") <= 2)
    verdicts = honest.select(up=up, down=down).fill_null(value=False)
    own = honest.filter(pl.col("plant") == PLANTS.index("asker"))["answer"].to_numpy()
    ups_if_voted = 1.0 - down_probability(answers["good"].to_numpy(), answers["leniency"].to_numpy())
    facts = answers.with_columns(
        answers=pl.lit(1.0),
        good=pl.col("good").cast(pl.Float64),
        expected_ups=pl.Series(ups_if_voted),
        voted=pl.Series(np.bincount(own, minlength=size).astype(float)),
        votes=pl.Series(np.bincount(rows, minlength=size).astype(float)),
        ups=pl.Series(np.bincount(rows, weights=verdicts["up"].to_numpy(), minlength=size).astype(float)),
        downs=pl.Series(np.bincount(rows, weights=verdicts["down"].to_numpy(), minlength=size).astype(float)),
        week=pl.lit(monday_of(part.day).isoformat()),
    ).filter(pl.Series(drawn.answers_after >= 0))
    return pl.concat([_group(facts, name, by) for name, by in _groupings().items()])


def _groupings() -> dict[str, pl.Expr]:
    """What answers are summed by: each an expression that gives the level's name."""

    def name_of(levels: tuple[Level, ...], column: str) -> pl.Expr:
        names = {code: name or "(none)" for code, name in enumerate(level_names(levels))}
        return pl.col(column).replace_strict(names, return_dtype=pl.String)

    intent_language = (pl.col("intent") == code_of(cast.INTENTS, cast.CAUSE_INTENT)) & (
        pl.col("language") == code_of(cast.LANGUAGES, cast.CAUSE_LANGUAGE)
    )
    model_version = (pl.col("model") == code_of(cast.MODELS, cast.CAUSE_MODEL)) & (
        pl.col("version") == code_of(cast.PROMPT_VERSIONS, cast.CAUSE_VERSION)
    )
    with_tool = pl.col("tools").is_in(
        [code for code, (names, _) in enumerate(cast.TOOL_SETS) if cast.CAUSE_TOOL in names]
    )
    slices = (model_version, with_tool, intent_language, pl.col("prompt_term"), pl.col("answer_term"))
    return {
        "everything": pl.lit("all"),
        **{name: name_of(levels, _COLUMN.get(name, name)) for name, levels in _DIMENSIONS.items()},
        "tenant": pl.col("tenant").replace_strict(
            {code: tenant.name for code, tenant in enumerate(cast.TENANTS)}, return_dtype=pl.String
        ),
        "week": pl.col("week"),
        "week and intent": pl.format("{} {}", "week", name_of(cast.INTENTS, "intent")),
        **{
            name: pl.when(condition).then(pl.lit("inside")).otherwise(pl.lit("outside"))
            for name, condition in zip((*_CAUSES, *_TERMS), slices, strict=True)
        },
    }


def _group(facts: pl.DataFrame, dimension: str, level: pl.Expr) -> pl.DataFrame:
    return (
        facts.group_by(level=level)
        .agg(pl.col(_SUMS).sum())
        .select(pl.lit(dimension).alias("dimension"), "level", *_SUMS)
    )


def _sum(groups: pl.DataFrame) -> pl.DataFrame:
    """The groups of all parts. Sums are rounded so that the order of addition cannot show."""
    return groups.group_by("dimension", "level").agg(pl.col(_SUMS).sum().round(6)).sort("dimension", "level")


def _approval(sums: pl.DataFrame, dimension: str) -> dict[str, dict[str, float | int | None]]:
    """By level: answers, share of good ones, approval had every asker voted, and the honest votes there are."""
    return {
        row["level"]: {
            "answers": int(row["answers"]),
            "good_share": _ratio(row["good"], row["answers"]),
            "true_approval": _ratio(row["expected_ups"], row["answers"]),
            "response_rate": _ratio(row["voted"], row["answers"]),
            "votes": int(row["votes"]),
            "ups": int(row["ups"]),
            "downs": int(row["downs"]),
        }
        for row in sums.filter(pl.col("dimension") == dimension).iter_rows(named=True)
    }


def _ratio(part: float, whole: float) -> float | None:
    return round(part / whole, 6) if whole else None


def _delivered_counts(counts: Counter[str]) -> dict[str, int]:
    return {
        "interactions": counts["answers"],
        "feedback_rows": counts["events"] + counts["repeated"],
        "feedback_events": counts["events"],
        "first_votes": sum(counts[f"plant {name}"] for name in ("asker", "shared", "conflict", "spam", "brigade")),
        "comments": counts["comments"],
        "anonymous_events": counts["anonymous"],
        "events_named_by_key": counts["by_key"],
        "answers_cut_by_length": counts["cut"],
    }


def _releases(timeline: Timeline) -> list[dict[str, str]]:
    """Models and prompt versions that first appear after the first day."""
    return [
        {"dimension": name, "level": str(level.name), "day": timeline.day(release_day(level, timeline)).isoformat()}
        for name in ("model", "prompt_version")
        for level in _DIMENSIONS[name]
        if release_day(level, timeline) > 0
    ]


def _inside_outside(sums: pl.DataFrame, name: str) -> dict[str, Any]:
    """The numbers inside and outside of a planted slice."""
    sides = _approval(sums, name)
    return {side: sides[side] for side in ("inside", "outside") if side in sides}


def _slice_plants(timeline: Timeline, sums: pl.DataFrame) -> dict[str, Any]:
    version = cast.PROMPT_VERSIONS[code_of(cast.PROMPT_VERSIONS, cast.CAUSE_VERSION)]
    where: dict[str, tuple[dict[str, str], int]] = {
        "cause_model_version": (
            {"model": cast.CAUSE_MODEL, "prompt_version": cast.CAUSE_VERSION},
            release_day(version, timeline),
        ),
        "cause_tool": ({"tools": cast.CAUSE_TOOL}, 0),
        "cause_intent_language": ({"intent": cast.CAUSE_INTENT, "language": cast.CAUSE_LANGUAGE}, 0),
    }
    plants: dict[str, Any] = {
        name: {
            "slice": place,
            "added_down_rate": cast.CAUSE_DOWN_RATE,
            "first_day": timeline.day(first).isoformat(),
            **_inside_outside(sums, name),
        }
        for name, (place, first) in where.items()
    }
    plants["prompt_flaw"] = {
        "slice": {"prompt_version": cast.CAUSE_VERSION},
        "reason": cast.FLAW_REASON,
        "share_of_votes_down": cast.FLAW_CHIPS,
        "why": "its prompt asks for one sentence: half of the votes down on it say that the answer is incomplete",
    }
    plants["hard_segment"] = {
        "slice": {"intent": "code"},
        "added_down_rate": round(cast.HARD_INTENT_BAD * (cast.DOWN_IF_BAD - cast.DOWN_IF_GOOD), 6),
        "why": "code is harder than everything else at all times; the mix shift moves traffic to it",
    }
    return plants


def _mix_shift(timeline: Timeline, sums: pl.DataFrame) -> dict[str, Any] | None:
    """The mix and rate parts of the true change between the last two weeks (Kitagawa 1955); None in a single week."""
    if Calendar.of(timeline).mix_shift_day is None:
        return None
    cells = sums.filter(pl.col("dimension") == "week and intent").with_columns(
        week=pl.col("level").str.extract(r"^(\S+)"), intent=pl.col("level").str.extract(r" (.*)$")
    )

    before, after = timeline.day(timeline.days - 14).isoformat(), timeline.day(timeline.days - 7).isoformat()

    def week(monday: str) -> pl.DataFrame:
        rows = cells.filter(pl.col("week") == monday)
        return rows.select(
            "intent", share=pl.col("answers") / pl.col("answers").sum(), rate=pl.col("expected_ups") / pl.col("answers")
        )

    both = week(before).join(week(after), on="intent", suffix="_after").sort("intent")
    mix = ((pl.col("share_after") - pl.col("share")) * (pl.col("rate_after") + pl.col("rate")) / 2).sum()
    rate = ((pl.col("rate_after") - pl.col("rate")) * (pl.col("share_after") + pl.col("share")) / 2).sum()
    mix_part, rate_part = both.select(mix.alias("mix"), rate.alias("rate")).row(0)
    return {
        "dimension": "intent",
        "level": "code",
        "before": before,
        "after": after,
        "share_before": cast.INTENTS[code_of(cast.INTENTS, "code")].share,
        "share_after": cast.SHIFTED_CODE_SHARE,
        "true_approval_change_by_mix": round(mix_part, 6),
        "true_approval_change_by_rate": round(rate_part, 6),
    }


def _people_plants(timeline: Timeline, people: People, counts: Counter[str]) -> dict[str, Any]:
    def ids(cohort: range) -> list[str]:
        return [people.ids[person] for person in cohort]

    calendar = Calendar.of(timeline)
    return {
        "spam_raters": {
            "people": ids(people.spam) if counts["plant spam"] else [],
            "votes": counts["plant spam"],
            "seconds_between_votes": [0.4, 1.4],
            "copied_comments": lexicon().wordings[0]["comments"]["spam"],
        },
        "brigade": {
            "people": ids(people.brigade)[: counts["plant brigade"] // 2],
            "votes": counts["plant brigade"],
            "answers": counts["brigade answers"],
            "day": timeline.day(calendar.brigade_day).isoformat(),
            "prompt": lexicon().wordings[0]["popular"][0]["prompt"],
        },
        "heavy_users": {"people": ids(people.heavy), "votes": counts["heavy votes"], "honest": True},
        "one_way_negative_voters": {
            "people": ids(people.one_way),
            "votes": counts["one_way votes"],
            "honest": True,
        },
        "opted_out": {"people": len(people.opted_out), "events": counts["opted_out"]},
    }


def _event_plants(counts: Counter[str]) -> dict[str, Any]:
    return {
        "conflicting_votes": {"answers": counts["conflict answers"], "votes": counts["plant conflict"]},
        "second_opinions": {"votes": counts["plant shared"]},
        "duplicate_deliveries": {"rows": counts["repeated"]},
        "late_votes": {"votes": counts["late"]},
        "late_arrivals": {"votes": counts["arrived_late"]},
        "pending_events": {"events": counts["pending"]},
        "orphan_events": {"events": counts["orphans"]},
        "changed_votes": {"events": counts["plant changed"]},
        "withdrawn_votes": {"events": counts["plant withdrawn"]},
        "bad_rows": {
            "rows": sum(count for name, count in counts.items() if name.startswith("fault ")),
            "by_fault": {
                name.removeprefix("fault "): count
                for name, count in sorted(counts.items())
                if name.startswith("fault ")
            },
        },
        "corrections": {"events": counts["plant correction"]},
        "outcomes": {"events": counts["plant outcome"]},
        "implicit_signals": {"events": counts["plant implicit"]},
        "preferences": {"events": counts["plant preference"], "pairs": counts["pairs"]},
        "comment_events": {"events": counts["plant comment"]},
        "stars": {"events": counts["stars"]},
    }


def _text_plants(counts: Counter[str], sums: pl.DataFrame) -> dict[str, Any]:
    words = lexicon().wordings
    by_type = {
        kind: {place: counts[f"{place} {kind}"] for place in ("prompts", "answers", "comments")} for kind in VALUE_TYPES
    }
    look_alikes = {kind: by_type.pop(kind)["prompts"] for kind in list(by_type) if kind in LOOK_ALIKE_TYPES}
    terms = {
        name: {
            "terms": {str(level.name): words[code][key].strip() for code, level in enumerate(cast.LANGUAGES)},
            "added_down_rate": round(cast.TERM_BAD * (cast.DOWN_IF_BAD - cast.DOWN_IF_GOOD), 6),
            **_inside_outside(sums, name),
        }
        for name, key in zip(_TERMS, ("prompt_term", "answer_term"), strict=True)
    }
    return {
        **terms,
        "near_duplicate_prompts": {
            "clusters": [
                {"prompt": entry["prompt"], "answers": counts[f"popular {number}"]}
                for number, entry in enumerate(words[0]["popular"])
            ]
        },
        "personal_data": by_type,
        "look_alikes": look_alikes,
    }
