"""Colours of the style sheet against WCAG 2.2: text 4.5 : 1 (1.4.3), graphics 3 : 1 (1.4.11), light and dark."""

import re
from pathlib import Path

import pytest

import feedback_pipeline.reports as reports

CSS = (Path(reports.__file__).parent / "templates" / "report.css").read_text(encoding="utf-8")
LIGHT, DARK = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block)) for block in CSS.split("@media screen", 1))

TEXT = [("ink", "paper"), ("ink", "page"), ("muted", "paper"), ("muted", "page"), ("muted", "tint"), ("link", "paper"),
        ("link", "page"), ("worse-ink", "paper"), ("worse-ink", "worse-tint"), ("better-ink", "paper"),
        ("better-ink", "better-tint"), ("caution-ink", "caution-tint"), ("marker", "paper"),
        ("ink", "band"), ("muted", "band")]  # fmt: skip
GRAPHICS = [("line", "paper"), ("worse", "paper"), ("better", "paper"), ("votes", "paper"), ("marker", "paper")]


def luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    bright, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_the_formula_gives_the_known_extremes():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)  # WCAG's own borderline grey


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "back"), TEXT)
def test_text_is_readable(palette, front, back):
    assert contrast(palette[front], palette[back]) >= 4.5


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "back"), GRAPHICS)
def test_marks_stand_out(palette, front, back):
    assert contrast(palette[front], palette[back]) >= 3


def test_dark_replaces_every_colour():
    assert LIGHT.keys() == DARK.keys()
