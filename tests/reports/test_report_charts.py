"""Charts: drawn inside their frame, honest about gaps and axes, well-formed for any label."""

from dataclasses import replace
from datetime import date, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_pipeline.reports.charts import (
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
from feedback_pipeline.reports.figures import change_figure, trend_figure
from feedback_pipeline.reports.parts import NoResultPart
from feedback_pipeline.reports.summary import Release
from feedback_pipeline.reports.svg import Scale, share_range
from tests.support.report_samples import CHANGE, full_report, trend

CAPTION = Caption("c", "Title", "Description")
SHARES = st.floats(0, 1)
INTERVALS = st.tuples(SHARES, SHARES, SHARES).map(lambda ends: tuple(sorted(ends)))
LABELS = st.text(max_size=60)


def numbers(svg: str) -> tuple[ElementTree.Element, list[tuple[float, float]]]:
    """The parsed chart and every point drawn in it."""
    root = ElementTree.fromstring(svg)
    drawn = []
    for shape in root.iter():
        at = shape.attrib
        if shape.tag == "line":
            drawn += [(float(at["x1"]), float(at["y1"])), (float(at["x2"]), float(at["y2"]))]
        elif shape.tag == "rect":
            x, y, width, height = (float(at[name]) for name in ("x", "y", "width", "height"))
            assert width >= 0
            assert height >= 0
            drawn += [(x, y), (x + width, y + height)]
        elif shape.tag == "circle":
            drawn.append((float(at["cx"]), float(at["cy"])))
        elif shape.tag in ("polygon", "polyline"):
            drawn += [tuple(map(float, point.split(","))) for point in at["points"].split()]
    return root, drawn


def assert_inside(svg: str) -> None:
    root, drawn = numbers(svg)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    assert drawn
    for x, y in drawn:
        assert -0.5 <= x <= width + 0.5
        assert -0.5 <= y <= height + 0.5


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.none() | INTERVALS, min_size=1, max_size=30).filter(any),
    st.lists(st.tuples(st.integers(-5, 220), LABELS), max_size=8),
    st.none() | SHARES,
)
def test_lines_stay_inside_for_any_values(values, markers, target):
    points = [LinePoint(f"W{n}", 7.0 * n, interval, 0 if interval is None else 12) for n, interval in enumerate(values)]
    assert_inside(line_chart(CAPTION, points, [Marker(at, label) for at, label in markers], target))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(LABELS, INTERVALS), min_size=1, max_size=12), st.none() | SHARES)
def test_intervals_stay_inside_for_any_values(rows, reference):
    drawn = [IntervalRow(label, interval, "worse") for label, interval in rows]
    assert_inside(interval_chart(CAPTION, drawn, None if reference is None else (reference, "elsewhere")))


@settings(max_examples=40, deadline=None)
@given(SHARES, st.lists(st.tuples(LABELS, st.floats(-0.3, 0.3)), max_size=6))
def test_waterfalls_stay_inside_for_shares(start, changes):
    steps, level = [], start
    for label, change in changes:
        bounded = min(max(level + change, 0.0), 1.0) - level
        steps.append(Step(label, bounded))
        level += bounded
    assert_inside(waterfall_chart(CAPTION, ("Before", start), steps, ("Now", min(max(level, 0.0), 1.0))))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**7), SHARES), min_size=1, max_size=31))
def test_counts_start_at_zero_and_stay_inside(days):
    assert_inside(column_chart(CAPTION, [Column("1 Nov", total, int(total * part)) for total, part in days]))
    losses = [Loss("step", total - int(total * part), int(total * part)) for total, part in days]
    assert_inside(loss_chart(CAPTION, ("votes", max(total for total, _ in days)), losses))


def test_a_silent_week_breaks_the_line():
    content = replace(full_report(), trend=trend([0.8, 0.79, None, 0.81, 0.8]))
    root = ElementTree.fromstring(trend_figure(content).svg)
    assert len(list(root.iter("polyline"))) == 2
    assert "no votes" in [text.text for text in root.iter("text")]


def test_a_lone_point_is_drawn_with_its_interval():
    content = replace(full_report(), trend=replace(trend([0.8]), releases=()))
    root = ElementTree.fromstring(trend_figure(content).svg)
    assert not list(root.iter("polyline"))
    assert [line for line in root.iter("line") if line.attrib["class"] == "whisker"]


def test_without_a_rate_there_is_no_chart():
    assert trend_figure(replace(full_report(), trend=trend([None, None]))) is None
    assert trend_figure(replace(full_report(), trend=NoResultPart("no votes"))) is None
    assert change_figure(replace(full_report(), change=NoResultPart("no votes"))) is None


def test_an_axis_that_does_not_start_at_zero_says_so():
    texts = [text.text or "" for text in ElementTree.fromstring(trend_figure(full_report()).svg).iter("text")]
    assert any("not from 0%" in text for text in texts)
    whole = replace(full_report(), trend=trend([0.1, 0.9]))
    texts = [text.text or "" for text in ElementTree.fromstring(trend_figure(whole).svg).iter("text")]
    assert not any("not from 0%" in text for text in texts)


@given(st.lists(SHARES, min_size=1, max_size=9))
def test_an_axis_holds_its_values_and_is_wide_enough_to_read(values):
    low, high = share_range(values)
    assert 0 <= low <= min(values)
    assert max(values) <= high <= 1
    assert high - low >= 0.0999
    assert 2 <= len(Scale(low, high, 0, 100).ticks()) <= 7


def test_releases_of_one_day_share_a_marker_and_every_release_is_in_the_table():
    day = date(2026, 11, 10)
    releases = tuple(Release(day, "model", f"m{n}") for n in range(3))
    figure = trend_figure(replace(full_report(), trend=replace(trend([0.8, 0.79, 0.8]), releases=releases)))
    labels = [text.text for text in ElementTree.fromstring(figure.svg).iter("text")]
    assert "m0, m1, m2" in labels
    assert sum("model m1" in cell for row in figure.rows for cell in row) == 1


def test_releases_before_the_first_week_are_not_drawn():
    old = (Release(date(2020, 1, 1), "model", "ancient"),)
    figure = trend_figure(replace(full_report(), trend=replace(trend([0.8, 0.79]), releases=old)))
    assert "ancient" not in figure.svg


def test_the_waterfall_ends_where_the_period_does():
    # mix and the levels' rates are an exact split, so nothing may be left over
    figure = change_figure(full_report())
    steps = [text.text for text in ElementTree.fromstring(figure.svg).iter("text")]
    moves = [float(text.replace("−", "-")) for text in steps if text and text[0] in "+−±" and text != "±0.0"]
    total = 100 * (CHANGE.now - CHANGE.before)
    assert len(moves) >= 4
    assert sum(moves) == pytest.approx(total, abs=0.05 * len(moves))  # each is rounded to a tenth


def test_year_ends_keep_weeks_in_order():
    start = date(2026, 12, 21)
    points = [LinePoint(f"w{n}", (start + timedelta(weeks=n)).toordinal(), (0.7, 0.8, 0.9), 5) for n in range(4)]
    root = ElementTree.fromstring(line_chart(CAPTION, points, [], None))
    xs = [float(shape.attrib["cx"]) for shape in root.iter("circle")]
    assert xs == sorted(xs)
