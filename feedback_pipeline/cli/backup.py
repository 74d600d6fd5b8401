"""The commands of backups: `feedback backup`, `feedback restore`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from feedback_pipeline.cli.opening import open_pipeline
from feedback_pipeline.cli.printing import PlainConsole
from feedback_pipeline.settings import Settings

console = PlainConsole()
errors = PlainConsole(stderr=True)


def backup(
    target: Annotated[Path, typer.Argument(help="Folder that backups are kept in.")],
    keys: Annotated[
        Path | None, typer.Option(help="Another folder, for the keys: whoever has both can name everybody.")
    ] = None,
    data: Annotated[
        bool, typer.Option("--data/--no-data", help="Tables, reports and training files too; else computed again.")
    ] = True,
) -> None:
    """Back up both databases and the files; the keys apart, or not at all. Erasures from now on are noted there."""
    from feedback_pipeline.backup import archive
    from feedback_pipeline.backup.dump import BackupError

    pipeline = open_pipeline()
    home = pipeline.settings.home
    try:
        made = archive.back_up(pipeline.database, pipeline.frames, home, target, keys=keys, data=data, report=_progress)
    except BackupError as error:
        raise _refuse(str(error)) from error
    console.print(f"{made.files:,} files, {made.bytes / 1e6:,.1f} MB: {made.folder}", highlight=False, soft_wrap=True)
    if made.keys is None:
        console.print(
            f"The keys ({home / 'keys.json'}, *.key) are not in it: keep a copy elsewhere (--keys FOLDER). "
            "Without them nobody can be found again, to be forgotten for example.",
            highlight=False, soft_wrap=True,
        )  # fmt: skip


def restore(
    folder: Annotated[Path, typer.Argument(help="A backup: the folder with manifest.json.")],
    keys: Annotated[Path | None, typer.Option(help="The folder the keys were copied to.")] = None,
    erasures: Annotated[
        list[Path] | None,
        typer.Option(help="The home of the time after the backup, or its erasures.jsonl: replayed too (repeatable)."),
    ] = None,
) -> None:
    """Restore a backup into this home, which must be empty; what was forgotten since is forgotten again."""
    from feedback_pipeline.backup import archive
    from feedback_pipeline.backup.dump import BackupError
    from feedback_pipeline.cli.privacy import open_erasure_context
    from feedback_pipeline.erasure.context import ErasureError
    from feedback_pipeline.store.database import locate

    settings = Settings.from_environment()
    pipeline = open_pipeline(settings)
    try:
        manifest = archive.read_manifest(folder)
        if keys is not None:
            archive.copy_keys(keys, settings.home)
        archive.restore(locate(settings), pipeline.frames, settings.home, folder, settings.timezone, _progress)
    except BackupError as error:
        raise _refuse(str(error)) from error
    try:
        again = archive.replay_erasures(
            open_erasure_context(pipeline), folder, (settings.home / "erasures", *(erasures or ())), _progress
        )
    except ErasureError as error:
        raise _refuse(f"an erasure made after the backup could not be made again: {error}") from error
    console.print(f"Restored the state of {manifest['made_at'][:19]} UTC; {again} later erasures made again.")
    console.print("Compute what waits: feedback materialize")


def _progress(line: str) -> None:
    console.print(line, style="dim", highlight=False)


def _refuse(message: str) -> typer.Exit:
    errors.print(f"feedback: {escape(message)}", style="red", highlight=False, soft_wrap=True)
    return typer.Exit(code=1)


def mount(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.command()(backup)
    app.command()(restore)
