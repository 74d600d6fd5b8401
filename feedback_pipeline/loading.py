"""How many modules are loaded at once: without looking for garbage, of which they make none."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


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
