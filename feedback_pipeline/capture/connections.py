"""The service's connections to PostgreSQL: as the role that row-level security holds for, one tenant at a time."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from feedback_pipeline.capture.problems import ProblemError, unavailable
from feedback_pipeline.store.statements import Queries

query = Queries(__file__).text
"""Text of a query of the API."""
ROLE = "feedback_api"
CONNECT_SECONDS = 4.0
"""A server that is away refuses at once; one that is busy, or whose machine is, takes its time. Less than the five
seconds that our clients wait for an answer."""
STATEMENT_SECONDS = 30.0
_KEPT = 4

# OSError: refused, reset; the interface errors: a connection that died under us or a pool that is being rebuilt
UNREACHABLE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.InternalClientError,
)


Address = str | Callable[[], str]
"""Where the database is; a function where that may change."""


def current(address: Address) -> str:
    """Where the database is now."""
    return address if isinstance(address, str) else address()


_log = logging.getLogger(__name__)


async def _keep_as_is(_: asyncpg.Connection) -> None:
    """What a connection is reset to when it goes back: nothing, as the tenant is set whenever one is taken."""


class Store:
    """A pool of connections; opened when first needed, so that the service starts and recovers without the database."""

    def __init__(self, address: Address, connections: int) -> None:
        self._address = address
        self._connections = connections
        self._pool: asyncpg.Pool | None = None
        self._opening: asyncio.Task[None] | None = None
        self._noted = float("-inf")

    async def _opened(self) -> asyncpg.Pool:
        while self._pool is None:
            if self._opening is None:
                self._opening = asyncio.create_task(self._open())
                self._opening.add_done_callback(self._opened_or_not)
            await asyncio.shield(self._opening)  # one attempt for all who wait, whoever of them goes
        return self._pool

    async def _open(self) -> None:
        try:
            self._pool = await asyncpg.create_pool(
                connect=self._connect,
                min_size=_KEPT,  # one that is made in the middle of a rush may take too long
                max_size=max(_KEPT, self._connections),
                max_inactive_connection_lifetime=0.0,
                timeout=CONNECT_SECONDS,
                command_timeout=STATEMENT_SECONDS,
                reset=_keep_as_is,
                server_settings={"role": ROLE, "application_name": "feedback-api", "jit": "off"},
            )
        except asyncio.CancelledError:
            raise ConnectionAbortedError("the service stops") from None  # for those who wait, who were not cancelled

    def _opened_or_not(self, attempt: "asyncio.Task[None]") -> None:
        self._opening = None
        if not attempt.cancelled():
            attempt.exception()  # told to those who waited; nobody may be left

    async def _connect(self, *arguments: Any, **options: Any) -> asyncpg.Connection:
        # looked up for each connection: an embedded server may come back on another port
        return await asyncpg.connect(current(self._address), *arguments[1:], **options)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection that sees no tenant's rows.

        Raises:
            ProblemError: 503, the database cannot be reached.
        """
        try:
            pool = await self._opened()
            async with pool.acquire(timeout=5.0) as connection:
                yield connection
        except asyncpg.exceptions.OutOfMemoryError:
            raise  # its lock table is full: a smaller transaction may fit
        except UNREACHABLE as error:
            self._note(error)
            raise unavailable() from error

    def _note(self, error: BaseException) -> None:
        """Says once a second why callers are turned away."""
        now = time.monotonic()
        if now - self._noted > 1.0:
            self._noted = now
            _log.warning("the store cannot be reached (%s)", type(error).__name__)

    async def fetch(self, tenant: str, name: str, *arguments: Any) -> list[asyncpg.Record]:
        """The rows of `queries/<name>.sql`, in which only the tenant's rows exist."""
        async with self.connection() as connection:
            await connection.execute("SELECT set_config('feedback.tenant', $1, false)", tenant)
            rows: list[asyncpg.Record] = await connection.fetch(query(name), *arguments)
            return rows

    async def value(self, statement: str, *arguments: Any) -> Any:
        """One value of a statement that belongs to no tenant."""
        async with self.connection() as connection:
            return await connection.fetchval(statement, *arguments)

    async def row(self, statement: str, *arguments: Any) -> asyncpg.Record | None:
        """One row of a statement that belongs to no tenant."""
        async with self.connection() as connection:
            return await connection.fetchrow(statement, *arguments)

    async def ready(self) -> bool:
        """Whether the database answers and takes writes now: after a failover the old one may only be read."""
        writable = "SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off'"
        try:
            return await asyncio.wait_for(self.value(writable), 2.0) is True
        except (ProblemError, TimeoutError):
            return False

    async def close(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None
