"""Whose fault a failure is: the machine's (disk, memory, connections, bucket), or the data's and the code's.

What the machine refuses is refused for every day alike and passes: nobody's attempts are counted, the run ends at once
with the reason, and the work is tried again by itself. Everything else is held against the partition it happened in.
"""

import errno
import os
import re
from collections.abc import Iterator

_PASSING = (ConnectionError, TimeoutError, PermissionError, BlockingIOError, InterruptedError)
"""Kinds of OSError that are about the machine whether or not they carry a number."""
_ABOUT_A_NAME = {errno.ENOENT, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL}
"""Numbers of OSError that are about what was asked for."""
_QUOTED_NUMBER = re.compile(r"\b(?:os error|errno:?) (\d{1,3})\b")
"""How Polars and Arrow write an operating system's error number into their messages."""
_BUCKET = re.compile(r"object-?store|Generic (?:S3|GCS|MicrosoftAzure) error|error sending request", re.IGNORECASE)
_CLIENTS = ("botocore", "aiobotocore", "aiohttp", "s3fs", "gcsfs", "google.auth", "azure")
"""Packages that reach buckets; their own errors are about the bucket, its keys or the way to it."""
_SQLSTATES = ("08", "53", "57P", "58", "25006", "40")
"""Connection, resources, shutdown, system, a server that only reads (a failover), and transactions given up."""
_NO_BUCKET = ("NoSuchBucket", "bucket does not exist")


class MachineFault(RuntimeError):  # noqa: N818 (named after what is wrong)
    """The machine refused; the message says what, in our own words, and quotes nothing."""


def machine_fault(error: BaseException) -> MachineFault | None:
    """What the machine refused, where that is behind an error; None where it is not.

    The error itself is looked at, and what it was raised from.
    """
    for one in _chain(error):
        if isinstance(one, MachineFault):
            return one
        if reason := _memory(one) or _system(one) or _database(one) or _bucket(one):
            return MachineFault(reason)
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        original = getattr(one, "orig", None)  # SQLAlchemy's
        waiting += [original if isinstance(original, BaseException) else None, one.__cause__]
        waiting.append(None if one.__suppress_context__ else one.__context__)


def _memory(error: BaseException) -> str | None:
    return "memory has run out" if isinstance(error, MemoryError) else None


def _system(error: BaseException) -> str | None:
    number = error.errno if isinstance(error, OSError) else None
    if number is None and (quoted := _QUOTED_NUMBER.search(str(error))) and _is_of(error, "polars", "pyarrow"):
        number = int(quoted[1])
    if number is not None and number not in _ABOUT_A_NAME:
        return f"{os.strerror(number)} ({errno.errorcode.get(number, number)})"
    if isinstance(error, _PASSING):
        return type(error).__name__
    return None


def _is_of(error: BaseException, *packages: str) -> bool:
    """Whether an error comes from these packages; Polars and Arrow also raise Python's own OSError."""
    return isinstance(error, OSError) or type(error).__module__.startswith(packages)


def _database(error: BaseException) -> str | None:
    if not type(error).__module__.startswith(("psycopg", "sqlalchemy", "adbc_driver_manager", "asyncpg")):
        return None
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if state:
        return f"the database refused ({state})" if str(state).startswith(_SQLSTATES) else None
    lost = type(error).__name__ in {"OperationalError", "InterfaceError", "ConnectionDoesNotExistError"}
    return "the database cannot be reached" if lost else None


def _bucket(error: BaseException) -> str | None:
    if type(error).__module__.split(".")[0] in _CLIENTS or type(error).__module__.startswith(_CLIENTS):
        code = getattr(error, "response", None)
        said = code.get("Error", {}).get("Code", "") if isinstance(code, dict) else ""
        return f"the bucket refused ({said or type(error).__name__})"
    if isinstance(error, FileNotFoundError) and any(words in str(error) for words in _NO_BUCKET):
        return "the bucket is not there"
    if type(error).__module__.startswith("polars") and _BUCKET.search(str(error)):
        return "the bucket cannot be read"
    return None
