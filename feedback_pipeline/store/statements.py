"""Statements of `queries/` for SQLAlchemy, with named parameters."""

from functools import cache

import sqlalchemy as sa

from feedback_pipeline.store.bulk import query


@cache
def statement(name: str) -> sa.TextClause:
    """`queries/<name>.sql`, its parameters written `:name`."""
    return sa.text(query(name))
