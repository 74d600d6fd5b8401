"""A bucket that asks to slow down, or takes the keys away in the middle: waited for, or refused as the machine's fault,
and never half a table."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from s3fs import S3FileSystem

from feedback_pipeline.store.faults import machine_fault
from feedback_pipeline.tables.parquet import ParquetFolder
from tests.support.s3 import in_front_of
from tests.support.things import TABLE, things


@contextmanager
def clients_through(answer: Callable[[str, str], int | None]) -> Iterator[None]:
    """Clients made meanwhile reach the server through a proxy that may refuse."""
    with in_front_of(os.environ["AWS_ENDPOINT_URL"], answer) as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", url)
        S3FileSystem.clear_instance_cache()
        yield
    S3FileSystem.clear_instance_cache()


def test_throttled_requests_are_sent_again(bucket: str) -> None:
    seen: Counter[tuple[str, str]] = Counter()

    def first_of_each(method: str, path: str) -> int | None:
        seen[method, path] += 1
        return 503 if seen[method, path] == 1 else None

    with clients_through(first_of_each):
        folder = ParquetFolder(bucket)
        folder.write(TABLE, "a", things(1, 2))
        assert folder.read(TABLE, ["a"])["number"].to_list() == [1, 2]
    assert any(method == "PUT" and times == 2 for (method, _), times in seen.items())


def test_keys_lost_in_the_middle_are_the_machine_s_fault_and_leave_the_old_table(bucket: str) -> None:
    ParquetFolder(bucket).write(TABLE, "a", things(1))
    with clients_through(lambda method, path: 403 if method == "PUT" else None):
        with pytest.raises(OSError) as caught:
            ParquetFolder(bucket).write(TABLE, "a", things(2))
        assert machine_fault(caught.value) is not None
        assert ParquetFolder(bucket).read(TABLE, ["a"])["number"].to_list() == [1]
    assert ParquetFolder(bucket).partitions(TABLE) == ["a"]
