"""Answers that praise themselves, or speak to whoever grades them."""

from functools import cache
from pathlib import Path

import polars as pl
import yaml


@cache
def _pattern() -> str:
    words = yaml.safe_load(Path(__file__).with_name("flattery.yaml").read_text(encoding="utf-8"))
    return "(?i)" + "|".join(words["self_praise"])


def praises_itself(answers: pl.Series) -> pl.Series:
    """Whether each answer does; no answer does not."""
    return answers.str.contains(_pattern()).fill_null(False)
