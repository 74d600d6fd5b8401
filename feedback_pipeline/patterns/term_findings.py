"""Which phrases go with votes down or up, beyond chance, each said once.

Log-odds ratio with an informative Dirichlet prior, on documents rather than occurrences, so that one long text counts
once; its variance is inflated by documents per person, so that one busy person does not make a pattern.
Source: Monroe, Colaresi & Quinn 2008, "Fightin' Words", Political Analysis 16, §3.3.
"""

import datetime as dt
from dataclasses import dataclass

import numpy as np
import polars as pl
import scipy
from numpy.typing import NDArray

from feedback_pipeline.patterns.tables import TERM_FINDINGS
from feedback_pipeline.stats.intervals import RESOLUTION, benjamini_hochberg

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class TermSettings:
    """Floors and levels of the comparison."""

    min_documents: int = 10
    min_people: int = 5
    min_difference: float = 0.03
    """Least distance of a phrase's negative rate from the field's, as a share."""
    false_discovery_rate: float = 0.05
    prior_documents: float = 500.0
    """How many documents the prior (the pooled corpus) is worth."""
    nested_level: float = 0.01
    """A phrase and a part of it are both kept only where each differs at this level without the other."""
    max_findings: int = 100
    """Per field and side."""


@dataclass(frozen=True)
class _Field:
    """One field's phrases with their week's counts, in the order of the phrases; parallel arrays."""

    terms: list[str]
    words: NDArray[np.int64]
    down: Floats
    up: Floats
    people: NDArray[np.int64]
    inflation: Floats
    """Documents per person and day, at least 1."""
    total_down: float
    total_up: float

    @property
    def base(self) -> float:
        """Negative rate of the field."""
        return self.total_down / (self.total_down + self.total_up)


def find_terms(term_counts: pl.DataFrame, *, week: dt.date, settings: TermSettings | None = None) -> pl.DataFrame:
    """The week's `term_findings` from its days' `term_counts`, sorted by field, side and rank.

    Texts are compared with texts of their own language: else every word of the language whose speakers are less content
    would be a finding. The correction is over the phrases of all languages of a field.

    Empty where a field has no vote down, or none up: there is nothing to compare.
    """
    settings = settings or TermSettings()
    frames = []
    named = term_counts.with_columns(pl.col("language").fill_null(""))
    for (field,), of_field in sorted(named.partition_by("field", as_dict=True).items()):
        parts = sorted(of_field.partition_by("language", as_dict=True).items())
        languages = [(language, counts) for (language,), part in parts if (counts := _week(part, settings)) is not None]
        tests = sum(len(counts.terms) for _, counts in languages)
        frames += [
            _compare(counts, settings, tests).with_columns(
                pl.lit(field).alias("field"), pl.lit(language).alias("language")
            )
            for language, counts in languages
        ]
    if not frames:
        return TERM_FINDINGS.empty()
    findings = pl.concat(frames).with_columns(pl.lit(week).alias("week"))
    return TERM_FINDINGS.conform(findings).sort("field", "side", "rank")


def _week(counts: pl.DataFrame, settings: TermSettings) -> _Field | None:
    """The sums of the days; None without votes on both sides."""
    is_down, is_up = pl.col("verdict") == -1, pl.col("verdict") == 1
    summed = (
        counts.filter(is_down | is_up)
        .group_by("term", "words")
        .agg(
            pl.col("documents").filter(is_down).sum().alias("down"),
            pl.col("documents").filter(is_up).sum().alias("up"),
            pl.col("people").sum().alias("person_days"),
            pl.col("term_people").max().alias("people"),
        )
        .sort("term")
    )
    whole = summed.filter(pl.col("words") == 0)
    if whole.is_empty() or whole["down"][0] == 0 or whole["up"][0] == 0:
        return None
    tested = summed.filter(
        (pl.col("words") > 0)
        & (pl.col("down") + pl.col("up") >= settings.min_documents)
        & (pl.col("people") >= settings.min_people)
    )
    documents = (tested["down"] + tested["up"]).to_numpy().astype(np.float64)
    return _Field(
        terms=tested["term"].to_list(),
        words=tested["words"].to_numpy().astype(np.int64),
        down=tested["down"].to_numpy().astype(np.float64),
        up=tested["up"].to_numpy().astype(np.float64),
        people=tested["people"].to_numpy().astype(np.int64),
        inflation=np.maximum(documents / np.maximum(tested["person_days"].to_numpy(), 1), 1.0),
        total_down=float(whole["down"][0]),
        total_up=float(whole["up"][0]),
    )


def log_odds(
    down: Floats,
    up: Floats,
    total_down: float,
    total_up: float,
    prior_documents: float,
    inflation: Floats | float = 1.0,
) -> tuple[Floats, Floats]:
    """Log-odds ratio of a phrase's presence, down against up, and its z score, per phrase."""
    prior = prior_documents * (down + up) / (total_down + total_up)
    without = prior_documents - prior
    in_down, in_up = down + prior, up + prior
    # a phrase that stands in every text leaves nothing without it: half a document keeps its score finite
    out_down, out_up = np.maximum(total_down - down + without, 0.5), np.maximum(total_up - up + without, 0.5)
    ratio = np.log(in_down) - np.log(out_down) - np.log(in_up) + np.log(out_up)
    variance = (1.0 / in_down + 1.0 / in_up + 1.0 / out_down + 1.0 / out_up) * inflation
    return ratio, ratio / np.sqrt(variance)


def _compare(field: _Field, settings: TermSettings, tests: int) -> pl.DataFrame:
    ratio, z = log_odds(
        field.down, field.up, field.total_down, field.total_up, settings.prior_documents, field.inflation
    )
    p = 2.0 * scipy.special.ndtr(-np.abs(z))
    q = benjamini_hochberg(p, tests=tests)
    rate = field.down / (field.down + field.up)
    significant = (q <= settings.false_discovery_rate) & (np.abs(rate - field.base) >= settings.min_difference)
    frames = [
        _side(field, side, np.flatnonzero(significant & (ratio * sign > 0)), z, settings)
        for side, sign in (("down", 1.0), ("up", -1.0))
    ]
    columns = pl.DataFrame(
        {
            "term": pl.Series(field.terms, dtype=pl.String),
            "words": field.words,
            "down_documents": field.down,
            "up_documents": field.up,
            "people": field.people,
            "negative_rate": rate,
            "log_odds": ratio,
            "z": z,
            "p_value": p,
            "q_value": q,
        }
    ).with_row_index("place")
    kept = pl.concat(frames)
    return kept.join(columns, on="place", how="inner").with_columns(
        base_negative_rate=pl.lit(field.base), tests=pl.lit(tests, dtype=pl.Int64)
    )


def _side(field: _Field, side: str, places: NDArray[np.int64], z: Floats, settings: TermSettings) -> pl.DataFrame:
    """The phrases of one side that stand on their own, strongest first."""
    strongest = sorted(places.tolist(), key=lambda place: (-abs(z[place]), field.terms[place]))
    unnested = _unnested(field, strongest, 1.0 if side == "down" else -1.0, settings)
    alone = _one_of_overlapping(field, _one_of_sentence(field, unnested, strongest))
    chosen = alone[: settings.max_findings]
    return pl.DataFrame(
        {
            "place": pl.Series(chosen, dtype=pl.UInt32),
            "side": pl.Series([side] * len(chosen), dtype=pl.String),
            "rank": pl.Series(range(1, len(chosen) + 1), dtype=pl.Int32),
        }
    )


def _parts(term: str) -> list[str]:
    """The shorter phrases inside a phrase."""
    words = term.split(" ")
    return [
        " ".join(words[start : start + size]) for size in range(1, len(words)) for start in range(len(words) - size + 1)
    ]


def _unnested(field: _Field, places: list[int], sign: float, settings: TermSettings) -> list[int]:
    """Without the parts that say nothing beyond the whole, and the wholes that say nothing beyond a part.

    Documents with a part but without the whole are exactly the part's documents less the whole's.
    """
    index = {field.terms[place]: place for place in places}
    wholes: dict[int, int] = {}
    for place in places:
        for part in _parts(field.terms[place]):
            other = index.get(part)
            if other is not None and _documents(field, place) > _documents(field, wholes.get(other)):
                wholes[other] = place
    kept = set(places)
    for part_place, whole in wholes.items():
        if not _differs(field, part_place, whole, sign, settings):
            kept.discard(part_place)
    for place in places:
        held = [index[part] for part in _parts(field.terms[place]) if index.get(part) in kept]
        if any(not _stronger(field, place, part, sign, settings) for part in held):
            kept.discard(place)
    return [place for place in places if place in kept]


def _documents(field: _Field, place: int | None) -> float:
    return 0.0 if place is None else float(field.down[place] + field.up[place])


def _differs(field: _Field, part: int, whole: int, sign: float, settings: TermSettings) -> bool:
    """The part's documents without the whole still lean to the side."""
    down, up = field.down[[part]] - field.down[[whole]], field.up[[part]] - field.up[[whole]]
    if down[0] + up[0] < settings.min_documents:
        return False
    _, z = log_odds(down, up, field.total_down, field.total_up, settings.prior_documents, field.inflation[[part]])
    return bool(scipy.special.ndtr(-sign * z[0]) <= settings.nested_level)


def _stronger(field: _Field, whole: int, part: int, sign: float, settings: TermSettings) -> bool:
    """Documents with the whole lean to the side more than those with the part alone (two-proportion z test)."""
    n, down = _documents(field, whole), float(field.down[whole])
    other_n = _documents(field, part) - n
    if other_n < 1.0:
        return True
    other_down = float(field.down[part]) - down
    pooled = (down + other_down) / (n + other_n)
    error = np.sqrt(pooled * (1.0 - pooled) * (1.0 / n + 1.0 / other_n) * field.inflation[part])
    if error <= RESOLUTION:
        return False
    return bool(scipy.special.ndtr(-sign * (down / n - other_down / other_n) / error) <= settings.nested_level)


def _one_of_sentence(field: _Field, places: list[int], every: list[int]) -> list[int]:
    """Of fragments of one sentence the strongest: phrases that a chain of others ties together, each of which overlaps
    the next (or holds it) and comes without it in fewer than a fifth of its documents.

    Args:
        places: the phrases to choose from, strongest first.
        every: all significant ones, which may be links of the chain.
    """
    documents = {field.terms[place]: _documents(field, place) for place in range(len(field.terms))}
    index = {field.terms[place]: place for place in every}
    starting: dict[str, list[str]] = {}
    for term in index:
        words = term.split(" ")
        for size in range(1, len(words)):
            starting.setdefault(" ".join(words[:size]), []).append(term)
    sentence = {term: term for term in index}

    def root(term: str) -> str:
        while sentence[term] != term:
            term = sentence[term]
        return term

    def tie(one: str, other: str, both: float) -> None:
        if both >= 0.8 * max(documents[one], documents[other]):
            sentence[root(other)] = root(one)

    for term in index:
        words = term.split(" ")
        for part in _parts(term):
            if part in index:
                tie(term, part, documents[term])
        for size in range(1, len(words)):
            tail = " ".join(words[-size:])
            for other in starting.get(tail, []):
                # at least so many have both, as those with the words they share are all the others there are
                tie(term, other, documents[term] + documents[other] - documents.get(tail, np.inf))
    told: set[str] = set()
    kept = []
    for place in places:
        whole = root(field.terms[place])
        if whole not in told:
            kept.append(place)
        told.add(whole)
    return kept


def _one_of_overlapping(field: _Field, places: list[int]) -> list[int]:
    """Of two phrases that overlap ("the refund was", "refund was not") and nearly always come together, the stronger.

    Documents with both are at least the sum of theirs less those of the words they share; 80 % of the rarer one's are
    nearly always.
    """
    counts = dict(zip(field.terms, (field.down + field.up).tolist(), strict=True))
    kept: list[int] = []
    starting: dict[str, list[int]] = {}
    ending: dict[str, list[int]] = {}
    for place in places:
        words = field.terms[place].split(" ")
        heads = [" ".join(words[:size]) for size in range(1, len(words))]
        tails = [" ".join(words[-size:]) for size in range(1, len(words))]
        neighbours = [(part, other) for part in heads for other in ending.get(part, [])]
        neighbours += [(part, other) for part in tails for other in starting.get(part, [])]
        own = counts[field.terms[place]]
        if any(
            own + counts[field.terms[other]] - counts.get(part, np.inf) >= 0.8 * min(own, counts[field.terms[other]])
            for part, other in neighbours
        ):
            continue
        kept.append(place)
        for part in heads:
            starting.setdefault(part, []).append(place)
        for part in tails:
            ending.setdefault(part, []).append(place)
    return kept
