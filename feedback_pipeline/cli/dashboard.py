"""`feedback dashboard`: the metrics in the terminal, looked up anew every few seconds."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from feedback_pipeline.capture import statistics
from feedback_pipeline.capture.connections import Store
from feedback_pipeline.capture.local import DEFAULT_TENANT
from feedback_pipeline.capture.problems import ProblemError

_BLOCKS = " ▁▂▃▄▅▆▇█"
_SHOWN = 8
_BAR = 16
_OTHERS = 3


async def watch(
    address: str, tenant: str | None, teams: Sequence[str], interval: float, console: Console, *, once: bool = False
) -> None:
    """Shows the figures until interrupted; while the database is away it says so and goes on trying.

    Args:
        address: of the database.
        tenant: whose figures; None for the first of the teams.
        teams: who has feedback, the one with the most first.
        interval: seconds between two looks.
        console: where.
        once: show them once and leave.
    """
    shown = tenant or (teams[0] if teams else DEFAULT_TENANT)
    others = [team for team in teams if team != shown]
    store = Store(address, connections=2)
    try:
        if once:
            console.print(await look(store, shown, others))
            return
        with Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
            while True:
                live.update(await look(store, shown, others, interval), refresh=True)
                await asyncio.sleep(interval)
    except (KeyboardInterrupt, asyncio.CancelledError):
        return
    finally:
        await store.close()


async def look(store: Store, tenant: str, others: Sequence[str] = (), interval: float | None = None) -> RenderableType:
    """The dashboard as it is now: what asks for attention first."""
    try:
        accuracy = await statistics.accuracy(store, tenant, None, None, None)
        stats = await statistics.stats(store, tenant, 30, None, None, None)
        alerts = await store.fetch(tenant, "read_alerts")
        state = (await store.fetch(tenant, "read_state_of_store"))[0]
    except (ProblemError, asyncpg.PostgresError) as error:
        return Panel(
            Text(f"The store cannot be read ({type(error).__name__}); trying again.", style="red"), title="Feedback"
        )
    return Group(
        _heading(tenant, others, interval),
        _alerts(alerts),
        _status(state),
        _overall(accuracy["overall"], stats),
        _rates("Thumbs up by model", "model", accuracy["by_model"]),
        _rates("Thumbs up by intent", "intent", accuracy["by_intent"]),
    )


def _heading(tenant: str, others: Sequence[str], interval: float | None) -> RenderableType:
    text = Text(f"Feedback of {tenant}", style="bold")
    if others:
        named = ", ".join(others[:_OTHERS]) + (" …" if len(others) > _OTHERS else "")
        text.append(f"  (others: {named}; --tenant NAME)", style="dim")
    if interval is not None:
        text.append(
            f"\nLooked at {datetime.now(UTC).astimezone():%H:%M:%S}, again every {interval:g} s; Ctrl-C quits",
            style="dim",
        )
    return text


def _overall(overall: dict[str, Any], stats: dict[str, Any]) -> RenderableType:
    rows = Table.grid(padding=(0, 2))
    interval = f" ({_interval(overall)})" if overall["interval"] else ""
    approval = "no thumbs yet" if overall["accuracy"] is None else f"{_percent(overall['accuracy'])}{interval}"
    rows.add_row("Thumbs up, all time", approval, "Votes, 30 days", f"{stats['total_feedback']:,}")
    rows.add_row("People, 30 days", f"{stats['unique_users']:,}", "Sessions", f"{stats['unique_sessions']:,}")
    rows.add_row("Votes a day, newest right", sparkline(_by_day(stats)), "Down by week", _weeks(stats))
    return Panel(rows)


def _by_day(stats: dict[str, Any]) -> list[int]:
    """A number for each of the 14 days that end today, those without votes too: what is cut is the past."""
    totals = {day["day"]: day["total"] for day in stats["daily"]}
    last = date.fromisoformat(stats["until"])
    return [totals.get((last - timedelta(days=back)).isoformat(), 0) for back in range(13, -1, -1)]


def _weeks(stats: dict[str, Any]) -> str:
    shares = [week["negative_percentage"] for week in stats["weekly_negative"]]
    return " ".join("–" if share is None else f"{share:.0f}" for share in shares[-3:]) + " %" if shares else "–"


def _rates(title: str, name: str, groups: list[dict[str, Any]]) -> RenderableType:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column(name, overflow="fold", max_width=26)
    for heading in ("thumbs", "", "up", "95 % interval"):
        table.add_column(heading, no_wrap=True, justify="left" if heading == "" else "right")
    for group in groups[:_SHOWN]:
        table.add_row(
            Text(group[name] or "unknown"), f"{group['total']:,}", bar(group["accuracy"]), _percent(group["accuracy"]),
            _interval(group),
        )  # fmt: skip
    if not groups:
        table.add_row("no thumbs yet")
    return table


def _percent(value: float) -> str:
    return f"{value:.1f} %"


def _interval(group: dict[str, Any]) -> str:
    return f"{group['interval'][0]:.0f}–{group['interval'][1]:.0f} %"


def _alerts(alerts: list[Any]) -> RenderableType:
    if not alerts:
        return Text("✓ Alerts: none open", style="green")
    return Text(
        "\n".join(f"! {row['severity']}: {row['kind']} since {row['opened_at']:%Y-%m-%d}" for row in alerts),
        style="red",
    )


def _status(state: Any) -> RenderableType:
    return Text(
        f"PostgreSQL {state['version']} · database {state['size']} · {state['connections']} connections"
        f" · {state['waiting']} counts to fold · {state['pending']} votes wait for their answer",
        style="dim",
    )


def bar(share: float) -> str:
    """A percentage as a bar that can be read without colours."""
    full = round(share / 100 * _BAR)
    return "█" * full + "░" * (_BAR - full)


def sparkline(values: list[int]) -> str:
    """A number a day as bars of eight heights; a day with any has one."""
    top = max(values, default=0)
    return "".join(_BLOCKS[max(1, round(value / top * 8))] if value else " " for value in values) if top else ""
