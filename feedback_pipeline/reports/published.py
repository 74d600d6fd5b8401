"""The reports that were published, and what one tenant may see of them.

A published report pools the votes of every tenant that allows it, and quotes some. A tenant is shown it as it stands
only where all of its votes are theirs; else the same period is reported on their own votes alone, without words.
Whose votes a page holds is written beside it when it is published: the tables may lose or gain a day afterwards.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Literal

import orjson
import polars as pl
from upath import UPath

from feedback_pipeline.cleaning.tables import (
    CLEAN_FEEDBACK,
    CLEAN_INTERACTIONS,
    DIMENSIONS,
    LENGTH_BANDS,
    MULTI_DIMENSIONS,
    VOTE_FACTS,
)
from feedback_pipeline.reports.page import render_html
from feedback_pipeline.reports.periods import month_of, week_of
from feedback_pipeline.reports.said_events import said_events
from feedback_pipeline.reports.standalone import standalone_report, start_before
from feedback_pipeline.reports.summary import Period
from feedback_pipeline.settings import Settings
from feedback_pipeline.tables.parquet import ParquetFolder, replaced_file

Kind = Literal["weekly", "monthly"]
FOLDERS: dict[Kind, str] = {"weekly": "weekly_report", "monthly": "monthly_report"}
TREND = timedelta(weeks=12)


@dataclass(frozen=True)
class Published:
    """A report on the shelf."""

    period: Period
    bytes: int
    """Size of its page."""


def published(frames: ParquetFolder, timezone: str) -> list[Published]:
    """Every report, newest first, months after the weeks they end in."""
    found = [
        Published(
            _period(kind, start, timezone),
            (frames.root / folder / f"{start}.html").stat().st_size,
        )
        for kind, folder in FOLDERS.items()
        for start in starts(frames, kind, ".html")
    ]
    return sorted(found, key=lambda each: (each.period.end, each.period.kind), reverse=True)


def starts(frames: ParquetFolder, kind: Kind, ending: str) -> list[date]:
    """First days of the reports of which there is a file with this ending, the oldest first; other files stand beside
    them (`2026-11-02.tenants.json`)."""
    stems = [name.removesuffix(ending) for name in frames.names(FOLDERS[kind]) if name.endswith(ending)]
    return sorted(date.fromisoformat(stem) for stem in stems if "." not in stem)


def _period(kind: Kind, start: date, timezone: str) -> Period:
    return week_of(start, timezone) if kind == "weekly" else month_of(start, timezone)


def page_for(frames: ParquetFolder, settings: Settings, kind: Kind, start: date, tenant: str) -> str | None:
    """The page of a report as one tenant may see it; None where there is no such report."""
    path = frames.root / FOLDERS[kind] / f"{start}.html"
    if not path.exists():
        return None
    period = _period(kind, start, settings.timezone)
    page = path.read_bytes()
    if _named_beside(frames, kind, start, page) == {tenant}:
        return page.decode()
    return _own_page(frames, settings.timezone, settings.approval_target, period, tenant, path.stat().st_mtime)


def note_tenants(frames: ParquetFolder, period: Period, page: bytes, others: Iterable[str] = ()) -> None:
    """Writes down, beside a page that is about to be published, whose votes and answers it holds.

    Args:
        frames: the tables it was made from.
        period: the page's.
        page: its bytes: the names hold for these alone.
        others: tenants that the page counts and these tables do not.
    """
    tenants = _tenants(frames, _days_told(period)).union(others)
    told = {"page": hashlib.sha256(page).hexdigest(), "tenants": sorted(tenants)}
    with replaced_file(_tenants_file(frames, period.kind, period.start)) as file:
        file.write(orjson.dumps(told))


def _named_beside(frames: ParquetFolder, kind: Kind, start: date, page: bytes) -> set[str] | None:
    """Whose votes a page holds; None where that is not known of these bytes."""
    path = _tenants_file(frames, kind, start)
    if not path.exists():
        return None
    told = orjson.loads(path.read_bytes())
    return set(told["tenants"]) if told["page"] == hashlib.sha256(page).hexdigest() else None


def _tenants_file(frames: ParquetFolder, kind: Kind, start: date) -> UPath:
    return frames.root / FOLDERS[kind] / f"{start}.tenants.json"


def _days_told(period: Period) -> list[date]:
    """The days that a report tells something of: its own, those of the period before, those of the trend."""
    first = min(period.start - TREND, start_before(period))
    return [first + timedelta(days=offset) for offset in range((period.end - first).days + 1)]


def _tenants(frames: ParquetFolder, days: list[date]) -> set[str]:
    """Whose votes and answers these days hold."""
    tables = [
        frames.scan(table, days).select(pl.col("tenant").unique()) for table in (CLEAN_FEEDBACK, CLEAN_INTERACTIONS)
    ]
    return set(pl.concat(tables).collect()["tenant"].to_list())


@lru_cache(maxsize=64)
def _own_page(
    frames: ParquetFolder, timezone: str, target: float, period: Period, tenant: str, published_at: float
) -> str:
    """The page on one tenant's votes; `published_at` makes a new one where the report was computed again."""
    days = _days_told(period)
    own = frames.scan(CLEAN_FEEDBACK, days).filter(pl.col("tenant") == tenant).select("feedback_id")
    facts = frames.scan(VOTE_FACTS, days).join(own, on="feedback_id", how="semi").collect().sort("day", "feedback_id")
    dimensions = (*DIMENSIONS, *LENGTH_BANDS, *MULTI_DIMENSIONS)
    said = said_events(frames, days, tenant)
    return render_html(standalone_report(facts, period, dimensions, project=tenant, target=target, said=said))
