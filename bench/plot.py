"""Time and memory of the loop against votes, as a drawing that stands alone: both axes logarithmic."""

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from bench.rows import Row

WIDTH, HEIGHT, LEFT, TOP, GAP = 430, 300, 60, 40, 70
FAR = 10_000_000
"""Votes up to which the line is drawn on; beyond what was measured it is dashed, and called extrapolated."""


def of_loop(rows: Sequence[Row]) -> str | None:
    """The drawing; None where fewer than two sizes were measured."""
    points = sorted((row["figures"] for row in rows if "peak" in row.get("figures", {})), key=lambda one: one["votes"])
    if len(points) < 2:
        return None
    panels = [
        _panel(0, "seconds (wall; CPU hollow)", [(one["votes"], one["wall"]) for one in points],
               [(one["votes"], one["cpu"]) for one in points]),
        _panel(1, "peak memory, GB", [(one["votes"], one["peak"] / 1e9) for one in points], []),
    ]  # fmt: skip
    width, height = 2 * (WIDTH + GAP) + LEFT, HEIGHT + TOP + 60
    style = (
        "text{font:12px sans-serif;fill:#333}.axis{stroke:#999}.line{stroke:#2a6;stroke-width:2;fill:none}"
        ".far{stroke:#2a6;stroke-width:2;stroke-dasharray:5 5}.dot{fill:#2a6}.cpu{fill:#fff;stroke:#2a6}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
        f"<title>The weekly loop against votes</title><style>{style}</style>"
        f'<rect width="{width}" height="{height}" fill="#fff"/>{"".join(panels)}</svg>\n'
    )


def _panel(place: int, title: str, points: Sequence[tuple[float, float]], hollow: Sequence[tuple[float, float]]) -> str:
    left = LEFT + place * (WIDTH + GAP)
    far = (FAR, _extrapolated(points, FAR))
    every = [value for _, value in (*points, *hollow, far) if value > 0]
    low, high = math.floor(math.log10(min(every))), math.ceil(math.log10(max(every)))
    first, last = math.floor(math.log10(points[0][0])), math.log10(FAR)

    def x(votes: float) -> float:
        return left + (math.log10(votes) - first) / (last - first) * WIDTH

    def y(value: float) -> float:
        return TOP + HEIGHT - (math.log10(max(value, 10**low)) - low) / max(high - low, 1) * HEIGHT

    parts = [f'<text x="{left}" y="{TOP - 15}">{escape(title)}</text>']
    for power in range(low, high + 1):
        height = f"{y(10**power):.1f}"
        parts.append(f'<line class="axis" x1="{left}" x2="{left + WIDTH}" y1="{height}" y2="{height}"/>')
        parts.append(f'<text x="{left - 8}" y="{height}" text-anchor="end">{10**power:g}</text>')
    for power in range(first, int(last) + 1):
        parts.append(f'<text x="{x(10**power):.1f}" y="{TOP + HEIGHT + 20}" text-anchor="middle">{10**power:,}</text>')
    path = " ".join(f"{x(votes):.1f},{y(value):.1f}" for votes, value in points)
    parts.append(f'<polyline class="line" points="{path}"/>')
    if points[-1][0] < FAR:
        ends = " ".join(f"{x(votes):.1f},{y(value):.1f}" for votes, value in (points[-1], far))
        above = f'x="{x(FAR):.1f}" y="{y(far[1]) - 10:.1f}" text-anchor="end"'
        parts.append(f'<polyline class="far" points="{ends}"/><text {above}>extrapolated {far[1]:,.3g}</text>')
    for css, some in (("dot", points), ("cpu", hollow)):
        parts += [f'<circle class="{css}" cx="{x(votes):.1f}" cy="{y(value):.1f}" r="4"/>' for votes, value in some]
    parts += [f'<text x="{x(votes) + 6:.1f}" y="{y(value) + 14:.1f}">{value:,.3g}</text>' for votes, value in points]
    parts.append(f'<text x="{left + WIDTH / 2}" y="{TOP + HEIGHT + 40}" text-anchor="middle">votes</text>')
    return "".join(parts)


def _extrapolated(points: Sequence[tuple[float, float]], votes: float) -> float:
    """On through the last two points, in proportion: a fixed cost and one for each vote."""
    (before, small), (last, large) = points[-2:]
    return large + (large - small) / (last - before) * (votes - last)
