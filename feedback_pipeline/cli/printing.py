"""The one printer: whatever a command shows, words of strangers among it, no terminal obeys it.

Feedback, names of slices and keys, models and errors of other programs may hold the control characters that move a
cursor, rename a window or write to the clipboard (Unicode's Cc), and the invisible ones that turn a line around (Cf).
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import orjson
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]"
)
"""Unicode's categories Cc and Cf, less the line feed and the tab."""


def plain(text: str) -> str:
    """The text without control and format characters; line feeds and tabs stay."""
    return _CONTROL.sub("", text)


def json_text(value: Any) -> str:
    """The value as indented JSON in which control and format characters are escaped: a terminal shows it as it is."""
    return escaped(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode())


def escaped(text: str) -> str:
    """JSON or YAML whose control and format characters are written as their escapes: it still reads as the same."""
    return _CONTROL.sub(lambda found: json.dumps(found[0])[1:-1], text)


class PlainConsole(Console):
    """A console on which every text that is rendered is plain; colours and layout are its own."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """The segments of what is shown, those of tables and panels included."""
        for segment in super().render(renderable, options):
            if segment.control or not _CONTROL.search(segment.text):
                yield segment
            else:
                yield Segment(plain(segment.text), segment.style)
