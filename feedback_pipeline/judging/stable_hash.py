"""Hashes of strings that are the same in every version and process: what samples and folds are drawn by."""

import hashlib
from collections.abc import Iterator
from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

_BASE = np.uint64(0x9E3779B97F4A7C15)
_BASE_INVERSE = np.uint64(pow(0x9E3779B97F4A7C15, -1, 2**64))


_BLOCK = 262_144
"""Bytes of text hashed at a time, so that what is worked with (eight bytes for each) stays in a core's cache: for all
texts at once the pages of memory alone took most of the time."""


def text_hash(texts: pl.Series, seed: str = "") -> npt.NDArray[np.uint64]:
    """A 64-bit polynomial hash of each string's UTF-8 bytes, mixed with the seed; null hashes like the empty string.

    Not cryptographic: good for drawing samples, not for keeping secrets.
    """
    whole = pa.concat_arrays([texts.cast(pl.String).fill_null("").rechunk().to_arrow().cast(pa.large_string())])
    _, offset_buffer, data_buffer = whole.buffers()
    offsets = np.frombuffer(offset_buffer, dtype=np.int64)[whole.offset : whole.offset + len(whole) + 1]
    content = np.frombuffer(data_buffer or b"", dtype=np.uint8)
    blocks = [_polynomial(content, offsets[first : last + 1]) for first, last in _blocks(offsets)]
    return _mix(np.concatenate([np.empty(0, dtype=np.uint64), *blocks]) ^ _seed_value(seed))


def _blocks(offsets: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Stretches of strings of about `_BLOCK` bytes together, or of one that is longer: first, and the one after."""
    first, strings = 0, len(offsets) - 1
    while first < strings:
        last = int(np.searchsorted(offsets, offsets[first] + _BLOCK, side="right")) - 1
        last = min(max(last, first + 1), strings)
        yield first, last
        first = last


def _polynomial(content: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    start, stop = int(offsets[0]), int(offsets[-1])
    length = stop - start
    # a string longer than a block needs powers of its own, which are not kept
    powers = partial(_block_powers if length <= _BLOCK else _powers, count=max(length, _BLOCK))
    sums = np.zeros(length + 1, dtype=np.uint64)
    values = content[start:stop].astype(np.uint64) + np.uint64(1)
    np.cumsum(values * powers(_BASE)[:length], out=sums[1:])
    begin, end = offsets[:-1] - start, offsets[1:] - start
    return np.asarray((sums[end] - sums[begin]) * powers(_BASE_INVERSE)[begin], dtype=np.uint64)


def _powers(base: np.uint64, count: int) -> npt.NDArray[np.uint64]:
    powers = np.full(count + 1, base, dtype=np.uint64)
    powers[0] = 1
    return np.cumprod(powers, dtype=np.uint64)


_block_powers = lru_cache(maxsize=2)(_powers)


def _seed_value(seed: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=8).digest(), "little"))


def _mix(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
