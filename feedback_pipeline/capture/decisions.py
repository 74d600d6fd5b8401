"""Decisions of the service: a tenant's experiments in memory, and what its people were given before.

A decision needs the store only to remember it. Where the store is away, the arm is the same and nothing is remembered.
"""

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from feedback_client.assignment import Decision, Held, decide

from feedback_pipeline.capture.connections import Store
from feedback_pipeline.capture.problems import ProblemError
from feedback_pipeline.experiments.registry import Registered, registered

REMEMBERED_SECONDS = 2.0
MAX_HELD = 200_000
"""Assignments kept in memory by a process."""


class Decisions:
    """Decides for one process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[float, dict[str, Registered]]] = {}
        self._held: OrderedDict[tuple[str, str, str], Held] = OrderedDict()

    async def experiments(self, tenant: str) -> dict[str, Registered]:
        """A tenant's experiments by name, at most two seconds old; older where the store is away.

        Raises:
            ProblemError: 503, the store is away and nothing was read before.
        """
        now = time.monotonic()  # before it is asked: an answer may be on its way for long
        at, known = self._known.get(tenant, (float("-inf"), {}))
        if now - at < REMEMBERED_SECONDS:
            return known
        try:
            rows = await self._store.fetch(tenant, "read_experiments")
        except ProblemError:
            if tenant not in self._known:
                raise
            self._known[tenant] = (time.monotonic(), known)
            return known
        found = {row["name"]: registered(row) for row in rows}
        if len(self._known) > 10_000:
            self._known.clear()
        self._known[tenant] = (now, found)
        return found

    def forget(self, tenant: str) -> None:
        """Reads the tenant's experiments anew at the next decision."""
        self._known.pop(tenant, None)

    async def decide(
        self, tenant: str, found: Registered, unit: str | None, pseudonym: str | None, attributes: Mapping[str, Any]
    ) -> Decision:
        """The arm of a unit, remembered under its pseudonym; not remembered where that is None."""
        experiment = found.experiment
        key = (tenant, experiment.name, pseudonym or "")
        held = self._held.get(key)
        decision = decide(experiment, unit, attributes, held)
        if pseudonym is None or held is not None or not experiment.running:
            return decision
        fields = (decision.version, decision.variant, decision.propensity, decision.leaf)
        try:
            rows = await self._store.fetch(
                tenant, "assign_unit", tenant, experiment.name, pseudonym,
                *(fields if decision.takes_part else (None, None, None, None)),
            )  # fmt: skip
        except ProblemError:
            return decision
        if not rows:
            return decision
        kept = Held(rows[0]["variant"], rows[0]["propensity"] or 1.0, rows[0]["leaf"])
        self._held[key] = kept
        if len(self._held) > MAX_HELD:
            self._held.popitem(last=False)
        again = decide(experiment, unit, attributes, kept)
        return replace(again, reason=decision.reason) if again.variant == decision.variant else again
