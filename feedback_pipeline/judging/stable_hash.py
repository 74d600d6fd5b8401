"""Hashes of strings that are the same in every version and process: what samples and folds are drawn by."""

import hashlib

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

_BASE = np.uint64(0x9E3779B97F4A7C15)
_BASE_INVERSE = np.uint64(pow(0x9E3779B97F4A7C15, -1, 2**64))


_BLOCK = 65_536
"""Strings hashed at a time: eight bytes of working memory per character, several times over."""


def text_hash(texts: pl.Series, seed: str = "") -> npt.NDArray[np.uint64]:
    """A 64-bit polynomial hash of each string's UTF-8 bytes, mixed with the seed; null hashes like the empty string.

    Not cryptographic: good for drawing samples, not for keeping secrets.
    """
    whole = texts.cast(pl.String).fill_null("")
    blocks = [_polynomial(whole.slice(start, _BLOCK)) for start in range(0, len(whole), _BLOCK)]
    return _mix(np.concatenate([np.empty(0, dtype=np.uint64), *blocks]) ^ _seed_value(seed))


def _polynomial(texts: pl.Series) -> npt.NDArray[np.uint64]:
    array = pa.concat_arrays([texts.rechunk().to_arrow().cast(pa.large_string())])
    _, offset_buffer, data_buffer = array.buffers()
    offsets = np.frombuffer(offset_buffer, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    start, stop = int(offsets[0]), int(offsets[-1])
    content = np.frombuffer(data_buffer or b"", dtype=np.uint8)[start:stop]
    powers = _powers(_BASE, len(content))
    sums = np.zeros(len(content) + 1, dtype=np.uint64)
    np.cumsum((content.astype(np.uint64) + np.uint64(1)) * powers[:-1], out=sums[1:])
    begin, end = offsets[:-1] - start, offsets[1:] - start
    return np.asarray((sums[end] - sums[begin]) * _powers(_BASE_INVERSE, len(content))[begin], dtype=np.uint64)


def _powers(base: np.uint64, count: int) -> npt.NDArray[np.uint64]:
    powers = np.full(count + 1, base, dtype=np.uint64)
    powers[0] = 1
    return np.cumprod(powers, dtype=np.uint64)


def _seed_value(seed: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=8).digest(), "little"))


def _mix(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
