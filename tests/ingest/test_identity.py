"""Ids: the same row has the same one in every import, and a repeated one is noticed."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_pipeline.ingest.identity import SeenIds, content_hashes, derived_ids
from feedback_pipeline.store.rows import derived_id

_TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(_TEXT, st.none() | _TEXT), max_size=20), source=_TEXT)
def test_ids_of_a_column_are_those_of_its_rows(rows: list[tuple[str, str | None]], source: str) -> None:
    tenants = pl.Series([tenant for tenant, _ in rows], dtype=pl.String)
    ids = pl.Series([row_id for _, row_id in rows], dtype=pl.String)
    expected = [None if row_id is None else derived_id(tenant, source, row_id) for tenant, row_id in rows]
    assert derived_ids(tenants, source, ids).to_list() == expected


@settings(max_examples=60, deadline=None)
@given(batches=st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=12))
def test_seen_ids_are_those_of_a_set(batches: list[list[int]]) -> None:
    seen, known = SeenIds(), set[int]()
    for batch in batches:
        ids = derived_ids(
            pl.Series(["t"] * len(batch), dtype=pl.String), "s", pl.Series(map(str, batch), dtype=pl.String)
        )
        expected = []
        for number in batch:
            expected.append(number in known)
            known.add(number)
        assert seen.repeated(ids).to_list() == expected


def test_hashes_tell_texts_apart_and_keep_nothing_of_them() -> None:
    hashes = content_hashes(["a", "b", "a", None])
    assert hashes[0] == hashes[2] != hashes[1]
    assert hashes[3] is None
    assert hashes.drop_nulls().str.len_chars().to_list() == [32] * 3
