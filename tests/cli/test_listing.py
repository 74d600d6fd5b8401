"""Lists: whole names for people on a narrow terminal, values for programs, nothing that a terminal obeys."""

import io
import json
from datetime import UTC, datetime

import pytest

from feedback_pipeline.cli.listing import Listing
from feedback_pipeline.cli.printing import PlainConsole

KEY = "0190a5c2-77aa-7c11-9d3e-5a1d0c2b7e01"
HOSTILE = "acme\x1b]0;owned\x07\x9b31m\u202e"


def listing() -> Listing:
    rows = Listing("id", "name", "made", "open", "share", share=lambda share: f"{share:.1%}")
    rows.add(KEY, HOSTILE, datetime(2026, 11, 2, 9, 30, tzinfo=UTC), True, 0.125)
    rows.add("short", None, None, False, 0.0)
    return rows


def test_the_first_column_is_whole_on_a_narrow_terminal_and_nothing_is_obeyed() -> None:
    for width in (50, 120):
        screen = io.StringIO()
        listing().show(PlainConsole(file=screen, width=width), as_json=False)
        assert KEY in screen.getvalue()
        assert not set("\x1b\x07\x9b\u202e") & set(screen.getvalue())
    assert "12.5%" in screen.getvalue()


def test_what_does_not_fit_is_shown_in_lines_with_whole_words() -> None:
    screen = io.StringIO()
    rows = Listing("id", "source", "reason")
    rows.add(KEY, "customer-survey-of-november", "wrong_number_of_columns")
    rows.show(PlainConsole(file=screen, width=50), as_json=False)
    assert screen.getvalue().splitlines()[:3] == [
        f"id      {KEY}",
        "source  customer-survey-of-november",
        "reason  wrong_number_of_columns",
    ]


def test_json_holds_values_and_escapes_what_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    listing().show(PlainConsole(), as_json=True)
    printed = capsys.readouterr().out
    assert not set("\x1b\x07\x9b\u202e") & set(printed)
    first, second = json.loads(printed)
    assert first == {"id": KEY, "name": HOSTILE, "made": "2026-11-02T09:30:00+00:00", "open": True, "share": 0.125}
    assert second == {"id": "short", "name": None, "made": None, "open": False, "share": 0.0}


def test_an_empty_list_says_so_to_people_and_is_a_list_to_programs(capsys: pytest.CaptureFixture[str]) -> None:
    Listing("id").show(PlainConsole(), as_json=True)
    assert json.loads(capsys.readouterr().out) == []
    Listing("id").show(PlainConsole(), as_json=False, nothing="No keys.")
    assert capsys.readouterr().out == "No keys.\n"


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="1 values for 2 columns"):
        Listing("id", "name").add(KEY)
