"""What the console's lists share: pages, dates, the values they are filtered by."""

from datetime import UTC, datetime, time, timedelta
from urllib.parse import urlencode

from feedback_pipeline.capture.problems import invalid
from feedback_pipeline.capture.routes_reads import Page
from feedback_pipeline.capture.service import Service

MAX_PAGE = 400


def page_number(given: dict[str, str]) -> int:
    """Which page an address asks for.

    Raises:
        ProblemError: none that there could be.
    """
    text = given.get("page", "1")
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= MAX_PAGE):
        raise invalid("page", f"must be a number from 1 to {MAX_PAGE}")
    return int(text)


def paging(path: str, given: dict[str, str], listed: Page, size: int) -> dict[str, str | None]:
    """The addresses of the `newer` and `older` rows; None where there are none."""
    number = (listed.first - 1) // size + 1

    def link(wanted: int) -> str:
        return f"{path}?{urlencode({**given, 'page': str(wanted)})}"

    return {
        "newer": link(number - 1) if number > 1 else None,
        "older": link(number + 1) if listed.items and listed.last < listed.total else None,
    }


async def values_in_use(service: Service, tenant: str) -> dict[str, list[str]]:
    """What a team's votes can be filtered by: values by the filter's name, the most frequent first."""
    found: dict[str, list[str]] = {}
    for row in await service.store.fetch(tenant, "read_values"):
        found.setdefault(row["name"], []).append(row["value"])
    return found


def days_wanted(given: dict[str, str]) -> dict[str, datetime]:
    """The `since` and `until` of an address: the latter is the last day that is shown.

    Raises:
        ProblemError: one is no date.
    """
    found: dict[str, datetime] = {}
    for name in ("since", "until"):
        if name in given:
            try:
                day = datetime.fromisoformat(given[name]).date()
                found[name] = datetime.combine(day, time(), UTC) + timedelta(days=name == "until")
            except (ValueError, OverflowError):
                raise invalid(name, "must be a date such as 2026-11-20") from None
    return found
