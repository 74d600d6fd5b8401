"""Votes that were in the store before live capture was added are counted like any other."""

import psycopg

from feedback_pipeline.store.database import Database, migrate
from tests.capture.test_counts import PEOPLE, RECOUNT, RECOUNT_PEOPLE, ROLLUP

EARLIER = """
INSERT INTO interaction (id, tenant, model, context, occurred_at, source, source_id, provenance)
SELECT gen_random_uuid(), 'default', 'm-' || n % 2, 'partial', now(), 's', n::text, 'import'
FROM generate_series(1, 6) n;
INSERT INTO feedback (id, tenant, interaction_id, kind, thumb, stars, user_key, session_key, occurred_at, withdrawn,
    source, source_id)
SELECT gen_random_uuid(), 'default', i.id, 'explicit', n % 2 = 0, n, 'k1:' || n % 3, 'k1:s' || n,
    now() - n * interval '1 day', n = 4, 's', i.source_id || n
FROM interaction i CROSS JOIN generate_series(1, 5) n;
INSERT INTO feedback (id, tenant, interaction_id, kind, thumb, occurred_at, source, source_id)
SELECT gen_random_uuid(), 'default', gen_random_uuid(), 'explicit', true, now(), 's', 'unknown'"""


def test_going_up_counts_what_is_there_and_down_leaves_it(database: Database) -> None:
    migrate(database, "UTC", "0001")
    with psycopg.connect(database.url) as connection:
        connection.execute(EARLIER)
    migrate(database, "UTC")
    with psycopg.connect(database.url) as connection:
        tenant = ("default",)
        assert connection.execute(ROLLUP, tenant).fetchall() == connection.execute(RECOUNT, tenant).fetchall()
        people = connection.execute(PEOPLE, tenant).fetchall()
        assert people == connection.execute(RECOUNT_PEOPLE, tenant * 2).fetchall()
        assert connection.execute("SELECT count(*) FROM vote_unmatched").fetchone() == (1,)
    migrate(database, "UTC", "0001")
    with psycopg.connect(database.url) as connection:
        assert connection.execute("SELECT count(*) FROM feedback").fetchone() == (31,)
        connection.execute("UPDATE feedback SET stars = 3 WHERE stars = 5")  # no trigger of ours is left behind
