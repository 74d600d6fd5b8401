"""Results kept by the content they were computed from.

In memory only: nothing is left behind that an erasure would have to find.
"""

import copy
import threading
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from io import BytesIO
from typing import Any, TypeVar

import polars as pl

Result = TypeVar("Result")


def digest(frames: tuple[pl.DataFrame, ...], *parameters: object) -> str:
    """A hash of the rows of these frames and of what else the result depends on."""
    hashed = blake2b(digest_size=16)
    for frame in frames:
        buffer = BytesIO()
        # categories' codes depend on what the process read before
        categories = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Categorical)]
        frame.with_columns(pl.col(categories).cast(pl.String)).write_ipc(buffer)
        hashed.update(buffer.getbuffer())
    hashed.update(repr(parameters).encode())
    return hashed.hexdigest()


class ContentCache:
    """The newest results by content; every caller gets a copy of its own."""

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._kept: OrderedDict[str, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str, compute: Callable[[], Result], keep: Callable[[Result], bool] = lambda _: True) -> Result:
        """The result under this key, computed where it is not there, and kept where `keep` says so."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return copy.deepcopy(self._kept[key])  # type: ignore[no-any-return]
        result = compute()
        if keep(result):
            with self._lock:
                self._kept[key] = result
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
        return copy.deepcopy(result)


cache = ContentCache()
"""What the verbs of this process have computed."""
