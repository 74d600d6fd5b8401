"""Estimates of how many there are against sets of known size."""

import hashlib
import struct

import numpy as np
import pytest

from feedback_pipeline.stats.cardinality import RELATIVE_ERROR, distinct, merged


def sketch(names: range) -> bytes:
    """What the store keeps, made apart from its SQL: the low 12 bits choose, the first one of the other 52 ranks."""
    ranks: dict[int, int] = {}
    for name in names:
        (hashed,) = struct.unpack("<Q", hashlib.blake2b(str(name).encode(), digest_size=8).digest())
        register, rest = hashed & 4095, hashed >> 12
        ranks[register] = max(ranks.get(register, 0), 53 - rest.bit_length())
    return b"".join(struct.pack(">I", register * 256 + rank) for register, rank in ranks.items())


@pytest.mark.parametrize("size", [0, 1, 2, 10, 100, 1_000, 5_000, 10_000, 14_000, 50_000, 200_000])
def test_an_estimate_is_within_three_standard_errors(size: int) -> None:
    found = distinct(merged(sketch(range(size))))
    assert abs(found - size) <= max(3 * RELATIVE_ERROR * size, 0 if size < 3 else 1)


def test_the_error_is_as_stated_and_without_bias() -> None:
    size = 8_000  # where the first estimator of the literature is biased
    errors = [distinct(merged(sketch(range(k * size, (k + 1) * size)))) / size - 1 for k in range(60)]
    assert abs(np.mean(errors)) < 3 * RELATIVE_ERROR / 60**0.5
    assert 0.6 * RELATIVE_ERROR < np.std(errors) < 1.4 * RELATIVE_ERROR


def test_sketches_of_days_merge_to_that_of_all() -> None:
    apart = sketch(range(3_000)) + sketch(range(2_000, 6_000))
    assert np.array_equal(merged(apart), merged(sketch(range(6_000))))
