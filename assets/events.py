"""How steps tell an instance of many partitions."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData
from dagster._core.events.log import EventLogEntry

Target = AssetCheckEvaluationTargetMaterializationData


@dataclass(frozen=True)
class Numbered:
    """An event as it was stored, and its number in the log."""

    number: int
    event: EventLogEntry


def together(instance: dg.DagsterInstance) -> AbstractContextManager[list[Numbered]]:
    """What is reported to an instance within the block is stored at its end, at once, where its event log can do that
    (`event_log.LoopEventLog`); nothing of it can be read before. The list holds afterwards what was stored so, or
    nothing.

    To be used around what is reported without anything being computed in between.
    """
    storage: Any = instance.event_log_storage
    block: AbstractContextManager[list[Numbered]] = (
        storage.together() if hasattr(storage, "together") else nullcontext([])
    )
    return block


def materialized(stored: Sequence[Numbered]) -> dict[str | None, Target]:
    """The materialisations among stored events, by partition, as checks name what they looked at."""
    found: dict[str | None, Target] = {}
    for one in stored:
        said = one.event.dagster_event
        if said is not None and said.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION:
            found[said.partition] = Target(
                run_id=one.event.run_id, storage_id=one.number, timestamp=one.event.timestamp
            )
    return found
