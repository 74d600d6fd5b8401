"""The canary set, and the count of identifiers left in a column."""

import polars as pl
import pytest

from feedback_pipeline.privacy.canary import canary_texts, labelled_texts, leaks, missed_canaries
from feedback_pipeline.privacy.redaction import redact
from feedback_pipeline.privacy.rules import placeholders

PER_KIND = 260  # twenty texts for each of thirteen languages


@pytest.fixture(scope="module")
def labelled() -> pl.DataFrame:
    """Labelled texts with what redaction makes of them (`redacted`)."""
    texts = labelled_texts(PER_KIND, seed=11)
    return texts.with_columns(redact(texts["text"]).texts.alias("redacted"))


def test_the_set_has_every_type_in_every_language() -> None:
    canaries = canary_texts()
    assert canaries.height >= 100
    assert set(canaries["kind"]) == set(placeholders())
    assert canaries.group_by("kind").agg(pl.col("language").n_unique())["language"].unique().to_list() == [13]


def test_no_canary_survives() -> None:
    assert missed_canaries() == {}


def test_the_set_is_the_same_every_time() -> None:
    assert canary_texts().equals(canary_texts())


@pytest.mark.parametrize("kind", placeholders())
def test_recall_by_type(labelled: pl.DataFrame, kind: str) -> None:
    """At least 99 in 100, by the right type; a value that reads as another type too may be called that."""
    of_kind = labelled.filter(pl.col("planted") & (pl.col("kind") == kind))
    gone = ~pl.col("redacted").str.contains(pl.col("value"), literal=True)
    named = pl.col("redacted").str.contains(f"[{kind}_", literal=True)
    assert of_kind.filter(gone & named).height >= 0.99 * of_kind.height


def test_look_alikes_are_left_alone(labelled: pl.DataFrame) -> None:
    """At most one in fifteen may be masked."""
    innocent = labelled.filter(~pl.col("planted"))
    assert innocent.filter(pl.col("redacted") != pl.col("text")).height <= innocent.height / 15


def test_leaks_are_counted_by_type_until_redacted(labelled: pl.DataFrame) -> None:
    planted = labelled.filter("planted")
    before = leaks(planted["text"])
    assert set(before) == set(placeholders())
    assert min(before.values()) >= 0.98 * PER_KIND
    assert leaks(labelled["redacted"]) == {}


def test_one_leak_in_a_clean_column_is_found() -> None:
    texts = pl.Series(["all is well"] * 9_999 + ["but not with a@x.org"])
    assert leaks(texts) == {"EMAIL": 1}


def test_nothing_leaks_from_nothing() -> None:
    assert leaks(pl.Series([], dtype=pl.String)) == {}
    assert leaks(pl.Series([None, ""], dtype=pl.String)) == {}
