"""Which share of the people a person falls into: GrowthBook's hash, version 2, so that its SDKs give the same arms.

Source: growthbook.io, "Build your own SDK", hashing; the public test vectors of `specVersion` 0.7.1.
"""

from __future__ import annotations

from collections.abc import Sequence

BUCKETS = 10_000


def fnv1a32(text: str) -> int:
    """FNV-1a with 32 bits over UTF-16 code units (Fowler, Noll and Vo), as JavaScript counts characters."""
    value = 0x811C9DC5
    if text.isascii():
        for unit in text.encode():
            value = ((value ^ unit) * 0x01000193) & 0xFFFFFFFF
        return value
    units = text.encode("utf-16-le", "surrogatepass")
    for low, high in zip(units[::2], units[1::2]):
        value = ((value ^ (low | high << 8)) * 0x01000193) & 0xFFFFFFFF
    return value


def share_of(seed: str, value: str) -> float:
    """A number in [0, 1) with four decimals, the same for the same seed and value everywhere."""
    return (fnv1a32(str(fnv1a32(seed + value))) % BUCKETS) / BUCKETS


def ranges(weights: Sequence[float], coverage: float = 1.0) -> list[tuple[float, float]]:
    """Half-open ranges, one an arm, each filled up to `coverage` of its weight.

    A larger coverage only adds people to each arm: a ramp moves nobody from one arm to another.
    """
    start, found = 0.0, []
    for weight in weights:
        found.append((start, start + coverage * weight))
        start += weight
    return found


def chosen(share: float, within: Sequence[tuple[float, float]]) -> int | None:
    """The index of the range that holds the share; None where none does."""
    for index, (low, high) in enumerate(within):
        if low <= share < high:
            return index
    return None
