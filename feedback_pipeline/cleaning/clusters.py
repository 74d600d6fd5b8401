"""`prompt_clusters`: groups of prompts that say the same, over the window that ends with a week.

Identical prompts are found over the whole window, near duplicates over its last days. Duplicates are labelled, never
dropped.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from feedback_pipeline.cleaning.minhash import BANDS, Words, similarities
from feedback_pipeline.cleaning.tables import PROMPT_CLUSTERS

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ClusterPolicy:
    """When two prompts are near duplicates.

    Attributes:
        near_days: days at the end of the window in which near duplicates are looked for.
        similarity: Jaccard similarity from which two prompts are to be joined.
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
    policy = policy or ClusterPolicy()
    known = signatures.filter(pl.col("prompt_hash").is_not_null())
    prompts = known.group_by("prompt_hash").agg(answers=pl.len()).collect().sort("prompt_hash")
    last_day = last_day or known.select(pl.col("day").max()).collect().item()
    roots = _near_duplicates(known, last_day, policy) if last_day else pl.DataFrame(schema=_ROOTS)
    clustered = prompts.join(roots, on="prompt_hash", how="left", maintain_order="left").with_columns(
        cluster_id=pl.coalesce("root", "prompt_hash")
    )
    return PROMPT_CLUSTERS.conform(
        clustered.with_columns(
            cluster_answers=pl.col("answers").sum().over("cluster_id"), cluster_prompts=pl.len().over("cluster_id")
        )
    )


_ROOTS = pl.Schema({"prompt_hash": pl.UInt64, "root": pl.UInt64})


def _near_duplicates(signatures: pl.LazyFrame, last_day: date, policy: ClusterPolicy) -> pl.DataFrame:
    """The prompts of the last days (`prompt_hash`) and the smallest prompt_hash of their group (`root`)."""
    recent = (
        signatures.filter(
            (pl.col("day") > last_day - timedelta(days=policy.near_days)) & pl.col("prompt_bands").is_not_null()
        )
        .select("prompt_hash", "prompt_bands")
        .unique("prompt_hash")
        .collect()
        .sort("prompt_hash")
    )
    if recent.is_empty():
        return pl.DataFrame(schema=_ROOTS)
    group = joined(recent["prompt_bands"].to_numpy(), policy.least_estimate)
    hashes = recent["prompt_hash"].to_numpy()
    # Prompts are in the order of their hashes, so the first of a group has the smallest.
    _, first = np.unique(group, return_index=True)
    return pl.DataFrame({"prompt_hash": hashes, "root": hashes[first][group]}, schema=_ROOTS)


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
    order = np.argsort(bands[:, band], kind="stable")
    ordered = bands[order, band]
    same = np.concatenate([[False], ordered[1:] == ordered[:-1]])
    shared = same | np.concatenate([same[1:], [False]])
    order, bucket = order[shared], np.cumsum(~same[shared])
    following = np.lexsort((bands[order, (band + 1) % BANDS], bucket))
    order, bucket = order[following], bucket[following]
    within = np.concatenate([[False], bucket[1:] == bucket[:-1]])
    heads = np.maximum.accumulate(np.where(within, 0, np.arange(len(order))))
    later = np.flatnonzero(within)
    farther = later[heads[later] != later - 1]
    return (
        np.concatenate([order[later - 1], order[heads[farther]]]),
        np.concatenate([order[later], order[farther]]),
    )


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
    edges = coo_array((np.ones(len(one), dtype=np.bool_), (group[one], group[other])), shape=(groups, groups))
    _, merged = connected_components(edges, directed=False)
    return np.asarray(merged[group], dtype=np.int64)
