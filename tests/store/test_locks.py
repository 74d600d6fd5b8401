"""Advisory locks: declared once, each a number of its own."""

import re
from pathlib import Path

import feedback_pipeline
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.locks import Lock, Space, held, held_name

PACKAGE = Path(feedback_pipeline.__file__).parent
LARGE = re.compile(r"\b7_?203_?115_?9\d\d\b")


def test_a_lock_is_held_by_one_and_given_back(database: Database) -> None:
    with held(database.engine, Lock.ERASURE) as first, held(database.engine, Lock.ERASURE) as second:
        assert (first, second) == (True, False)
        with held(database.engine, Lock.INCIDENTS) as other:
            assert other
    with held(database.engine, Lock.ERASURE) as again:
        assert again


def test_names_of_one_space_are_apart_from_each_other_and_from_other_spaces(database: Database) -> None:
    engine = database.engine
    with held_name(engine, Space.FINE_TUNING, "a") as first, held_name(engine, Space.FINE_TUNING, "a") as same:
        assert (first, same) == (True, False)
        with held_name(engine, Space.FINE_TUNING, "b") as name, held_name(engine, Space.NOTIFICATION, "a") as space:
            assert (name, space) == (True, True)


def test_every_lock_in_sql_is_declared_and_no_module_has_numbers_of_its_own() -> None:
    in_sql = {int(found) for path in PACKAGE.rglob("*.sql") for found in LARGE.findall(path.read_text())}
    assert in_sql
    assert in_sql <= set(Lock)
    elsewhere = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if path.name != "locks.py"
        and (LARGE.search(text := path.read_text()) or re.search(r"pg_(try_)?advisory_(xact_)?lock\((?!\{Lock)", text))
    ]
    assert elsewhere == []


def test_a_holder_that_is_gone_without_a_word_is_noticed_within_a_minute(database: Database) -> None:
    """PostgreSQL asks a silent client after `idle` seconds, then `count` times: by default after two hours."""
    with held(database.engine, Lock.ERASURE):
        pass
    with database.engine.connect() as connection:  # the pool's one connection, which held it
        asked = [
            int(connection.exec_driver_sql(f"SHOW tcp_keepalives_{name}").scalar_one())
            for name in ("idle", "interval", "count")
        ]
    idle, interval, count = asked
    assert 0 < idle + interval * count <= 60
