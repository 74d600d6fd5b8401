"""Proof that nothing got by: texts with planted identifiers, and a count of the identifiers still in a column.

`leaks` applies the rules of the redaction to text that should be redacted already, so it finds text that never went
through it, or went through older rules. What the rules do not know it cannot find; `labelled_texts` measures that.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from random import Random
from types import MappingProxyType

import polars as pl

from feedback_pipeline.privacy.invented import LOOK_ALIKES, MAKERS, SENTENCES
from feedback_pipeline.privacy.json_text import json_words
from feedback_pipeline.privacy.redaction import redact, redact_json

_CANARY_SEED = 20_240_229

LABELLED = pl.Schema(
    {"text": pl.String, "value": pl.String, "kind": pl.String, "language": pl.String, "planted": pl.Boolean}
)
"""A text; the value in it; its type, or what it only looks like; the language; whether the value is an identifier."""


def labelled_texts(per_kind: int, seed: int) -> pl.DataFrame:
    """Texts in thirteen languages, each with one invented identifier or one look-alike.

    Args:
        per_kind: how many texts for each type of identifier, and for each kind of look-alike.
        seed: the same seed gives the same texts.

    Returns:
        Schema LABELLED.
    """
    random = Random(seed)
    languages = list(SENTENCES)
    kinds = [(kind, maker, True) for kind, maker in MAKERS.items()]
    kinds += [(kind, maker, False) for kind, maker in LOOK_ALIKES.items()]
    rows = []
    for kind, maker, planted in kinds:
        for index in range(per_kind):
            language = languages[index % len(languages)]
            value = maker(random)
            text = random.choice(SENTENCES[language]).replace("{value}", value)
            rows.append((text, value, kind, language, planted))
    return pl.DataFrame(rows, schema=LABELLED, orient="row")


def canary_texts() -> pl.DataFrame:
    """The canary set: every type of identifier in every language (schema LABELLED)."""
    return labelled_texts(len(SENTENCES), _CANARY_SEED).filter("planted")


@cache
def missed_canaries() -> Mapping[str, int]:
    """How many canaries of each type survive redaction; empty when all is well. Canaries and rules are those of the
    program, so that a process looks once."""
    canaries = canary_texts()
    canaries = canaries.with_columns(redact(canaries["text"]).texts.alias("text"))
    survived = canaries.filter(pl.col("text").str.contains(pl.col("value"), literal=True))
    return MappingProxyType(dict(survived.group_by("kind").len().sort("kind").iter_rows()))


def leaks(texts: pl.Series, *, json: bool = False) -> dict[str, int]:
    """How many structured identifiers of each type are still in a column; empty for redacted texts.

    Args:
        texts: strings; missing ones hold nothing.
        json: the texts are JSON, and their strings are what matters.
    """
    column = texts.alias("text")
    return leaks_in(column.to_frame(), ["text"], ["text"] if json else [])


def leaks_in(frame: pl.DataFrame, texts: Sequence[str], json: Collection[str] = ()) -> dict[str, int]:
    """How many structured identifiers of each type are still in the columns `texts`, of which those in `json` hold
    JSON: the sum of their `leaks`.

    What columns and rows repeat (the prompt among the messages, the turns of a conversation) is looked at once. Only
    where there is an identifier are they counted, column by column.
    """
    columns = [frame[name].cast(pl.String) for name in texts]
    words = [(json_words(column) if column.name in json else column).alias("word") for column in columns]
    if not words or not redact(pl.concat(words).unique()).counts:
        return {}
    found = Counter[str]()
    for column in columns:
        found.update((redact_json if column.name in json else redact)(column).counts)
    return dict(found)
