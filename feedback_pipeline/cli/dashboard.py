"""`feedback dashboard`: the metrics in the terminal, looked up anew every few seconds."""

import asyncio
from typing import Any

import asyncpg
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from feedback_pipeline.capture import statistics
from feedback_pipeline.capture.connections import Store
from feedback_pipeline.capture.problems import ProblemError

_BLOCKS = " ▁▂▃▄▅▆▇█"
_SHOWN = 8


async def watch(address: str, tenant: str, interval: float, console: Console, *, once: bool = False) -> None:
    """Shows the figures until interrupted; while the database is away it says so and goes on trying."""
    store = Store(address, connections=2)
    try:
        if once:
            console.print(await look(store, tenant))
            return
        with Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
            while True:
                live.update(await look(store, tenant), refresh=True)
                await asyncio.sleep(interval)
    except (KeyboardInterrupt, asyncio.CancelledError):
        return
    finally:
        await store.close()


async def look(store: Store, tenant: str) -> RenderableType:
    """The dashboard as it is now."""
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
        _overall(tenant, accuracy["overall"], stats),
        _rates("Thumbs up by model", "model", accuracy["by_model"]),
        _rates("Thumbs up by intent", "intent", accuracy["by_intent"]),
        _alerts(alerts),
        _status(state),
    )


def _overall(tenant: str, overall: dict[str, Any], stats: dict[str, Any]) -> RenderableType:
    rows = Table.grid(padding=(0, 3))
    interval = f" ({overall['interval'][0]:.1f}–{overall['interval'][1]:.1f})" if overall["interval"] else ""
    approval = "no thumbs yet" if overall["accuracy"] is None else f"{overall['accuracy']:.1f} %{interval}"
    rows.add_row("Thumbs up, all time", approval, "Votes, 30 days", f"{stats['total_feedback']:,}")
    rows.add_row("People, 30 days", f"{stats['unique_users']:,}", "Sessions, 30 days", f"{stats['unique_sessions']:,}")
    rows.add_row(
        "Submissions a day", sparkline([day["total"] for day in stats["daily"]]), "Negative by week", _weeks(stats)
    )
    return Panel(rows, title=Text(f"Feedback of {tenant}"))


def _weeks(stats: dict[str, Any]) -> str:
    shares = [week["negative_percentage"] for week in stats["weekly_negative"]]
    return "  ".join("–" if share is None else f"{share:.0f} %" for share in shares[-5:])


def _rates(title: str, name: str, groups: list[dict[str, Any]]) -> RenderableType:
    table = Table(name, "thumbs", "", "up", "95 % interval", title=title, title_justify="left", expand=True)
    for group in groups[:_SHOWN]:
        table.add_row(
            Text(group[name] or "unknown"),
            f"{group['total']:,}",
            ProgressBar(total=100, completed=group["accuracy"], width=30),
            f"{group['accuracy']:.1f} %",
            f"{group['interval'][0]:.1f}–{group['interval'][1]:.1f} %",
        )
    return table


def _alerts(alerts: list[Any]) -> RenderableType:
    if not alerts:
        return Text("Alerts: none open", style="green")
    return Text(
        "\n".join(f"{row['severity']}: {row['kind']} since {row['opened_at']:%Y-%m-%d}" for row in alerts), style="red"
    )


def _status(state: Any) -> RenderableType:
    return Text(
        f"PostgreSQL {state['version']} · database {state['size']} · {state['connections']} connections"
        f" · {state['waiting']} counts to fold · {state['pending']} votes wait for their answer",
        style="dim",
    )


def sparkline(values: list[int]) -> str:
    """A number a day as bars of eight heights."""
    top = max(values, default=0)
    return "".join(_BLOCKS[round(value / top * 8)] if top else " " for value in values)
