"""The commands about sources: `feedback source guess`; mounted by `cli.groups`."""

from typing import Annotated

import typer

from feedback_pipeline.cli.printing import PlainConsole, plain

source = typer.Typer(help="Tables and files to import.", no_args_is_help=True, rich_markup_mode=None)
errors = PlainConsole(stderr=True)


@source.command("guess")
def guess(
    place: Annotated[str, typer.Argument(metavar="FILE|URL", help="A file, or the URL of a database.")],
    table: Annotated[str | None, typer.Option(help="The database's table.")] = None,
    name: Annotated[str | None, typer.Option(help="What to call the source.")] = None,
) -> None:
    """Look at a file or table and write the entry for sources.yaml that it most likely needs, with comments.

    The entry goes to standard output; nothing is imported and no file is changed. Exits with 1 where a line is missing.
    """
    from feedback_pipeline.ingest.guessed_entry import guess_entry
    from feedback_pipeline.ingest.readers.chunks import UnreadableError

    try:
        guessed = guess_entry(place, name, table)
    except UnreadableError as error:
        errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(code=2) from None
    typer.echo(plain(guessed.text), nl=False)
    missing = bool(guessed.guess.missing or guessed.trial.problem)
    then = "add what is missing, then" if missing else "put it into sources.yaml, then"
    errors.print(f"{then}: feedback import {guessed.name} --dry-run", markup=False, highlight=False, soft_wrap=True)
    if missing:
        raise typer.Exit(code=1)


def mount(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.add_typer(source, name="source")
