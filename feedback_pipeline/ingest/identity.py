"""Ids of imported rows: the same row has the same id in every import."""

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import polars as pl

from feedback_pipeline.store.rows import ID_NAMESPACE

_VERSION_AND_VARIANT = ((6, 0x0F, 0x50), (8, 0x3F, 0x80))
"""Byte, mask and bits of a UUID of version 5 (RFC 9562, section 5.5)."""


def derived_ids(tenants: pl.Series, source: str, source_ids: pl.Series) -> pl.Series:
    """`store.rows.derived_id` of every row; null where the source id is.

    hashlib over a list of bytes makes 1.5 million a second; formatting them as UUIDs one by one would take four times
    as long, so that is done on the whole array.
    """
    names = tenants.to_frame("tenant").select(
        pl.concat_str("tenant", pl.lit(source), source_ids.alias("id"), separator="\x1f")
    )
    prefix, sha1 = ID_NAMESPACE.bytes, hashlib.sha1
    digests = b"".join(
        sha1(prefix + (name or "").encode(), usedforsecurity=False).digest()[:16] for name in names.to_series()
    )
    array = np.frombuffer(digests, np.uint8).reshape(-1, 16).copy()
    for byte, mask, bits in _VERSION_AND_VARIANT:
        array[:, byte] = array[:, byte] & mask | bits
    return _formatted(array).set(source_ids.is_null(), None)


def _formatted(array: npt.NDArray[np.uint8]) -> pl.Series:
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    text = np.full((len(array), 36), ord("-"), np.uint8)
    places = np.array([place for place in range(36) if place not in (8, 13, 18, 23)])
    text[:, places[0::2]] = digits[array >> 4]
    text[:, places[1::2]] = digits[array & 15]
    return pl.Series(text.view("S36").ravel().astype("U36") if len(text) else [], dtype=pl.String)


def content_hashes(texts: Iterable[str | None]) -> pl.Series:
    """A hash of each text (BLAKE2b, 32 hexadecimal digits); null where the text is."""
    blake2b = hashlib.blake2b
    return pl.Series(
        [None if text is None else blake2b(text.encode(), digest_size=16).hexdigest() for text in texts],
        dtype=pl.String,
    )


class SeenIds:
    """The ids of one import so far, as 64 bits each (of a UUID's 122 random ones): a second delivery is recognised
    without asking the store, in 8 bytes a row.

    Ids are kept in sorted runs that are merged when they are of like size, so that a look-up costs a few binary
    searches. Among 10 million ids the probability that any two are taken for one is 3 · 10⁻⁶.
    """

    def __init__(self) -> None:
        self._runs: list[npt.NDArray[np.uint64]] = []

    def repeated(self, ids: pl.Series) -> pl.Series:
        """Which ids were there before, in this column or an earlier one; then remembers them all."""
        keys = (
            ids.str.replace_all("-", "", literal=True)
            .str.slice(16)
            .str.to_integer(base=16, dtype=pl.Int128)
            .cast(pl.UInt64)
            .to_numpy()
        )
        first = ids.is_first_distinct().to_numpy()
        known = np.zeros(len(keys), bool)
        for run in self._runs:
            places = np.minimum(np.searchsorted(run, keys), len(run) - 1)
            known |= run[places] == keys
        self._remember(np.sort(keys[first & ~known]))
        return pl.Series(known | ~first)

    def _remember(self, run: npt.NDArray[np.uint64]) -> None:
        if not len(run):
            return
        while self._runs and len(self._runs[-1]) <= 2 * len(run):
            run = np.sort(np.concatenate([self._runs.pop(), run]), kind="stable")
        self._runs.append(run)
