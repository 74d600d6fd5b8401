"""Declared tables: a frame that claims to be one is held to it, without quoting a value."""

import polars as pl

from feedback_pipeline.tables.schema import Column, Table

TABLE = Table(
    "things",
    "One thing.",
    (
        Column("id", pl.String, "Id.", nullable=False),
        Column("kind", pl.String, "Kind.", values=("a", "b")),
        Column("size", pl.Int64, "Size."),
    ),
    key=("id",),
)


def frame(**changed: list[object]) -> pl.DataFrame:
    columns = {"id": ["1", "2"], "kind": ["a", None], "size": [1, 2], **changed}
    return pl.DataFrame(columns, schema_overrides={"kind": pl.String})


def test_a_right_frame_has_no_problems() -> None:
    assert TABLE.problems(frame()) == []
    assert TABLE.problems(TABLE.empty()) == []


def test_every_kind_of_problem_is_named_without_its_value() -> None:
    assert TABLE.problems(frame().drop("size")) == ["column size is missing"]
    assert TABLE.problems(frame(size=["x", "y"])) == ["column size is String, expected Int64"]
    assert TABLE.problems(frame(extra=[1, 2])) == ["column extra is not declared"]
    assert TABLE.problems(frame(id=["1", None])) == ["column id has 1 missing values"]
    assert TABLE.problems(frame(kind=["a", "secret words"])) == ["column kind has 1 values outside a, b"]
    assert TABLE.problems(frame(id=["1", "1"])) == ["1 rows repeat the key (id)"]
