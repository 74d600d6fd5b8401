"""Redaction of columns and of single texts."""

import time

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedback_pipeline.privacy.redaction import redact, redact_frame, redact_text
from tests.support.nasty_texts import nasty_texts

SMALL_BYTES = 100_000
SLOW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@SLOW
@given(st.lists(st.one_of(st.none(), nasty_texts), min_size=1, max_size=6))
def test_a_text_alone_and_in_a_column_are_redacted_alike(texts: list[str | None]) -> None:
    redacted = redact(pl.Series(texts, dtype=pl.String))
    alone = [None if text is None else redact_text(text) for text in texts]
    assert redacted.texts.to_list() == [None if one is None else one[0] for one in alone]
    totals: dict[str, int] = {}
    for _, counts in filter(None, alone):
        for placeholder, count in counts.items():
            totals[placeholder] = totals.get(placeholder, 0) + count
    assert redacted.counts == totals


@SLOW
@given(nasty_texts)
def test_redacting_again_changes_nothing(text: str) -> None:
    once, _ = redact_text(text)
    assert redact_text(once) == (once, {})


@SLOW
@given(nasty_texts)
def test_a_text_without_a_finding_is_returned_byte_for_byte(text: str) -> None:
    redacted, counts = redact_text(text)
    assert counts or redacted == text


def test_one_value_has_one_number_however_it_is_spelled() -> None:
    text = "Bob@Example.com or bob@example.com, eve@example.com; +49 171 1234567 = +491711234567"
    redacted, counts = redact_text(text)
    assert redacted == "[EMAIL_1] or [EMAIL_1], [EMAIL_2]; [PHONE_1] = [PHONE_1]"
    assert counts == {"EMAIL": 3, "PHONE": 2}


def test_secrets_that_differ_in_case_are_two() -> None:
    assert (
        redact_text("ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ghp_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")[0]
        == "[SECRET_1] [SECRET_2]"
    )


def test_rows_of_one_conversation_share_their_numbers() -> None:
    texts = pl.Series("comment", ["a@x.org", "b@x.org then a@x.org", "b@x.org", "a@x.org", "b@x.org"])
    conversations = pl.Series(["c1", "c1", "c2", None, None])
    redacted = redact(texts, conversations).texts
    assert redacted.to_list() == ["[EMAIL_1]", "[EMAIL_2] then [EMAIL_1]", "[EMAIL_1]", "[EMAIL_1]", "[EMAIL_1]"]
    assert redacted.name == "comment"


def test_numbers_already_in_the_conversation_are_not_given_to_someone_else() -> None:
    """Whom an earlier placeholder stood for is unknown, so that the new address must be a different one."""
    assert redact_text("[EMAIL_3] wrote to a@x.org")[0] == "[EMAIL_3] wrote to [EMAIL_4]"
    shared = redact(pl.Series(["[EMAIL_1]", "a@x.org"]), pl.Series([1, 1])).texts
    assert shared.to_list() == ["[EMAIL_1]", "[EMAIL_2]"]


def test_columns_of_one_row_share_their_numbers() -> None:
    frame = pl.DataFrame({"prompt": ["mail a@x.org", None], "answer": ["b@x.org, a@x.org", "a@x.org"], "n": [1, 2]})
    redacted = redact_frame(frame, ["prompt", "answer"])
    assert redacted.frame.rows() == [("mail [EMAIL_1]", "[EMAIL_2], [EMAIL_1]", 1), (None, "[EMAIL_1]", 2)]
    assert redacted.counts == {"EMAIL": 4}


def test_a_frame_with_nothing_to_redact_is_returned_as_it_is() -> None:
    frame = pl.DataFrame({"n": [1]})
    assert redact_frame(frame, []).frame.equals(frame)


@pytest.mark.parametrize("values", [[], [None], [""], [None, "", "🙂🙂", "\x00"]])
def test_columns_without_words_come_back(values: list[str | None]) -> None:
    redacted = redact(pl.Series("c", values, dtype=pl.String))
    assert (redacted.texts.to_list(), redacted.texts.dtype, redacted.counts) == (values, pl.String, {})


def test_invisible_and_wide_characters_hide_nothing() -> None:
    for text in (
        "b\u200bo\u2060b@exa\u00admple.com",
        "bob＠example．com",
        "\u202ebob@example.com",
        "4１11 1111 11\u200d11 1111",
    ):
        redacted, counts = redact_text(text)
        assert sum(counts.values()) == 1, text
        assert "example" not in redacted
        assert "1111" not in redacted


def test_emoji_and_persian_joiners_survive_beside_an_address() -> None:
    """The zero-width joiner of a family emoji and the non-joiner of Persian carry meaning; only those in words go."""
    assert redact_text("👨\u200d👩\u200d👧 می\u200cخواهم a@x.org")[0] == "👨\u200d👩\u200d👧 می\u200cخواهم [EMAIL_1]"


def test_a_lone_surrogate_is_no_obstacle() -> None:
    assert redact_text("\ud800 a@x.org \udfff")[0] == "\ufffd [EMAIL_1] \ufffd"


def test_digits_that_fail_their_check_are_not_called_a_card_or_an_account() -> None:
    for text in ("4111 1111 1111 1112", "DE89370400440532013001", "000-12-3456"):
        assert redact_text(text) == (text, {})


HUGE = {
    "one word": "a",
    "digits": "1",
    "digit groups": "1234 ",
    "dotted": "1.",
    "at signs": "a@",
    "almost addresses": "a@b.",
    "colons": "a:",
    "open keys": "-----BEGIN PRIVATE KEY-----",
    "brackets": "[(",
    "plus": "+1",
    "phone words": "phone ",
    "tokens": "eyJ",
    "schemes": "http://",
    "queries": "http://a?",
    "invisible": "a\u200b",
    "foreign digits": "٣",
    "dates": "2024-05-12 ",
    "addresses": "a@b.cd ",
}


@pytest.mark.parametrize("kind", HUGE)
def test_time_is_linear_in_the_length_of_a_text(kind: str) -> None:
    """Ten times the text may take thirty times the time on a busy machine; quadratic search would take a hundred."""
    unit = HUGE[kind]
    small = unit * (SMALL_BYTES // len(unit.encode()))
    redact_text(small[:1000])
    start = time.perf_counter()
    redact_text(small)
    middle = time.perf_counter()
    redact_text(small * 10)
    assert time.perf_counter() - middle < 30 * (middle - start) + 1


def test_ten_megabytes_lose_nothing_but_the_address_at_their_end() -> None:
    filler = "3.14 is 22/7, more or less; " * 375_000  # 28 bytes each: 10.5 MB
    assert redact_text(filler + "a@x.org") == (filler + "[EMAIL_1]", {"EMAIL": 1})
