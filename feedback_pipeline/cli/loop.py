"""The commands of the loop itself: `feedback demo`, `sample`, `import`, `materialize`, `status`, `doctor`, `dev`, …"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from feedback_pipeline.cli.opening import open_pipeline, open_store
from feedback_pipeline.cli.options import day_of, week_over
from feedback_pipeline.cli.printing import PlainConsole
from feedback_pipeline.loading import uncollected
from feedback_pipeline.settings import Settings, SettingsError

console = PlainConsole()
errors = PlainConsole(stderr=True)


def demo(
    votes: Annotated[int, typer.Option(help="How many votes to make.", min=100)] = 20_000,
    weeks: Annotated[int, typer.Option(help="Over how many weeks.", min=2, max=52)] = 8,
    seed: Annotated[int, typer.Option(help="Same seed, same votes.")] = 7,
) -> None:
    """Make sample votes, run the whole loop on them and say where the results are."""
    from feedback_pipeline.cli import summary
    from jobs.supervisor import API_PORT, console_address

    started = time.perf_counter()
    pipeline = open_pipeline()
    _load_sample(pipeline, votes, weeks, seed)
    pipeline = open_pipeline()  # whose first week is that of the sample
    result = _compute(pipeline, None)
    _stop_on(result)
    console.print()
    summary.show(pipeline, console)
    _propose_prompt(pipeline)
    console.print(f"\nDone in {time.perf_counter() - started:.0f} s, {result.runs} Dagster runs. See it live: make dev")
    opens = console_address(pipeline.database, pipeline.settings.home, API_PORT)
    console.print(f"which opens the console of every team with this link: {opens}", highlight=False, soft_wrap=True)
    _fail_on(result)


def sample(
    votes: Annotated[int, typer.Option(help="How many votes to make.", min=1)] = 20_000,
    weeks: Annotated[int, typer.Option(help="Over how many weeks.", min=1, max=208)] = 8,
    seed: Annotated[int, typer.Option(help="Same seed, same votes.")] = 7,
) -> None:
    """Put generated votes into the store, with the truth that was planted in a JSON file beside them."""
    _load_sample(open_pipeline(), votes, weeks, seed)


def import_sources_command(
    names: Annotated[list[str] | None, typer.Argument(help="Sources to import; all by default.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would come in and what not, and why.")
    ] = False,
    sources: Annotated[Path | None, typer.Option(help="The file that names the sources.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Day to ask a tool's API from; unset, where the last import ended.")
    ] = None,
    place: Annotated[
        str | None, typer.Option("--from", help="A tool's export, database or address, instead of what is configured.")
    ] = None,
) -> None:
    """Import feedback from the tables and files named in sources.yaml, or from a tool: feedback import langfuse."""
    from feedback_pipeline.cli import summary
    from feedback_pipeline.ingest.importing import import_sources
    from feedback_pipeline.ingest.intake import PrivacyRules
    from feedback_pipeline.ingest.sources import Sources
    from feedback_pipeline.ingest.summary import Progress as ImportProgress
    from feedback_pipeline.ingest.tool_sources import with_tools
    from feedback_pipeline.privacy.redaction import redact_frame

    pipeline = open_pipeline()
    named = with_tools(sources or pipeline.settings.sources_file, tuple(names or ()), os.environ, place)
    if since:
        first = day_of("--since", since)
        named = Sources(named.file, tuple(one.model_copy(update={"since": first}) for one in named.entries))
    privacy = PrivacyRules(redact=redact_frame, pseudonyms=pipeline.pseudonymiser.pseudonyms)
    with _progress() as progress:
        bars: dict[str, TaskID] = {}

        def show(state: ImportProgress) -> None:
            bar = bars.setdefault(state.file, progress.add_task(escape(state.source), total=None))
            total = None if not state.share else int(state.rows / state.share)
            progress.update(bar, completed=state.rows, total=total)

        imported = import_sources(
            pipeline.database, named, privacy, pipeline.settings.home, show, dry_run,
            names=tuple(names or ()), zone=pipeline.settings.zone, policy=pipeline.verdict_policy,
        )  # fmt: skip
    summary.show_import(imported, console)
    if not dry_run:
        _follow_first_day(pipeline)
    if imported.problems or (dry_run and imported.refused):
        raise typer.Exit(code=1)


def _follow_first_day(pipeline: Any) -> None:
    from feedback_pipeline import first_day

    if said := first_day.follow(pipeline):
        console.print(escape(said), highlight=False)


def materialize(
    week: Annotated[list[str] | None, typer.Option(help="Monday of a week to compute (repeatable).")] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Compute every week that holds votes, not only changed ones.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(help="Compute every day from this one on again, changed or not: after new rules for verdicts."),
    ] = None,
) -> None:
    """Compute the days that changed and the weeks they belong to, in the foreground."""
    with uncollected():
        from assets.report import TREND_WEEKS
        from feedback_pipeline.store import changes

    pipeline = open_pipeline()
    weeks = [week_over(pipeline.settings.start, pipeline.today(), text) for text in week] if week else None
    if every:
        changes.fold(pipeline.database)
        weeks = [monday for monday in changes.weeks_with_votes(pipeline.database) if monday >= pipeline.settings.start]
    if since:
        changes.touch(pipeline.database, day_of("--since", since), pipeline.today())
    # a week needs the days that it reads, and no others
    reads = max(pipeline.settings.training_weeks, TREND_WEEKS)
    within = (min(weeks) - timedelta(weeks=reads), max(weeks) + timedelta(days=6)) if weeks and not every else None
    result = _compute(pipeline, weeks, within)
    months = f", {result.months} months" if result.months else ""
    console.print(f"{result.days} days, {result.weeks} weeks{months} computed in {result.runs} runs", highlight=False)
    if within is not None and not result.interrupted:
        waiting = sum(not within[0] <= day.day <= within[1] for day in changes.due(pipeline.database))
        if waiting:
            console.print(f"{waiting} days outside of what was asked for wait: feedback materialize", highlight=False)
    _stop_on(result)
    _fail_on(result)


def hold() -> None:
    """Keep the embedded database running until standard input closes (for benchmarks and scripts of many commands)."""
    database = open_pipeline().database
    console.print(database.name)
    sys.stdin.read()


def migrate() -> None:
    """Make the databases where they are missing, and bring them to this version's shape and rights."""
    from feedback_pipeline.store.database import schema_revision

    database = open_store()
    console.print(f"{database.name} is at revision {schema_revision(database)}", highlight=False)


def status() -> None:
    """Show what is in the store, what is computed and what waits."""
    from feedback_pipeline.cli import summary

    summary.status(open_pipeline(), console)


def doctor() -> None:
    """Check what is configured, reachable and migrated, and say what to do about what is not."""
    from feedback_pipeline.cli import health

    try:
        settings = Settings.from_environment()
    except SettingsError as error:
        console.print(f"✗ settings: {escape(str(error))}", highlight=False)
        raise typer.Exit(code=1) from error
    _show_settings(settings)
    findings = health.examine(settings)
    for finding in findings:
        mark = {"ok": "[green]✓[/]", "warn": "[yellow]![/]", "error": "[red]✗[/]"}[finding.level]
        console.print(f"{mark} {finding.what}: {escape(finding.found)}", highlight=False)
        if finding.advice:
            console.print(f"    → {escape(finding.advice)}", highlight=False)
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(code=1)


def _show_settings(settings: Settings) -> None:
    shown = settings.shown()
    for group in dict.fromkeys(one.group for one in shown):
        table = Table("setting", "value", "from", "default", box=None, title=group, title_justify="left")
        for one in shown:
            if one.group == group:
                name = one.variables[0] if one.variables else one.name
                table.add_row(name, escape(one.value), one.source, escape(one.default))
        console.print(table)
    console.print()


def dev(
    port: Annotated[int | None, typer.Option(help="Port of the Dagster UI; 3000 or the next free one.")] = None,
    api_port: Annotated[
        int | None, typer.Option(help="Port of the capture API, console and demo page; 8080 or the next free one.")
    ] = None,
) -> None:
    """Run the Dagster UI, its daemon and the capture API on this machine until Ctrl-C."""
    from jobs.supervisor import ServicesError, run_services

    try:
        raise typer.Exit(code=run_services(open_pipeline(), port, api_port, console))
    except ServicesError as error:
        errors.print(f"feedback: {escape(str(error))}", style="red", highlight=False, soft_wrap=True)
        raise typer.Exit(code=2) from error


def _load_sample(pipeline: Any, votes: int, weeks: int, seed: int) -> None:
    from feedback_pipeline.experiments.sample_prompt import add_sample_prompt
    from feedback_pipeline.sample.load import load_sample

    started = time.perf_counter()
    with _progress() as progress:
        bar = progress.add_task("sample votes", total=votes)
        loaded = load_sample(
            pipeline.database,
            pipeline.pseudonymiser,
            pipeline.settings.home,
            votes=votes,
            weeks=weeks,
            seed=seed,
            end=pipeline.today() - timedelta(days=1),  # a day that is not over is not computed
            on_progress=lambda done, total: progress.update(bar, completed=done, total=total),
        )
    add_sample_prompt(pipeline)
    console.print(
        f"{loaded.filed.interactions:,} answers and {loaded.filed.feedback:,} feedback events over {weeks} weeks, "
        f"{loaded.refused:,} bad rows refused ({time.perf_counter() - started:.0f} s)\n"
        f"What was planted: {loaded.truth_file}",
        highlight=False,
        soft_wrap=True,
    )
    _follow_first_day(pipeline)


def _compute(pipeline: Any, weeks: list[date] | None, within: tuple[date, date] | None = None) -> Any:
    with uncollected():
        from jobs import instance, runs

    with instance.open_instance(pipeline.settings, pipeline.database) as opened:
        return runs.compute(
            pipeline, opened, weeks=weeks, within=within, report=lambda line: console.print(line, highlight=False)
        )


def _propose_prompt(pipeline: Any) -> None:
    """What votes say of the sample's prompt becomes a proposal, held against the version that answers."""
    from feedback_pipeline.cli.prompts import demonstrate
    from feedback_pipeline.patterns.tables import SLICE_FINDINGS

    weeks = pipeline.frames.partitions(SLICE_FINDINGS)
    if weeks:
        demonstrate(pipeline, date.fromisoformat(weeks[-1]))


def _stop_on(result: Any) -> None:
    if result.interrupted:
        errors.print(
            f"Stopped: {result.days} days and {result.weeks} weeks are done, {result.left} days, weeks or months wait; "
            "nothing is half-written.\nGo on with: feedback materialize",
            highlight=False,
        )
        raise typer.Exit(code=130)


def _fail_on(result: Any) -> None:
    for line in result.failed:
        errors.print(f"failed: {escape(line)}", style="red", highlight=False)
    if result.failed:
        errors.print(
            "What is listed is not computed; the rest is. Look at the run in the Dagster UI (make dev), and try again "
            "with: feedback materialize",
            highlight=False,
        )
        raise typer.Exit(code=1)


@contextmanager
def _progress() -> Iterator[Progress]:
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=not os.environ.get("CI"),
    ) as progress:
        yield progress


def mount(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    for command in (demo, sample, materialize, migrate, status, doctor, dev):
        app.command()(command)
    app.command("import")(import_sources_command)
    app.command(hidden=True)(hold)
