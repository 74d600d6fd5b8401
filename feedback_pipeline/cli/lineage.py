"""The command of lineage: `feedback why`; mounted by `cli.groups`."""

from typing import Annotated

import typer

from feedback_pipeline.cli.opening import open_pipeline
from feedback_pipeline.cli.printing import json_text, plain


def why(
    reference: Annotated[
        str,
        typer.Argument(
            metavar="WHAT", help="UUID of a vote or answer, row, WEEK/FILE:LINE, dataset, run, job or model."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show what a vote led to, or what a line, dataset, run or model came from."""
    from feedback_pipeline.lineage.trace import UnknownReferenceError
    from feedback_pipeline.lineage.trace import why as trace

    try:
        tree = trace(open_pipeline(), reference)
    except UnknownReferenceError as error:
        raise typer.BadParameter(str(error)) from error
    if as_json:
        typer.echo(json_text(tree.to_dict()))
        return
    for line in tree.lines():
        typer.echo(plain(line))


def mount(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command()(why)
