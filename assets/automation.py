"""When an asset of another project follows ours: one guarded condition, in one place.

The loop's own assets wait in the store (`store.changes`, `store.periods`): there it stands what changed and what a run
that died left undone, for the daemon and for commands alike. Whatever is built on them elsewhere is Dagster's to
start, and `eager()` alone would run it although a blocking check upstream failed, and for every single day while a
backfill is under way.
"""

from typing import Any

import dagster as dg


def after_checked_days() -> dg.AutomationCondition[Any]:
    """Compute a partition when what it reads changed, once that is checked and nothing is under way."""
    changed = dg.AutomationCondition.any_deps_updated().since(
        dg.AutomationCondition.newly_requested() | dg.AutomationCondition.newly_updated()
    )
    return (
        changed
        & ~dg.AutomationCondition.any_deps_in_progress()
        & ~dg.AutomationCondition.in_progress()
        & dg.AutomationCondition.all_deps_blocking_checks_passed()
    ).with_label("days changed, checked and settled")
