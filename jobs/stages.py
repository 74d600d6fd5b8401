"""The stages of the loop: every declared asset in the order the data flows, and which are computed together."""

from functools import cache

from assets import alerts, clean, evaluation, experiments, models, patterns, report, training
from assets.declaration import Declaration
from feedback_pipeline.store.computed import Loop

STAGES = (clean, patterns, alerts, experiments, report, evaluation, training, models)


def declarations() -> list[Declaration]:
    """Every asset of the loop, in the order the data flows."""
    return [declaration for stage in STAGES for declaration in stage.declarations()]


@cache
def loops_of_assets() -> tuple[Loop, ...]:
    """Which assets are computed together, and what each is made from among them: days, weeks and months."""
    every = declarations()
    loops = []
    for period in ("day", "week", "month"):
        names = tuple(one.name for one in every if one.by == period)
        upstream = {one.name: tuple(name for name in one.after if name in names) for one in every if one.by == period}
        loops.append(Loop(period, names, upstream))
    return tuple(loops)
