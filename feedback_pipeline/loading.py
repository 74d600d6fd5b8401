"""What is settled while a process that computes is loaded: when memory goes back, and when garbage is looked for."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

ALLOCATOR = "_RJEM_MALLOC_CONF"
RETURNED = "background_thread:true,dirty_decay_ms:50,muzzy_decay_ms:0"
"""Polars' allocator gives what is free back after a twentieth of a second; as it comes, part of it never: 0.2 to 0.4 GB
between the steps of a loop of a million votes. It takes 2 to 5 % more time."""


def return_memory() -> None:
    """To be called before Polars is loaded; what somebody has set for the allocator stays."""
    os.environ.setdefault(ALLOCATOR, RETURNED)


@contextmanager
def uncollected() -> Iterator[None]:
    """What is loaded in the block is not searched for garbage, then or later: a quarter of the seconds that the
    definitions took to load went to a few searches through all that was loaded before."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was:
            gc.enable()
