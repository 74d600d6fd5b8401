"""Answers redacted together before they leave an application: each becomes what it would become alone."""

from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_pipeline.privacy.answers import redacted_answers
from tests.support.nasty_texts import nasty_texts

words = st.one_of(nasty_texts, st.sampled_from(["a@x.org", "\ud800 a@x.org", "call 020 7946 0018", "x" * 5_000]))
leaves = st.one_of(
    words, st.integers(), st.floats(allow_nan=False), st.booleans(), st.none(), st.just(4111111111111111)
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(nasty_texts, inner, max_size=3), max_leaves=6
)
answers = st.fixed_dictionaries(
    {"request_id": words},
    optional={
        "prompt": words | st.none() | st.integers(), "output": words, "comment": words, "messages": values,
        "metadata": values, "content_snapshot": values,
    },
)  # fmt: skip


@given(st.lists(answers, max_size=6))
@settings(max_examples=60, deadline=None)
def test_answers_redacted_together_are_what_each_is_alone(logged: list[dict[str, Any]]) -> None:
    assert redacted_answers(logged) == [redacted_answers([answer])[0] for answer in logged]


def test_each_answer_numbers_its_own_people() -> None:
    asked = [{"role": "user", "content": "ada@example.com asks for bob@example.com"}]
    logged = [
        {"request_id": "r-1", "messages": asked, "output": "bob@example.com", "model": "m-1"},
        {"request_id": "r-2", "output": "bob@example.com", "metadata": {"of": ["ada@example.com", None, 1.5]}},
        {"request_id": "r-3", "user_id": "ada@example.com", "output": None},
    ]
    assert redacted_answers(logged) == [
        {"request_id": "r-1", "messages": [{"role": "user", "content": "[EMAIL_2] asks for [EMAIL_1]"}],
         "output": "[EMAIL_1]", "model": "m-1"},
        {"request_id": "r-2", "output": "[EMAIL_1]", "metadata": {"of": ["[EMAIL_2]", None, 1.5]}},
        logged[2],
    ]  # fmt: skip


def test_what_is_no_text_is_left_and_half_characters_are_replaced() -> None:
    class Said(StrEnum):
        YES = "yes, ada@example.com"

    assert redacted_answers([]) == []
    assert redacted_answers(
        [{"prompt": 7, "output": "\udfff ada@example.com", "messages": ["\ud800", "é\ud83d\ude00"]}]
    ) == [{"prompt": 7, "output": "\ufffd [EMAIL_1]", "messages": ["\ufffd", "é😀"]}]
    assert redacted_answers([{"output": Said.YES}]) == [{"output": "yes, [EMAIL_1]"}]


def test_an_answer_that_is_no_json_says_so() -> None:
    circle: list[Any] = []
    circle.append(circle)
    for value, error in (({1, 2}, TypeError), (circle, ValueError)):
        with pytest.raises(error):
            redacted_answers([{"output": "fine"}, {"metadata": value}])
