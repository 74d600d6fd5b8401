"""Memory between steps: what a step no longer needs goes back to the machine."""

import ctypes
from functools import cache
from typing import Any


@cache
def _trim() -> Any:
    """glibc's `malloc_trim`; None where the C library is another one."""
    try:
        return getattr(ctypes.CDLL(None), "malloc_trim", None)
    except (OSError, TypeError):
        return None  # no library by that name: not a system of this kind


def give_back() -> None:
    """Lets the C library return what is free in it.

    The driver of the database allocates results there, and glibc keeps nearly all of it when they are gone: 0.9 GB
    after the days of a million votes. Polars and Arrow have allocators of their own, which give back by themselves.
    """
    trim = _trim()
    if trim is not None:
        trim(0)
