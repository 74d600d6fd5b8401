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
import pyarrow as pa

Words = npt.NDArray[np.uint64]
Bytes = npt.NDArray[np.uint8]

WINDOW = 8
"""Bytes in a window."""
BINS = 128
BANDS = 16
SKETCH = pl.Array(pl.UInt64, BANDS)
"""The type of a column of sketches: sixteen bands of eight bins."""

BYTES_AT_A_TIME = 1 << 19
"""Text sketched at a time; what bounds the memory."""
WINDOWS_AT_A_TIME = 1 << 15
"""Windows hashed at a time; what a core's cache holds."""
PAIRS_AT_A_TIME = 1 << 17
_EVERY_BYTE = np.uint64(0x0101010101010101)
"""Times this, the highest byte of a word is the sum of its eight."""

_EMPTY = np.uint64(2**64 - 1)
_MANY = 0.1
"""Share of empty bins."""
_PADDING = "\0"


def sketches(texts: pl.Series, key: bytes = b"") -> pl.Series:
    """The sketch of each text (SKETCH); null for null and for the empty text.

    Args:
        texts: normalised texts (String).
        key: who does not know it cannot choose words that fall into bins at will. Sketches made with different keys
            cannot be compared.
    """
    said = texts.to_frame("text").with_row_index("row").filter(pl.col("text").str.len_bytes() > 0)
    windows, seed = _Windows(said["text"].str.pad_end(WINDOW, _PADDING)), _seed(key)
    bands = np.empty((said.height, BANDS), dtype=np.uint64)
    for part in _blocks(windows.ends):
        bands[part] = _bands(windows.least(part, seed))
    return _placed(said["row"], bands, len(texts)).alias(texts.name)


def sketches_with(texts: pl.Series, others: pl.Series, key: bytes = b"") -> tuple[pl.Series, pl.Series]:
    """The sketch of each text, and that of the text together with the other one of its row; null where one is missing.

    Two texts together are the windows of both, and the least of a union is the lesser of the two least: every byte is
    hashed once for both sketches. Arguments are those of `sketches`.
    """
    rows = pl.DataFrame({"text": texts, "other": others.fill_null("")}).with_row_index("row")
    said = rows.filter(pl.col("text").str.len_bytes() > 0)
    is_both = said["other"].str.len_bytes() > 0
    ours = _Windows(said["text"].str.pad_end(WINDOW, _PADDING))
    theirs = _Windows(said["other"].zip_with(~is_both, said["other"].str.pad_end(WINDOW, _PADDING)))
    seed = _seed(key)
    alone, together = (np.empty((said.height, BANDS), dtype=np.uint64) for _ in range(2))
    for part in _blocks(ours.ends + theirs.ends):
        least = ours.least(part, seed)
        alone[part] = _bands(least)
        together[part] = _bands(np.minimum(least, theirs.least(part, seed), out=least))
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
        # eight bytes of marks are added at a time, and then those of the sum
        marks = equal.view(np.uint64).reshape(-1, BINS // 8).sum(axis=1)
        found[some] = ((marks * _EVERY_BYTE) >> np.uint64(56)) / BINS
    chance = 1 / 256
    return np.asarray((found - chance) / (1 - chance))


def _blocks(ends: npt.NDArray[np.int64]) -> Iterator[slice]:
    """Rows in blocks of about BYTES_AT_A_TIME (one row where a text is longer); `ends` are where their bytes end."""
    first, done = 0, 0
    while first < len(ends):
        last = max(int(np.searchsorted(ends, done + BYTES_AT_A_TIME, side="right")), first + 1)
        yield slice(first, last)
        first, done = last, int(ends[last - 1])


class _Windows:
    """The windows of texts of at least WINDOW bytes or none, and where each text's bytes end."""

    def __init__(self, texts: pl.Series) -> None:
        stored = texts.to_arrow().cast(pa.large_binary())
        _, offsets, data = stored.buffers()
        starts = np.frombuffer(offsets, dtype=np.int64)[stored.offset :][: len(texts) + 1]
        said = np.frombuffer(data or b"", dtype=np.uint8)[starts[0] : starts[-1]]
        padded = np.concatenate([said, np.zeros(WINDOW, dtype=np.uint8)])
        self.ends: npt.NDArray[np.int64] = starts[1:] - starts[0]
        self._windows: Words = np.ndarray((len(said) + 1,), dtype="<u8", buffer=padded.data, strides=(1,))

    def least(self, rows: slice, seed: np.uint64) -> Words:
        """The least hash in each bin of these texts; _EMPTY in empty bins; shape (BINS, texts)."""
        ends = self.ends[rows]
        first = int(self.ends[rows.start - 1]) if rows.start else 0
        lengths = np.diff(ends, prepend=first)
        places = np.repeat(np.arange(len(ends), dtype=np.int64), lengths)
        beyond = (ends[lengths > 0, None] - np.arange(WINDOW)[:0:-1]).ravel()
        least = np.full(len(ends) * BINS, _EMPTY)
        for start in range(first, int(ends[-1]), WINDOWS_AT_A_TIME):
            stop = min(start + WINDOWS_AT_A_TIME, int(ends[-1]))
            hashed = _mixed(self._windows[start:stop] ^ seed)
            # A window that reaches into the next text is no window of this one; the greatest value is never the least.
            some = slice(*np.searchsorted(beyond, (start, stop)))
            hashed[beyond[some] - start] = _EMPTY
            bins = (hashed >> np.uint64(57)).view(np.int64)
            bins *= len(ends)
            bins += places[start - first : stop - first]
            np.minimum.at(least, bins, hashed)
        return least.reshape(BINS, -1)


def _bands(least: Words) -> Words:
    """Bands of texts with at least one filled bin, from their least hashes; shape (texts, BANDS)."""
    return _borrowed(least).view("<u8").astype(np.uint64)


def _mixed(values: Words) -> Words:
    """SplitMix64's finaliser: a bijection under which every bit depends on every bit. Works in place."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        values ^= values >> np.uint64(shift)
        values *= np.uint64(factor)
    values ^= values >> np.uint64(31)
    return values


def _borrowed(least: Words) -> Bytes:
    """The low byte of each bin, shape (texts, BINS); empty bins take that of the first filled one in their own order
    (`_LENDERS`)."""
    bins = least.astype("<u8", copy=False).view(np.uint8)[:, ::8].astype(np.int16)
    bins |= -(least == _EMPTY).astype(np.int16)  # −1 where empty: masked assignments take ten times as long
    filled, turn = bins.copy(), 0
    # a turn of all bins is cheap for each, and dear for the few that go on asking
    while np.count_nonzero(filled < 0) > _MANY * filled.size:
        filled ^= (filled ^ bins[_LENDERS[turn]]) & (filled >> 15)
        turn += 1
    flat, texts = filled.ravel(), filled.shape[1]
    empty = np.flatnonzero(flat < 0)
    while len(empty):
        bin_, text = np.divmod(empty, texts)
        lent = bins[_LENDERS[turn, bin_], text]
        flat[empty] = lent
        empty = empty.take(np.flatnonzero(lent < 0))
        turn += 1
    return np.ascontiguousarray(filled.T, dtype=np.uint8)


_LENDERS = np.argsort(_mixed(np.arange(BINS * BINS, dtype=np.uint64)).reshape(BINS, BINS), axis=1, kind="stable").T
"""Whom a bin asks at each turn: shape (turns, bins). Every bin asks all bins once."""
