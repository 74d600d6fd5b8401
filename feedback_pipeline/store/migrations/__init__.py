"""The shape of the database: what an empty one is given, what changed since, and who may do what in it.

`baseline/` is the first revision, by subject. Each later revision is a folder of SQL files, run in the order that its
module in `versions/` names. `roles.sql` and `security.sql` belong to no revision: they can be run any number of times
and are run again wherever what they grant is not there, as in a database that was restored from a dump.
"""

import hashlib
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from psycopg import errors

FOLDER = Path(__file__).parent
BASELINE = "v1_baseline"

# Revisions of the time before the baseline, when nothing was released. The last has the baseline's shape.
LAST_BEFORE_BASELINE = "0011"
BEFORE_BASELINE = frozenset(f"{number:04}" for number in range(1, 12))


class SchemaError(RuntimeError):
    """The tables cannot be brought to this version's shape; the message says why and what to do."""


def run_sql(connection: sa.Connection, *names: str, timezone: str = "") -> None:
    """Runs scripts of this folder in the given order; `:zone` in them is the time zone that days are cut in."""
    cursor = connection.connection.cursor()  # the driver's own: SQLAlchemy would take percent signs for parameters
    for name in names:
        cursor.execute((FOLDER / name).read_text(encoding="utf-8").replace(":zone", timezone))


def upgrade(connection: sa.Connection, timezone: str, revision: str = "head") -> None:
    """Brings the tables to a revision, inside the caller's transaction, and grants what is not granted.

    Raises:
        SchemaError: the database is newer than this version, or older than the baseline.
    """
    from alembic import command
    from alembic.config import Config  # imported where used: it brings a template engine and a highlighter

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes.update(connection=connection, timezone=timezone)
    _check_known(config, current_revision(connection))
    if not _may_change(connection):
        _check_newest(config, current_revision(connection))
        return
    if current_revision(connection) == LAST_BEFORE_BASELINE:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :baseline"), {"baseline": BASELINE})
    run_sql(connection, "roles.sql")
    command.upgrade(config, revision)
    if revision == "head":
        secure(connection)


def _may_change(connection: sa.Connection) -> bool:
    """Whether this user owns the tables, or there are none; others, such as the role for computing, work with them."""
    owned = connection.exec_driver_sql(
        "SELECT pg_has_role(current_user, relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('alembic_version')"
    ).scalar()
    return owned is None or bool(owned)


def _check_newest(config: Any, current: str | None) -> None:
    from alembic.script import ScriptDirectory

    newest = ScriptDirectory.from_config(config).get_current_head()
    if current != newest:
        raise SchemaError(
            f"the database is at revision {current}, and this user may not bring it to {newest}: give feedback migrate "
            "with FEEDBACK_DATABASE_URL naming the tables' owner"
        )


def _check_known(config: Any, current: str | None) -> None:
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current is None or current in known or current == LAST_BEFORE_BASELINE:
        return
    if current in BEFORE_BASELINE:
        raise SchemaError(
            f"the database is at revision {current} of a version that was never released; "
            f"bring it to {LAST_BEFORE_BASELINE} with that version first, or start with an empty database"
        )
    raise SchemaError(
        f"the database is at revision {current}, which this version does not know: a newer version wrote it. "
        "Install that version or a later one; this one has changed nothing"
    )


def current_revision(connection: sa.Connection) -> str | None:
    """The revision the tables are at; None for an empty database."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return revision


def secure(connection: sa.Connection) -> bool:
    """Gives the API's role its rights and row-level security where they are not as this version grants them.

    Returns whether something had to be given.

    Raises:
        SchemaError: the tables are those of a state between two releases.
    """
    if _rights_kept(connection) == _rights_found(connection):
        return False
    try:
        run_sql(connection, "roles.sql", "security.sql")
    except (errors.UndefinedFunction, errors.UndefinedTable, errors.UndefinedColumn) as error:
        raise SchemaError(
            f"the tables are of a state between two releases ({error.diag.message_primary}): this version cannot "
            "bring them on. Start with an empty home, or go back to the commit that made them and take a backup"
        ) from error
    connection.execute(
        sa.text("INSERT INTO setting (name, value) VALUES ('rights', :found)"
                " ON CONFLICT (name) DO UPDATE SET value = excluded.value"),
        {"found": _rights_found(connection)},
    )  # fmt: skip
    return True


def rights_in_place(connection: sa.Connection) -> bool:
    """Whether roles, grants and row-level security are as this version granted them."""
    return _rights_kept(connection) == _rights_found(connection)


def _rights_kept(connection: sa.Connection) -> str | None:
    kept: str | None = connection.exec_driver_sql("SELECT value FROM setting WHERE name = 'rights'").scalar()
    return kept


def _rights_found(connection: sa.Connection) -> str:
    """A mark of what `security.sql` says and of what the catalog holds."""
    mark = hashlib.sha256((FOLDER / "security.sql").read_bytes())
    rows = connection.exec_driver_sql((FOLDER / "rights.sql").read_text(encoding="utf-8")).all()
    for row in rows:
        mark.update(repr(tuple(row)).encode())
    return mark.hexdigest()
