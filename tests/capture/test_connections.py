"""The service's way to its database: patient with one that is busy, and quick to say that one is away."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from feedback_pipeline.capture import connections
from feedback_pipeline.capture.connections import Store
from feedback_pipeline.capture.problems import ProblemError
from tests.support.way import Way


@pytest.fixture
def way(service: Any) -> Iterator[Way]:
    parts = urlsplit(service.database.url)
    made = Way((parts.hostname, parts.port))
    yield made
    made.close()


def asked(service: Any, way: Way, callers: int) -> list[Any]:
    """What callers of one store are told who come at the same time."""
    port = urlsplit(service.database.url).port
    address = service.database.url.replace(f":{port}/", f":{way.port}/")

    async def ask() -> list[Any]:
        store = Store(address, 8)
        try:
            one = "SELECT 1"
            return await asyncio.gather(*(store.value(one) for _ in range(callers)), return_exceptions=True)
        finally:
            await store.close()

    return asyncio.run(ask())


def test_a_database_that_is_slow_to_let_us_in_is_not_away(service: Any, way: Way) -> None:
    way.delay = 1.5
    assert asked(service, way, 3) == [1, 1, 1]


def test_those_who_wait_for_a_mute_database_are_told_together(
    service: Any, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    way.delay = 600.0
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 1.0)
    started = time.monotonic()
    told = asked(service, way, 50)
    assert [isinstance(one, ProblemError) and one.status for one in told] == [503] * 50
    assert time.monotonic() - started < 25  # one after the other it would be 50 s
