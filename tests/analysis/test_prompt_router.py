"""The designs' own router: by words, with a confidence that follows feedback."""  # C5

import pandas as pd
import pytest

import feedback_pipeline
from feedback_pipeline.analysis.prompt_router import AdaptivePromptRouter, build_enhanced_prompt, route_prompt

TASK = "Calculate the interest step by step"


def feedback(up: int, down: int, framework: str = "chain_of_thought") -> pd.DataFrame:
    return pd.DataFrame({
        "timestamp": "2026-11-20T10:00:00Z", "prompt": [f"q{n}" for n in range(up + down)], "output": "a",
        "thumbs_up": [True] * up + [False] * down, "framework": framework,
        "user_id": [f"u{n}" for n in range(up + down)],
    })  # fmt: skip


def test_a_task_is_routed_and_its_prompt_built() -> None:
    routing = route_prompt(TASK)
    assert routing.primary_framework == "chain_of_thought"
    assert routing.model_recommendation == "reasoning"
    assert routing["techniques"] == routing.techniques
    assert 0 < routing.confidence < 1
    assert "step by step" in build_enhanced_prompt(TASK, routing)
    assert route_prompt("").primary_framework == "direct"


@pytest.mark.parametrize(
    ("up", "down", "factor", "suffix"),
    [
        (17, 3, 1.1, " | Framework performing well (85% success)"),
        (8, 12, 0.9, " | Framework needs improvement (40% success)"),
        (8, 2, 1.0, ""),
        (1, 1, 1.0, ""),
        (2, 0, 1.0, ""),
        (3, 0, 1.1, " | Framework performing well (100% success)"),
    ],
)
def test_confidence_follows_success(up: int, down: int, factor: float, suffix: str) -> None:
    before = route_prompt(TASK)
    after = AdaptivePromptRouter(feedback(up, down)).route_with_learning(TASK, days_to_analyze=7)
    assert after.confidence == pytest.approx(min(1.0, before.confidence * factor))
    assert after.reasoning == before.reasoning + suffix
    assert after.primary_framework == before.primary_framework


def test_other_frameworks_and_no_feedback_change_nothing() -> None:
    assert AdaptivePromptRouter(feedback(20, 0, "role")).route_with_learning(TASK) == route_prompt(TASK)
    assert AdaptivePromptRouter(feedback(0, 0)).route_with_learning(TASK) == route_prompt(TASK)


def test_they_are_part_of_the_public_api() -> None:
    assert feedback_pipeline.route_prompt(TASK) == route_prompt(TASK)
    assert feedback_pipeline.AdaptivePromptRouter is AdaptivePromptRouter
