"""What votes down are about: a taxonomy fitted rarely, frozen under a version, and assigned every week.

Refitting weekly would invent changes: topics of two samples of the same texts overlap little. So a taxonomy is fitted
once, on texts with votes down, and each week's texts fall to its nearest topic or to "other". A rising share of "other"
says that it is time for a new taxonomy.
"""

import datetime as dt
import json
import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from itertools import pairwise
from typing import Any, Self

import numpy as np
import polars as pl
import scipy
from numpy.typing import NDArray

from feedback_pipeline.patterns.factors import directions
from feedback_pipeline.patterns.languages import listed_words
from feedback_pipeline.patterns.levels import dense_people
from feedback_pipeline.patterns.tables import FAILURE_TOPICS
from feedback_pipeline.privacy.placeholders import PLACEHOLDER
from feedback_pipeline.stats.intervals import clustered_rate

Floats = NDArray[np.float64]

OTHER = -1
_WORDS = re.compile(r"\b[^\W\d_][\w'’]+\b")
MIN_PEOPLE = 5
MIN_DOCUMENTS = 15
"""A group of fewer texts or people is not shown (the threshold of the Anthropic Economic Index for its cells)."""
MAX_PER_PERSON = 10
"""Texts of one person that take part in a fit: nobody makes a topic alone."""
MAX_CHARACTERS = 2_000
LABEL_TERMS = 3
MIN_LIFT = 1.2
"""How much more frequent than in all texts a term must be in a topic's texts to name it."""
EXAMPLES = 3


@dataclass(frozen=True)
class Topic:
    """One topic: its name and its direction in the space of terms."""

    name: str
    weights: tuple[tuple[int, float], ...]
    """(term, weight), of unit length."""


@dataclass(frozen=True)
class Taxonomy:
    """A frozen set of topics. `reason` says why there are none."""

    terms: tuple[str, ...]
    inverse_document_frequency: tuple[float, ...]
    topics: tuple[Topic, ...]
    threshold: float
    """Least cosine to a topic; below, a text is other."""
    expected_other: float
    """Share of other to expect among texts of people it was not fitted on."""
    documents: int
    reason: str | None = None

    @property
    def version(self) -> str:
        """Hash of the content: the same taxonomy has the same version."""
        return "t-" + blake2b(self._content().encode(), digest_size=6).hexdigest()

    def _content(self) -> str:
        content = {
            "terms": self.terms,
            "inverse_document_frequency": self.inverse_document_frequency,
            "topics": [{"name": topic.name, "weights": topic.weights} for topic in self.topics],
            "threshold": self.threshold,
            "expected_other": self.expected_other,
            "documents": self.documents,
            "reason": self.reason,
        }
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"))

    def to_json(self) -> str:
        """The taxonomy as JSON, with its version."""
        return json.dumps({"version": self.version, **json.loads(self._content())}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The taxonomy of a JSON text.

        Raises:
            ValueError: the content does not match the version it claims.
        """
        content: dict[str, Any] = json.loads(text)
        version = content.pop("version")
        topics = tuple(
            Topic(topic["name"], tuple((int(term), float(weight)) for term, weight in topic["weights"]))
            for topic in content.pop("topics")
        )
        content["terms"] = tuple(content["terms"])
        content["inverse_document_frequency"] = tuple(content["inverse_document_frequency"])
        taxonomy = cls(topics=topics, **content)
        if taxonomy.version != version:
            raise ValueError(f"the taxonomy claims version {version} but its content is {taxonomy.version}")
        return taxonomy

    def renamed(self, names: Sequence[str]) -> Self:
        """The same topics under other names (polished by a person or a model); a new version.

        Raises:
            ValueError: not one name per topic.
        """
        if len(names) != len(self.topics):
            raise ValueError(f"{len(names)} names for {len(self.topics)} topics")
        topics = tuple(Topic(name, topic.weights) for name, topic in zip(names, self.topics, strict=True))
        return type(self)(
            self.terms,
            self.inverse_document_frequency,
            topics,
            self.threshold,
            self.expected_other,
            self.documents,
            self.reason,
        )


def fit_topics(
    texts: pl.DataFrame,
    *,
    topics: int | None = None,
    min_people: int = MIN_PEOPLE,
    max_terms: int = 5_000,
    expected_other: float = 0.2,
    seed: int = 0,
) -> Taxonomy:
    """A taxonomy of texts with votes down: TF-IDF and non-negative matrix factorisation.

    A topic is named from the terms that set its texts apart from the others' (class-based TF-IDF, Grootendorst 2022,
    "BERTopic"). Only terms of at least `min_people` people take part, so no name or weight holds one person's words.

    Args:
        texts: `text` (redacted) and `person`.
        topics: how many; by default √(documents / 20), between 2 and 20.
        expected_other: the share of unseen texts that is furthest from every topic and counts as other.
        seed: of the initialisation.
    """
    known = texts.filter(pl.col("text").is_not_null()).sort("person", "text")
    known = known.filter(pl.int_range(pl.len()).over("person") < MAX_PER_PERSON)
    if known.height < 2 * MIN_DOCUMENTS or known["person"].n_unique() < 2 * min_people:
        few = f"only {known.height} texts from {known['person'].n_unique()} people"
        return Taxonomy((), (), (), 1.0, 1.0, known.height, few)
    counts, terms = _count(known, min_people, max_terms)
    if len(terms) < 10:
        few = f"only {len(terms)} terms are shared by {min_people} people"
        return Taxonomy((), (), (), 1.0, 1.0, known.height, few)
    frequency = np.asarray((counts > 0).sum(axis=0)).ravel()
    inverse = np.log((1.0 + known.height) / (1.0 + frequency)) + 1.0
    matrix = _normalise(counts.multiply(inverse).tocsr())
    number = topics or int(np.clip(np.sqrt(known.height / 20.0), 2, 20))
    number = min(number, len(terms) - 1)
    axes = _unit(directions(matrix, number, seed))
    threshold = float(np.quantile(_unseen_similarity(matrix, dense_people(known), number, seed), expected_other))
    similarity = np.asarray(matrix @ axes.T)
    nearest = np.where(similarity.max(axis=1) >= threshold, similarity.argmax(axis=1), OTHER)
    labels = _names(counts, nearest, terms, number)
    return Taxonomy(
        terms=tuple(terms),
        inverse_document_frequency=tuple(round(float(value), 6) for value in inverse),
        topics=tuple(Topic(name, _sparse(row)) for name, row in zip(labels, axes, strict=True)),
        threshold=round(threshold, 6),
        expected_other=expected_other,
        documents=known.height,
    )


def _unseen_similarity(matrix: "scipy.sparse.csr_matrix", person: NDArray[np.int64], number: int, seed: int) -> Floats:
    """Each text's cosine to its nearest topic of a factorisation of the other half of the people.

    Texts are nearer to topics fitted on themselves: a threshold taken from those would call too many new texts other.
    """
    best = np.zeros(matrix.shape[0])
    for half in (0, 1):
        unseen = person % 2 == half
        best[unseen] = np.asarray(matrix[unseen] @ _unit(directions(matrix[~unseen], number, seed)).T).max(axis=1)
    return best


def _clean(texts: pl.Series) -> list[str]:
    return texts.str.slice(0, MAX_CHARACTERS).str.replace_all(PLACEHOLDER, " ").str.to_lowercase().to_list()


@cache
def stop_words() -> frozenset[str]:
    """Words that say nothing by themselves, in all languages known."""
    return frozenset(word for words in listed_words().values() for word in words)


def _terms(text: str) -> list[str]:
    """The words of a text that say something, in their order, then each two that follow one another."""
    silent = stop_words()
    words = [word for word in _WORDS.findall(text) if word not in silent]
    return words + [f"{one} {next_one}" for one, next_one in pairwise(words)]


def _occurrences(texts: Sequence[str], places: dict[str, int], *, known: bool) -> "scipy.sparse.csr_matrix":
    """How often each term occurs in each text. `places` has each term's column; it takes up new terms unless they are
    `known` ones alone."""
    rows, columns = array("q"), array("q")
    for row, text in enumerate(texts):
        for term in _terms(text):
            place = places.get(term) if known else places.setdefault(term, len(places))
            if place is not None:
                rows.append(row)
                columns.append(place)
    shape = (len(texts), len(places))
    return scipy.sparse.csr_matrix((np.ones(len(rows)), (np.asarray(rows), np.asarray(columns))), shape)


def _count(texts: pl.DataFrame, min_people: int, max_terms: int) -> "tuple[scipy.sparse.csr_matrix, list[str]]":
    """Occurrence counts of the terms that enough people share, the ones of most people first kept."""
    places: dict[str, int] = {}
    counts = _occurrences(_clean(texts["text"]), places, known=False)
    person = dense_people(texts)
    membership = scipy.sparse.csr_matrix((np.ones(person.size), (person, np.arange(person.size))))
    people = np.asarray(((membership @ (counts > 0).astype(np.float64)) > 0).sum(axis=0)).ravel()
    by_name = sorted(places)
    columns = np.array([places[name] for name in by_name], dtype=np.int64)
    most = np.argsort(-people[columns], kind="stable")
    kept = np.sort(most[people[columns][most] >= min_people][:max_terms])
    return counts[:, columns[kept]].tocsr(), [by_name[place] for place in kept]


def _normalise(matrix: "scipy.sparse.csr_matrix") -> "scipy.sparse.csr_matrix":
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    lengths[lengths == 0.0] = 1.0
    return matrix.multiply(1.0 / lengths[:, None]).tocsr()


def _unit(rows: Floats) -> Floats:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0.0, lengths, 1.0))


def _sparse(row: Floats) -> tuple[tuple[int, float], ...]:
    """Weights worth keeping, rounded so that JSON carries them exactly."""
    kept = np.flatnonzero(row > 1e-3)
    return tuple((int(term), round(float(row[term]), 6)) for term in kept)


def _names(
    counts: "scipy.sparse.csr_matrix", assigned: NDArray[np.int64], terms: Sequence[str], number: int
) -> list[str]:
    """Three terms per topic by class-based TF-IDF, none of them inside another."""
    by_topic = np.vstack([np.asarray(counts[assigned == topic].sum(axis=0)).ravel() for topic in range(number)])
    telling = _telling(counts, assigned, number)
    total = by_topic.sum(axis=0)
    words = by_topic.sum(axis=1)
    share = by_topic / np.maximum(words, 1.0)[:, None]
    score = share * np.log1p(words.mean() / np.maximum(total, 1.0))
    names: list[str] = []
    for row in np.where(telling, score, 0.0):
        chosen: list[str] = []
        for place in np.lexsort((np.asarray(terms), -row)):
            words_here = set(terms[place].split(" "))
            # a name that another topic has is told apart by one term more
            if row[place] <= 0.0 or (len(chosen) >= LABEL_TERMS and ", ".join(chosen) not in names):
                break
            if not any(words_here & set(other.split(" ")) for other in chosen):
                chosen.append(terms[place])
        name = ", ".join(chosen) or "unnamed"
        names.append(name if name not in names else f"{name} ({len(names) + 1})")
    return names


def _telling(counts: "scipy.sparse.csr_matrix", assigned: NDArray[np.int64], number: int) -> NDArray[np.bool_]:
    """Topic × term: whether a term is in a clearly larger share of the topic's texts than of all. What everybody writes
    ("please", "your answer", a signature) names no topic, however often it stands in it."""
    present = (counts > 0).astype(np.float64)
    overall = np.asarray(present.mean(axis=0)).ravel()
    sums = np.vstack([np.asarray(present[assigned == topic].sum(axis=0)).ravel() for topic in range(number)])
    texts = np.bincount(assigned[assigned >= 0], minlength=number)
    return np.asarray(sums / np.maximum(texts, 1)[:, None] >= MIN_LIFT * overall)


def _similarities(taxonomy: Taxonomy, texts: Sequence[str]) -> Floats:
    """Cosine of each text to each topic."""
    places = {term: place for place, term in enumerate(taxonomy.terms)}
    counts = _occurrences(texts, places, known=True)
    matrix = _normalise(counts.multiply(np.array(taxonomy.inverse_document_frequency)).tocsr())
    axes = np.zeros((len(taxonomy.topics), len(taxonomy.terms)))
    for row, topic in zip(axes, taxonomy.topics, strict=True):
        for term, weight in topic.weights:
            row[term] = weight
    return np.asarray(matrix @ axes.T)


def assign_topics(taxonomy: Taxonomy, texts: pl.DataFrame, *, week: dt.date) -> pl.DataFrame:
    """The week's `failure_topics`: one row per topic of the taxonomy and one for other.

    Topics of fewer than 15 texts or 5 people are suppressed; if that hides exactly one, the next smallest is suppressed
    with it, so that it cannot be had by subtraction. Other is unusual where its share's interval lies above the share
    it had when the taxonomy was fitted: its row's reason says so.

    Args:
        texts: `text` (redacted), `person`, `feedback_id` of the week's texts with votes down.
    """
    known = texts.filter(pl.col("text").is_not_null()).sort("feedback_id")
    if known.is_empty() or not taxonomy.topics:
        return FAILURE_TOPICS.empty()
    similarity = _similarities(taxonomy, _clean(known["text"]))
    best = similarity.max(axis=1)
    topic = np.where(best >= taxonomy.threshold, similarity.argmax(axis=1), OTHER)
    person = dense_people(known)
    rows = [
        _row(taxonomy, number, topic == number, best, known, person) for number in (*range(len(taxonomy.topics)), OTHER)
    ]
    _suppress(rows)
    frame = pl.DataFrame(
        [{"week": week, "taxonomy": taxonomy.version} | row for row in rows], schema=FAILURE_TOPICS.schema, orient="row"
    )
    return frame.sort("topic")


def _row(
    taxonomy: Taxonomy,
    number: int,
    inside: NDArray[np.bool_],
    best: Floats,
    texts: pl.DataFrame,
    person: NDArray[np.int64],
) -> dict[str, Any]:
    everyone = np.bincount(person)
    share = clustered_rate(np.bincount(person[inside], minlength=everyone.size), everyone)
    order = np.lexsort((texts["feedback_id"].to_numpy(), -best))
    nearest = texts[order[inside[order]]].unique("person", keep="first", maintain_order=True)
    reason = share.reason
    if number == OTHER and share.low is not None and share.low > taxonomy.expected_other:
        reason = "more texts than expected fit no topic: consider a new taxonomy"
    return {
        "topic": number,
        "name": "other" if number == OTHER else taxonomy.topics[number].name,
        "documents": share.up,
        "people": int(np.unique(person[inside]).size),
        "share": share.estimate,
        "share_low": share.low,
        "share_high": share.high,
        "reason": reason,
        "example_feedback_ids": nearest["feedback_id"].head(EXAMPLES).to_list(),
    }


def _suppress(rows: list[dict[str, Any]]) -> None:
    small = [row for row in rows if row["documents"] < MIN_DOCUMENTS or row["people"] < MIN_PEOPLE]
    if len(small) == 1 and small[0]["documents"] > 0:
        others = [row for row in rows if row is not small[0]]
        small += sorted(others, key=lambda row: (row["documents"], row["topic"]))[:1]
    for row in small:
        row |= dict.fromkeys(("documents", "people", "share", "share_low", "share_high"))
        row |= {
            "reason": f"fewer than {MIN_DOCUMENTS} texts or {MIN_PEOPLE} people, or hidden with one that has",
            "example_feedback_ids": [],
        }
