"""The command that sends verdicts back to other tools: `feedback send`; mounted by `cli.groups`."""

import os
from datetime import timedelta
from typing import Annotated, Any

import typer

from feedback_pipeline.cli.opening import open_pipeline
from feedback_pipeline.cli.printing import PlainConsole

console = PlainConsole()


def send(
    to: Annotated[str, typer.Argument(metavar="otlp|langfuse|phoenix", help="Where to.")],
    days: Annotated[int, typer.Option(help="Of how many days, up to yesterday.", min=1, max=366)] = 7,
    corrections: Annotated[
        bool, typer.Option("--corrections", help="Also the answers that people wrote instead: words (not for otlp).")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
) -> None:
    """Send verdicts of people and judges to a tracing tool: numbers and labels, words only with --corrections.

    otlp: gen_ai.evaluation.result events (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS). langfuse: scores
    (LANGFUSE_HOST, LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY). phoenix: annotations (PHOENIX_COLLECTOR_ENDPOINT).
    """
    from feedback_pipeline.outgoing import tools
    from feedback_pipeline.outgoing.verdicts import verdicts

    if to not in tools.KINDS:
        raise typer.BadParameter(f"{to} is none of {', '.join(tools.KINDS)}")
    pipeline = open_pipeline()
    last = pipeline.today() - timedelta(1)
    if corrections and to == "otlp":
        raise typer.BadParameter("an evaluation event has no place for a correction", param_hint="--corrections")
    found: Any = verdicts(pipeline, last - timedelta(days - 1), last, corrections=corrections)
    if dry_run:
        held = list(found)
        people = sum(one.is_human for one in held)
        console.print(f"{people:,} verdicts of people and {len(held) - people:,} of judges would go", highlight=False)
        return
    try:
        target = tools.target_of(to, dict(os.environ))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    try:
        sent = tools.send(target, found)
    except (tools.NotTakenError, ValueError) as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(code=1) from None
    console.print(f"{sent.taken:,} verdicts sent; {sent.nameless:,} have no name that {to} knows", highlight=False)


def mount(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command()(send)
