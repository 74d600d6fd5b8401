"""Drawing primitives: SVG elements, a linear scale and ticks.

Colours are classes: the page's style sheet gives them for light, dark and print.
"""

import math
from dataclasses import dataclass
from xml.etree import ElementTree

Element = ElementTree.Element
Attribute = str | int | float

CHARACTER_WIDTH = 6.3
"""Average width of a character at the charts' font size of 12, in units of the view box; a little generous."""


def element(tag: str, *children: Element, text: str | None = None, **attributes: Attribute) -> Element:
    """An SVG element; `class_` gives class, underscores become hyphens (`text_anchor`), numbers get two digits."""
    made = ElementTree.Element(
        tag, {name.rstrip("_").replace("_", "-"): _attribute(value) for name, value in attributes.items()}
    )
    # Control characters and lone surrogates have no place in XML, not even escaped.
    made.text = None if text is None else "".join(c if c.isprintable() else " " for c in text)
    made.extend(children)
    return made


def _attribute(value: Attribute) -> str:
    return f"{value + 0.0:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def drawing(identifier: str, title: str, description: str, width: float, height: float, *shapes: Element) -> str:
    """A complete inline SVG with an accessible name and description."""
    root = element(
        "svg",
        element("title", text=title, id=f"{identifier}-title"),
        element("desc", text=description, id=f"{identifier}-desc"),
        *shapes,
        role="img",
        aria_labelledby=f"{identifier}-title {identifier}-desc",
        viewBox=f"0 0 {_attribute(float(width))} {_attribute(float(height))}",
        width=float(width),
        height=float(height),
    )
    return ElementTree.tostring(root, encoding="unicode")


def label(x: float, y: float, text: str, anchor: str = "start", class_: str = "label") -> Element:
    """Text at a point, `anchor` start, middle or end."""
    return element("text", text=text, x=float(x), y=float(y), text_anchor=anchor, class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Element:
    """A straight line."""
    return element("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=class_)


def box(x: float, y: float, width: float, height: float, class_: str, radius: float = 2) -> Element:
    """A rectangle; a negative width is drawn to the left of x."""
    left = x + min(width, 0)
    return element(
        "rect",
        x=float(left),
        y=float(y),
        width=float(abs(width)),
        height=float(height),
        rx=float(radius),
        class_=class_,
    )


def dot(x: float, y: float, radius: float, class_: str) -> Element:
    """A filled circle."""
    return element("circle", cx=float(x), cy=float(y), r=float(radius), class_=class_)


def diamond(x: float, y: float, radius: float, class_: str) -> Element:
    """A filled diamond, told from a dot without colour."""
    corners = ((x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y))
    return element("polygon", points=coordinates(corners), class_=class_)


def coordinates(corners: tuple[tuple[float, float], ...] | list[tuple[float, float]]) -> str:
    """Points as SVG writes them."""
    return " ".join(f"{_attribute(float(x))},{_attribute(float(y))}" for x, y in corners)


def shortened(text: str, width: float) -> str:
    """The text, cut so that it fits the width."""
    room = max(int(width / CHARACTER_WIDTH), 2)
    return text if len(text) <= room else text[: room - 1].rstrip() + "…"


def text_width(text: str) -> float:
    """Estimated width of a label."""
    return len(text) * CHARACTER_WIDTH


@dataclass(frozen=True)
class Scale:
    """A linear map from values to positions."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Round values inside the scale, at most `most` of them."""
        step = nice_step((self.high - self.low) / max(most - 1, 1))
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(index * step, 10) for index in range(first, last + 1)]


def nice_step(rough: float) -> float:
    """The smallest of 1, 2, 5 × 10^k that is not below `rough`."""
    magnitude: float = 10.0 ** math.floor(math.log10(rough))
    for factor in (1, 2, 5):
        if factor * magnitude >= rough * (1 - 1e-9):
            return factor * magnitude
    return 10 * magnitude


def share_range(values: list[float], least: float = 0.1) -> tuple[float, float]:
    """A range of shares that holds the values with some air, in steps of five points, at least `least` wide.

    Ranges that would leave out little are completed to 0–1.
    """
    low, high = min(values), max(values)
    air = max((high - low) * 0.08, 0.005)
    low = max(math.floor((low - air) * 20) / 20, 0.0)
    high = min(math.ceil((high + air) * 20) / 20, 1.0)
    while high - low < least - 1e-9:
        low, high = max(low - 0.05, 0.0), min(high + 0.05, 1.0)
    if high - low >= 0.65:
        return 0.0, 1.0
    return round(low, 2), round(high, 2)
