"""Rows of a scan by their ids: those, in the order of the files, and nothing for ids that are null or unknown."""

from datetime import date
from pathlib import Path

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.tables.parquet import ParquetFolder, of_days, of_ids
from feedback_pipeline.tables.schema import Column, Table

TABLE = Table("said", "one text", (Column("id", pl.String, "which"), Column("text", pl.String, "what")))
ROWS = pl.DataFrame({"id": ["c", "a", None, "b", "a"], "text": ["1", "2", "3", "4", None]})


def found(folder: ParquetFolder, ids: list[str | None]) -> list[tuple[str | None, str | None]]:
    rows = of_ids(folder.scan(TABLE, [date(2026, 1, 1)]), "id", pl.Series(ids, dtype=pl.String))
    return rows.collect(engine="streaming").rows()


def test_those_rows_in_their_order(tmp_path: Path) -> None:
    folder = ParquetFolder(str(tmp_path))
    folder.write(TABLE, date(2026, 1, 1), ROWS)
    assert found(folder, ["b", "a", "a", "unknown"]) == [("a", "2"), ("b", "4"), ("a", None)]
    assert found(folder, [None]) == []
    assert found(folder, []) == []


@given(st.lists(st.sampled_from(["a", "b", "c", "d", None])))
def test_they_are_those_of_a_semi_join(ids: list[str | None]) -> None:
    wanted = pl.Series("id", ids, dtype=pl.String)
    joined = ROWS.join(wanted.to_frame(), on="id", how="semi", maintain_order="left")
    assert of_ids(ROWS.lazy(), "id", wanted).collect().equals(joined)


def test_ids_of_many_days_are_read_in_blocks_of_whole_days_and_each_day_gives_its_own_alone():
    days = [date(2026, 1, day) for day in (1, 1, 1, 2, 3, 3)]
    rows = pl.DataFrame({"id": list("abcdef"), "day": days, "text": list("ABCDEF")})
    wanted = rows.filter(pl.col("id") != "b").select("id", "day")
    # two, one and two rows: no two days fit into a block of two
    blocks = [block.collect() for block in of_days(rows.lazy(), "id", wanted, 2)]
    assert [block["text"].to_list() for block in blocks] == [["A", "C"], ["D"], ["E", "F"]]


def test_a_row_whose_day_is_said_wrongly_is_not_found():
    rows = pl.DataFrame({"id": ["a", "b"], "day": [date(2026, 1, 1), date(2026, 1, 2)]})
    wanted = pl.DataFrame({"id": ["a", "b"], "day": [date(2026, 1, 1)] * 2})
    assert [block.collect()["id"].to_list() for block in of_days(rows.lazy(), "id", wanted, 9)] == [["a"]]
