"""What the service does beside answering: folds counts, settles what arrived in the same moment, throws away what has
had its time, and tells the planner about tables that have grown.

Every process of the service runs it; the database lets one at a time work. It uses a connection as the tables' owner.
"""

import asyncio
import logging

import asyncpg

from feedback_pipeline.capture.connections import CONNECT_SECONDS, UNREACHABLE, Address, current, query

FOLD_SECONDS = 0.5
MATCH_EVERY = 10
VACUUM_EVERY = 20
SWEEP_EVERY = 600
PEOPLE_EVERY = 120
MANY_VOTES = 20_000
"""A team's votes in 95 days from which on the people of a model, intent or project are estimated, not counted: counting
takes about 1 ms a thousand."""
_SMALL_PAGES = 16
_log = logging.getLogger(__name__)


async def maintain(address: Address) -> None:
    """Runs until cancelled; a database that cannot be reached is tried again."""
    while True:
        try:
            connection = await asyncpg.connect(
                current(address), timeout=CONNECT_SECONDS, server_settings={"application_name": "feedback-maintenance"}
            )
            try:
                await _work(connection)
            finally:
                connection.terminate()
        except UNREACHABLE as error:
            _log.warning("maintenance waits for the database (%s)", type(error).__name__)
            await asyncio.sleep(1.0)
        except asyncpg.PostgresError as error:
            _log.error("maintenance failed with SQLSTATE %s and goes on", error.sqlstate)
            await asyncio.sleep(1.0)


async def _work(connection: asyncpg.Connection) -> None:
    turn, due = 0, False
    while True:
        await connection.execute("SELECT fold_counts()")
        if turn % MATCH_EVERY == 0:
            await connection.execute("SELECT match_votes(), claim_waiting_votes()")
        if turn % VACUUM_EVERY == 0:
            # the delta tables are filled and emptied all the time: readers would wade through what is gone
            await connection.execute("VACUUM (SKIP_LOCKED) vote_delta")
            await connection.execute("VACUUM (SKIP_LOCKED) person_delta")
        if turn % SWEEP_EVERY == 0:
            await connection.execute("SELECT sweep_capture()")
        if due or turn % PEOPLE_EVERY == 0:
            due = await connection.fetchval("SELECT sketch_people($1)", MANY_VOTES)
        for table in await connection.fetch(query("read_sizes")):
            if table["pages"] > max(_SMALL_PAGES, 2 * table["known"]):
                # drops the plans that sessions made while the table was small
                await connection.execute(f'ANALYZE (SKIP_LOCKED) "{table["name"]}"')
        turn += 1
        await asyncio.sleep(FOLD_SECONDS)
