"""SQL tables and queries: the database writes each row as one line of JSON, read through a server-side cursor."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from feedback_pipeline.ingest.readers.chunks import Chunk, UnreadableError, Wanted
from feedback_pipeline.ingest.readers.jsonl import BLOCK, parse_lines
from feedback_pipeline.settings import without_password

FETCH_ROWS = 2_000
DIALECTS = ("postgresql", "sqlite")


def read_sql(url: str, table: str | None, query: str | None, wanted: Wanted) -> Iterator[Chunk]:
    """The rows of a table (in the order of its primary key) or of a query; row numbers are from 1.

    Raises:
        UnreadableError: the database cannot be reached or refuses the query, or a column is missing.
    """
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            connection = connection.execution_options(stream_results=True, max_row_buffer=FETCH_ROWS)
            statement = _lines(connection, table, query, wanted)
            if engine.dialect.name == "sqlite":
                # Rows come as bytes, so that one with invalid text does not end the whole read.
                connection.connection.dbapi_connection.text_factory = bytes  # type: ignore[union-attr]
            yield from _chunks(connection.execute(statement), wanted)
    except sa.exc.SQLAlchemyError as error:
        raise UnreadableError("sql_error", f"{without_password(url)}: {_described(error)}") from error
    finally:
        engine.dispose()


def _engine(url: str) -> sa.Engine:
    try:
        address = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise UnreadableError(
            "sql_error", "url is no database URL such as postgresql://user:password@host/database or sqlite:///file.db"
        ) from error
    dialect = address.get_backend_name().replace("postgres", "postgresql").replace("postgresqlql", "postgresql")
    if dialect not in DIALECTS:
        raise UnreadableError("sql_error", f"{dialect}:// is not supported, only {' and '.join(DIALECTS)}")
    if dialect == "sqlite":
        if address.database and not address.database.startswith("file:"):
            # SQLite would make an empty database of a misspelt name.
            address = address.set(database=f"file:{address.database}").update_query_dict({"mode": "ro", "uri": "true"})
        return sa.create_engine(address)
    return sa.create_engine(address.set(drivername="postgresql+psycopg"), connect_args={"connect_timeout": 10})


def _lines(connection: sa.Connection, table: str | None, query: str | None, wanted: Wanted) -> sa.Select[Any]:
    delivered: sa.FromClause
    if table is not None:
        delivered, available, order = _table(connection, table)
    else:
        statement = (query or "").rstrip().rstrip(";")
        rows = sa.text(f"({statement}\n) AS delivered")
        available = list(connection.execute(sa.select(sa.text("*")).select_from(rows).limit(0)).keys())
        delivered, order = sa.text(statement).columns(*map(sa.column, available)).subquery("delivered"), []
    columns = [delivered.c[column] for column in wanted.columns(available)]
    if connection.dialect.name == "sqlite":
        pairs = [part for column in columns for part in (sa.literal(column.name), _text_of(column))]
        line = sa.func.json_object(*pairs)
        return sa.select(line).select_from(delivered).order_by(*order)
    chosen = sa.select(*columns).select_from(delivered).order_by(*order).subquery("chosen")
    return sa.select(sa.cast(sa.func.row_to_json(sa.literal_column("chosen")), sa.Text)).select_from(chosen)


def _table(connection: sa.Connection, table: str) -> tuple[sa.TableClause, list[str], list[sa.ColumnElement[object]]]:
    """A table, its columns, and its primary key."""
    schema, _, name = table.rpartition(".")
    inspector = sa.inspect(connection)
    try:
        columns = [column["name"] for column in inspector.get_columns(name, schema=schema or None)]
        key = inspector.get_pk_constraint(name, schema=schema or None)["constrained_columns"]
    except sa.exc.NoSuchTableError as error:
        raise UnreadableError("missing_table", f"table {table} is not there") from error
    delivered = sa.table(name, *(sa.column(column) for column in columns), schema=schema or None)
    return delivered, columns, [delivered.c[column] for column in key]


def _text_of(column: sa.ColumnElement[object]) -> sa.ColumnElement[object]:
    return sa.case((sa.func.typeof(column) == "blob", sa.func.hex(column)), else_=column)


def _chunks(rows: sa.Result[Any], wanted: Wanted) -> Iterator[Chunk]:
    lines: list[bytes] = []
    first, size = 1, 0
    for line in rows.scalars():
        lines.append(line if isinstance(line, bytes) else line.encode())
        size += len(lines[-1])
        if size > BLOCK:
            yield parse_lines(b"\n".join(lines) + b"\n", first, wanted)
            first, lines, size = first + len(lines), [], 0
    if lines:
        yield parse_lines(b"\n".join(lines) + b"\n", first, wanted)


def _described(error: sa.exc.SQLAlchemyError) -> str:
    """What the database said, unless that could quote a value."""
    cause = getattr(error, "orig", None) or error
    state = getattr(cause, "sqlstate", None) or ""
    if state.startswith("22"):
        return f"the query fails on a value ({type(cause).__name__})"
    return str(cause).strip().split("\n")[0]
