"""What the C library keeps goes back to the machine."""

import ctypes

import pytest

from assets import memory
from bench.machine import resident_bytes

BLOCKS, SIZE = 3_000, 100_000


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="another C library")
def test_what_was_freed_below_something_in_use_is_given_back() -> None:
    """300 MB freed; the last block stays in use, which keeps the C library from giving back anything by itself."""
    library = ctypes.CDLL(None)
    library.malloc.restype = ctypes.c_void_p
    library.free.argtypes = [ctypes.c_void_p]
    memory.give_back()
    blocks = [library.malloc(SIZE) for _ in range(BLOCKS)]
    for block in blocks:
        ctypes.memset(block, 1, SIZE)
    for block in blocks[:-1]:
        library.free(block)
    kept = resident_bytes()
    memory.give_back()
    assert kept - resident_bytes() > 0.9 * BLOCKS * SIZE
    library.free(blocks[-1])
