"""Words and phrases: counted a day at a time, compared a week at a time."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feedback_pipeline.patterns.languages import (
    MAX_CHARACTERS as OPENING,
)
from feedback_pipeline.patterns.languages import (
    function_words,
    function_words_in,
    main_language,
    openings,
    spoken,
)
from feedback_pipeline.patterns.tables import TERM_COUNTS
from feedback_pipeline.privacy.placeholders import PLACEHOLDER

Integers = NDArray[np.int64]
Narrow = NDArray[np.int32]
"""Where each value is looked up millions of times: a third of the time."""

MIN_PEOPLE = 5
MAX_CHARACTERS = 2_000
MAX_WORDS = 3
PART = ("day", "field", "language")
TEXTS_TOGETHER = 50_000
"""Texts of several parts that are counted at once: what a hundred calls of NumPy cost is paid once, and the memory is
bounded by the largest part."""
ORDER = ("first", "second", "third")
"""Numbers by which phrases are sorted as by their parts and words, in a quarter of the time."""
_WORD = r"[\p{L}\p{N}]+(?:['’][\p{L}]+)*"
_BREAK = "\x00"
_MAX_BUCKET_BITS = 22
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class _Corpus:
    """Texts as word codes, in the order of their documents; documents are sorted by part, person, then verdict.

    A part is the texts of a day, a field and a language. The same word has a code of its own in each, so that all parts
    are counted at once and no phrase is in two.
    """

    codes: Integers
    document: Narrow
    words: pl.Series
    """The word of each code of a part: of a code, that of the rest after division by their number."""
    parts: pl.DataFrame
    """`day`, `field` and `language` of each part."""
    part: Integers
    """Of each document."""
    person: Narrow
    """Of each document."""
    verdict: NDArray[np.int8]
    """Of each document: 0 down, 1 neutral, 2 up."""

    @classmethod
    def of(cls, texts: pl.DataFrame, words: "_Words") -> "_Corpus":
        """The words of texts (`day`, `field`, `language`, `person`, `verdict`, and their `row` among those of the
        words)."""
        texts = texts.sort(*PART, "person", "verdict", maintain_order=True)
        rows = texts["row"].to_numpy()
        starts, ends = words.starts()[rows], words.ends[rows]
        lengths = ends - starts
        document = np.repeat(np.arange(rows.size, dtype=np.int32), lengths)
        places = np.arange(document.size) + (starts - np.cumsum(lengths) + lengths)[document]
        parts = texts.select(PART).unique(maintain_order=True)
        part = texts.select(pl.struct(PART).rle_id()).to_series().to_numpy().astype(np.int64)
        codes = words.codes[places]
        spoken = codes >= 0
        codes[spoken] += part[document[spoken]] * len(words.vocabulary)
        return cls(
            codes=codes,
            document=document,
            words=words.vocabulary,
            parts=parts,
            part=part,
            person=np.unique(texts["person"].to_numpy(), return_inverse=True)[1].astype(np.int32),
            verdict=texts["verdict"].to_numpy() + np.int8(1),
        )

    def part_of(self, codes: Integers) -> Integers:
        """Which part codes are of."""
        return codes // max(len(self.words), 1)

    def word_of(self, codes: Integers) -> pl.Series:
        """The words of codes."""
        return self.words.gather(codes % max(len(self.words), 1))


def count_terms(
    texts: pl.DataFrame,
    *,
    day: dt.date,
    min_people: int = MIN_PEOPLE,
    max_characters: int = MAX_CHARACTERS,
) -> pl.DataFrame:
    """The day's `term_counts`, sorted by its key.

    Args:
        texts: `text` (redacted), `verdict` (1, 0, −1), `person`, `field` (prompt, answer, comment); one row per voted
            text, and where declared the `language`. Null texts are left out. Texts are counted by the language their
            words tell, else by the declared one. Placeholders of redaction are no words and end a phrase.
        day: the texts' day.
        min_people: phrases of fewer people are dropped for good. A week's sum therefore misses fewer than this many
            people for each day on which a phrase was rarer.
        max_characters: of each text, from its start.
    """
    return count_terms_of_days(
        texts.with_columns(pl.lit(day).alias("day")), min_people=min_people, max_characters=max_characters
    )


def count_terms_of_days(
    texts: pl.DataFrame, *, min_people: int = MIN_PEOPLE, max_characters: int = MAX_CHARACTERS
) -> pl.DataFrame:
    """`count_terms` of several days in one pass: `texts` say of which `day` they are."""
    known = texts.filter(pl.col("text").is_not_null())
    if known.is_empty():
        return TERM_COUNTS.empty()
    words = _Words.of(known["text"], max_characters)
    declared = known["language"] if "language" in known.columns else None
    told = known.select("day", language=_languages(known["text"], words, declared))
    known = known.select("day", "field", "person", "verdict", language=_with_main_languages(told))
    together = _parts_together(known.with_row_index("row"))
    return TERM_COUNTS.conform(pl.concat(_count_parts(texts, words, min_people) for texts in together))


def _parts_together(texts: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The texts of whole parts, in the order of the parts: several of few texts together."""
    held: list[pl.DataFrame] = []
    for _, part in sorted(texts.partition_by(PART, as_dict=True).items(), key=lambda one: one[0]):
        if held and sum(map(len, held)) + len(part) > TEXTS_TOGETHER:
            yield pl.concat(held)
            held = []
        held.append(part)
    if held:
        yield pl.concat(held)


def _count_parts(texts: pl.DataFrame, words: "_Words", min_people: int) -> pl.DataFrame:
    counted = pl.concat(_count_phrases(_Corpus.of(texts, words), min_people))
    return counted.sort(ORDER, maintain_order=True)


def _with_main_languages(told: pl.DataFrame) -> pl.Series:
    """The languages of texts (`day`, `language`), that of nearly all of a day where a text does not tell its own."""
    main = {day: main_language(texts["language"]) for (day,), texts in told.partition_by("day", as_dict=True).items()}
    usual = told["day"].replace_strict(main, return_dtype=pl.String)
    return told.select(language=pl.when(pl.col("language") == "").then(usual).otherwise("language"))["language"]


@dataclass(frozen=True)
class _Words:
    """The words of texts as codes, text by text; −1 where a phrase ends."""

    codes: Integers
    ends: Integers
    """Where each text's codes end."""
    vocabulary: pl.Series
    """The word of each code; codes are in the order of the words."""

    @classmethod
    def of(cls, texts: pl.Series, max_characters: int) -> "_Words":
        text = texts.str.slice(0, max_characters)
        bracketed = text.str.contains("[", literal=True).arg_true()
        if not bracketed.is_empty():
            text = text.clone().scatter(bracketed, text.gather(bracketed).str.replace_all(PLACEHOLDER, f" {_BREAK} "))
        pattern = _WORD if bracketed.is_empty() else f"{_WORD}|{_BREAK}"
        # no word reaches over a space, and what stands between two is mostly said many times: each is looked at once
        between = text.str.split(" ")
        said = between.explode().cast(pl.Categorical)
        pieces = said.unique()
        found = pieces.cast(pl.String).str.to_lowercase().str.extract_all(pattern)
        lengths = found.list.len()
        tokens = found.filter(lengths > 0).explode()
        names = tokens.unique().sort()
        codes = tokens.cast(pl.Enum(names)).to_physical().to_numpy().astype(np.int64)
        if not bracketed.is_empty():
            codes[(tokens == _BREAK).to_numpy()] = -1
        physical = pieces.to_physical().to_numpy()
        of_piece, first = (np.zeros(int(physical.max(initial=0)) + 1, dtype=np.int64) for _ in range(2))
        of_piece[physical] = lengths.to_numpy()
        first[physical] = np.cumsum(lengths.to_numpy()) - lengths.to_numpy()
        raw = said.to_physical().to_numpy()
        counts = of_piece[raw]
        ends = np.cumsum(counts)
        places = np.repeat(first[raw] - ends + counts, counts)
        places += np.arange(places.size)
        return cls(codes[places], ends[np.cumsum(between.list.len().to_numpy()) - 1], names)

    def starts(self) -> Integers:
        """Where each text's codes start."""
        return np.concatenate(([0], self.ends[:-1])) if self.ends.size else self.ends


def _languages(texts: pl.Series, words: _Words, declared: pl.Series | None) -> pl.Series:
    """`spoken` of texts whose words are known: each word of the vocabulary is looked at once."""
    beginnings = openings(texts)
    # the words of the others are not those of their beginnings
    whole = ((texts.str.len_chars() <= OPENING) & ~texts.str.contains("[", literal=True)).to_numpy()
    counts = np.zeros((len(texts), len(function_words())), dtype=np.int64)
    counts[~whole] = function_words_in(beginnings.filter(pl.Series(~whole)))
    of_word = function_words_in(words.vocabulary)
    telling = np.append(of_word.any(axis=1), False)  # code −1 reads the spare last element
    rows = np.repeat(np.arange(len(texts)), np.diff(words.ends, prepend=0))
    places = np.flatnonzero(telling[words.codes] & whole[rows])
    codes, rows = words.codes[places], rows[places]
    for language, times in enumerate(of_word.T):
        counts[:, language] += np.bincount(rows, weights=times[codes], minlength=len(texts)).astype(np.int64)
    return spoken(beginnings, counts, declared)


def _whole(corpus: _Corpus, part: Integers) -> pl.DataFrame:
    """The rows of the empty phrase, all documents of each part, before the single words of `part`."""
    everyone = _count(corpus.part, np.arange(corpus.part.size, dtype=np.int32), corpus, 0)
    empty = pl.repeat("", everyone.keys.size, dtype=pl.String, eager=True)
    before = 2 * np.searchsorted(part, everyone.keys) - 1
    return _rows(everyone, _Phrases(0, empty, everyone.keys, (before,)), corpus)


@dataclass(frozen=True)
class _Counted:
    """Documents and people of phrases; the phrases are the ones over the floor."""

    keys: Integers
    documents: Integers
    """Phrase × verdict."""
    people: Integers
    """Phrase × verdict."""
    all_people: Integers


def _count(keys: Integers, document: Narrow, corpus: _Corpus, min_people: int) -> _Counted:
    """Documents and distinct people per key, one sort for both: entries come in the order of their documents."""
    order = _order(keys)
    key, doc = keys[order], document[order]
    starts = _changes(key)
    once = starts | _changes(doc)
    key, doc, starts = key[once], doc[once], starts[once]
    index = np.cumsum(starts) - 1
    person, verdict = corpus.person[doc], corpus.verdict[doc]
    new_person = starts | _changes(person)
    all_people = np.bincount(index[new_person], minlength=int(starts.sum()))
    kept = all_people >= min_people
    new_verdict = new_person | _changes(verdict)
    cell = index * 3 + verdict
    documents = np.bincount(cell, minlength=3 * kept.size).reshape(-1, 3)
    people = np.bincount(cell[new_verdict], minlength=3 * kept.size).reshape(-1, 3)
    return _Counted(key[starts][kept], documents[kept], people[kept], all_people[kept])


def _order(keys: Integers) -> Integers:
    """The places of keys of at least 0, in their order, equal ones as they come: by digits of 16 bits, the least first,
    each of which NumPy sorts by counting."""
    order = None
    for shift in range(0, max(int(keys.max(initial=0)).bit_length(), 1), 16):
        digit = (keys >> shift).astype(np.uint16)
        places = np.argsort(digit if order is None else digit[order], kind="stable")
        order = places if order is None else order[places]
    assert order is not None
    return order


def _changes(values: NDArray[np.signedinteger[Any]]) -> NDArray[np.bool_]:
    """Where a value differs from the one before; the first always does."""
    changed = np.ones(values.size, dtype=bool)
    np.not_equal(values[1:], values[:-1], out=changed[1:])
    return changed


@dataclass(frozen=True)
class _Phrases:
    """What phrases are: how many words they have, these, their part, and by what they are sorted (`ORDER`)."""

    words: int
    terms: pl.Series
    part: Integers
    places: tuple[Integers, ...]


def _rows(counted: _Counted, phrases: _Phrases, corpus: _Corpus) -> pl.DataFrame:
    """The rows of counted phrases."""
    phrase, verdict = np.nonzero(counted.documents)
    none = np.full(phrases.part.size, -1)
    return corpus.parts[phrases.part[phrase]].with_columns(
        pl.lit(phrases.words, pl.Int8).alias("words"),
        phrases.terms.gather(phrase).alias("term"),
        pl.Series("verdict", verdict - 1, dtype=pl.Int8),
        pl.Series("documents", counted.documents[phrase, verdict], dtype=pl.Int64),
        pl.Series("people", counted.people[phrase, verdict], dtype=pl.Int64),
        pl.Series("term_people", counted.all_people[phrase], dtype=pl.Int64),
        *(pl.Series(name, own[phrase]) for name, own in zip(ORDER, (*phrases.places, none, none), strict=False)),
    )


def _count_phrases(corpus: _Corpus, min_people: int) -> list[pl.DataFrame]:
    """The rows of all documents, and of phrases of one, two and three words.

    A phrase over the floor has only parts over the floor (Agrawal & Srikant 1994, "Fast algorithms for mining
    association rules"), and longer ones are kept out of the sort by hashed counts (Park, Chen & Yu 1995, "An effective
    hash-based algorithm for mining association rules"): both prune without losing a phrase.
    """
    known = corpus.codes >= 0
    single = _count(corpus.codes[known], corpus.document[known], corpus, min_people)
    frequent = np.full(len(corpus.words) * corpus.parts.height + 1, -1, dtype=np.int64)
    frequent[single.keys] = np.arange(single.keys.size)
    word = frequent[corpus.codes]  # code −1 reads the spare last element
    vocabulary, part = corpus.word_of(single.keys), corpus.part_of(single.keys)
    place_of = 2 * np.arange(part.size)
    frames = [_whole(corpus, part), _rows(single, _Phrases(1, vocabulary, part, (place_of,)), corpus)]
    width = max(single.keys.size, 1)

    together = np.zeros(word.size, dtype=bool)
    together[:-1] = (word[:-1] >= 0) & (word[1:] >= 0) & (corpus.document[:-1] == corpus.document[1:])
    place = np.flatnonzero(together)
    pair = word[place] * width + word[place + 1]
    place, pair = _often(place, pair, min_people)
    double = _count(pair, corpus.document[place], corpus, min_people)
    first, second = np.divmod(double.keys, width)
    words = _join(vocabulary, first, second)
    frames.append(_rows(double, _Phrases(2, words, part[first], (place_of[first], second)), corpus))

    likely = np.full(word.size + 1, -1, dtype=np.int64)
    likely[place] = _look_up(double.keys, pair)
    place = np.flatnonzero((likely[:-1] >= 0) & (likely[1:] >= 0))
    triple = likely[place] * width + word[np.minimum(place + 2, word.size - 1)]
    place, triple = _often(place, triple, min_people)
    treble = _count(triple, corpus.document[place], corpus, min_people)
    start, third = np.divmod(treble.keys, width)
    words = _join(vocabulary, first[start], second[start], third)
    places = (place_of[first[start]], second[start], third)
    frames.append(_rows(treble, _Phrases(MAX_WORDS, words, part[first[start]], places), corpus))
    return frames


def _often(place: Integers, keys: Integers, least: int) -> tuple[Integers, Integers]:
    """The entries whose key may occur `least` times: none that does is lost."""
    bits = _bits(keys)
    bucket = _bucket(keys, bits)
    kept = (np.bincount(bucket, minlength=1 << bits) >= least)[bucket]
    return place[kept], keys[kept]


def _bits(keys: Integers) -> int:
    """For eight buckets a key, up to 4 million: clearing those takes longer than counting a small day's words."""
    return min((8 * keys.size).bit_length(), _MAX_BUCKET_BITS)


def _bucket(keys: Integers, bits: int) -> Integers:
    """Fibonacci hashing (Knuth, "The Art of Computer Programming" 3, §6.4)."""
    return ((keys.view(np.uint64) * _GOLDEN) >> np.uint64(64 - bits)).view(np.int64)


def _look_up(known: Integers, keys: Integers) -> Integers:
    """Position of each key in the sorted `known`, −1 where it is not: one gather, and a search for what collides."""
    if not known.size:
        return np.full(keys.size, -1, dtype=np.int64)
    bits = _bits(known)
    buckets = _bucket(known, bits)
    table = np.zeros(1 << bits, dtype=np.int32)
    table[buckets] = np.arange(known.size, dtype=np.int32)
    position = table[_bucket(keys, bits)].astype(np.int64)
    missed = np.flatnonzero(known[position] != keys)
    shared = np.zeros(1 << bits, dtype=bool)
    shared[buckets[table[buckets] != np.arange(known.size)]] = True
    searched = missed[shared[_bucket(keys[missed], bits)]]
    position[missed] = -1
    nearest = np.minimum(np.searchsorted(known, keys[searched]), known.size - 1)
    position[searched] = np.where(known[nearest] == keys[searched], nearest, -1)
    return position


def _join(vocabulary: pl.Series, *words: Integers) -> pl.Series:
    parts = pl.DataFrame({str(place): vocabulary.gather(index) for place, index in enumerate(words)})
    return parts.select(pl.concat_str(pl.all(), separator=" ").alias("term"))["term"]
