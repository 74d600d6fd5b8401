"""How steps tell an instance of many partitions."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import dagster as dg


def together(instance: dg.DagsterInstance) -> AbstractContextManager[None]:
    """What is reported to an instance within the block is stored at its end, at once, where its event log can do that
    (`event_log.LoopEventLog`); nothing of it can be read before.

    To be used around what is reported without anything being computed in between.
    """
    storage: Any = instance.event_log_storage
    block: AbstractContextManager[None] = storage.together() if hasattr(storage, "together") else nullcontext()
    return block
