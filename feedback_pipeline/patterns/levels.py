"""Dimensions as small integers: what cubes, tests and regressions count on.

Code 0 is "unknown" (null), code 1 is "(other)" (levels folded together because they are rare), codes from 2 on are the
kept levels in the order of their names. Codes depend on the values alone, not on the order of rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Codes = NDArray[np.signedinteger[Any]]

UNKNOWN, OTHER, FIRST_LEVEL = 0, 1, 2
OTHER_LABEL = "(other)"


@dataclass(frozen=True)
class Dimension:
    """One dimension of a table of votes, as codes.

    A single-valued dimension has one code per vote and `rows` is None. A multi-valued one (tags, tools) has one code
    per entry, and `rows` says which vote the entry belongs to; votes without entries have none.
    """

    name: str
    labels: tuple[str | None, ...]
    """Label of each code."""
    codes: Codes
    rows: Codes | None
    folded_levels: int
    """How many levels were folded into "(other)"."""
    folded_votes: int
    """How many votes (entries) those levels had."""

    @property
    def size(self) -> int:
        """Number of codes, unknown and other included."""
        return len(self.labels)

    def code_of(self, label: str) -> int | None:
        """The code of a kept level, or None."""
        try:
            return self.labels.index(label, FIRST_LEVEL)
        except ValueError:
            return None

    def votes_with(self, label: str, votes: int) -> NDArray[np.bool_]:
        """Which of the `votes` rows have the level."""
        code = self.code_of(label)
        found = np.zeros(votes, dtype=bool)
        if code is None:
            return found
        if self.rows is None:
            return np.asarray(self.codes == code)
        found[self.rows[self.codes == code]] = True
        return found


def encode(column: pl.Series, *, max_levels: int | None = None, min_votes: int = 1) -> Dimension:
    """The column as a dimension: levels under `min_votes`, or beyond the `max_levels` most frequent, are folded.

    Takes strings, categoricals, enums and lists of strings.
    """
    rows: Codes | None = None
    values = column
    if isinstance(column.dtype, pl.List):
        lengths = column.list.len().fill_null(0)
        rows = np.repeat(np.arange(column.len(), dtype=np.int32), lengths.to_numpy())
        values = column.filter(lengths > 0).explode() if rows.size else pl.Series(column.name, [], dtype=pl.String)
    if not isinstance(values.dtype, pl.Categorical | pl.Enum):
        values = values.cast(pl.String).cast(pl.Categorical)
    present = values.drop_nulls().unique()
    names = present.cast(pl.String).to_list()
    physical = present.to_physical().to_numpy().astype(np.int64)
    unknown = int(physical.max()) + 1 if physical.size else 0
    raw = values.to_physical().fill_null(unknown).to_numpy().astype(np.int64)
    votes = np.bincount(raw, minlength=unknown + 1)[physical]
    order = sorted(range(len(names)), key=lambda i: (-int(votes[i]), names[i]))
    frequent = [i for i in order if votes[i] >= min_votes and names[i] != OTHER_LABEL][:max_levels]
    kept = sorted(frequent, key=names.__getitem__)
    translation = np.full(unknown + 1, OTHER, dtype=np.int32)
    translation[unknown] = UNKNOWN
    translation[physical[kept]] = np.arange(FIRST_LEVEL, FIRST_LEVEL + len(kept), dtype=np.int32)
    return Dimension(
        name=column.name,
        labels=(None, OTHER_LABEL, *(names[i] for i in kept)),
        codes=translation[raw],
        rows=rows,
        folded_levels=len(names) - len(kept),
        folded_votes=int(votes.sum() - votes[kept].sum()),
    )


def encode_all(
    facts: pl.DataFrame, dimensions: Sequence[str], *, max_levels: int | None = None, min_votes: int = 1
) -> list[Dimension]:
    """The named columns of the facts as dimensions, those without any known value left out."""
    encoded = (encode(facts[name], max_levels=max_levels, min_votes=min_votes) for name in dimensions)
    return [dimension for dimension in encoded if dimension.size > FIRST_LEVEL or dimension.folded_levels]


def dense_people(facts: pl.DataFrame) -> NDArray[np.int64]:
    """The `person` column as integers from 0, in the order of the person keys."""
    person = facts["person"]
    if person.is_sorted():
        return person.rle_id().to_numpy().astype(np.int64)
    return np.unique(person.to_numpy(), return_inverse=True)[1].astype(np.int64)
