"""How many different things there are, from HyperLogLog registers (Flajolet and others 2007, AofA; the estimator is
algorithm 6 of Ertl 2017, arXiv:1702.01284, which needs no correction for few or many)."""

from math import log, sqrt

import numpy as np
from numpy.typing import NDArray

REGISTERS = 4096
"""Registers of a sketch; the hash's lowest 12 bits choose one."""
_RANKS = 52
"""Bits of the hash that are left for the rank: 1 to 53."""
RELATIVE_ERROR = 1.04 / sqrt(REGISTERS)
"""Standard error of an estimate, as a share of the true number: 1.6 %."""


def merged(sketches: bytes) -> NDArray[np.uint8]:
    """The largest rank of each of the `REGISTERS` registers, of sketches one after the other: four bytes (big-endian) a
    register that is not empty, its number times 256 and its rank."""
    entries = np.frombuffer(sketches, dtype=">u4")
    ranks = np.zeros(REGISTERS, dtype=np.uint8)
    np.maximum.at(ranks, entries >> 8, (entries & 0xFF).astype(np.uint8))
    return ranks


def distinct(ranks: NDArray[np.uint8]) -> int:
    """How many different things the registers have seen, rounded; 0 if all are empty."""
    counts = np.bincount(ranks, minlength=_RANKS + 2).tolist()
    if counts[0] == REGISTERS:
        return 0
    total = REGISTERS * _tau(1 - counts[_RANKS + 1] / REGISTERS)
    for rank in range(_RANKS, 0, -1):
        total = 0.5 * (total + counts[rank])
    total += REGISTERS * _sigma(counts[0] / REGISTERS)
    return round(REGISTERS * REGISTERS / (2 * log(2) * total))


def _sigma(x: float) -> float:
    power, doubled, total = x, 1.0, x
    while True:
        power *= power
        before, total = total, total + power * doubled
        doubled += doubled
        if total == before:
            return total


def _tau(x: float) -> float:
    if x in (0.0, 1.0):
        return 0.0
    halved, total = 1.0, 1 - x
    while True:
        x = sqrt(x)
        before, halved = total, 0.5 * halved
        total -= (1 - x) ** 2 * halved
        if total == before:
            return total / 3
