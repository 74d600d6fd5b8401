"""What to do about the week's findings, by rule: each with its evidence and what it should bring.

The expected effect is the votes down that would go away if the slice came down to the rate of the rest. It is a
forecast from observational data; the grade says whether other dimensions were held.
"""

import datetime as dt
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import polars as pl

from feedback_pipeline.patterns.tables import RECOMMENDATIONS
from feedback_pipeline.patterns.tracking import HELD, Slice, parse_slice

Row = dict[str, Any]

NEARLY_NONE = 0.25
"""Approval, at the interval's upper end, under which the whole is what has to be fixed."""
MIX_PART = 0.5
"""The part of a change that mix must explain to be named its reason."""
TOPIC_SHARE = 0.1
"""A topic is worth a look where at least this share of the texts, at the interval's lower end, falls to it."""
MAX_TOPIC_SHARE = 0.9
"""A topic of more of the texts than this tells nothing apart."""
MAX_REPEATED = 5
EXAMPLES_NEEDED = 100
"""Votes a week under which collecting more is the first thing to do."""

TITLES = {
    "fix_slice": "Find and fix what fails",
    "roll_back_release": "Roll back or fix a release",
    "examine_mix": "Look at who and what came in",
    "examine_topic": "Read what a topic is about",
    "fix_repeated_answer": "Fix one answer that fails again and again",
    "collect_more_votes": "Collect more votes",
    "keep_release": "Keep a release",
}
"""What each kind of recommendation is called."""


@dataclass(frozen=True)
class _Advice:
    kind: str
    text: str
    evidence: tuple[str, ...]
    grade: str = "associational"
    avoided: float | None = None
    avoided_low: float | None = None

    @property
    def identity(self) -> str:
        content = json.dumps([self.kind, *self.evidence], ensure_ascii=False, separators=(",", ":"))
        return blake2b(content.encode(), digest_size=8).hexdigest()


def recommend(
    *,
    week: dt.date,
    slice_findings: pl.DataFrame,
    approval_change: pl.DataFrame,
    failure_topics: pl.DataFrame | None = None,
    repeated_failures: pl.DataFrame | None = None,
    noun: str = "week",
    silent: bool = False,
) -> pl.DataFrame:
    """The week's `recommendations`, largest expected gain first, those without a forecast after them.

    Takes the week's own tables; rows of other weeks are ignored. `noun` is what the sentences call the period, where
    it is none of seven days. `silent`: people gave feedback, but no votes up or down (`silence`): then it is
    neither all bad nor are more votes what to ask for.
    """
    changes = approval_change.filter(pl.col("week") == week)
    whole = next(iter(changes.filter((pl.col("part") == "total") & pl.col("dimension").is_null()).to_dicts()), None)
    releases = changes.filter(pl.col("part") == "first_seen").to_dicts()
    findings = slice_findings.filter(
        (pl.col("week") == week) & pl.col("status").is_in(HELD) & pl.col("covered_by").is_null()
    ).to_dicts()
    advice = list(_about_slices(findings, releases, noun))
    advice += [] if silent else _about_everything(whole, noun)
    advice += _about_releases(releases, findings, whole, noun)
    advice += _about_mix(changes, whole)
    if failure_topics is not None:
        advice += _about_topics(failure_topics.filter(pl.col("week") == week), noun)
    if repeated_failures is not None:
        advice += _about_repeats(repeated_failures.filter(pl.col("week") == week))
    advice += [] if silent else _about_volume(whole, noun)
    return _frame(advice, week, whole)


def _percent(value: float) -> str:
    return f"{100.0 * value:.1f}%"


def _points(value: float) -> str:
    return f"{100.0 * value:+.1f} points"


def _phrase(chosen: Slice) -> str:
    return " and ".join(f"{dimension.replace('_', ' ')} {value}" for dimension, value in chosen)


def _about_slices(findings: Iterable[Row], releases: list[Row], noun: str) -> Iterator[_Advice]:
    days = {(row["dimension"], row["level"]): row["first_seen"] for row in releases}
    for row in findings:
        chosen = parse_slice(row["slice"])
        if row["excess_negatives"] is None or row["excess_negatives"] <= 0.0:
            continue
        released = [(pair, days[pair]) for pair in chosen if pair in days]
        held = row["adjusted_low"] is not None and row["adjusted_low"] > 0.0
        facts = (
            f"{_percent(row['negative_rate'])} of {row['votes']:,} votes on {_phrase(chosen)} are down, against "
            f"{_percent(row['rest_negative_rate'])} elsewhere"
        )
        if released:
            (dimension, value), day = released[0]
            action = f"Go back from {dimension} {value} (first seen {day.isoformat()}) or fix it: "
        else:
            action = "Look at the examples and fix the cause: "
        effect = f"; at the rate of the rest about {row['excess_negatives']:,.0f} votes down would go away in a {noun}."
        yield _Advice(
            kind="roll_back_release" if released else "fix_slice",
            text=action + facts + effect,
            evidence=(row["finding_id"],),
            grade="adjusted" if held else "associational",
            avoided=row["excess_negatives"],
            avoided_low=max(0.0, row["excess_negatives_low"]) if row["excess_negatives_low"] is not None else None,
        )


def _about_everything(whole: Row | None, noun: str) -> Iterator[_Advice]:
    """Votes that are nearly all down: there is nothing to compare a group with, and nothing that matters more."""
    if whole is None or not whole["votes"] or whole["high"] is None or whole["high"] >= NEARLY_NONE:
        return
    down = whole["votes"] - whole["up"]
    yield _Advice(
        "fix_slice",
        f"Fix the answers as a whole: {down:,} of {whole['votes']:,} votes this {noun} are down, from "
        f"{whole['people']:,} people. No group is worse than the rest; read the newest ones first.",
        ("all",),
        avoided=float(down),
    )


def _about_releases(releases: Iterable[Row], findings: list[Row], whole: Row | None, noun: str) -> Iterator[_Advice]:
    """Releases that differ from last week's approval beyond their interval and are not in a finding already."""
    if whole is None or whole["previous_rate"] is None:
        return
    told = {pair for row in findings for pair in parse_slice(row["slice"])}
    before = whole["previous_rate"]
    for row in releases:
        if (row["dimension"], row["level"]) in told or row["low"] is None:
            continue
        name = f"{row['dimension']} {row['level']}"
        rate = f"approval {_percent(row['approval_rate'])} ({_percent(row['low'])}–{_percent(row['high'])})"
        evidence = (f"first_seen:{row['dimension']}:{row['level']}",)
        if row["high"] < before:
            avoided = (before - row["approval_rate"]) * row["votes"]
            text = f"Examine {name}, new this {noun}: {rate}, last {noun} overall {_percent(before)}."
            yield _Advice(
                "roll_back_release", text, evidence, "associational", avoided, (before - row["high"]) * row["votes"]
            )
        elif row["low"] > before:
            yield _Advice(
                "keep_release",
                f"Keep {name}, new this {noun}: {rate}, last {noun} overall {_percent(before)}.",
                evidence,
            )


def _about_mix(changes: pl.DataFrame, whole: Row | None) -> Iterator[_Advice]:
    """A fall of approval that comes from a different mix rather than from worse answers."""
    if whole is None or whole["change_high"] is None or whole["change_high"] >= 0.0:
        return
    totals = changes.filter((pl.col("part") == "total") & pl.col("mix").is_not_null())
    explaining = totals.filter(pl.col("mix") <= MIX_PART * whole["change"]).sort("mix", "dimension")
    for row in explaining.head(1).iter_rows(named=True):
        yield _Advice(
            "examine_mix",
            f"Approval changed by {_points(whole['change'])}; {_points(row['mix'])} of it because the shares of "
            f"{row['dimension']} moved, {_points(row['rate'])} because rates within them did. Look at who or what came "
            "in before changing prompts.",
            (f"change:{row['dimension']}",),
        )


def _about_topics(topics: pl.DataFrame, noun: str) -> Iterator[_Advice]:
    large = topics.filter(
        (pl.col("topic") >= 0) & (pl.col("share_low") >= TOPIC_SHARE) & (pl.col("share") <= MAX_TOPIC_SHARE)
    )
    for row in large.sort("share_low", "topic", descending=[True, False]).iter_rows(named=True):
        yield _Advice(
            "examine_topic",
            f"Read the examples of topic {row['topic']}: {_percent(row['share'])} of the {noun}'s texts with votes "
            f"down ({row['documents']:,} from {row['people']:,} people).",
            (f"topic:{row['taxonomy']}:{row['topic']}",),
        )


def _about_repeats(repeated: pl.DataFrame) -> Iterator[_Advice]:
    ordered = repeated.sort("down", "failure_id", descending=[True, False]).head(MAX_REPEATED)
    for row in ordered.iter_rows(named=True):
        action = f" ({row['action_type']})" if row["action_type"] else ""
        yield _Advice(
            "fix_repeated_answer",
            f"Fix one answer{action} that got {row['down']:,} votes down from {row['people']:,} people for the same "
            "prompt, and make it a regression test.",
            (row["failure_id"],),
            avoided=float(row["down"]),
        )


def _about_volume(whole: Row | None, noun: str) -> Iterator[_Advice]:
    votes = 0 if whole is None else whole["votes"]
    if votes < EXAMPLES_NEEDED:
        yield _Advice(
            "collect_more_votes",
            f"Collect more votes: {votes} votes up or down this {noun}; findings need about {EXAMPLES_NEEDED}.",
            ("votes",),
        )


def _frame(advice: Iterable[_Advice], week: dt.date, whole: Row | None) -> pl.DataFrame:
    votes = whole["votes"] if whole is not None else 0
    ordered = sorted(advice, key=lambda each: (-(each.avoided if each.avoided is not None else -1.0), each.identity))
    rows = [
        {
            "week": week,
            "recommendation_id": each.identity,
            "rank": rank,
            "kind": each.kind,
            "text": each.text,
            "evidence": list(each.evidence),
            "grade": each.grade,
            "negatives_avoided": each.avoided,
            "negatives_avoided_low": each.avoided_low,
            "approval_gain": each.avoided / votes if each.avoided is not None and votes else None,
        }
        for rank, each in enumerate(ordered, start=1)
    ]
    return pl.DataFrame(rows, schema=RECOMMENDATIONS.schema, orient="row")
