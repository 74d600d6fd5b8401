"""What columns vouch for is exactly what the rules of lines let through, on good and bad rows alike."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_pipeline.training.files import with_last_question
from feedback_pipeline.training.formats import FORMATS, Format
from feedback_pipeline.training.line_rules import RULES
from feedback_pipeline.training.messages import conversation, text_shapes
from feedback_pipeline.training.row_checks import VOUCHED, parts
from feedback_pipeline.training.tables import PREFERENCE_PAIRS, TRAINING_EXAMPLES
from feedback_pipeline.training.validators import SAMPLE, WhileWriting, validate_file
from tests.training.test_training_files import world_of_everything, written

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
ROLE = st.sampled_from(["system", "user", "assistant"])
BAD_MESSAGE = st.one_of(
    st.fixed_dictionaries({"role": st.sampled_from(["tool", "developer", "robot", 1, None]), "content": TEXT}),
    st.fixed_dictionaries({"role": ROLE, "content": st.sampled_from(["", None, 3, ["x"]])}),
    st.fixed_dictionaries({"content": TEXT, "role": ROLE}),
    st.fixed_dictionaries({"role": ROLE, "content": TEXT, "name": TEXT}),
    st.fixed_dictionaries({"role": ROLE}),
    st.just("text"),
)
GOOD_MESSAGE = st.fixed_dictionaries({"role": ROLE, "content": TEXT.filter(bool)})
DIALOGUE = st.builds(
    lambda system, turns: [
        *([{"role": "system", "content": system}] if system else []),
        *({"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(turns)),
    ],
    TEXT,
    st.lists(TEXT.filter(bool), max_size=5),
)
BROKEN_JSON = st.sampled_from(
    [
        "", "null", "[", "[]", "{}", '[{"role":"user","content":"a"}', '[{"role":"user","content":"a"}]]',
        ' [{"role":"user","content":"a"}]', '[{"role":"user","content":"a"}] ', '[{"role":"user","content":"a"}]\n',
        '[{"role":"user","content":"a\nb"}]', '[{"role":"user","content":"\\ud800"}]',
        '[{"role":"user","content":"\\u0041"}]', '[{"role":"user","content":"\\x"}]',
        '[{"role":"user","content":"a","content":""}]', '[{"role":"user","content":"a"},]',
        '[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],[{"role":"user","content":"c"}]',
    ]
)  # fmt: skip
MESSAGES = st.one_of(
    st.none(),
    BROKEN_JSON,
    DIALOGUE.map(lambda dialogue: orjson.dumps(dialogue).decode()),
    st.lists(GOOD_MESSAGE | BAD_MESSAGE, max_size=4).map(lambda dialogue: orjson.dumps(dialogue).decode()),
)
SIDE = st.none() | TEXT
WEIGHT = st.none() | st.floats()


def row(table: Any, number: int, **values: Any) -> dict[str, Any]:
    filled = {column.name: None for column in table.columns}
    return {**filled, "example_id": f"{number:032x}", "pair_id": f"{number:032x}", **values}


def told_by_both(format_: Format, source: pl.DataFrame) -> list[tuple[bool, bool]]:
    """For each row, whether columns vouch for it, and whether the rules find nothing in its line."""
    weighed = parts(source).with_columns(source["weight"])
    vouched = weighed.select(VOUCHED[str(format_.rules)].fill_null(value=False)).to_series()
    assert format_.line is not None
    block = with_last_question(source) if format_.task == "cases" else source
    lines = block.select(format_.line).to_series()
    return [(told, kept(text, RULES[str(format_.rules)])) for told, text in zip(vouched, lines, strict=True)]


def kept(text: str | None, rule: Callable[[dict[str, Any]], Any]) -> bool:
    if text is None or text.count("\n") != 1 or not text.endswith("\n"):
        return False
    try:
        line = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return type(line) is dict and not list(rule(line))


EXAMPLE_FORMATS = [name for name, one in FORMATS.items() if one.rules and one.task in ("supervised", "kto")]
PAIR_FORMATS = [name for name, one in FORMATS.items() if one.rules and one.task == "preference"]


@settings(max_examples=120, deadline=None)
@given(st.lists(st.tuples(MESSAGES, SIDE, WEIGHT, st.booleans()), min_size=1, max_size=8))
def test_no_example_is_vouched_for_whose_line_breaks_a_rule(rows: list[tuple[Any, ...]]) -> None:
    source = pl.DataFrame(
        [
            row(TRAINING_EXAMPLES, number, messages=messages, completion=said, weight=weight, label=label,
                kind="answer", occurred_at=None if number % 3 == 2 else 0)
            for number, (messages, said, weight, label) in enumerate(rows)
        ],
        schema={**TRAINING_EXAMPLES.schema, "weight": pl.Float64},
    )  # fmt: skip
    for name in EXAMPLE_FORMATS:
        for number, (vouched, good) in enumerate(told_by_both(FORMATS[name], source)):
            assert good or not vouched, (name, number)


@settings(max_examples=120, deadline=None)
@given(st.lists(st.tuples(MESSAGES, SIDE, SIDE), min_size=1, max_size=8))
def test_no_pair_is_vouched_for_whose_line_breaks_a_rule(rows: list[tuple[Any, ...]]) -> None:
    source = pl.DataFrame(
        [
            row(PREFERENCE_PAIRS, number, messages=messages, chosen=chosen, rejected=rejected, weight=1.0)
            for number, (messages, chosen, rejected) in enumerate(rows)
        ],
        schema={**PREFERENCE_PAIRS.schema, "weight": pl.Float64},
    )
    for name in PAIR_FORMATS:
        for number, (vouched, good) in enumerate(told_by_both(FORMATS[name], source)):
            assert good or not vouched, (name, number)


@settings(deadline=None)
@given(DIALOGUE)
def test_a_shape_told_from_the_column_is_that_of_the_slow_way(dialogue: list[dict[str, Any]]) -> None:
    text = orjson.dumps(dialogue).decode()
    found = conversation(text, None)
    assert text_shapes(pl.Series([text])).item() == found.shape
    if found.problem is None:
        assert found.messages == text, "what the column calls canonical is canonical"


@settings(deadline=None)
@given(MESSAGES)
def test_a_column_gives_a_shape_only_to_what_is_canonical_text(text: str | None) -> None:
    shape = text_shapes(pl.Series([text], dtype=pl.String)).item()
    if shape is not None:
        found = conversation(text, None)
        assert (found.messages, found.shape, found.problem) == (text, shape, None)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("dataset")
    return *written(world_of_everything(), folder), folder


def test_ordinary_rows_are_vouched_for(dataset: Any) -> None:
    """Speed depends on it: a rule nobody passes would be right, and slow."""
    curated, pairs, _, _ = dataset
    for source, names in (
        (curated.examples.filter(pl.col("shape") == "alternating"), EXAMPLE_FORMATS),
        (pairs.pairs.filter(pl.col("shape") == "alternating"), PAIR_FORMATS),
    ):
        weighed = source.with_columns(weight=pl.lit(1.0))
        for name in names:
            assert all(vouched for vouched, _ in told_by_both(FORMATS[name], weighed)), name


def test_writing_finds_what_reading_the_file_finds(dataset: Any) -> None:
    """Every file of a dataset, by both ways: nothing wrong."""
    _, _, files, folder = dataset
    checked = [file for file in files if file.format in FORMATS and FORMATS[file.format].rules]
    assert len(checked) > 20
    for file in checked:
        assert validate_file(folder / file.name, file.format, least_lines=1).problem_count == file.problem_count == 0


def lines_of(texts: Sequence[str | None]) -> tuple[pl.Series, memoryview]:
    return pl.Series(texts, dtype=pl.String), memoryview("".join(text or "" for text in texts).encode())


GOOD = '{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]}\n'


@pytest.mark.parametrize("vouched", [True, False])
def test_a_mistake_in_joining_lines_is_in_the_sample_although_rows_are_vouched_for(vouched: bool) -> None:
    check = WhileWriting("sft-train.jsonl", FORMATS["openai_sft"])
    broken = GOOD.replace('"role":"assistant"', '"role":"asistant"')
    lines, content = lines_of([broken] * (SAMPLE + 1))
    check.read(lines, pl.repeat(vouched, len(lines), eager=True), content)
    assert check.outcome(1).problem_count == (SAMPLE if vouched else SAMPLE + 1)


def test_a_row_that_is_not_vouched_for_is_read_and_named_by_its_line() -> None:
    check = WhileWriting("sft-train.jsonl", FORMATS["openai_sft"])
    empty = GOOD.replace('"content":"a"', '"content":""')
    texts = [GOOD] * 60 + [empty] + [GOOD] * 9
    for start in (0, 35):
        lines, content = lines_of(list(texts[start : start + 35]))
        check.read(lines, pl.Series([text is not empty for text in texts[start : start + 35]]), content)
    outcome = check.outcome(1)
    assert [str(problem) for problem in outcome.problems] == [
        "sft-train.jsonl:61: messages[1].content: is empty",
    ]
    assert outcome.lines == 70


def test_a_line_that_is_missing_or_broken_in_two_is_seen_whatever_vouches_for_it() -> None:
    check = WhileWriting("sft-train.jsonl", FORMATS["openai_sft"])
    lines, content = lines_of([GOOD] * SAMPLE + [GOOD[:20] + "\n" + GOOD[20:]])
    check.read(lines, pl.repeat(value=True, n=len(lines), eager=True), content)
    assert [problem.message for problem in check.outcome(1).problems] == [
        f"{SAMPLE + 2} line feeds after {SAMPLE + 1} lines"
    ]
    check = WhileWriting("sft-train.jsonl", FORMATS["openai_sft"])
    lines, content = lines_of([None, GOOD])
    check.read(lines, pl.Series([False, True]), content)
    assert [problem.line for problem in check.outcome(1).problems] == [1, 0]


def test_a_long_line_is_counted_in_tokens_although_its_row_is_vouched_for() -> None:
    check = WhileWriting("sft-train.jsonl", FORMATS["openai_sft"])
    long = GOOD.replace('"a"', '"' + "word " * 70_000 + '"')
    lines, content = lines_of([GOOD] * SAMPLE + [long])
    check.read(lines, pl.repeat(value=True, n=len(lines), eager=True), content)
    assert [(problem.line, problem.message) for problem in check.outcome(1).problems] == [
        (SAMPLE + 1, "has more than 65536 tokens")
    ]


def test_a_file_too_large_for_a_provider_is_named_with_the_provider() -> None:
    assert [str(problem) for problem in WhileWriting("f", FORMATS["openai_sft"]).outcome(2**30).problems] == [
        "f:0: file: 1073741824 bytes, openai takes less than 536870912",
        "f:0: file: 0 lines, at least 1 are needed",
    ]
    trl = WhileWriting("f", FORMATS["trl_sft"]).outcome(2**30)
    assert all("takes less" not in problem.message for problem in trl.problems), "a trainer of one's own has no limit"


def test_a_table_is_not_checked_line_by_line() -> None:
    with pytest.raises(ValueError, match="not checked line by line"):
        WhileWriting("f", FORMATS["csv"])
    with pytest.raises(ValueError, match="not checked line by line"):
        validate_file(Path("f"), "csv")
