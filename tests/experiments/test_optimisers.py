"""Reflection with gepa through our own adapter, on the simulated model and judge."""

import datetime as dt
import json

import polars as pl

from feedback_pipeline.experiments.optimisers import ReflectiveOptimiser
from feedback_pipeline.experiments.prompt_evidence import Evidence
from feedback_pipeline.experiments.prompts import Prompt, digest
from feedback_pipeline.experiments.simulated import SimulatedJudge, SimulatedModel

TEXT = "You help. Answer in only one sentence."
CURRENT = Prompt("default", "s", "v1", TEXT, None, "written", digest(TEXT), None, None, dt.datetime.now(dt.UTC))
BETTER = "You help. Answer every part of the question, with the steps in order."
CASES = pl.DataFrame(
    [
        {"prompt_id": f"p{n}", "messages": json.dumps([{"role": "user", "content": f"how {n}"}]), "answer": "You can."}
        for n in range(10)
    ]
)
EVIDENCE = [
    Evidence("reason:incomplete", "reason", 9, 9, about="incomplete"),
    Evidence("f1", "comment", 1, 1, text="where are the steps", prompt="how"),
]


def wins(pairs: pl.DataFrame) -> list[float]:
    points = {"this": 1.0, "tie": 0.5, "other": 0.0}
    return [points[verdict] for verdict in SimulatedJudge().judge_pairs(pairs)["verdict"]]


def test_reflection_finds_the_text_that_wins_and_cites_what_it_read() -> None:
    read: list[str] = []

    def reflect(text: str) -> str:
        read.append(text)
        return f"```\n{BETTER}\n```"

    found = ReflectiveOptimiser(SimulatedModel().answers, wins, reflect, calls=60).propose(CURRENT, EVIDENCE, CASES)
    assert found[0].text == BETTER
    assert found[0].cites == ("f1", "reason:incomplete")
    assert "where are the steps" in read[0]


def test_reflection_that_writes_nonsense_proposes_nothing() -> None:
    for nonsense in ("", "```\n```", "no idea", "```\nYou help. Answer in only one sentence.\n```"):
        optimiser = ReflectiveOptimiser(SimulatedModel().answers, wins, lambda text, said=nonsense: said, calls=40)
        assert optimiser.propose(CURRENT, EVIDENCE, CASES) == []


def test_without_cases_nothing_is_asked() -> None:
    optimiser = ReflectiveOptimiser(SimulatedModel().answers, wins, lambda text: 1 / 0, calls=40)  # type: ignore[arg-type, return-value]
    assert optimiser.propose(CURRENT, EVIDENCE, CASES.clear()) == []
