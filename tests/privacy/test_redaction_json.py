"""Redaction of JSON texts: still JSON, and nothing hidden by its escapes."""

import json
from collections import Counter

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedback_pipeline.privacy.canary import leaks, leaks_in
from feedback_pipeline.privacy.redaction import redact, redact_frame, redact_json
from tests.support.nasty_texts import nasty_texts

SLOW = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])

numbers = st.one_of(
    st.integers(-(10**17), 10**17),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([4111111111111111, 52.5201]),
)
documents = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, nasty_texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(nasty_texts, st.just("phone")), inner, max_size=4)
    ),
    max_leaves=8,
)


def _redacted(text: str) -> str:
    return str(redact_json(pl.Series([text])).texts[0])


@SLOW
@given(documents, st.booleans(), st.sampled_from([None, 1]))
def test_json_stays_json_and_is_clean_afterwards(document: object, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
    redacted = _redacted(text)
    json.loads(redacted)
    assert _redacted(redacted) == redacted
    assert leaks(pl.Series([redacted]), json=True) == {}


@SLOW
@given(st.one_of(nasty_texts, st.builds(lambda a, b: f'{{"a": "{a}", {b}', nasty_texts, nasty_texts)))
def test_what_is_not_json_is_redacted_all_the_same(text: str) -> None:
    redacted = _redacted(text)
    assert _redacted(redacted) == redacted


@SLOW
@given(st.lists(st.tuples(documents, nasty_texts, st.booleans()), max_size=4))
def test_what_columns_repeat_is_looked_at_once_and_counted_each_time(rows: list[tuple[object, str, bool]]) -> None:
    said = [(json.dumps(document, ensure_ascii=ascii_only), text) for document, text, ascii_only in rows]
    said += [(json.dumps({"content": text}, ensure_ascii=ascii_only), text) for _, text, ascii_only in rows]
    said += [(text, text) for _, text, _ in rows]
    frame = pl.DataFrame(said, schema={"messages": pl.String, "prompt": pl.String}, orient="row")
    counted = Counter(redact_json(frame["messages"]).counts) + Counter(redact(frame["prompt"]).counts)
    assert leaks_in(frame, frame.columns, ["messages"]) == counted


@pytest.mark.parametrize(
    "text",
    [
        r'["call \"+14155551234\""]', r'["a\\", "b@x.org"]', r'["bob\u0040example.com"]', '["b@x.org", 1]',
        '["b@x.org"',
        '{"phone": 4155551234}', '["\ufdd0b@x.org\ufdd1"]', r'["\\"b@x.org\\""]', "b@x.org", '["a" "b@x.org"]',
    ],
)  # fmt: skip
def test_a_leak_is_found_however_the_json_is_written(text: str) -> None:
    frame = pl.DataFrame({"messages": ['["all is well"]', None, text]})
    assert leaks_in(frame, ["messages"], ["messages"]) == redact_json(frame["messages"]).counts != {}


def test_one_value_has_one_number_over_the_messages_of_a_row() -> None:
    messages = [
        {"role": "user", "content": "I am a@x.org"},
        {"role": "assistant", "content": "Hello\nA@x.org, not b@x.org"},
    ]
    redacted = json.loads(_redacted(json.dumps(messages)))
    assert [message["content"] for message in redacted] == ["I am [EMAIL_1]", "Hello\n[EMAIL_1], not [EMAIL_2]"]


def test_a_row_has_one_numbering_in_plain_and_json_columns() -> None:
    frame = pl.DataFrame({"prompt": ["b@x.org"], "messages": ['["a@x.org","b@x.org"]']})
    assert redact_frame(frame, ["prompt"], ["messages"]).frame.row(0) == ("[EMAIL_1]", '["[EMAIL_2]","[EMAIL_1]"]')


def test_escapes_hide_nothing_and_are_not_torn_apart() -> None:
    assert _redacted(r'{"a": "mail\nbob\u0040example.com \"x\""}') == r'{"a": "mail\n[EMAIL_1] \"x\""}'


def test_code_after_an_escaped_line_end_is_no_address() -> None:
    text = r'{"content": "import app\n@app.get(\"/users\")\n"}'
    assert _redacted(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"phone": 4155551234}', '{"phone": "[PHONE_1]"}'),
        ('{"card":4111111111111111}', '{"card":"[CARD_1]"}'),
        ('{"lat": 52.52001, "n": 1}', '{"lat": "[COORDINATES_1]", "n": 1}'),
        ('{"at": [52.52001, 13.40501]}', '{"at": ["[COORDINATES_1]"]}'),
        ('{"a@x.org": 1}', '{"[EMAIL_1]": 1}'),
    ],
)
def test_numbers_and_keys_are_read_too(text: str, expected: str) -> None:
    assert _redacted(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        '{"created": 1700000000, "ms": 1700000000000}',
        "[0.12345, 1.23456, 2.34567, 3.45678]",
        '{"id": 12345678901}',
        "[1, 2, 3]",
    ],
)
def test_numbers_that_identify_nobody_are_kept(text: str) -> None:
    assert _redacted(text) == text


def test_what_is_not_changed_keeps_its_bytes() -> None:
    assert _redacted('{ "b":1.50,\t"a" : "a@x.org", "a":1e5 }') == '{ "b":1.50,\t"a" : "[EMAIL_1]", "a":1e5 }'


def test_nesting_has_no_limit() -> None:
    deep = "[" * 100_000 + '"a@x.org"' + "]" * 100_000
    assert _redacted(deep) == "[" * 100_000 + '"[EMAIL_1]"' + "]" * 100_000


def test_missing_and_empty_texts_come_back() -> None:
    assert redact_json(pl.Series([None, "", "{}"], dtype=pl.String)).texts.to_list() == [None, "", "{}"]
