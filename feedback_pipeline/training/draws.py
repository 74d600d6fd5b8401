"""Keyed draws: the same row gets the same number in every run, whatever other rows there are, and nobody without the
key can choose an id that lands where they want it."""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

_BLOCK = 50_000


def keyed_hash(values: pl.Series, key: str, purpose: str) -> pl.Series:
    """Keyed BLAKE2b-64 of each string (UInt64); null stays null.

    Args:
        values: strings.
        key: secret of the project; at most 64 bytes are used.
        purpose: separates the draws made for different ends from the same ids; at most 16 bytes.
    """
    # a copy of one hash takes half the time of making each with its key
    keyed = hashlib.blake2b(digest_size=8, key=key.encode()[:64], person=purpose.encode()[:16])
    convert = int.from_bytes

    def hashed(value: str | None) -> int | None:
        if value is None:
            return None
        own = keyed.copy()
        own.update(value.encode())
        return convert(own.digest(), "big")

    return _mapped(values, hashed, pl.UInt64)


def uniform(values: pl.Series, key: str, purpose: str) -> pl.Series:
    """A number in [0, 1) for each string, from its keyed hash; 53 bits, so that 1.0 cannot come out."""
    return (keyed_hash(values, key, purpose) // 2**11).cast(pl.Float64) / 2.0**53


def uniform_of_ids(ids: pl.Series, key: str, purpose: str) -> pl.Series:
    """A number in [0, 1) for each of our own row ids (see `row_id`), which are hashes already.

    Sixteen of their digits are mixed with the key by the finaliser of SplitMix64 (Steele, Lea and Flood 2014): columns
    of a million rows are drawn at once.

    Raises:
        ValueError: an id is not at least sixteen hexadecimal digits; strings of other kinds are for `uniform`.
    """
    if not ids.str.contains("^[0-9a-f]{16}").all():
        raise ValueError(f"{ids.name} holds ids that were not made by row_id")
    secret = hashlib.blake2b(digest_size=8, key=key.encode()[:64], person=purpose.encode()[:16]).digest()
    high, low = (ids.str.slice(start, 8).str.to_integer(base=16).to_numpy().astype(np.uint64) for start in (0, 8))
    mixed = ((high << np.uint64(32)) | low) ^ np.uint64(int.from_bytes(secret, "big"))
    mixed = mixed + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed = mixed ^ (mixed >> np.uint64(31))
    return pl.Series(ids.name, (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53)


def row_id(parts: list[pl.Series], purpose: str) -> pl.Series:
    """A 128-bit identity, in hexadecimal, of the joined parts; null counts as empty. Not keyed: the same everywhere."""
    joined = pl.select(pl.concat_str([part.fill_null("") for part in parts], separator="\x1f")).to_series()
    blank = hashlib.blake2b(digest_size=16, person=purpose.encode()[:16])

    def hashed(text: str) -> str:
        own = blank.copy()
        own.update(text.encode())
        return own.hexdigest()

    return _mapped(joined, hashed, pl.String)


def _mapped(values: pl.Series, function: Callable[[Any], Any], dtype: type[pl.DataType]) -> pl.Series:
    """`function` of each value, in blocks: a million Python strings at once would take more memory than the columns."""
    blocks = [
        pl.Series(values.name, [function(value) for value in values[start : start + _BLOCK].to_list()], dtype=dtype)
        for start in range(0, max(len(values), 1), _BLOCK)
    ]
    return pl.concat(blocks)
