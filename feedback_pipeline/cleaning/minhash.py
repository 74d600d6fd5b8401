"""Sketches of texts from which the Jaccard similarity of two texts can be read without either text.

A text is the set of its windows of eight UTF-8 bytes: eight letters of English, less than three characters of Japanese.
A window is a 64-bit number as it stands, so nothing collides before hashing. Its sketch is 128 bytes: one permutation
hashing (Li, Owen and Zhang 2012, NeurIPS) into 128 bins, of whose least values eight bits are kept (Li and König 2010,
"b-bit minwise hashing", WWW), empty bins borrowing from filled ones in an order of their own ("optimal densification",
Shrivastava 2017, ICML). Eight bins make a band of 64 bits; two texts that share a band are candidates.

The arithmetic is fixed for ever: sketches are persisted and compared across days and machines.
"""

import hashlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

Words = npt.NDArray[np.uint64]
Bytes = npt.NDArray[np.uint8]

WINDOW = 8
"""Bytes in a window."""
BINS = 128
BANDS = 16
SKETCH = pl.Array(pl.UInt64, BANDS)
"""The type of a column of sketches: sixteen bands of eight bins."""

BYTES_AT_A_TIME = 1 << 18
"""Text hashed at a time; what bounds the memory."""
PAIRS_AT_A_TIME = 1 << 17

_EMPTY = np.uint64(2**64 - 1)
_PADDING = "\0"


def sketches(texts: pl.Series, key: bytes = b"") -> pl.Series:
    """The sketch of each text (SKETCH); null for null and for the empty text.

    Args:
        texts: normalised texts (String).
        key: who does not know it cannot choose words that fall into bins at will. Sketches made with different keys
            cannot be compared.
    """
    said = texts.to_frame("text").with_row_index("row").filter(pl.col("text").str.len_bytes() > 0)
    padded = said["text"].str.pad_end(WINDOW, _PADDING)
    seed = _seed(key)
    bands = np.empty((said.height, BANDS), dtype=np.uint64)
    for part in _blocks(padded):
        bands[part] = _bands(_least(padded[part], seed))
    return _placed(said["row"], bands, len(texts)).alias(texts.name)


def sketches_with(texts: pl.Series, others: pl.Series, key: bytes = b"") -> tuple[pl.Series, pl.Series]:
    """The sketch of each text, and that of the text together with the other one of its row; null where one is missing.

    Two texts together are the windows of both, and the least of a union is the lesser of the two least: every byte is
    hashed once for both sketches. Arguments are those of `sketches`.
    """
    rows = pl.DataFrame({"text": texts, "other": others.fill_null("")}).with_row_index("row")
    said = rows.filter(pl.col("text").str.len_bytes() > 0)
    padded = said["text"].str.pad_end(WINDOW, _PADDING)
    is_both = said["other"].str.len_bytes() > 0
    other = said["other"].zip_with(~is_both, said["other"].str.pad_end(WINDOW, _PADDING))
    seed = _seed(key)
    alone, together = (np.empty((said.height, BANDS), dtype=np.uint64) for _ in range(2))
    for part in _blocks(padded, other):
        least = _least(padded[part], seed)
        alone[part] = _bands(least)
        together[part] = _bands(np.minimum(least, _least(other[part], seed)))
    both = is_both.to_numpy()
    return (
        _placed(said["row"], alone, len(texts)).alias(texts.name),
        _placed(said["row"].filter(is_both), together[both], len(texts)).alias(others.name),
    )


def _seed(key: bytes) -> np.uint64:
    return np.uint64(np.frombuffer(hashlib.blake2b(b"minhash" + key, digest_size=8).digest(), "<u8")[0])


def _placed(rows: pl.Series, bands: Words, height: int) -> pl.Series:
    """The sketches of these rows of a column of so many."""
    known = pl.DataFrame({"row": rows, "sketch": pl.Series(bands, dtype=SKETCH)})
    every = pl.DataFrame({"row": pl.int_range(height, dtype=pl.UInt32, eager=True)})
    return every.join(known, on="row", how="left", maintain_order="left")["sketch"]


def similarities(one: Words, other: Words) -> npt.NDArray[np.float64]:
    """Estimates of the Jaccard similarity of texts from their sketches, shape (n, BANDS) each, row by row.

    The standard error is about √(J(1−J)/128), 0.035 at J = 0.8. Equal bytes by chance (1 in 256) are taken off.
    """
    found = np.empty(len(one))
    for start in range(0, len(one), PAIRS_AT_A_TIME):
        some = slice(start, start + PAIRS_AT_A_TIME)
        equal = one[some].view(np.uint8) == other[some].view(np.uint8)
        found[some] = equal.reshape(-1, BINS).mean(axis=1)
    chance = 1 / 256
    return np.asarray((found - chance) / (1 - chance))


def _blocks(*columns: pl.Series) -> Iterator[slice]:
    """Rows in blocks of about BYTES_AT_A_TIME over all columns (one row where a text is longer)."""
    ends = sum(texts.str.len_bytes().cast(pl.Int64).cum_sum().to_numpy() for texts in columns)
    assert isinstance(ends, np.ndarray)
    first, done = 0, 0
    while first < len(ends):
        last = max(int(np.searchsorted(ends, done + BYTES_AT_A_TIME, side="right")), first + 1)
        yield slice(first, last)
        first, done = last, int(ends[last - 1])


def _least(texts: pl.Series, seed: np.uint64) -> Words:
    """The least hash in each bin of texts of at least WINDOW bytes or none; _EMPTY in empty bins; (texts, BINS)."""
    data = texts.str.join("").item().encode() + bytes(WINDOW - 1)
    windows: Words = np.ndarray((len(data) - WINDOW + 1,), dtype="<u8", buffer=data, strides=(1,))
    lengths = texts.str.len_bytes().cast(pl.Int64).to_numpy()
    places = np.repeat(np.arange(len(texts), dtype=np.int64) * BINS, lengths)
    beyond = (np.cumsum(lengths)[:, None] - np.arange(1, WINDOW)).ravel()
    least = np.full(len(texts) * BINS, _EMPTY)
    for start in range(0, len(windows), BYTES_AT_A_TIME):
        part = slice(start, start + BYTES_AT_A_TIME)
        hashed = _mixed(windows[part] ^ seed)
        # A window that reaches into the next text is no window of this one; the greatest value is never the least.
        hashed[beyond[(beyond >= part.start) & (beyond < part.stop)] - start] = _EMPTY
        bins = (hashed >> np.uint64(57)).view(np.int64)
        bins += places[part]
        np.minimum.at(least, bins, hashed)
    return least.reshape(-1, BINS)


def _bands(least: Words) -> Words:
    """Bands of texts with at least one filled bin; shape (texts, BANDS)."""
    return _borrowed(least).view("<u8").astype(np.uint64)


def _mixed(values: Words) -> Words:
    """SplitMix64's finaliser: a bijection under which every bit depends on every bit. Works in place."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        values ^= values >> np.uint64(shift)
        values *= np.uint64(factor)
    values ^= values >> np.uint64(31)
    return values


def _borrowed(least: Words) -> Bytes:
    """The low byte of each bin; empty bins take that of the first filled one in their own order (`_LENDERS`)."""
    bins = np.where(least == _EMPTY, -1, (least & np.uint64(255)).view(np.int64)).astype(np.int16).ravel()
    complete = bins.astype(np.uint8)
    empty = np.flatnonzero(bins < 0)
    for steps in _LENDERS:
        if not len(empty):
            break
        lent = bins.take(empty + steps.take(empty & (BINS - 1)), mode="clip")
        complete[empty] = lent.astype(np.uint8)
        empty = empty[lent < 0]
    return complete.reshape(-1, BINS)


def _lenders() -> npt.NDArray[np.int64]:
    orders = np.argsort(_mixed(np.arange(BINS * BINS, dtype=np.uint64)).reshape(BINS, BINS), axis=1, kind="stable")
    return np.ascontiguousarray((orders - np.arange(BINS)[:, None]).T)


_LENDERS = _lenders()
"""Whom a bin asks at each turn, as a distance: shape (turns, bins). Every bin asks all bins once."""
