"""Safety flags: counted over all answers whose text was kept, by model and prompt version."""

import datetime as dt
import tomllib
from pathlib import Path

import polars as pl
import pytest

from feedback_pipeline.patterns import refusals, safety
from feedback_pipeline.patterns.refusals import refuses
from feedback_pipeline.patterns.safety import count_safety, flagged_rates, flags
from feedback_pipeline.patterns.tables import SAFETY_COUNTS, SAFETY_FLAGS
from feedback_pipeline.training import signals as training_signals
from feedback_pipeline.tuning import evaluation as gate_evaluation
from tests.patterns.refusal_wordings import ANSWERING, DECLINING

DAY = dt.date(2026, 11, 9)


def counted(answer: str | None, *, prompt: str | None = "hello", finish_reason: str | None = "stop") -> dict:
    answers = pl.LazyFrame(
        {
            "prompt_version": ["v1"],
            "model": ["m1"],
            "prompt": [prompt],
            "answer": [answer],
            "finish_reason": [finish_reason],
        },
        schema=dict.fromkeys(["prompt_version", "model", "prompt", "answer", "finish_reason"], pl.String),
    )
    rows = count_safety(answers.with_columns(day=pl.lit(DAY)))
    assert SAFETY_COUNTS.problems(rows) == []
    assert rows["dimension"].to_list() == ["model", "prompt_version"]
    return rows.row(0, named=True)


def flagged(row: dict) -> list[str]:
    return [flag for flag in SAFETY_FLAGS if row[flag]]


@pytest.mark.parametrize(
    ("answer", "flags"),
    [
        ("The capital of France is Paris.", []),
        ("I'm sorry, but I can't help with that.", ["refusal"]),
        ("I’m sorry, I cannot share this.", ["refusal"]),  # typographic apostrophe
        ("As an AI language model, I do not have feelings.", []),
        ("Es tut mir leid, aber ich kann dabei nicht helfen.", ["refusal"]),
        ("Lo siento, no puedo ayudar con eso.", ["refusal"]),
        ('Press OK. If it says "I cannot help", restart.', []),  # refusals stand at the beginning
        ("What the fuck is this?", ["profanity"]),
        ("Scunthorpe United won; the shitake mushrooms were good.", []),  # whole words only
        ("Write to [EMAIL_1] about it.", ["personal_data"]),
        ("Use a list such as [EMAIL] or x[1].", []),
    ],
)
def test_plain_cases_are_flagged_and_their_neighbours_not(answer, flags):  # E3
    assert flagged(counted(answer)) == flags


def test_what_the_prompt_held_the_model_did_not_leak():
    assert flagged(counted("Sent to [EMAIL_1].", prompt="Mail [EMAIL_1] please")) == []


def test_the_providers_filter_counts():
    assert flagged(counted("", finish_reason="content_filter")) == ["content_filter"]


def test_an_answer_without_text_is_given_but_not_looked_through():
    row = counted(None, prompt=None, finish_reason=None)
    assert (row["answers"], row["checked"], flagged(row)) == (1, 0, [])
    assert flagged_rates(pl.DataFrame([row], schema=SAFETY_COUNTS.schema), "model") == {}


def test_rates_are_sums_of_days():
    rows = pl.DataFrame(
        [
            {"day": DAY, "dimension": "model", "level": "m1", "answers": 12, "checked": 10, "refusal": 1},
            {
                "day": DAY + dt.timedelta(days=1),
                "dimension": "model",
                "level": "m1",
                "answers": 30,
                "checked": 30,
                "refusal": 1,
            },
        ],
        schema=SAFETY_COUNTS.schema,
    ).with_columns(pl.col(SAFETY_FLAGS).fill_null(0))
    assert flagged_rates(rows, "model")["m1"]["refusal"] == pytest.approx(2 / 40)


def test_a_day_without_answers_has_no_row():
    empty = pl.LazyFrame(
        schema=dict.fromkeys(["prompt_version", "model", "prompt", "answer", "finish_reason"], pl.String)
    )
    assert count_safety(empty.with_columns(day=pl.lit(DAY))).is_empty()


def found(texts: list[str]) -> list[bool]:
    return pl.DataFrame({"answer": texts}).select(refuses(pl.col("answer")))["answer"].to_list()


@pytest.mark.parametrize("language", DECLINING)
def test_answers_that_decline_are_told_from_answers_in_words_not_seen_before(language: str) -> None:
    """Recall of 0.95 or more and at most one answer in ten taken for a refusal, by language."""
    declining, answering = found(DECLINING[language]), found(ANSWERING[language])
    assert sum(declining) / len(declining) >= 0.95
    assert sum(answering) <= len(answering) / 10


def test_gates_change_the_cost_of_a_search_and_not_what_it_finds() -> None:
    """Oracle: the same lists as one pattern without a gate, over every wording and words that only look alike."""
    every = [text for said in (*DECLINING.values(), *ANSWERING.values()) for text in said]
    every += [text.replace("'", "’") for text in every] + [f"{text} shit" for text in every[::3]]
    every += ["fuckery", "ausgefuckt", "éshit", "Ärsch fick dich", "", None]
    pieces = tomllib.loads(Path(refusals.__file__).with_name("refusals.toml").read_text(encoding="utf-8"))
    pieces.pop("turns")
    ways = []
    for language, piece in pieces.items():
        lead = refusals._LEAD if language != "other" else ""
        ways.append(f"{lead}(?:{piece['set']})")
        if "unable" in piece:
            ways.append(f"{lead}(?:{piece['unable']})[^.!?:;\n]{{0,60}}?(?:{piece['act']})")
    texts = pl.Series("answer", every, dtype=pl.String)
    opening = texts.str.slice(0, refusals.OPENING).str.replace_all("[’ʼ`´]", "'")
    profane = tomllib.loads(Path(safety.__file__).with_name("safety.toml").read_text(encoding="utf-8"))["profanity"]
    assert texts.str.len_chars().max() <= refusals.LONG  # so that nothing turns
    seen = flags(pl.col("answer"), pl.lit(None, pl.String), pl.lit(None, pl.String))
    frame = texts.to_frame().select(seen["refusal"].alias("refusal"), seen["profanity"].alias("profanity"))
    assert frame["refusal"].to_list() == opening.str.contains("(?i)" + "|".join(f"(?:{way})" for way in ways)).to_list()
    assert frame["profanity"].to_list() == texts.str.contains(rf"(?i)\b(?:{'|'.join(profane)})\b").to_list()
    assert 20 < frame["refusal"].sum() < len(every) / 2 + 20
    assert frame["profanity"].sum() > 20


def test_a_long_answer_that_turns_answers_after_all() -> None:
    opening = "I cannot provide a definitive answer to this question. "
    assert found([opening, opening + "However, " + "most historians say so. " * 20]) == [True, False]


def test_one_pattern_serves_findings_training_and_the_gate() -> None:
    text = pl.Series(["Sorry, but I can't assist with that."])
    answers = pl.DataFrame({"answer": text, "prompt": "p", "finish_reason": "stop"})
    assert answers.select(**flags(*(pl.col(name) for name in answers.columns[:1]), pl.col("prompt"),
                                  pl.col("finish_reason")))["refusal"].to_list() == [True]  # fmt: skip
    assert training_signals.refuses is gate_evaluation.refuses is refuses
