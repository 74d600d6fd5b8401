"""`feedback analyze`, `feedback report`, `feedback suggest`: the public verbs on the command line."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from feedback_pipeline.cli.options import day_of
from feedback_pipeline.cli.printing import PlainConsole, json_text

if TYPE_CHECKING:
    import polars as pl

console = PlainConsole()

File = Annotated[
    Path | None, typer.Option("--file", help="Feedback in place of the pipeline's own: CSV, JSONL, Parquet, SQLite.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Period(StrEnum):
    """How long a report's period is."""

    WEEKLY = "weekly"
    MONTHLY = "monthly"


def analyze(
    days: Annotated[int, typer.Option(help="How many days to look at.", min=1)] = 7,
    min_samples: Annotated[int, typer.Option(help="Fewest votes to say anything.", min=1)] = 5,
    until: Annotated[str | None, typer.Option(help="The last day, such as 2026-11-22.")] = None,
    file: File = None,
    as_json: Json = False,
) -> None:
    """Show what goes wrong, what goes well, and what to do."""
    from feedback_pipeline.analysis.patterns import analyze_patterns

    with _explained():
        analysis = analyze_patterns(_table(file), days, min_samples, until=day_of("--until", until) if until else None)
    if as_json:
        _print_json({name: value for name, value in asdict(analysis).items() if name != "findings"})
        return
    rate = "no approval rate" if analysis.approval_rate is None else f"approval {analysis.approval_rate:.1%}"
    if analysis.approval_low is not None and analysis.approval_high is not None:
        rate += f" (between {analysis.approval_low:.1%} and {analysis.approval_high:.1%})"
    stretch = "" if analysis.first_day is None else f"{analysis.first_day} to {analysis.last_day}: "
    console.print(
        f"{stretch}{analysis.total_feedback:,} votes by {analysis.people:,} people: {analysis.positive_count:,} up, "
        f"{analysis.negative_count:,} down; {rate}",
        highlight=False,
    )
    _listed("Limits", [*analysis.limits, *(f"left out: {count:,} {what}" for what, count in analysis.left_out.items())])
    _listed("Goes wrong", [pattern["text"] for pattern in analysis.common_negative_patterns])
    _listed("Goes well", [pattern["text"] for pattern in analysis.common_positive_patterns])
    for title, performance in (("tag", analysis.tag_performance), ("framework", analysis.framework_performance)):
        if performance:
            _performance(title, performance)
    _listed("What to do", analysis.recommendations)


def report(
    period: Annotated[Period, typer.Option(help="A week or a month.")] = Period.WEEKLY,
    output: Annotated[Path | None, typer.Option(help="Write the whole report: .html, .json or .md.")] = None,
    until: Annotated[str | None, typer.Option(help="A day of the period; by default of the newest votes.")] = None,
    file: File = None,
    as_json: Json = False,
) -> None:
    """Show the newest report with votes, or write it to a file."""
    from feedback_pipeline.analysis.reports import generate_report

    with _explained():
        made = generate_report(_table(file), period.value, output, until=day_of("--until", until) if until else None)
    if as_json:
        _print_json(asdict(made))
        return
    rate = "no approval rate" if made.approval_rate is None else f"approval {made.approval_rate:.1%}"
    change = made.improvement_vs_previous
    noun = {"weekly": "week", "monthly": "month"}[period.value]
    moved = "" if change is None else f", {change:+.1f} points against the {noun} before"
    console.print(
        f"{made.period} ({made.start_date} to {made.end_date}): {made.total_prompts:,} rated answers, {rate}{moved}. "
        f"{escape(made.headline)}.",
        highlight=False,
    )
    _listed("Problem areas", [one["text"] for one in made.problem_areas])
    _listed("Top performers", [one["text"] for one in made.top_performers])
    _listed("What to do", made.action_items)
    if output is not None:
        console.print(f"Written to {escape(str(output))}", highlight=False, soft_wrap=True)


def suggest(
    framework: Annotated[str | None, typer.Option(help="Only votes on answers of this framework.")] = None,
    days: Annotated[int, typer.Option(help="How many days to look at.", min=1)] = 30,
    limit: Annotated[int, typer.Option(help="How many suggestions.", min=1, max=20)] = 5,
    until: Annotated[str | None, typer.Option(help="The last day, such as 2026-11-22.")] = None,
    file: File = None,
    as_json: Json = False,
) -> None:
    """Suggest what to do next: by a model where OPENAI_API_KEY is set, else by rule."""
    from feedback_pipeline.analysis.suggesting import suggestions

    with _explained():
        given = suggestions(_table(file), framework, days, limit, until=day_of("--until", until) if until else None)
    if as_json:
        _print_json([item.as_dict(given.source) for item in given.items])
        return
    by = "by a model, held against the findings" if given.source == "model" else "by rule"
    console.print(f"{len(given.items)} suggestions {by}" + (f" ({escape(given.note)})" if given.note else ""))
    for number, item in enumerate(given.items, 1):
        console.print(f"{number}. [bold]{escape(item.title)}[/]: {escape(item.action)}", highlight=False)
        for detail in (item.why, item.expected_effect):
            if detail:
                console.print(f"   {escape(detail)}", highlight=False)


@contextmanager
def _explained() -> Iterator[None]:
    """What a person can mend is said in one line."""
    from feedback_pipeline.analysis.vote_frames import FeedbackFrameError
    from feedback_pipeline.analysis.vote_stretches import InsufficientFeedbackError
    from feedback_pipeline.store.computed import GoneError

    try:
        yield
    except (InsufficientFeedbackError, FeedbackFrameError, GoneError) as error:
        PlainConsole(stderr=True).print(f"feedback: {escape(str(error))}", style="red", highlight=False)
        raise typer.Exit(code=1) from error
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _table(file: Path | None) -> "pl.DataFrame | None":
    from feedback_pipeline.analysis.vote_frames import FeedbackFrameError, as_polars

    try:
        return None if file is None else as_polars(file)
    except FeedbackFrameError as error:
        raise typer.BadParameter(str(error)) from error


def _listed(title: str, lines: list[str]) -> None:
    if lines:
        console.print(f"\n[bold]{title}[/]")
    for line in lines:
        console.print(f"  • {escape(line)}", highlight=False)


def _performance(title: str, performance: dict[str, dict[str, Any]]) -> None:
    table = Table(title, "approval", "95 %", "votes", "people")
    for name, numbers in performance.items():
        interval = f"{numbers['low']:.1%}–{numbers['high']:.1%}" if "low" in numbers and "high" in numbers else ""
        rate, votes, people = numbers["success_rate"], numbers["votes"], numbers["people"]
        table.add_row(escape(name), f"{rate:.1%}", interval, f"{votes:,.0f}", f"{people:,.0f}")
    console.print(table)


def _print_json(content: Any) -> None:

    typer.echo(json_text(content))


def mount(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    for command in (analyze, report, suggest):
        app.command()(command)
