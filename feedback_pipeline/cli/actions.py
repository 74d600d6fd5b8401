"""`feedback actions …`: recommendations as actions, with an owner, a day and an outcome."""

import getpass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from feedback_pipeline.cli.listing import Json, Listing
from feedback_pipeline.cli.opening import open_pipeline
from feedback_pipeline.cli.printing import PlainConsole

if TYPE_CHECKING:
    from feedback_pipeline.actions.register import Status

actions = typer.Typer(help="Recommendations: list, accept, do, drop.", no_args_is_help=True)
console = PlainConsole()

Id = Annotated[str, typer.Argument(metavar="ID", help="Its id, or the beginning; see `feedback actions list`.")]
Owner = Annotated[str | None, typer.Option(help="Who does it.")]
Due = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Until when.")]
Note = Annotated[str | None, typer.Option(help="Why; kept with the decision.")]
Person = Annotated[str | None, typer.Option("--by", help="Who you are; the account's name by default.")]


class Shown(StrEnum):
    """Which actions to list."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    DONE = "done"
    DROPPED = "dropped"


@actions.command("list")
def list_actions(
    status: Annotated[Shown | None, typer.Option(help="Only those.")] = None,
    as_json: Json = False,
) -> None:
    """List the actions: accepted ones first."""
    from feedback_pipeline.actions.register import actions as registered

    listed = registered(open_pipeline().database, None if status is None else status.value)
    rows = Listing(
        "id", "status", "owner", "due", "since", "expected_gain", "outcome", "outcome_week", "what",
        expected_gain=lambda gain: "" if gain is None else f"{100 * gain:+.1f} points",
    )  # fmt: skip
    for action in listed:
        rows.add(
            action.recommendation_id, action.status, action.owner, action.due, action.first_week, action.expected_gain,
            action.outcome, action.outcome_week, action.statement,
        )  # fmt: skip
    rows.show(console, as_json, "No actions: they come with the recommendations of a computed week.")


@actions.command()
def show(identity: Id) -> None:
    """Show every decision about an action."""
    from feedback_pipeline.actions.register import UnknownActionError, history

    try:
        events = history(open_pipeline().database, identity)
    except UnknownActionError as error:
        raise typer.BadParameter(str(error)) from error
    table = Table("when", "status", "owner", "due", "by", "note")
    for event in events:
        cells = (event.owner, event.due, event.decided_by or "the pipeline", event.note)
        when = f"{event.decided_at:%Y-%m-%d %H:%M}"
        table.add_row(when, event.status, *(escape(str(cell or "")) for cell in cells))
    console.print(table)


@actions.command()
def accept(identity: Id, owner: Owner = None, due: Due = None, note: Note = None, by: Person = None) -> None:
    """Say that it will be done."""
    _decide(identity, "accepted", owner, due, note, by)


@actions.command()
def done(identity: Id, note: Note = None, by: Person = None) -> None:
    """Say that it was done; the next report says whether it helped."""
    _decide(identity, "done", None, None, note, by)


@actions.command()
def drop(identity: Id, note: Note = None, by: Person = None) -> None:
    """Say that it will not be done; it is not proposed again."""
    _decide(identity, "dropped", None, None, note, by)


@actions.command()
def assign(identity: Id, owner: Owner = None, due: Due = None, note: Note = None, by: Person = None) -> None:
    """Change who does it, or until when."""
    _decide(identity, None, owner, due, note, by)


def _decide(
    identity: str,
    status: "Status | None",
    owner: str | None,
    due: datetime | None,
    note: str | None,
    by: str | None,
) -> None:
    from feedback_pipeline.actions import register

    pipeline = open_pipeline()
    try:
        action = register.decide(
            pipeline.database,
            identity,
            person=by or getpass.getuser(),
            now=pipeline.now(),
            today=pipeline.today(),
            status=status,
            owner=owner,
            due=due.date() if due else None,
            note=note,
        )
    except (register.UnknownActionError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error
    told = f", {action.owner}" if action.owner else ""
    until = f", until {action.due}" if action.due else ""
    console.print(f"{action.recommendation_id} is {action.status}{escape(told)}{until}", highlight=False)


def mount(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.add_typer(actions, name="actions")
