"""The commands of training files: `feedback export` and `feedback review`; mounted by `cli.groups`."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, CLEAN_INTERACTIONS
from feedback_pipeline.cli.opening import open_pipeline
from feedback_pipeline.cli.printing import PlainConsole, escaped
from feedback_pipeline.cli.review import review
from feedback_pipeline.erasure import exports
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.privacy import audit_log
from feedback_pipeline.store import computed
from feedback_pipeline.training.export import TRAINING, ExportFormat, Part, Rating, Wanted, framed, parts
from feedback_pipeline.training.live_days import LiveDays

console = PlainConsole()
progress = PlainConsole(stderr=True)


def export(
    output: Annotated[Path | None, typer.Argument(help="File to write; without one, only count.")] = None,
    days: Annotated[int, typer.Option(min=1, help="Days up to today.")] = 7,
    start: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day instead.")] = None,
    end: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day instead.")] = None,
    format_: Annotated[ExportFormat, typer.Option("--format", help="What the file is.")] = "finetuning",
    content_type: Annotated[str | None, typer.Option("--type", help="Only votes on this kind of content.")] = None,
    rating: Annotated[Rating | None, typer.Option(help="Only approving or disapproving votes.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's votes; all by default.")] = None,
    preview: Annotated[int, typer.Option(min=0, help="Show so many lines.")] = 0,
) -> None:
    """Write the votes of the last days as one file, uncurated: for fine-tuning, for promptfoo, or as JSON."""
    pipeline = open_pipeline()
    last = end.date() if end else pipeline.today()
    first = start.date() if start else last - timedelta(days=days - 1)
    if first > last:
        raise typer.BadParameter(f"--from {first} lies after {last}")
    wanted = Wanted(format_, first, last, tenant, content_type, rating)
    try:
        computed.require(
            pipeline.database, pipeline.frames, [CLEAN_FEEDBACK.name, CLEAN_INTERACTIONS.name], wanted.days
        )
    except computed.GoneError as error:
        progress.print(f"feedback: {error}", style="red", highlight=False, markup=False)
        raise typer.Exit(code=1) from error
    found: list[Part] = []
    live = LiveDays(pipeline.frames, pipeline.database, pipeline.verdict_policy)
    if early := sorted(live.not_computed & set(wanted.days)):
        shown = ", ".join(str(day) for day in early[:3]) + (f" and {len(early) - 3} more" if len(early) > 3 else "")
        progress.print(f"read from the store, as they are not computed yet: {shown}", style="dim", highlight=False)
    for part in parts(live, wanted):
        found.append(part)
        progress.print(f"{part.day}: {len(part.lines):,} lines", style="dim", highlight=False)
    lines = sum(len(part.lines) for part in found)
    positive, skipped = sum(part.positive for part in found), sum(part.skipped for part in found)
    for text in [text for part in found for text in part.lines.head(preview)][:preview]:
        # words of strangers: no markup is read in them, and no terminal obeys them
        console.print(escaped(text.rstrip("\n")), markup=False, highlight=False, soft_wrap=True)
    if output is not None and lines:
        _write(pipeline, output, found, wanted)
    where = f" in {output}" if output is not None and lines else ""
    console.print(
        f"{lines:,} lines{where}: {positive:,} approving, {lines - positive:,} disapproving, {first} to {last}"
        + (f"; {skipped:,} votes left out, no line can be made of them" if skipped else ""),
        highlight=False,
        soft_wrap=True,
    )
    if not lines:
        console.print("Nothing was found: feedback status says which days hold votes.", highlight=False)
        raise typer.Exit(code=1)
    if format_ == TRAINING[0] and lines > positive:
        console.print(
            "warning: rejected answers are among the lines with weight 0.5; supervised training would teach them. "
            "The files below training_files hold none.",
            highlight=False,
            soft_wrap=True,
        )


def _write(pipeline: Pipeline, output: Path, found: list[Part], wanted: Wanted) -> None:
    """Writes the file, and notes it first: an erasure and the retention know of it by that."""
    with exports.writing(pipeline.database, output, wanted.tenant, wanted.first, wanted.last, wanted.format) as export:
        audit_log.append(
            pipeline.database, pipeline.pseudonymiser, "votes.exported", actor=audit_log.account(),
            tenant=wanted.tenant, detail={"export": str(export.id), "format": wanted.format,
                                          "first": str(wanted.first), "last": str(wanted.last)},
        )  # fmt: skip
        export.lines = sum(len(part.lines) for part in found)
        for text in framed([part.lines for part in found], wanted.format):
            export.file.write(text.encode())
    exports.count_use(pipeline.database, wanted.tenant, export.lines)


def mount(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.command()(export)
    app.command()(review)
