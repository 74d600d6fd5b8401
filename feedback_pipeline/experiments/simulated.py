"""A model and a judge made of rules (`simulated.yaml`), for demonstrations and tests without a key."""

import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import yaml

from feedback_pipeline.judging.tables import OVERALL

NAME = "simulated"


@functools.cache
def rules() -> Mapping[str, Any]:
    """The rules of `simulated.yaml`."""
    found: Mapping[str, Any] = yaml.safe_load(Path(__file__).with_name("simulated.yaml").read_text(encoding="utf-8"))
    return found


def simulated_answer(system: str, question: str) -> str:
    """What the simulated model says: every trait its prompt asks for, unless a flaw of the prompt takes them away."""
    known = rules()
    for pattern in known["declined"]:
        if re.search(pattern, question):
            return "Sorry, I can't help with that."
    for pattern, fact in known["facts"].items():
        if re.search(pattern, question):
            return str(fact)
    flawed = any(re.search(pattern, system, re.IGNORECASE) for pattern in known["flaws"])
    said = [] if flawed else [
        trait["says"] for trait in known["traits"] if re.search(trait["asks"], system, re.IGNORECASE)
    ]  # fmt: skip
    return " ".join([known["opening"], *said] if flawed else [known["opening"], *said, known["closing"]])


def worth(answer: str, *, judged: bool) -> float:
    """How much people like an answer; with `judged`, the simulated judge, which falls for flattery."""
    return float(
        sum(
            trait.get("judged", trait["worth"]) if judged else trait["worth"]
            for trait in rules()["traits"]
            if trait["says"] in answer
        )
    )


class SimulatedModel:
    """Answers by rule; costs nothing."""

    name = NAME

    def answers(self, prompts: pl.DataFrame) -> pl.DataFrame:
        """As `tuning.answering.answer_prompts`."""
        texts = []
        for text in prompts["messages"]:
            messages = orjson.loads(text)
            system = " ".join(one["content"] for one in messages if one["role"] == "system")
            texts.append(simulated_answer(system, messages[-1]["content"]))
        return prompts.select("prompt_id").with_columns(
            answer=pl.Series(texts, dtype=pl.String), status=pl.lit("ok"),
            output_tokens=pl.Series([len(text) // 4 for text in texts], dtype=pl.Int64),
            cost_usd=pl.lit(0.0), seconds=pl.lit(0.01),
        )  # fmt: skip


class SimulatedJudge:
    """Prefers the answer that is worth more to it; the order in which two are shown changes nothing."""

    name = f"{NAME}/judge"
    fingerprint = "simulated-judge-1"
    criteria = (OVERALL,)

    def judge_pairs(self, pairs: pl.DataFrame) -> pl.DataFrame:
        """As `judging.backends.protocol.PairJudge`."""
        gaps = [
            worth(mine or "", judged=True) - worth(other or "", judged=True)
            for mine, other in pairs.select("answer", "other_answer").iter_rows()
        ]
        verdicts = ["this" if gap > 0 else "other" if gap < 0 else "tie" for gap in gaps]
        return pairs.select("interaction_id", "other_interaction_id").with_columns(
            criterion=pl.lit(OVERALL), status=pl.lit("ok"), verdict=pl.Series(verdicts, dtype=pl.String),
            score=pl.Series([1.0 if gap > 0 else 0.0 if gap < 0 else 0.5 for gap in gaps], dtype=pl.Float64),
            consistent=pl.lit(value=True),
        )  # fmt: skip
