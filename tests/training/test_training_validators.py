"""The validator names file, line and field, and quotes nothing."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.training.formats import FORMATS
from feedback_pipeline.training.line_rules import RULES
from feedback_pipeline.training.messages import conversation
from feedback_pipeline.training.placeholders import filled
from feedback_pipeline.training.tokens import count_tokens, exceeds
from feedback_pipeline.training.validators import MIN_LINES, Validation, validate_file

GOOD: dict[str, Any] = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def check(folder: Path, format_name: str, rows: list[Any], **options: Any) -> Validation:
    path = folder / "sft-train.jsonl"
    path.write_bytes(b"".join(row if isinstance(row, bytes) else orjson.dumps(row) + b"\n" for row in rows))
    return validate_file(path, format_name, **options)


def fields(outcome: Validation) -> list[tuple[int, str]]:
    return [(problem.line, problem.field) for problem in outcome.problems]


def test_ten_good_lines_pass(tmp_path: Path) -> None:
    assert check(tmp_path, "openai_sft", [GOOD] * 10).passed


def test_nine_examples_are_too_few_for_openai_and_said_so(tmp_path: Path) -> None:
    outcome = check(tmp_path, "openai_sft", [GOOD] * 9)
    assert str(outcome.problems[0]) == "sft-train.jsonl:0: file: 9 lines, at least 10 are needed"
    assert MIN_LINES["openai"] == 10
    assert check(tmp_path, "trl_sft", [GOOD] * 9).passed


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (b"not json\n", "line"),
        (b"\n", "line"),
        (b"[]\n", "line"),
        (b"\xff\xfe\n", "line"),
        (orjson.dumps(GOOD) + b"\r\n", "line"),
        ({}, "messages"),
        ({**GOOD, "weight": 2.0}, "line"),
        ({**GOOD, "metadata": {}}, "line"),
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": [1]}, "messages[0]"),
        ({"messages": [{"role": "developer", "content": "x"}, *GOOD["messages"]]}, "messages[0].role"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "messages[0].role"),
        ({"messages": GOOD["messages"][::-1]}, "messages"),  # roles mixed up: it ends with the user
        ({"messages": [{"role": "user", "content": "q"}]}, "messages"),
        ({"messages": [{"role": "user", "content": ""}, GOOD["messages"][1]]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 5}, GOOD["messages"][1]]}, "messages[0].content"),
        ({"messages": [GOOD["messages"][0], {"role": "assistant", "content": None}]}, "messages[1].content"),
        ({"messages": [GOOD["messages"][0], {"role": "assistant", "content": "a", "weight": 0.5}]},
         "messages[1].weight"),
        ({"messages": [GOOD["messages"][0], {"role": "assistant", "content": "a", "weight": 0}]}, "messages"),
        ({"messages": [GOOD["messages"][0], {"role": "assistant", "content": "a", "mood": "x"}]}, "messages[1]"),
        ({"messages": [GOOD["messages"][0], {"role": "assistant", "tool_calls": [CALL]}, GOOD["messages"][1]]},
         "messages[2]"),
        ({"messages": [GOOD["messages"][0], {"role": "assistant", "tool_calls": [CALL]}]}, "messages"),
        ({"messages": [{"role": "tool", "tool_call_id": "x", "content": "1"}, GOOD["messages"][1]]},
         "messages[0].tool_call_id"),
    ],
)  # fmt: skip
def test_a_bad_line_is_named_with_its_field(tmp_path: Path, line: Any, field: str) -> None:
    outcome = check(tmp_path, "openai_sft", [*[GOOD] * 10, line])
    assert (11, field) in fields(outcome)


def test_a_tool_call_with_its_result_passes(tmp_path: Path) -> None:
    messages = [
        GOOD["messages"][0],
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "sun"},
        GOOD["messages"][1],
    ]
    assert check(tmp_path, "openai_sft", [{"messages": messages}] * 10).passed


def test_llama_factory_wants_turns_and_would_empty_the_rest(tmp_path: Path) -> None:
    twice = {"messages": [{"role": "user", "content": "q"}, *GOOD["messages"]]}
    assert fields(check(tmp_path, "llama_factory_sft", [GOOD, twice])) == [(2, "messages")]
    assert check(tmp_path, "trl_sft", [GOOD, twice]).passed


@pytest.mark.parametrize(
    ("format_name", "line", "field"),
    [
        ("fireworks_sft", GOOD, "weight"),
        ("fireworks_sft", {**GOOD, "weight": 2}, "weight"),  # an integer would change the column's type
        ("trl_kto", {"prompt": GOOD["messages"][:1], "completion": GOOD["messages"][1:], "label": 1}, "label"),
        ("trl_kto", {"prompt": GOOD["messages"], "completion": GOOD["messages"][1:], "label": True}, "prompt"),
        ("trl_dpo", {"prompt": GOOD["messages"][:1], "chosen": GOOD["messages"][1:], "rejected": []}, "rejected"),
        ("openai_dpo", {"input": {"messages": GOOD["messages"][:1]}, "preferred_output": GOOD["messages"][1:],
                        "non_preferred_output": GOOD["messages"][1:]}, "rejected"),
        ("openai_dpo", {"input": {"messages": GOOD["messages"]}, "preferred_output": GOOD["messages"][1:],
                        "non_preferred_output": [{"role": "assistant", "content": "b"}]}, "input.messages"),
        ("feedback_export", {**GOOD, "weight": 2.0, "metadata": {"intent": "x"}}, "metadata"),
    ],
)  # fmt: skip
def test_each_format_has_its_own_rules(tmp_path: Path, format_name: str, line: Any, field: str) -> None:
    assert field in [found for _, found in fields(check(tmp_path, format_name, [line], least_lines=1))]


def test_a_byte_order_mark_is_wanted_by_azure_alone(tmp_path: Path) -> None:
    marked = [b"\xef\xbb\xbf", *[GOOD] * 10]
    assert fields(check(tmp_path, "openai_sft", marked)) == [(0, "file")]
    assert check(tmp_path, "azure_sft", marked).passed
    assert fields(check(tmp_path, "azure_sft", [GOOD] * 10)) == [(0, "file")]


def test_a_file_cut_off_in_its_last_line_is_seen(tmp_path: Path) -> None:
    outcome = check(tmp_path, "openai_sft", [*[GOOD] * 10, orjson.dumps(GOOD)[:-5]])
    assert fields(outcome) == [(0, "file"), (11, "line")]


def test_an_example_beyond_the_token_limit_is_named(tmp_path: Path) -> None:
    long = {"messages": [GOOD["messages"][0], {"role": "assistant", "content": "word " * 70_000}]}
    short = {"messages": [GOOD["messages"][0], {"role": "assistant", "content": "a" * 80_000}]}
    assert fields(check(tmp_path, "openai_sft", [*[GOOD] * 10, short, long])) == [(12, "line")]


def test_problems_never_quote_what_stands_there(tmp_path: Path) -> None:
    secret = "SECRETWORD"
    rows = [
        {secret: 1, **GOOD},
        {"messages": [{"role": secret, "content": "x"}]},
        {"messages": [{"role": "user", "content": [secret]}, {"role": "assistant", "content": "x", secret: 1}]},
        {"messages": [{"role": "tool", "tool_call_id": secret, "content": "x"}]},
        secret.encode() + b"\n",
    ]
    for name, format_ in FORMATS.items():
        if format_.rules:
            outcome = check(tmp_path, name, rows)
            assert outcome.problem_count >= len(rows)
            assert secret not in " ".join(map(str, outcome.problems))


def test_problems_are_counted_beyond_those_described(tmp_path: Path) -> None:
    outcome = check(tmp_path, "openai_sft", [{}] * 500)
    assert len(outcome.problems) == 100
    assert outcome.problem_count >= 1_000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["messages", "role", "content", "weight", "label", "prompt", "chosen", "rejected", "completion",
                         "input", "tool_calls", "tool_call_id", "preferred_output", "metadata", "assert", "vars"])
        | st.text(max_size=3), inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["messages", "prompt", "label", "weight", "input", "chosen"]), JSON))
def test_no_json_makes_a_rule_fail_with_an_error(line: dict[str, Any]) -> None:
    for rule in RULES.values():
        for field, message in rule(line):
            assert field
            assert message


@given(JSON)
def test_no_json_makes_the_canonical_form_fail_with_an_error(messages: Any) -> None:
    found = conversation(json.dumps(messages), None)
    assert (found.problem is None) == (found.shape is not None)


def test_developer_messages_become_system_messages_and_parts_become_text() -> None:
    given_messages = [
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}], "name": "Ann"},
    ]
    found = conversation(orjson.dumps(given_messages).decode(), None)
    assert orjson.loads(found.messages) == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "one\ntwo"},
    ]
    assert found.shape == "alternating"


def test_images_cannot_be_carried() -> None:
    picture = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]
    assert conversation(orjson.dumps(picture).decode(), None).problem == "empty_content"


def test_values_for_placeholders_belong_to_nobody() -> None:
    found = filled(("[EMAIL_1] [PHONE_2] [IP_1] [CREDIT_CARD_1] [IBAN_1] [EMAIL_1]",), "c", "key")
    assert found is not None
    (text,), count = found
    assert count == 6
    assert "[" not in text
    assert "@example.com" in text
    assert text.split(" ")[0] == text.split(" ")[-1]
    assert filled(("[PASSPORT_1]",), "c", "key") is None


def test_tokens_beyond_the_tokenizers_own_limit_are_counted() -> None:
    """The tokenizer raises at 200,000 tokens; an answer that long must be named, not crash."""
    assert count_tokens("a b " * 130_000) > 200_000
    assert exceeds(["a b " * 130_000], 65_536)
    assert not exceeds(["a" * 300_000], 65_536), "eight letters a token: bytes alone do not decide"


def test_tokens_are_those_of_the_package() -> None:
    """We count with its machinery alone; what its own front does to a text before has to be done here."""
    bpe_openai = pytest.importorskip("bpe_openai")
    encoding = bpe_openai.get_encoding("o200k_base")
    texts = [
        "",
        "Where is my refund?\n\t ok",
        "don't <|endoftext|>",
        "漢字 かな ١٢٣ 👩‍👩‍👧",
        "\ufeffmark",
        "half \ud83d a pair",
    ]
    assert [count_tokens(text) for text in texts] == [len(encoding.encode_ordinary(text)) for text in texts]
