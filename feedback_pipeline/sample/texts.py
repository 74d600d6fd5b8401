"""The words of a part's answers and comments, put together from phrases column by column."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from feedback_pipeline.sample.answers import GOOD_BODY, NO_DEFECT, Flags
from feedback_pipeline.sample.identities import LOOK_ALIKE_TYPES, pools
from feedback_pipeline.sample.lexicon import SLOTS, Lexicon, lexicon
from feedback_pipeline.sample.people import Ints
from feedback_pipeline.sample.personal import VALUE_TYPES
from feedback_pipeline.sample.timeline import Part, Timeline
from feedback_pipeline.sample.votes import COMMENT_TOPICS

_KEPT_WHEN_CUT = 0.55
_CARRIERS = 2
"""Sentences to choose from for a planted value."""


@dataclass
class TextComposer:
    """Composes the texts of one part; the random numbers are drawn in the order of the calls.

    Attributes:
        code: the columns of the drawn answers.
        values: phrase numbers of each answer's slots; shape (slots, answers). A second answer to a prompt shares them.
        first: for each answer the row of the first answer to its prompt, mostly itself.
    """

    words: Lexicon
    random: np.random.Generator
    seed: int
    code: dict[str, Any]
    values: Ints
    first: Ints

    @classmethod
    def of(cls, timeline: Timeline, part: Part, answers: pl.DataFrame) -> "TextComposer":
        words, random = lexicon(), timeline.random("words", part.day_index, part.number)
        code = {name: answers[name].to_numpy() for name in answers.columns}
        first = np.where(code["pair_of"] >= 0, code["pair_of"], np.arange(answers.height))
        nothing = np.zeros(answers.height, dtype=np.int64)
        slots = [
            words.values.pick(random, np.full(answers.height, slot), code["language"], code["intent"])[first]
            for slot in range(1, len(SLOTS))
        ]
        return cls(words, random, timeline.seed, code, np.stack([nothing, *slots]), first)

    def prompts(self, placed: pl.DataFrame) -> pl.Series:
        """The prompts, with the planted values (see PlacedValues); word for word the same within a pair."""
        words, random, code = self.words, self.random, self.code
        language, plain = code["language"], code["popular"] < 0
        follow_up, opener = words.follow_ups.pick(random, language), words.openers.pick(random, language)
        texts = words.join(
            [
                _only(plain, np.where(code["turn"] > 0, follow_up, opener)),
                *words.fill(_only(plain, words.prompts.pick(random, language, code["intent"])), self.values),
                _only(~plain, words.popular_prompts.pick(random, np.maximum(code["popular"], 0))),
                _only(plain, words.situations.pick(random, language)),
                _only(code["prompt_term"], words.prompt_term.pick(random, language)),
                self._said(placed),
                _only(plain, words.closers.pick(random, language)),
            ]
        )
        return texts.gather(self.first)

    def outputs(self, placed: pl.DataFrame) -> pl.Series:
        """The answers, with their flaws; some echo an e-mail address of the prompt, some end too early."""
        code = self.code
        texts = self._bodies(
            np.arange(len(self.first)), code["body"], code["good"], code["defect"], code["answer_term"]
        )
        kept = (pl.col("text").str.len_chars() * _KEPT_WHEN_CUT).cast(pl.Int64)
        whole = pl.DataFrame({"text": texts, "cut": code["cut"], "echo": self._echo(placed)})
        shown = pl.when("cut").then(pl.col("text").str.head(kept)).otherwise("text")
        return whole.select(pl.concat_str(shown, "echo")).to_series()

    def corrections(self, rows: Ints) -> pl.Series:
        """Better answers to the prompts of these answers, as their askers would write them."""
        flawless = np.ones(len(rows), dtype=np.bool_)
        return self._bodies(rows, np.full(len(rows), GOOD_BODY), flawless, np.full(len(rows), NO_DEFECT), ~flawless)

    def comments(self, rows: Ints, topics: Ints, placed: pl.DataFrame) -> pl.Series:
        """Comments on these answers, with the planted values; null where the topic is −1."""
        language = self.code["language"][rows]
        known = pl.Series(topics >= 0)
        numbers = self.words.comments.pick(self.random, np.maximum(topics, 0), language)
        own_words = (topics >= 0) & (topics != COMMENT_TOPICS.index("spam")) & (self.code["popular"][rows] < 0)
        details = _only(own_words, self.words.details.pick(self.random, language))
        texts = self.words.join(
            [
                _only(topics >= 0, numbers),
                *self.words.fill(details, self.values[:, rows]),
                self._sentences(placed, language),
            ]
        )
        return pl.select(pl.when(known).then(texts)).to_series()

    def _bodies(self, rows: Ints, body: Ints, good: Flags, defect: Ints, term: Flags) -> pl.Series:
        words, random = self.words, self.random
        language, intent = self.code["language"][rows], self.code["intent"][rows]
        popular, values = np.maximum(self.code["popular"][rows], 0), self.values[:, rows]
        plain = self.code["popular"][rows] < 0
        flawed, dull = defect != NO_DEFECT, body != GOOD_BODY
        said_first = words.defects.pick(random, np.maximum(defect, 1) - 1, language)
        return words.join(
            [
                *words.fill(_only(flawed, said_first), values),
                _only(plain & ~flawed, words.leads.pick(random, language)),
                *words.fill(_only(plain, words.bodies.pick(random, body, language, intent)), values),
                _only(~plain, words.popular_answers.pick(random, good.astype(np.int64), popular)),
                _only(plain & dull, words.fillers.pick(random, language)),
                _only(term, words.answer_term.pick(random, language)),
                _only(plain & ~dull, words.tails.pick(random, language)),
            ]
        )

    def _said(self, placed: pl.DataFrame) -> pl.Series:
        return self._sentences(placed, self.code["language"])

    def _sentences(self, placed: pl.DataFrame, language: Ints) -> pl.Series:
        """The sentences with planted values at their rows, else the empty text."""
        spoken = pl.Series(language[placed["row"].to_numpy()], dtype=pl.Int64)
        number = (placed["type"] * len(self.words.wordings) + spoken) * _CARRIERS + placed["value"] % _CARRIERS
        carriers = pl.Series(_carriers(self.words), dtype=pl.String).gather(number)
        return _spread(placed["row"], _filled(carriers, self._planted(placed)), len(language))

    def _echo(self, placed: pl.DataFrame) -> pl.Series:
        echoed = placed.filter("echoed")
        echoes = pl.Series([wording["echo"] for wording in self.words.wordings], dtype=pl.String)
        chosen = echoes.gather(self.code["language"][echoed["row"].to_numpy()])
        return _spread(echoed["row"], _filled(chosen, self._planted(echoed)), len(self.first))

    def _planted(self, placed: pl.DataFrame) -> pl.Series:
        pool = pools(self.seed)
        everything = pl.Series([value for kind in VALUE_TYPES for value in pool[kind]], dtype=pl.String)
        return everything.gather(placed["type"] * (len(everything) // len(VALUE_TYPES)) + placed["value"])


def _only(condition: Flags, numbers: Ints) -> Ints:
    """The phrase numbers where the condition holds, else the empty phrase."""
    return np.where(condition, numbers, 0)


def _filled(sentences: pl.Series, values: pl.Series) -> pl.Series:
    """The sentences with their values in place of {v}."""
    pairs = pl.DataFrame({"sentence": sentences, "value": values})
    return pairs.select(pl.col("sentence").str.replace("{v}", pl.col("value"), literal=True)).to_series()


def _spread(rows: pl.Series, texts: pl.Series, count: int) -> pl.Series:
    """The texts at their rows (several are joined), the empty text everywhere else."""
    joined = (
        pl.DataFrame({"row": rows, "text": texts}).group_by("row", maintain_order=True).agg(pl.col("text").str.join(""))
    )
    place = np.zeros(count, dtype=np.int64)
    place[joined["row"].to_numpy()] = np.arange(1, joined.height + 1)
    return pl.concat([pl.Series("text", [""]), joined["text"]]).gather(place)


def _carriers(words: Lexicon) -> list[str]:
    """The sentences values are said in: by type, language and variant."""
    sentences: list[str] = []
    for kind in VALUE_TYPES:
        for wording in words.wordings:
            personal = wording["personal"]
            choices = personal["look_alike"] if kind in LOOK_ALIKE_TYPES else personal.get(kind, personal["other"])
            sentences += [choices[variant % len(choices)] for variant in range(_CARRIERS)]
    return sentences
