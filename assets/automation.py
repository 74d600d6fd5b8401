"""When assets are computed by themselves: one guarded condition, in one place.

`eager()` alone would run an asset although a blocking check upstream failed: bad days would flow into weekly reports.
It would also run a week for every one of its days while a backfill is under way.
"""

from typing import Any

import dagster as dg


def guarded_eager() -> dg.AutomationCondition[Any]:
    """Compute a week when its days changed, once they are all there, their checks passed and nothing is under way."""
    changed = dg.AutomationCondition.any_deps_updated().since(
        dg.AutomationCondition.newly_requested() | dg.AutomationCondition.newly_updated()
    )
    return (
        changed
        & ~dg.AutomationCondition.any_deps_in_progress()
        & ~dg.AutomationCondition.in_progress()
        & dg.AutomationCondition.all_deps_blocking_checks_passed()
    ).with_label("days changed, checked and settled")


AUTOMATED = ("clean", "patterns", "report", "evaluation", "training")
"""Groups whose weekly assets follow their days."""
