"""Tokens, prices and advice before any money is spent."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from feedback_pipeline.training.costs import (
    Price,
    TokenTotal,
    advice,
    cost_estimates,
    default_epochs,
    described,
    read_prices,
    token_total,
    training_tokens,
)
from feedback_pipeline.training.draws import row_id
from feedback_pipeline.training.files import WrittenFile


def examples(count: int) -> pl.DataFrame:
    """Examples of very unequal length: one to forty sentences."""
    numbers = pl.Series([str(number) for number in range(count)])
    return pl.DataFrame(
        {
            "example_id": row_id([numbers], "test"),
            "messages": [f'[{{"role":"user","content":"question {number}"}}]' for number in range(count)],
            "completion": ["This is one more sentence of it. " * (1 + number % 40) for number in range(count)],
        }
    )


def test_a_short_file_is_counted_exactly() -> None:
    found = token_total(examples(50), "key")
    assert found.exact
    assert found.low == found.tokens == found.high


def test_a_long_file_is_estimated_within_its_interval() -> None:
    rows = examples(3_000)
    exact = token_total(rows, "key", sample=3_000).tokens
    hits = 0
    for key in ("a", "b", "c", "d", "e", "f"):
        found = token_total(rows, key, sample=300)
        assert found.counted_lines == 300
        assert found.tokens == pytest.approx(exact, rel=0.02)
        hits += found.low <= exact <= found.high
    assert hits >= 4, "a 95 % interval misses more than two of six with probability 0.002"


def test_the_price_file_is_dated_and_readable() -> None:
    prices = read_prices()
    assert {price.provider for price in prices} >= {"openai", "azure", "together", "fireworks", "local"}
    assert all(price.as_of <= date(2026, 11, 21) for price in prices)


def test_a_price_is_verified_only_with_a_source_and_says_so_where_it_is_not() -> None:
    prices = [price for price in read_prices() if price.provider not in ("local", "trl")]
    assert all(price.source for price in prices if price.verified)
    doubtful = next(price for price in prices if price.model == "gpt-4.1")
    assert "not verified with the provider, as of 2025-10-01" in doubtful.note
    fireworks = next(price for price in prices if price.verified)
    assert "as published by the provider, as of 2026-11-21; billed apart: a dedicated" in fireworks.note


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("prices: []", "prices.yaml: expected a mapping with `as_of`"),
        ("as_of: 2026-01-01\nprices: [{provider: x}]", "prices.yaml: entry 1: expected provider, model"),
        ("as_of: 2026-01-01\nprices: [{provider: x, model: y, method: z, usd_per_million: -1}]", "entry 1: usd_per"),
    ],
)
def test_a_broken_price_file_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        read_prices(path)


def test_costs_are_tokens_times_epochs_times_price() -> None:
    price = Price("p", "m", "supervised", 5.0, date(2026, 1, 1), None)
    (found,) = cost_estimates(TokenTotal(2_000_000, 1_900_000, 2_100_000, 10, 20), 3, [price])
    assert (found.low, found.expected, found.high) == (28.5, 30.0, 31.5)


def test_few_examples_are_shown_more_often() -> None:
    assert [default_epochs(count) for count in (0, 2, 20, 100, 10_000, 100_000)] == [3, 25, 5, 3, 2, 1]


def test_advice_says_how_many_and_whether_it_is_time() -> None:
    assert advice(120).text.endswith("380 more to go. Until then, improve the prompt.")
    assert not advice(499).train_now
    assert advice(500).train_now
    assert advice(1_000).train_now
    assert not advice(1_100, trained_on=1_000, days_since=10).train_now
    assert advice(1_250, trained_on=1_000, days_since=10).train_now
    assert advice(1_100, trained_on=1_000, days_since=31).train_now


def test_a_dataset_is_counted_with_its_copies_and_priced_at_every_provider() -> None:  # D7
    rows = examples(100).with_columns(
        label=pl.Series([number % 4 != 0 for number in range(100)]), split=pl.lit("train"), context=pl.lit("full")
    )
    layout = "supervised.copies.any.full.train"
    file = WrittenFile("openai/sft-train.jsonl", "openai_sft", "train", "full", layout, 150, 75, 0, 1, "")
    tokens = training_tokens(rows, [file], "key")
    once = token_total(rows.filter("label"), "key").tokens
    assert tokens["tokens"] == round(once * 2), "150 lines of 75 examples: each stands there twice on average"
    assert (tokens["lines"], tokens["examples"], tokens["epochs"]) == (150, 75, 2)  # copies are passes, too
    lines = described(tokens, read_prices())
    assert "2 passes" in lines[0], lines[0]
    assert lines[1].startswith("local any: 0.00 USD")
    named = {line.split(" ")[0] for line in lines[1:]}
    assert named == {"local", "trl", "fireworks", "together", "openai", "azure"}, named
    unverified = sum(not price.verified for price in read_prices() if price.method == "supervised")
    assert 0 < sum("not verified with the provider" in line for line in lines) <= unverified
    assert training_tokens(rows, [], "key") == {}
    assert described({}, read_prices()) == []
