"""What texts share, said once each."""

import polars as pl

from feedback_pipeline.patterns.phrases import common_phrases


def said(*texts: tuple[str, int]) -> pl.DataFrame:
    rows = [(text, f"p{n}") for text, people in texts for n in range(people)]
    return pl.DataFrame(rows, schema={"text": pl.String, "person": pl.String}, orient="row")


def test_fragments_of_one_sentence_are_said_once() -> None:
    found = common_phrases(said(("far too long for a chat answer", 20), ("the invoice total is wrong", 9)))
    assert found["term"].to_list()[0] in ("far too long", "chat answer")
    assert found["people"].to_list() == [20, 9]


def test_phrases_of_four_people_are_not_given() -> None:
    assert common_phrases(said(("my neighbour complains", 4))).is_empty()
    assert common_phrases(said()).is_empty()
