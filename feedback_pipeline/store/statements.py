"""SQL that lives in files: `queries/<name>.sql` beside the module that runs it."""

from functools import cache
from pathlib import Path

import sqlalchemy as sa


class Queries:
    """The `queries/` folder beside a module: `_queries = Queries(__file__)`."""

    def __init__(self, module: str) -> None:
        self._folder = Path(module).parent / "queries"

    def text(self, name: str) -> str:
        """The text of `queries/<name>.sql`, as drivers take it."""
        return _read(self._folder / f"{name}.sql")

    def statement(self, name: str) -> sa.TextClause:
        """The same for SQLAlchemy, its parameters written `:name`."""
        return sa.text(self.text(name))


@cache
def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


_store = Queries(__file__)
query = _store.text
"""Text of a query of the store."""
statement = _store.statement
"""A query of the store for SQLAlchemy."""
