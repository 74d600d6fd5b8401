"""What people said of an answer, as one label."""

import polars as pl
import pytest

from feedback_pipeline.judging.labels import human_labels


@pytest.mark.parametrize(
    ("said", "value", "verdict"),
    [
        (["up", "neutral", "neutral"], 2 / 3, "neutral"),  # most said neutral, whatever the mean is
        (["up", "up", "down"], 2 / 3, "up"),
        (["down", "down", "neutral"], 1 / 6, "down"),
        (["up", "down"], 0.5, "neutral"),
        (["up", "neutral"], 0.75, "neutral"),
        (["up", "up", "neutral", "neutral", "down"], 0.6, "neutral"),
    ],
)
def test_the_label_is_what_most_said(said: list[str], value: float, verdict: str) -> None:
    votes = pl.DataFrame({"interaction_id": ["a"] * len(said), "verdict": said})
    (label,) = human_labels(votes).to_dicts()
    assert label["human_value"] == pytest.approx(value)
    assert (label["human_verdict"], label["voters"]) == (verdict, len(said))
