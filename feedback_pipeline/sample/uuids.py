"""UUIDs for whole columns."""

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

_HEX = np.frombuffer("".join(f"{value:02x}" for value in range(256)).encode(), dtype=np.uint8).reshape(256, 2)
_LENGTH = 36
_DASHES = (8, 13, 18, 23)
_DIGITS = np.setdiff1d(np.arange(_LENGTH), _DASHES)


def time_ordered_uuids(microseconds: npt.NDArray[np.int64], random: np.random.Generator) -> pl.Series:
    """Version 7 UUIDs (RFC 9562, section 5.7) for moments given as microseconds since the epoch."""
    count = len(microseconds)
    octets = random.integers(0, 256, (count, 16), dtype=np.uint8)
    milliseconds = microseconds // 1000
    for place in range(6):
        octets[:, place] = (milliseconds >> (8 * (5 - place))) & 0xFF
    octets[:, 6] = (octets[:, 6] & 0x0F) | 0x70
    octets[:, 8] = (octets[:, 8] & 0x3F) | 0x80
    letters = np.full((count, _LENGTH), ord("-"), dtype=np.uint8)
    letters[:, _DIGITS] = _HEX[octets].reshape(count, 32)
    ends = np.arange(count + 1, dtype=np.int64) * _LENGTH
    texts = pa.LargeStringArray.from_buffers(count, pa.py_buffer(ends.tobytes()), pa.py_buffer(letters.tobytes()))
    series = pl.from_arrow(texts)
    assert isinstance(series, pl.Series)
    return series
