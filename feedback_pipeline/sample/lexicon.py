"""The phrases of every language as one numbered list, and templates as sequences of them.

A text is put together column-wise: each row names a template and the phrases for its slots by number, and one gather
and one concatenation make the texts of all rows.
"""

import tomllib
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from itertools import product
from string import Formatter
from typing import Any

import numpy as np
import polars as pl

from feedback_pipeline.sample.people import Ints
from feedback_pipeline.sample.planted import INTENTS, LANGUAGES
from feedback_pipeline.sample.votes import COMMENT_TOPICS

SLOTS = ("", "a", "b", "n")
"""The slots of a template; the first stands for none."""

BODIES = ("good", "vague", "wrong", "refusals")
DEFECTS = ("restating", "stale_record", "old_timetable")
OPENING_YEAR = 2026


class Choices:
    """For each combination of codes (language, intent …), which phrases or templates there are to choose from."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.first = np.zeros(shape, dtype=np.int64)
        self.count = np.ones(shape, dtype=np.int64)

    def add(self, place: tuple[int, ...], numbers: range) -> None:
        self.first[place], self.count[place] = numbers.start, len(numbers)

    def pick(self, random: np.random.Generator, *codes: Ints) -> Ints:
        """One number a row, evenly from that row's choices."""
        drawn = random.random(len(codes[0]))
        return np.asarray(self.first[codes] + (drawn * self.count[codes]).astype(np.int64))


class Lexicon:
    """All phrases and templates. Number 0 is the empty phrase and the empty template."""

    def __init__(self, wordings: list[dict[str, Any]]) -> None:
        self._phrases: list[str] = [""]
        self._templates: list[list[tuple[str, str]]] = [[]]
        languages, intents = len(LANGUAGES), len(INTENTS)
        self.openers, self.closers = Choices((languages,)), Choices((languages,))
        self.follow_ups, self.situations = Choices((languages,)), Choices((languages,))
        self.leads, self.tails, self.fillers = Choices((languages,)), Choices((languages,)), Choices((languages,))
        self.prompt_term, self.answer_term = Choices((languages,)), Choices((languages,))
        self.comments = Choices((len(COMMENT_TOPICS), languages))
        self.defects = Choices((len(DEFECTS), languages))
        self.details = Choices((languages,))
        self.prompts = Choices((languages, intents))
        self.bodies = Choices((len(BODIES), languages, intents))
        self.values = Choices((len(SLOTS), languages, intents))
        self.wordings = wordings
        for language, wording in enumerate(wordings):
            self._add_language(language, wording)
        popular = wordings[0]["popular"]
        self.popular_prompts, self.popular_answers = Choices((len(popular),)), Choices((2, len(popular)))
        for place, entry in enumerate(popular):
            self.popular_prompts.add((place,), self._add(_variants(entry["prompt"])))
            self.popular_answers.add((0, place), self._add([entry["bad"]]))
            self.popular_answers.add((1, place), self._add([entry["good"]]))
        self.phrases = pl.Series(self._phrases, dtype=pl.String)
        self.widest = max(len(parts) for parts in self._templates)
        self.pieces, self.slots = self._tabulate()

    def _add_language(self, language: int, wording: dict[str, Any]) -> None:
        for name in ("openers", "closers", "follow_ups", "leads", "tails", "fillers"):
            getattr(self, name).add((language,), self._add(wording[name]))
        for name in ("prompt_term", "answer_term"):
            getattr(self, name).add((language,), self._add([wording[name]]))
        self.situations.add((language,), self._add(["", *_situations(wording)]))
        for topic, name in enumerate(COMMENT_TOPICS):
            self.comments.add((topic, language), self._add(wording["comments"][name]))
        for defect, name in enumerate(DEFECTS):
            self.defects.add((defect, language), self._add_templates([wording[name]]))
        self.details.add((language,), self._add_templates(wording["details"]))
        refusals = self._add_templates(wording["refusals"])
        for intent, level in enumerate(INTENTS):
            entry = wording["intents"][level.name]
            self.prompts.add((language, intent), self._add_templates(entry["prompts"]))
            for body, name in enumerate(BODIES[:-1]):
                self.bodies.add((body, language, intent), self._add_templates(entry[name]))
            self.bodies.add((len(BODIES) - 1, language, intent), refusals)
            self.values.add((1, language, intent), self._add(entry["a"]))
            self.values.add((2, language, intent), self._add(entry["b"]))
            self.values.add((3, language, intent), self._add(_numbers(entry["n"], language)))

    def _add(self, phrases: list[str]) -> range:
        start = len(self._phrases)
        self._phrases += phrases
        return range(start, len(self._phrases))

    def _add_templates(self, templates: list[str]) -> range:
        start = len(self._templates)
        self._templates += [[(text, slot or "") for text, slot, _, _ in Formatter().parse(t)] for t in templates]
        return range(start, len(self._templates))

    def _tabulate(self) -> tuple[Ints, Ints]:
        pieces = np.zeros((len(self._templates), self.widest), dtype=np.int64)
        slots = np.zeros((len(self._templates), self.widest), dtype=np.int64)
        numbers = {phrase: number for number, phrase in enumerate(self._phrases)}
        for row, parts in enumerate(self._templates):
            for place, (text, slot) in enumerate(parts):
                if text not in numbers:
                    numbers[text] = len(self._phrases)
                    self._phrases.append(text)
                pieces[row, place], slots[row, place] = numbers[text], SLOTS.index(slot)
        self.phrases = pl.Series(self._phrases, dtype=pl.String)
        return pieces, slots

    def fill(self, templates: Ints, values: Ints) -> list[Ints]:
        """The phrase numbers, column by column, that make up the rows' templates; `values` has shape (slots, rows)."""
        rows = np.arange(len(templates))
        columns: list[Ints] = []
        for place in range(self.widest):
            piece, slot = self.pieces[templates, place], self.slots[templates, place]
            if piece.any():
                columns.append(piece)
            if slot.any():
                columns.append(values[slot, rows])
        return columns

    def join(self, columns: list[Ints | pl.Series]) -> pl.Series:
        """The texts made of the columns: phrase numbers, or texts that are there already."""
        parts = [column if isinstance(column, pl.Series) else self.phrases.gather(column) for column in columns]
        return pl.select(pl.concat_str(parts)).to_series()


def _situations(wording: dict[str, Any]) -> list[str]:
    """Every sentence about the person, over roles and cities; about half of the choices are silence."""
    said: list[str] = []
    for sentence in wording["situations"]:
        roles = wording["roles"] if "{role}" in sentence else [""]
        cities = wording["cities"] if "{city}" in sentence else [""]
        said += [sentence.format(role=role, city=city) for role, city in product(roles, cities)]
    return said + [""] * len(said)


def _variants(prompt: str) -> list[str]:
    """The ways people write the same question: near duplicates of each other."""
    return [
        prompt, prompt, prompt.lower(), f"{prompt} Thanks!", f"Hi! {prompt}", prompt.replace(",", ""), f"{prompt}?",
        prompt.removesuffix("?"),
    ]  # fmt: skip


def _numbers(kind: str, language: int) -> list[str]:
    """Values for a template's number: amounts in the language's notation, dates, versions or small counts."""
    if kind == "amount":
        amounts = [f"{whole}.{cents:02d}" for whole in range(5, 155) for cents in (0, 49, 90, 99)]
        style = ("£{}", "{} Euro", "{} euros", "{} euros", "{}円")[language]
        if language == 0:
            return [style.format(amount) for amount in amounts]
        if language == len(LANGUAGES) - 1:
            return [style.format(50 * number) for number in range(10, 400)]
        return [style.format(amount.replace(".", ",")) for amount in amounts]
    if kind == "date":
        start = date(OPENING_YEAR, 1, 1)
        return [(start + timedelta(days=day)).isoformat() for day in range(365)]
    if kind == "version":
        return [f"{major}.{minor}.{patch}" for major, minor, patch in product(range(1, 6), range(10), range(6))]
    if kind == "count":
        return [str(count) for count in range(3, 80)]
    raise ValueError(f"no numbers of kind {kind}")


@cache
def lexicon() -> Lexicon:
    """The phrases of all languages, read once from `wording/`."""
    folder = files("feedback_pipeline.sample") / "wording"
    return Lexicon([tomllib.loads((folder / f"{level.name}.toml").read_text("utf-8")) for level in LANGUAGES])
