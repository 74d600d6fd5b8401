"""`prompt_clusters` and `pair_clusters`: groups of prompts, and of prompts with their answers, that say the same, over
the window that ends with a week.

What is identical is found over the whole window, near duplicates over its last days. Duplicates are labelled, never
dropped.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl
import scipy

from feedback_pipeline.cleaning.minhash import BANDS, Words, similarities
from feedback_pipeline.cleaning.tables import PAIR_CLUSTERS, PROMPT_CLUSTERS

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ClusterPolicy:
    """When two prompts, or two prompts with their answers, are near duplicates.

    Attributes:
        near_days: days at the end of the window in which near duplicates are looked for.
        similarity: Jaccard similarity from which two of them are to be joined.
        margin: how far the estimate may fall short of it: 1.5 standard errors, so that nearly all such pairs are
            joined, and hardly any below `similarity` − 2 × `margin`.
    """

    near_days: int = 14
    similarity: float = 0.8
    margin: float = 0.05

    @property
    def least_estimate(self) -> float:
        return self.similarity - self.margin


def prompt_clusters(
    signatures: pl.LazyFrame, policy: ClusterPolicy | None = None, last_day: date | None = None
) -> pl.DataFrame:
    """The distinct prompts of a window of TEXT_SIGNATURES as PROMPT_CLUSTERS.

    Memory grows with the distinct prompts: about 20 bytes each over the window, 400 over the last days.

    Args:
        signatures: rows of TEXT_SIGNATURES, a prompt on as many as it has answers.
        policy: when prompts are joined.
        last_day: end of the window; the last day there is a signature of, if not given.
    """
    return PROMPT_CLUSTERS.conform(_clusters(signatures, "prompt", policy or ClusterPolicy(), last_day))


def pair_clusters(
    signatures: pl.LazyFrame, policy: ClusterPolicy | None = None, last_day: date | None = None
) -> pl.DataFrame:
    """The distinct prompts with their answers of a window of TEXT_SIGNATURES as PAIR_CLUSTERS; see `prompt_clusters`.

    Two pairs are compared as the union of the windows of both texts, so that the longer one, mostly the answer, counts
    for more.
    """
    return PAIR_CLUSTERS.conform(_clusters(signatures, "pair", policy or ClusterPolicy(), last_day))


def _clusters(signatures: pl.LazyFrame, what: str, policy: ClusterPolicy, last_day: date | None) -> pl.DataFrame:
    """The distinct `<what>_hash`, sorted, with `cluster_id`, `answers`, `cluster_answers` and `cluster_<what>s`."""
    hashes = f"{what}_hash"
    known = signatures.filter(pl.col(hashes).is_not_null())
    distinct = known.group_by(hashes).agg(answers=pl.len()).collect().sort(hashes)
    last_day = last_day or known.select(pl.col("day").max()).collect().item()
    roots = _near_duplicates(known, what, last_day, policy) if last_day else _no_roots(hashes)
    clustered = distinct.join(roots, on=hashes, how="left", maintain_order="left").with_columns(
        cluster_id=pl.coalesce("root", hashes)
    )
    counts = {"cluster_answers": pl.col("answers").sum(), f"cluster_{what}s": pl.len()}
    return clustered.with_columns(count.over("cluster_id").alias(name) for name, count in counts.items())


def _no_roots(hashes: str) -> pl.DataFrame:
    return pl.DataFrame(schema={hashes: pl.UInt64, "root": pl.UInt64})


def _near_duplicates(signatures: pl.LazyFrame, what: str, last_day: date, policy: ClusterPolicy) -> pl.DataFrame:
    """The `<what>_hash` of the last days and the smallest one of their group (`root`)."""
    hashes, bands = f"{what}_hash", f"{what}_bands"
    recent = (
        signatures.filter((pl.col("day") > last_day - timedelta(days=policy.near_days)) & pl.col(bands).is_not_null())
        .select(hashes, bands)
        .collect()
    )
    if recent.is_empty():
        return _no_roots(hashes)
    # The same text has the same sketch, so any row will do.
    numbers, rows = np.unique(recent[hashes].to_numpy(), return_index=True)
    sketches = recent[bands].gather(rows).to_numpy()
    del recent
    group = joined(sketches, policy.least_estimate)
    # They are in the order of their hashes, so the first of a group has the smallest; what is written last stays.
    first = np.empty(len(group), dtype=np.int64)
    first[group[::-1]] = np.arange(len(group))[::-1]
    return pl.DataFrame({hashes: numbers, "root": numbers[first[group]]}, schema=_no_roots(hashes).schema)


def joined(bands: Words, least_estimate: float) -> Indices:
    """The group of each text: connected components of the pairs that share a band and are similar.

    In a bucket of texts that share a band each is compared with the first and with its neighbour in the order of the
    next band, so the work grows with the texts and not with the square of a bucket.

    Args:
        bands: sketches, shape (texts, BANDS).
        least_estimate: estimated Jaccard similarity from which a pair is joined.
    """
    group = np.arange(len(bands))
    for band in range(BANDS):
        one, other = _candidates(bands, band)
        apart = group[one] != group[other]
        one, other = one[apart], other[apart]
        if not len(one):
            continue
        alike = _alike(bands, one, other, least_estimate)
        group = _merged(group, one[alike], other[alike])
    return group


def _candidates(bands: Words, band: int) -> tuple[Indices, Indices]:
    """Pairs of texts that share the band."""
    values = np.ascontiguousarray(bands[:, band])
    places = _likely_shared(values)
    if not places.size:
        return places, places
    order = places[np.argsort(values[places], kind="stable")]
    ordered = values[order]
    same = np.concatenate([[False], ordered[1:] == ordered[:-1]])
    shared = same | np.concatenate([same[1:], [False]])
    order, bucket = order[shared], np.cumsum(~same[shared])
    following = np.argsort(bands[order, (band + 1) % BANDS], kind="stable")
    for shift in (0, 16):  # NumPy sorts numbers of 16 bits by counting
        digit = (bucket[following] >> shift).astype(np.uint16)
        following = following[np.argsort(digit, kind="stable")]
    order, bucket = order[following], bucket[following]
    within = np.concatenate([[False], bucket[1:] == bucket[:-1]])
    heads = np.maximum.accumulate(np.where(within, 0, np.arange(len(order))))
    later = np.flatnonzero(within)
    farther = later[heads[later] != later - 1]
    return (
        np.concatenate([order[later - 1], order[heads[farther]]]),
        np.concatenate([order[later], order[farther]]),
    )


_MAX_SLOT_BITS = 22
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _likely_shared(values: npt.NDArray[np.uint64]) -> Indices:
    """The places of the values that occur more than once, ascending, and of few others: values are counted by a hash
    (Knuth, "The Art of Computer Programming" 3, §6.4), which spares most of them the sort."""
    bits = min((4 * values.size).bit_length(), _MAX_SLOT_BITS)
    slot = ((values * _GOLDEN) >> np.uint64(64 - bits)).view(np.int64)
    return np.flatnonzero((np.bincount(slot, minlength=1 << bits) > 1)[slot])


def _alike(bands: Words, one: Indices, other: Indices, least_estimate: float) -> npt.NDArray[np.bool_]:
    pairs = 1 << 17
    return np.concatenate(
        [
            similarities(bands[one[start : start + pairs]], bands[other[start : start + pairs]]) >= least_estimate
            for start in range(0, len(one), pairs)
        ]
    )


def _merged(group: Indices, one: Indices, other: Indices) -> Indices:
    """The groups after those of `one` and `other` became one, pair by pair."""
    groups = int(group.max()) + 1
    edges = scipy.sparse.coo_array(
        (np.ones(len(one), dtype=np.bool_), (group[one], group[other])), shape=(groups, groups)
    )
    _, merged = scipy.sparse.csgraph.connected_components(edges, directed=False)
    return np.asarray(merged[group], dtype=np.int64)
