"""Crowds of accounts, where many votes share one moment: imports with dates alone, or clocks cut to the minute."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.cleaning.bursts import (
    DAY,
    HOUR,
    Crowding,
    _covered,
    _first_of_moment,
    _followers,
    copied_by_many,
)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 8)), min_size=1, max_size=60),
    st.integers(0, 4),
    st.integers(1, 5),
)
def test_what_is_covered_is_every_act_of_a_full_stretch_and_no_other(
    acts: list[tuple[int, int]], width: int, people: int
) -> None:
    group, moment = (np.array(column, dtype=np.int64) for column in zip(*sorted(acts), strict=True))
    alike = _followers(group, moment, width, group, moment)
    starts = np.flatnonzero((alike >= people) & _first_of_moment(group, moment))
    covered = _covered(len(group), starts, alike[starts])
    for place, (own, at) in enumerate(zip(group, moment, strict=True)):
        full = [
            sum(g == own and begin <= m <= begin + width for g, m in zip(group, moment, strict=True)) >= people
            for g, begin in zip(group, moment, strict=True)
            if g == own and begin <= at <= begin + width
        ]
        assert covered[place] == any(full)


def test_copies_of_one_moment_are_those_of_their_text_alone() -> None:
    def said(text: str, voter: str, moment: int) -> dict[str, object]:
        return {"tenant": "acme", "voter": voter, "text": text, "moment": moment}

    copied = [said("the same long complaint of twenty accounts", f"copy{n}", 40 * DAY) for n in range(20)]
    honest = [said("thank you very much, that worked for me", f"honest{n}", n * 10 * DAY) for n in range(20)]
    for comments in (copied + honest, honest + copied):
        found = copied_by_many(pl.DataFrame(comments), Crowding(minutes=HOUR // 60_000), 20)
        assert sorted(found["voter"]) == sorted(f"copy{n}" for n in range(20))
