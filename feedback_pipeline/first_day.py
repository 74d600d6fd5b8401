"""The first week follows the data: written down by the first import or sample, moved earlier by one that needs it.

What nobody set by hand must not be wrong by hand: a fixed start years before the first vote fills the calendar with
days that will never be there, and one after it leaves days that are never computed.
"""

from datetime import date

import sqlalchemy as sa
from upath import UPath

from feedback_pipeline.calendar import monday_of
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import FIRST_DAY_FILE
from feedback_pipeline.tables.parquet import replaced_file

_DAYS = sa.text("SELECT min(day), count(*) FILTER (WHERE day < :start) FROM day_state")


def follow(pipeline: Pipeline) -> str | None:
    """Moves the first week to that of the earliest vote; a sentence for people where that changes what they see."""
    from feedback_pipeline.store import changes

    settings = pipeline.settings
    changes.fold(pipeline.database)
    with pipeline.database.engine.connect() as connection:
        first, early = connection.execute(_DAYS, {"start": settings.start}).one()
    if settings.sources.get("start", "default") != "default":
        if not early:
            return None
        return (f"{early} days lie before FEEDBACK_START ({settings.start}) and are not computed; set FEEDBACK_START="
                f"{monday_of(first)}, or unset it")  # fmt: skip
    file = settings.home / FIRST_DAY_FILE
    wanted: date = monday_of(first or pipeline.today())
    known = settings.start if file.exists() else None
    if known is not None and known <= wanted:
        return None
    settings.home.mkdir(parents=True, exist_ok=True)
    with replaced_file(UPath(file)) as written:
        written.write(f"{wanted}\n".encode())
    if known is None:
        return None
    return f"the first week is now that of {wanted} (it was {known}); a running UI shows it after a restart"
