"""What commands show moves no cursor, renames no window and turns no line around."""

import io
import sys
import unicodedata

import pytest
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from feedback_pipeline.cli.printing import PlainConsole, plain

HOSTILE = "\x1b]0;owned\x07\x1b[2Jname\x9b31m\u202egnirts\u200b\r\x08\U000e0041"
SHOWN = "]0;owned[2Jname31mgnirts"


def test_exactly_control_and_format_characters_are_left_out() -> None:
    everything = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    kept = set(plain("".join(everything)))
    lost = {one for one in everything if one not in kept}
    categories = {one: unicodedata.category(one) for one in everything}
    assert {one for one, kind in categories.items() if kind in ("Cc", "Cf")} - {"\n", "\t"} <= lost
    # a newer Unicode has more of them than this Python knows
    assert {categories[one] for one in lost} <= {"Cc", "Cf", "Cn"}


def _table() -> Table:
    table = Table(HOSTILE, title=HOSTILE)
    table.add_row(HOSTILE)
    table.add_row(Text(HOSTILE))
    return table


@pytest.mark.parametrize("shown", [HOSTILE, Text(HOSTILE), _table(), Panel(HOSTILE, title=HOSTILE)])
@pytest.mark.parametrize("terminal", [True, False])
def test_whatever_is_shown_is_plain(shown: object, terminal: bool) -> None:
    file = io.StringIO()
    PlainConsole(file=file, force_terminal=terminal, no_color=True, width=200).print(
        shown, markup=False, highlight=False
    )
    written = file.getvalue()
    assert SHOWN in written
    assert not [one for one in written if unicodedata.category(one) in ("Cc", "Cf") and one not in "\n\x1b"]
    assert "\x1b]" not in written
    assert "\x1b[2J" not in written


def test_a_live_display_is_plain() -> None:
    file = io.StringIO()
    console = PlainConsole(file=file, force_terminal=True, width=200)
    with Live(_table(), console=console, auto_refresh=False) as live:
        live.refresh()
    assert SHOWN in file.getvalue()
    assert "\x1b]0;" not in file.getvalue()
