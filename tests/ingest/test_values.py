"""Delivered words as values: what is wrong is told by a code, never guessed."""

from datetime import UTC, date, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_pipeline.ingest.fields import FIELDS, TEXT_LIMIT
from feedback_pipeline.ingest.source_entry import Source, Spread
from feedback_pipeline.ingest.times import parsed_times, spread_times
from feedback_pipeline.ingest.values import typed_field

SOURCE = {
    "name": "votes",
    "kind": "csv",
    "path": "votes.csv",
    "timezone": "Europe/Berlin",
    "mapping": {"thumb": "a", "output": "b", "occurred_at": "c"},
}


def read(field: str, delivered: str | None, **more: object) -> tuple[object, str | None]:
    source = Source.model_validate({**SOURCE, **more})
    value, problem = typed_field(FIELDS[field], pl.col("x"), source)
    frame = pl.DataFrame({"x": [delivered]}, schema={"x": pl.String})
    result = frame.select(value.alias("value"), problem.alias("problem")).row(0)
    return (list(result[0]) if isinstance(result[0], pl.Series) else result[0]), result[1]


@pytest.mark.parametrize(
    ("delivered", "expected"),
    [
        ("up", True), ("DOWN", False), (" +1 ", True), ("-1", False), ("True", True), ("false", False), ("", None),
        (None, None),
    ],
)  # fmt: skip
def test_thumbs_as_people_write_them(delivered: str | None, expected: bool | None) -> None:
    assert read("thumb", delivered) == (expected, None)


@pytest.mark.parametrize("delivered", ["0", "7", "maybe", "👍👎"])
def test_a_word_that_says_neither_up_nor_down_is_refused(delivered: str) -> None:
    assert read("thumb", delivered) == (None, "unknown_value")


def test_own_words_are_added_to_the_usual_ones_and_go_first() -> None:
    values = {"thumb": {"Daumen hoch": True, "0": None, "1": True}}
    assert read("thumb", "daumen hoch", values=values) == (True, None)
    assert read("thumb", "0", values=values) == (None, None)
    assert read("thumb", "up", values=values) == (True, None)
    assert read("thumb", "meh", values=values) == (None, "unknown_value")
    turned = {"thumb": {"like": "down", "dislike": "up"}}
    assert read("thumb", "like", values=turned) == (False, None)


@pytest.mark.parametrize("delivered", ["Thumbs up", "thumbs-up", "THUMBS_UP", "thumbsUp", " like ", "👍"])
def test_a_word_is_one_word_however_its_parts_are_joined(delivered: str) -> None:
    assert read("thumb", delivered) == (True, None)


def test_meanings_are_read_like_deliveries() -> None:
    words = {"thumb": {"gut": "up", "schlecht": "thumbs down", "weiß nicht": None, True: "up", False: "down"}}
    assert [read("thumb", word, values=words)[0] for word in ("gut", "Schlecht", "weiß  nicht", "yes", "off")] == [
        True, False, None, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("field", "choices", "said"),
    [
        ("thumb", {"gut": "hoch"}, "thumb: gut: 'hoch' is neither up nor down; write up or down, or null for nothing"),
        ("stars", {"good": "many"}, "stars: good: 'many' is no number"),
        ("kind", {"rating": "vote"}, "kind: rating: 'vote' is none of explicit, "),
    ],
)
def test_a_meaning_that_a_field_cannot_have_is_named_with_its_place(field: str, choices: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Source.model_validate({**SOURCE, "values": {field: choices}})


def test_ranges_of_numbers() -> None:
    values = {"thumb": {">= 4": "up", "<= 2": "down", "2..4": None}}
    assert [read("thumb", score, values=values) for score in ("4", "5.0", "2", "-1", "3", "2.5")] == [
        (True, None), (True, None), (False, None), (False, None), (None, None), (None, None),
    ]  # fmt: skip
    assert read("thumb", "n/a", values=values) == (None, "unknown_value")
    assert read("stars", "87", values={"stars": {"< 50": 1, "50..79": 3, ">= 80": 5}}) == (5, None)


def test_an_id_that_went_through_floats_is_the_id_it_was() -> None:
    assert read("request_id", "1001.0") == ("1001", None)
    assert read("request_id", "1001.50") == ("1001.50", None)
    assert read("prompt_version", "5.0") == ("5.0", None)


@pytest.mark.parametrize(
    ("delivered", "expected"), [("0,85", 0.85), ("-1,5", -1.5), ("0,123", 0.123), ("12,5", 12.5), ("1.5", 1.5)]
)
def test_a_decimal_comma(delivered: str, expected: float) -> None:
    assert read("memory_used", delivered) == (expected, None)


def test_what_may_be_thousands_is_no_number() -> None:
    assert read("memory_used", "1,234") == (None, "not_a_number")


@pytest.mark.parametrize(
    ("delivered", "expected"),
    [
        ("5", (5, None)), ("4.0", (4, None)), ("7", (None, "out_of_range")), ("0", (None, "out_of_range")),
        ("4.5", (None, "out_of_range")), ("five", (None, "not_a_number")), ("nan", (None, "not_a_number")),
        ("1e999", (None, "not_a_number")), (None, (None, None)),
    ],
)  # fmt: skip
def test_stars_are_whole_and_from_1_to_5(delivered: str | None, expected: tuple) -> None:
    assert read("stars", delivered) == expected


def test_stars_may_have_words() -> None:
    values = {"stars": {"good": 5, "n/a": None}}
    assert read("stars", "Good", values=values) == (5, None)
    assert read("stars", "n/a", values=values) == (None, None)
    assert read("stars", "3", values=values) == (3, None)


@pytest.mark.parametrize(
    ("field", "delivered", "expected"),
    [
        ("confidence", "0.5", (0.5, None)), ("confidence", "1.2", (None, "out_of_range")),
        ("latency_ms", "-1", (None, "out_of_range")), ("turn", "-1", (None, "out_of_range")),
        ("input_tokens", "3000000000", (None, "out_of_range")), ("memory_used", "true", (1.0, None)),
    ],
)  # fmt: skip
def test_numbers_have_bounds(field: str, delivered: str, expected: tuple) -> None:
    assert read(field, delivered) == expected


@pytest.mark.parametrize(
    ("delivered", "expected"),
    [
        ("2026-11-02T10:00:00Z", "2026-11-02T10:00:00"), ("2026-11-02 10:00:00.25+02", "2026-11-02T08:00:00.250000"),
        ("2026-11-02", "2026-11-01T23:00:00"), ("2026-11-02 10:00", "2026-11-02T09:00:00"),
        ("2026-11-02 10:00:00 UTC", "2026-11-02T10:00:00"), ("1793613600", "2026-11-02T10:00:00"),
        ("1793613600000", "2026-11-02T10:00:00"), ("1793613600.5", "2026-11-02T10:00:00.500000"),
        ("2026-10-25T02:30:00", "2026-10-25T00:30:00"),  # twice on the clock: the earlier
    ],
)  # fmt: skip
def test_times_of_many_forms_become_utc(delivered: str, expected: str) -> None:
    assert read("occurred_at", delivered) == (datetime.fromisoformat(expected).replace(tzinfo=UTC), None)


@pytest.mark.parametrize(
    ("delivered", "code"),
    [
        ("1970-01-01", "out_of_range"), ("0", "out_of_range"), ("2199-12-31T00:00:00Z", "out_of_range"),
        ("20261102", "out_of_range"), ("yesterday", "unreadable_time"), ("2026-02-30", "unreadable_time"),
        ("2026-03-29T02:30:00", "unreadable_time"),  # left out by the clock in Berlin
        ("02.11.2026", "unreadable_time"),
    ],
)  # fmt: skip
def test_times_that_cannot_be_are_refused(delivered: str, code: str) -> None:
    assert read("occurred_at", delivered) == (None, code)


def test_a_format_of_ones_own() -> None:
    expected = datetime(2026, 11, 2, 9, 5, tzinfo=UTC)
    assert read("occurred_at", "02.11.2026 10:05", time_format="%d.%m.%Y %H:%M") == (expected, None)
    assert read("occurred_at", "02.11.2026 10:05 +0100", time_format="%d.%m.%Y %H:%M %z") == (expected, None)


@settings(max_examples=150, deadline=None)
@given(
    moment=st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30)),  # noqa: DTZ001 (hypothesis wants them so)
    minutes=st.integers(-14 * 60, 14 * 60),
    precision=st.sampled_from(["seconds", "milliseconds", "microseconds"]),
)
def test_what_python_writes_as_iso_8601_is_read_back(moment: datetime, minutes: int, precision: str) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    text = aware.isoformat(timespec=precision)
    parsed = pl.select(parsed_times(pl.lit(pl.Series([text])), "UTC")).item()
    assert parsed == datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("delivered", "expected"),
    [
        ('["Slow", "fast", "slow", "", null]', (["fast", "slow"], None)), ("b, A ,b", (["a", "b"], None)),
        ("{b,a}", (["a", "b"], None)), ("[]", ([], None)), ('["a"', (None, "not_json")),
        ('[{"a": 1}]', (None, "not_json")), ('[["a"]]', (None, "not_json")), ("x" * 201, (None, "too_long")),
        ('["a\\\\b", "\\u00e9", "\\u0000"]', (["a\\b", "é", "\ufffd"], None)), ("[1, true]", (["1", "true"], None)),
    ],
)  # fmt: skip
def test_lists_of_names(delivered: str, expected: tuple) -> None:
    assert read("tags", delivered) == expected


@pytest.mark.parametrize(
    ("delivered", "expected"),
    [
        ("true", '{"task_succeeded": true}'), ("failed", '{"task_succeeded": false}'), ("copy", '{"signal": "copy"}'),
        ('{"task_succeeded": true}', '{"task_succeeded": true}'),
    ],
)  # fmt: skip
def test_outcomes_and_signals_become_objects(delivered: str, expected: str) -> None:
    assert read("value", delivered) == (expected, None)


@pytest.mark.parametrize("delivered", ['{"a": ', 'x", "admin": "y', "3.7", "[1]"])
def test_other_outcomes_are_refused(delivered: str) -> None:
    assert read("value", delivered) == (None, "unknown_value")


def test_an_unknown_kind_is_refused() -> None:
    assert read("kind", "Explicit") == ("explicit", None)
    assert read("kind", "applause") == (None, "unknown_value")


def test_long_values_are_refused() -> None:
    assert read("output", "é" * (TEXT_LIMIT // 2)) == ("é" * (TEXT_LIMIT // 2), None)
    assert read("output", "x" * (TEXT_LIMIT + 1)) == (None, "too_large")
    assert read("model", "m" * 201) == (None, "too_long")
    assert read("request_id", "r" * 501) == (None, "too_long")


def test_json_fields_must_be_json() -> None:
    assert read("metadata", '{"a": 1}') == ('{"a": 1}', None)
    assert read("metadata", "null") == (None, None)
    assert read("metadata", "{'a': 1}") == (None, "not_json")
    assert read("messages", '{"role": "user"}') == (None, "not_messages")
    assert read("messages", "[1, 2]") == (None, "not_messages")
    assert read("messages", '["hello"]') == (None, "not_messages")
    assert read("messages", '[{"role": "wizard", "content": "x"}]') == (None, "not_messages")
    assert read("messages", "[]") == (None, "not_messages")
    plain = '[{"role":"user","content":"Why?"}]'
    assert read("messages", plain) == (plain, None)
    assert read("messages", '[{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "So."}]') == (
        '[{"role":"user","content":"Why?"},{"role":"assistant","content":"So."}]', None,
    )  # fmt: skip
    called = '[{"role":"assistant","content":null,"tool_calls":[{"id":"c"}]}]'
    assert read("messages", called) == (called, None)


def test_an_empty_answer_is_an_answer_and_an_empty_comment_is_none() -> None:
    assert read("output", "") == ("", None)
    assert read("comment", "  ") == (None, None)


def test_spread_times_fill_the_period_evenly_and_are_the_same_every_time() -> None:
    from feedback_pipeline.ingest.identity import derived_ids

    ids = derived_ids(pl.Series(["t"] * 8000), "s", pl.Series([str(i) for i in range(8000)]))
    spread = Spread(start=date(2026, 9, 7), weeks=8)
    times = pl.DataFrame({"id": ids}).select(spread_times(pl.col("id"), spread).alias("t"))["t"]
    assert times.min() >= datetime(2026, 9, 7, tzinfo=UTC)
    assert times.max() < datetime(2026, 11, 2, tzinfo=UTC)
    per_week = times.dt.truncate("1w").value_counts()["count"]
    assert per_week.len() == 8
    assert per_week.min() > 1000 - 5 * 30  # 1000 expected, standard deviation 30
    again = pl.DataFrame({"id": ids.reverse()}).select(spread_times(pl.col("id"), spread).alias("t"))["t"]
    assert again.reverse().equals(times)
