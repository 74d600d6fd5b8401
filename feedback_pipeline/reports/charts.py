"""The chart forms of the report: a line with its interval band, intervals side by side, two waterfalls, columns.

A chart takes plain values and returns inline SVG. Titles, takeaways and data tables are the caller's (`figures`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from feedback_pipeline.reports.svg import (
    Element,
    Scale,
    box,
    coordinates,
    diamond,
    dot,
    drawing,
    element,
    label,
    line,
    share_range,
    shortened,
    text_width,
)
from feedback_pipeline.reports.wording import MINUS, count, percent, signed_points

WIDE = 960
HALF = 468

_ROW = 29
_PLOT = 156
_LINE_HEIGHT = 15
_MARKER_ROW = 17
_MARKER_ROWS = 3


@dataclass(frozen=True)
class Caption:
    """The identity of a chart: an id unique in the page, its accessible name and description."""

    identifier: str
    title: str
    description: str


@dataclass(frozen=True)
class LinePoint:
    """One point of a line: where it stands, its interval (or None: a gap) and the votes behind it."""

    label: str
    position: float
    interval: tuple[float, float, float] | None
    """Low, value, high as shares."""
    votes: int


@dataclass(frozen=True)
class Marker:
    """A vertical marker at a position, with its label."""

    position: float
    label: str


def line_chart(caption: Caption, points: Sequence[LinePoint], markers: Sequence[Marker], target: float | None) -> str:
    """Shares over time with their band, a strip of votes beneath, a target line and release markers.

    At least one point must have an interval. Gaps break the line; a lone point is drawn with its interval.
    """
    left, right = 46, WIDE - 80
    known = [point for point in points if point.interval is not None]
    low, high = share_range(
        [end for point in known if point.interval for end in (point.interval[0], point.interval[2])]
        + ([] if target is None else [target])
    )
    first, last = points[0].position, points[-1].position
    reach = max((last - first) / max(len(points) - 1, 1), 1.0) * 0.5
    x = Scale(first - reach, last + reach, left, right)
    placed, rows = _placed_markers(markers, x)
    top = 16 + rows * _MARKER_ROW
    y = Scale(low, high, top + _PLOT, top)
    strip = top + _PLOT + 52
    shapes = [
        *_share_axis(y, left, right),
        *_target(y, target, left, right, points[-1]),
        *(shape for marker in placed for shape in _marker(marker, top, top + _PLOT)),
        *_segments(points, x, y),
        *_votes_strip(points, x, strip),
        *_point_labels(points, x, strip + 16),
    ]
    if points[-1].interval is not None:
        value = points[-1].interval[1]
        shapes.append(label(x(last) + 11, y(value) + 5, percent(value), class_="label strong"))
    return drawing(caption.identifier, caption.title, caption.description, WIDE, strip + 26, *shapes)


def _share_axis(y: Scale, left: float, right: float) -> list[Element]:
    shapes = []
    for tick in y.ticks():
        shapes.append(line(left, y(tick), right, y(tick), "grid"))
        shapes.append(label(left - 8, y(tick) + 4, percent(tick, 0), "end", "label faint"))
    if y.low > 0:
        shapes.append(label(left - 8, y(y.low) + 19, f"not from 0%: axis starts at {percent(y.low, 0)}", class_="note"))
    return shapes


def _target(y: Scale, target: float | None, left: float, right: float, last: LinePoint) -> list[Element]:
    if target is None:
        return []
    at = y(target)
    beside = at + 4
    if last.interval is not None and abs(y(last.interval[1]) - at) < _LINE_HEIGHT:
        # The last point's own value stands at the same height.
        beside += _LINE_HEIGHT if y(last.interval[1]) <= at else -_LINE_HEIGHT
    name = label(right + 8, beside, f"target {percent(target, 0)}", class_="label target-label")
    return [line(left, at, right, at, "target"), name]


@dataclass(frozen=True)
class _PlacedMarker:
    at: float
    row: int | None
    """Row of the label above the plot; None where no row has room."""
    text: str
    anchor: Literal["start", "end"]


def _placed_markers(markers: Sequence[Marker], x: Scale) -> tuple[list[_PlacedMarker], int]:
    """Where each marker's label goes, left of its line where another marker would cross it; and the rows used."""
    ordered = sorted(markers, key=lambda marker: (marker.position, marker.label))
    at = [x(min(max(marker.position, x.low), x.high)) for marker in ordered]
    ends = [0.0] * _MARKER_ROWS
    placed = []
    for index, marker in enumerate(ordered):
        text = shortened(marker.label, 210)
        width = text_width(text) + 8
        crossed = index + 1 < len(at) and at[index + 1] < at[index] + width
        to_left = crossed or at[index] + width > WIDE
        start = at[index] - width if to_left else at[index]
        row = next((row for row, end in enumerate(ends) if end <= start), None)
        if row is not None:
            ends[row] = start + width + 6
        placed.append(_PlacedMarker(at[index], row, text, "end" if to_left else "start"))
    return placed, sum(end > 0 for end in ends)


def _marker(marker: _PlacedMarker, top: float, bottom: float) -> list[Element]:
    start = top if marker.row is None else top - 6 - marker.row * _MARKER_ROW
    shapes = [line(marker.at, start - 8, marker.at, bottom, "marker")]
    if marker.row is not None:
        aside = 5 if marker.anchor == "start" else -5
        shapes.append(label(marker.at + aside, start, marker.text, marker.anchor, "label marker-label"))
    return shapes


def _segments(points: Sequence[LinePoint], x: Scale, y: Scale) -> list[Element]:
    shapes: list[Element] = []
    for is_known, group in groupby(points, key=lambda point: point.interval is not None):
        segment = list(group)
        if not is_known:
            middle = x((segment[0].position + segment[-1].position) / 2)
            word = "no votes" if all(point.votes == 0 for point in segment) else "too few"
            shapes.append(label(middle, y(y.low) - 8, word, "middle", "note"))
            continue
        ends = [(x(point.position), point.interval) for point in segment if point.interval]
        if len(ends) == 1:
            at, (low, _, high) = ends[0]
            shapes.append(line(at, y(low), at, y(high), "whisker"))
        else:
            upper = [(at, y(high)) for at, (_, _, high) in ends]
            lower = [(at, y(low)) for at, (low, _, _) in reversed(ends)]
            shapes.append(element("polygon", points=coordinates(upper + lower), class_="band"))
            middle_line = [(at, y(value)) for at, (_, value, _) in ends]
            shapes.append(element("polyline", points=coordinates(middle_line), class_="line"))
        shapes += [
            dot(at, y(value), 5.5 if at == x(points[-1].position) else 3.2, "point") for at, (_, value, _) in ends
        ]
    return shapes


def _votes_strip(points: Sequence[LinePoint], x: Scale, bottom: float) -> list[Element]:
    most = max(point.votes for point in points)
    step = (x.end - x.start) / max(len(points), 1)
    width = min(step * 0.6, 26)
    shapes = [line(x.start, bottom, x.end, bottom, "axis")]
    for point in points:
        height = 30 * point.votes / most if most else 0
        shapes.append(box(x(point.position) - width / 2, bottom - height, width, height, "votes", 1.5))
    shapes.append(label(x.end + 8, bottom - 20, f"{count(points[-1].votes)}", class_="label faint"))
    shapes.append(label(x.end + 8, bottom - 5, "votes", class_="label faint"))
    return shapes


def _point_labels(points: Sequence[LinePoint], x: Scale, at: float) -> list[Element]:
    widest = max(text_width(point.label) for point in points) + 14
    step = (x.end - x.start) / max(len(points), 1)
    every = max(int(-(-widest // step)), 1)
    chosen = [point for index, point in enumerate(reversed(points)) if index % every == 0]
    return [label(x(point.position), at, point.label, "middle", "label faint") for point in reversed(chosen)]


@dataclass(frozen=True)
class IntervalRow:
    """One row of an interval chart: a label, low, value and high as shares, and a class for its mark."""

    label: str
    interval: tuple[float, float, float]
    mark: Literal["worse", "better", "plain"] = "plain"


def interval_chart(
    caption: Caption, rows: Sequence[IntervalRow], reference: tuple[float, str] | None, width: int = HALF
) -> str:
    """Estimates with their intervals, one below the other (a forest plot), against a labelled reference line.

    Worse rows have a diamond, others a dot, so that colour is not needed to tell them apart.
    """
    left, right = 178 if width == HALF else 260, width - 56
    low, high = share_range(
        [end for row in rows for end in (row.interval[0], row.interval[2])] + ([reference[0]] if reference else [])
    )
    x = Scale(low, high, left, right)
    top = 26 if reference else 8
    bottom = top + _ROW * len(rows)
    shapes: list[Element] = []
    for tick in x.ticks(5):
        shapes.append(line(x(tick), top, x(tick), bottom, "grid"))
        shapes.append(label(x(tick), bottom + 17, percent(tick, 0), "middle", "label faint"))
    if reference:
        at = x(reference[0])
        anchor = "start" if at < (left + right) / 2 else "end"
        shapes.append(line(at, top - 6, at, bottom, "reference"))
        shapes.append(label(at, top - 12, f"{reference[1]} {percent(reference[0])}", anchor, "label faint"))
    for index, row in enumerate(rows):
        shapes += _interval_row(row, x, top + _ROW * (index + 0.5), left, right)
    return drawing(caption.identifier, caption.title, caption.description, width, bottom + 26, *shapes)


def _interval_row(row: IntervalRow, x: Scale, middle: float, left: float, right: float) -> list[Element]:
    start, value, end = row.interval
    mark = diamond(x(value), middle, 6.5, row.mark) if row.mark == "worse" else dot(x(value), middle, 5, row.mark)
    return [
        label(0, middle + 4, shortened(row.label, left - 14)),
        line(x(start), middle, x(end), middle, f"whisker {row.mark}"),
        mark,
        label(right + 12, middle + 4, percent(value), class_="label strong"),
    ]


@dataclass(frozen=True)
class Step:
    """One step of a waterfall: a label and a change as a fraction."""

    label: str
    change: float


def waterfall_chart(caption: Caption, start: tuple[str, float], steps: Sequence[Step], end: tuple[str, float]) -> str:
    """From one share to another through the changes between them, one row each."""
    levels = [start[1]]
    for step in steps:
        levels.append(levels[-1] + step.change)
    low, high = share_range([*levels, end[1]], least=0.05)
    left, right = 178, HALF - 56
    x = Scale(low, high, left, right)
    top = 8
    bottom = top + _ROW * (len(steps) + 2)
    shapes: list[Element] = []
    for tick in x.ticks(5):
        shapes.append(line(x(tick), top, x(tick), bottom, "grid"))
        shapes.append(label(x(tick), bottom + 17, percent(tick, 0), "middle", "label faint"))
    shapes += _waterfall_total(start, x, top, left)
    for index, step in enumerate(steps):
        shapes += _waterfall_step(step, levels[index], x, top + _ROW * (index + 1), left, right)
    shapes += _waterfall_total(end, x, top + _ROW * (len(steps) + 1), left)
    return drawing(caption.identifier, caption.title, caption.description, HALF, bottom + 26, *shapes)


def _waterfall_total(total: tuple[str, float], x: Scale, top: float, left: float) -> list[Element]:
    name, value = total
    middle = top + _ROW / 2
    return [
        label(0, middle + 4, shortened(name, left - 14), class_="label strong"),
        line(x.start, middle, x(value), middle, "stem"),
        dot(x(value), middle, 5.5, "point"),
        label(x.end + 12, middle + 4, percent(value), class_="label strong"),
    ]


def _waterfall_step(step: Step, before: float, x: Scale, top: float, left: float, right: float) -> list[Element]:
    middle = top + _ROW / 2
    shown = signed_points(step.change)
    kind = {"+": "better", MINUS: "worse"}.get(shown[0], "plain")
    start, end = x(before), x(before + step.change)
    return [
        label(0, middle + 4, shortened(step.label, left - 14)),
        line(start, top - _ROW / 2 + 6, start, middle + 8, "connector"),
        box(start, middle - 8, end - start, 16, f"bar {kind}"),
        line(end, middle - 8, end, top + _ROW + _ROW / 2 - 6, "connector"),
        label(right + 12, middle + 4, shown, class_=f"label strong {kind}-text"),
    ]


@dataclass(frozen=True)
class Column:
    """One column: a label, what is counted, and the part of it that is negative."""

    label: str
    total: int
    negative: int


def column_chart(caption: Caption, columns: Sequence[Column]) -> str:
    """Counts side by side from zero, the negative part at the foot."""
    left, right, top, bottom = 52, WIDE - 74, 12, 142
    most = max(max(column.total for column in columns), 1)
    y = Scale(0, most, bottom, top)
    shapes: list[Element] = []
    for tick in y.ticks(4):
        if tick == int(tick):
            shapes.append(line(left, y(tick), right, y(tick), "grid"))
            shapes.append(label(left - 8, y(tick) + 4, count(tick), "end", "label faint"))
    step = (right - left) / len(columns)
    width = min(step * 0.68, 40)
    every = max(int(-(-(max(text_width(column.label) for column in columns) + 12) // step)), 1)
    for index, column in enumerate(columns):
        middle = left + step * (index + 0.5)
        shapes.append(box(middle - width / 2, y(column.total), width, bottom - y(column.total), "votes", 1.5))
        shapes.append(box(middle - width / 2, y(column.negative), width, bottom - y(column.negative), "bar worse", 1.5))
        if (len(columns) - 1 - index) % every == 0:
            shapes.append(label(middle, bottom + 18, column.label, "middle", "label faint"))
    shapes.append(line(left, bottom, right, bottom, "axis"))
    return drawing(caption.identifier, caption.title, caption.description, WIDE, bottom + 26, *shapes)


@dataclass(frozen=True)
class Loss:
    """A step that takes rows away: what is left of them, and how many it dropped."""

    label: str
    left: int
    dropped: int


def loss_chart(caption: Caption, start: tuple[str, int], losses: Sequence[Loss]) -> str:
    """From a count down to what is left of it, one row a step: what stays as a bar, what was dropped at its end.

    A step may count in another unit than the one before it, so it starts from what it took in.
    """
    left, right = 260, WIDE - 150
    x = Scale(0, max(start[1], *(loss.left + loss.dropped for loss in losses), 1), left, right)
    height = 26
    shapes: list[Element] = [
        label(0, 20, shortened(start[0], left - 14), class_="label strong"),
        box(left, 7, x(start[1]) - left, height - 8, "bar plain"),
        label(x(start[1]) + 8, 20, count(start[1]), class_="label strong"),
    ]
    for index, loss in enumerate(losses, start=1):
        top = 4 + height * index
        end = x(loss.left + loss.dropped)
        shapes += [
            label(0, top + 16, shortened(loss.label, left - 14)),
            box(left, top + 3, x(loss.left) - left, height - 8, "bar plain"),
            box(x(loss.left), top + 3, end - x(loss.left), height - 8, "bar worse"),
            label(end + 8, top + 16, f"{count(loss.left)} ({MINUS}{count(loss.dropped)})", class_="label strong"),
        ]
    bottom = 8 + height * (len(losses) + 1)
    return drawing(caption.identifier, caption.title, caption.description, WIDE, bottom, *shapes)
