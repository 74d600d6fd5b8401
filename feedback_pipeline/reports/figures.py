"""The figures of a report: a chart with its title, takeaway and data table, or None where there is nothing to draw."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from feedback_pipeline.reports import wording
from feedback_pipeline.reports.charts import (
    WIDE,
    Caption,
    Column,
    IntervalRow,
    LinePoint,
    Loss,
    Marker,
    Step,
    column_chart,
    interval_chart,
    line_chart,
    loss_chart,
    waterfall_chart,
)
from feedback_pipeline.reports.content import ReportContent
from feedback_pipeline.reports.findings import Causes, Change, LevelChange
from feedback_pipeline.reports.operations import Engagement, JudgedQuality, Training, Versions
from feedback_pipeline.reports.parts import NoResultPart, Rate
from feedback_pipeline.reports.summary import Release, Trend

_WATERFALL_LEVELS = 3
_DRAWN_CAUSES = 6
_VISIBLE = 0.0005
"""The smallest part of a change that is not ±0.0 points."""


@dataclass(frozen=True)
class Figure:
    """A chart as people meet it: `svg` is markup, everything else plain text."""

    identifier: str
    title: str
    svg: str
    takeaway: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def trend_figure(content: ReportContent) -> Figure | None:
    """Approval over the last periods; None without a single rate."""
    trend = content.trend
    if isinstance(trend, NoResultPart) or not any(isinstance(point.approval, Rate) for point in trend.points):
        return None
    points = [
        LinePoint(
            label=_short_label(point.label),
            position=(point.start.toordinal() + point.end.toordinal()) / 2,
            interval=_ends(point.approval) if isinstance(point.approval, Rate) else None,
            votes=point.votes,
        )
        for point in trend.points
    ]
    takeaway = wording.trend_takeaway(trend)
    title = f"Approval over {wording.counted(len(points), 'week')}"
    releases = _releases_in_view(trend)
    svg = line_chart(Caption("trend", title, takeaway), points, _markers(releases), trend.target)
    rows = tuple(
        (
            point.label,
            *wording.point_value(point),
            wording.count(point.votes),
            _released(releases, point.start, point.end),
        )
        for point in trend.points
    )
    columns = ("Period", "Approval", "95% interval", "Votes", "First seen")
    return Figure("trend", title, svg, takeaway, columns, rows)


def _short_label(label: str) -> str:
    return label.split("-", 1)[1] if "-W" in label else label


def _ends(rate: Rate) -> tuple[float, float, float]:
    return rate.low, rate.value, rate.high


def _releases_in_view(trend: Trend) -> list[Release]:
    first, last = trend.points[0].start, trend.points[-1].end
    inside = [release for release in trend.releases if first < release.day <= last]
    return sorted(inside, key=lambda release: (release.day, release.dimension, release.value))


def _markers(releases: Sequence[Release]) -> list[Marker]:
    by_day: dict[int, list[str]] = {}
    for release in releases:
        by_day.setdefault(release.day.toordinal(), []).append(wording.level(release.value))
    return [Marker(day, ", ".join(names)) for day, names in by_day.items()]


def _released(releases: Sequence[Release], start: date, end: date) -> str:
    inside = [release for release in releases if start <= release.day <= end]
    return "; ".join(f"{wording.dimension(r.dimension)} {wording.level(r.value)}" for r in inside) or "–"


def change_figure(content: ReportContent) -> Figure | None:
    """The change split into mix and the levels whose own approval moved most."""
    change = content.change
    if isinstance(change, NoResultPart):
        return None
    noun = content.period.noun
    takeaway = wording.change_takeaway(change, noun)
    title = f"From last {noun} to this {noun}, by {wording.dimension(change.dimension)}"
    svg = waterfall_chart(
        Caption("change", title, takeaway),
        (f"Last {noun}", change.before),
        _waterfall_steps(change),
        (f"This {noun}", change.now),
    )
    ordered = sorted(change.levels, key=lambda level: -abs(level.mix + level.rate))
    columns = (
        wording.dimension(change.dimension).capitalize(),
        "Share of votes before",
        "now",
        "Approval before",
        "now",
        "Mix, points",
        "Rate, points",
        "q",
    )
    return Figure("change", title, svg, takeaway, columns, tuple(_level_row(level) for level in ordered))


def _waterfall_steps(change: Change) -> list[Step]:
    """The mix and the levels' rates; where we choose the levels, each level's mix and rate together."""
    parts = [(level, level.rate + (level.mix if change.served else 0.0)) for level in change.levels]
    parts.sort(key=lambda part: (-abs(part[1]), part[0].level or ""))
    named = [(level, part) for level, part in parts[:_WATERFALL_LEVELS] if abs(part) >= _VISIBLE]
    steps = [] if change.served else [Step("Mix of traffic", change.mix)]
    steps += [Step(_level_name(level), part) for level, part in named]
    if len(change.levels) > len(named):
        rest = change.mix + change.rate - sum(step.change for step in steps)
        steps.append(Step("Other levels" if named else "Rated differently", rest))
    return steps


def _level_name(level: LevelChange) -> str:
    if level.approval_before is None:
        return f"{wording.level(level.level)} (new)"
    return f"{wording.level(level.level)} (gone)" if level.approval_now is None else wording.level(level.level)


def _level_row(level: LevelChange) -> tuple[str, ...]:
    return (
        wording.level(level.level),
        wording.percent(level.share_before),
        wording.percent(level.share_now),
        _share(level.approval_before),
        _share(level.approval_now),
        wording.signed_points(level.mix, 2),
        wording.signed_points(level.rate, 2),
        "–" if level.q_value is None else wording.q_value(level.q_value),
    )


def _share(value: float | None) -> str:
    return "no votes" if value is None else wording.percent(value)


def causes_figure(causes: Causes | NoResultPart) -> Figure | None:
    """Negative rate of the findings with their intervals, against the rest."""
    if isinstance(causes, NoResultPart) or not causes.findings:
        return None
    drawn = causes.findings[:_DRAWN_CAUSES]
    rows = [
        IntervalRow(f"{number}  {wording.short_group(cause.conditions)}", _ends(cause.negative), "worse")
        for number, cause in enumerate(drawn, 1)
    ]
    takeaway = wording.causes_takeaway(causes)
    title = "Share of negative votes in each cause"
    typical = sum(cause.elsewhere for cause in drawn) / len(drawn)
    svg = interval_chart(Caption("causes", title, takeaway), rows, (typical, "elsewhere"))
    table = tuple(
        (
            str(number),
            wording.group(cause.conditions),
            wording.percent(cause.negative.value),
            wording.interval(cause.negative),
            wording.percent(cause.elsewhere),
            wording.count(cause.negative.votes),
            "–" if cause.negative.people is None else wording.count(cause.negative.people),
            wording.count(cause.excess),
            wording.q_value(cause.q_value),
        )
        for number, cause in enumerate(causes.findings, 1)
    )
    columns = ("No.", "Group", "Negative", "95% interval", "Elsewhere", "Votes", "People", "Excess", "q")
    return Figure("causes", title, svg, takeaway, columns, table)


def versions_figure(versions: Versions | NoResultPart) -> Figure | None:
    """Approval by model and prompt version with intervals; None where fewer than two have a rate."""
    if isinstance(versions, NoResultPart):
        return None
    rated = [(row, row.approval) for row in versions.rows if isinstance(row.approval, Rate)]
    if len(rated) < 2:
        return None
    rows = [
        IntervalRow(f"{wording.dimension(row.dimension)} {wording.level(row.version)}", _ends(rate))
        for row, rate in rated
    ]
    title = "Approval by model and prompt version"
    takeaway = "Versions are not assigned at random: a difference can come from who used them, and for what."
    svg = interval_chart(Caption("versions", title, takeaway), rows, None, WIDE)
    table = tuple(
        (row.label, wording.percent(rate.value), wording.interval(rate), wording.count(rate.votes))
        for row, (_, rate) in zip(rows, rated, strict=True)
    )
    return Figure("versions", title, svg, takeaway, ("Version", "Approval", "95% interval", "Votes"), table)


def judged_figure(judged: JudgedQuality | NoResultPart, approval: Rate | None) -> Figure | None:
    """Corrected judged quality beside approval; None where nothing could be corrected."""
    if isinstance(judged, NoResultPart):
        return None
    corrected = [(item, item.corrected) for item in judged.criteria if isinstance(item.corrected, Rate)]
    if not corrected:
        return None
    rows = [IntervalRow(f"judged: {item.criterion}", _ends(rate)) for item, rate in corrected]
    if approval is not None:
        rows.insert(0, IntervalRow("approved by voters", _ends(approval), "better"))
    title = "Judged quality, corrected by people, and approval"
    takeaway = "Judges see a random sample of all answers; approval comes only from the people who chose to vote."
    svg = interval_chart(Caption("judged", title, takeaway), rows, None, WIDE)
    table = tuple((row.label, wording.percent(row.interval[1]), _range(row.interval)) for row in rows)
    return Figure("judged", title, svg, takeaway, ("Measure", "Share", "95% interval"), table)


def _range(interval: tuple[float, float, float]) -> str:
    return f"{wording.percent(interval[0])} – {wording.percent(interval[2])}"


def engagement_figure(engagement: Engagement | NoResultPart) -> Figure | None:
    """Votes a day with the negative part; None without votes."""
    if isinstance(engagement, NoResultPart) or not any(day.votes for day in engagement.days):
        return None
    columns = [Column(wording.short_day(day.day), day.votes, day.down) for day in engagement.days]
    total = sum(day.votes for day in engagement.days)
    negative = sum(day.down for day in engagement.days)
    title = "Votes a day"
    takeaway = (
        f"{wording.count(total / len(engagement.days))} votes a day over {wording.counted(len(columns), 'day')}; "
        f"{wording.percent(negative / total)} negative (the part at the foot)."
    )
    table = tuple(
        (wording.day(day.day), wording.count(day.up), wording.count(day.neutral), wording.count(day.down))
        for day in engagement.days
    )
    svg = column_chart(Caption("engagement", title, takeaway), columns)
    return Figure("engagement", title, svg, takeaway, ("Day", "Up", "Neutral", "Down"), table)


def training_figure(training: Training | NoResultPart) -> Figure | None:
    """What each step from vote to training example drops and leaves; None without any."""
    if isinstance(training, NoResultPart) or not training.steps or not training.steps[0].rows_in:
        return None
    first, last = training.steps[0], training.steps[-1]
    telling = [step for step in training.steps if step.dropped or step is last]
    losses = [Loss(f"{step.step} ({step.unit}s)", step.left, step.dropped) for step in telling]
    title = "From votes to training examples"
    takeaway = f"{wording.counted(last.left, last.unit)} from {wording.counted(first.rows_in, first.unit)}."
    table = tuple(
        (step.step, step.unit, wording.count(step.rows_in), wording.count(step.dropped), step.reason)
        for step in training.steps
    )
    svg = loss_chart(Caption("training", title, takeaway), (f"{first.unit}s in the window", first.rows_in), losses)
    return Figure("training", title, svg, takeaway, ("Step", "Unit", "In", "Dropped", "Why"), table)
