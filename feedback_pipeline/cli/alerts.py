"""`feedback alerts …`: incidents, and what people do about them."""

import getpass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from rich.markup import escape

from feedback_pipeline.cli.listing import Json, Listing
from feedback_pipeline.cli.opening import open_pipeline
from feedback_pipeline.cli.printing import PlainConsole

if TYPE_CHECKING:
    pass

alerts = typer.Typer(help="Incidents: list, acknowledge, close, try the channels.", no_args_is_help=True)
console = PlainConsole()

Id = Annotated[UUID, typer.Argument(metavar="ID", help="The incident's id, from `feedback alerts list`.")]
Person = Annotated[str | None, typer.Option("--by", help="Who you are; the account's name by default.")]


@alerts.command("list")
def list_alerts(
    every: Annotated[bool, typer.Option("--all", help="Closed ones, too.")] = False,
    days: Annotated[int, typer.Option(help="Incidents that fired in so many days.", min=1)] = 90,
    as_json: Json = False,
) -> None:
    """List the incidents that are not closed."""
    from feedback_pipeline.alerting.incidents import incidents

    pipeline = open_pipeline()
    first = pipeline.today() - timedelta(days=days)
    listed = incidents(pipeline.database, first=first, closed_too=every)
    rows = Listing("id", "rule", "severity", "state", "first", "last", "real", "what",
                   rule=lambda name: name.replace("_", " "))  # fmt: skip
    for incident in listed:
        rows.add(
            incident.id,
            incident.kind,
            incident.severity,
            incident.state,
            incident.first_day,
            incident.last_day,
            incident.real,
            incident.explanation,
        )
    rows.show(console, as_json, "No incidents." if every else "No open incidents.")


@alerts.command()
def acknowledge(identity: Id, by: Person = None) -> None:
    """Say that somebody looks after an incident."""
    from feedback_pipeline.alerting import incidents

    pipeline = open_pipeline()
    try:
        incidents.acknowledge(pipeline.database, identity, person=by or getpass.getuser(), now=pipeline.now())
    except incidents.UnknownIncidentError as error:
        raise typer.BadParameter(str(error)) from error
    console.print(f"{identity} is acknowledged", highlight=False)


@alerts.command()
def close(identity: Id, by: Person = None) -> None:
    """Say that an incident is over; if it fires again, it is a new one."""
    from feedback_pipeline.alerting import incidents

    pipeline = open_pipeline()
    try:
        incidents.close(
            pipeline.database, identity, person=by or getpass.getuser(), now=pipeline.now(), today=pipeline.today()
        )
    except incidents.UnknownIncidentError as error:
        raise typer.BadParameter(str(error)) from error
    console.print(f"{identity} is closed", highlight=False)


@alerts.command("test")
def try_channels() -> None:
    """Send a test message to every configured channel."""
    from feedback_pipeline.alerting.channels import DeliveryError, configured_channels
    from feedback_pipeline.alerting.messages import Message

    text = "A test message of feedback-pipeline: incidents and the weekly digest will come here."
    failed = False
    for channel in configured_channels(open_pipeline().settings):
        try:
            channel.send(Message("test", "[feedback] Test message", text, text, text))
        except DeliveryError as error:
            failed = True
            console.print(f"[red]✗[/] {channel.name}: {escape(str(error))}", highlight=False)
        else:
            console.print(f"[green]✓[/] {channel.name}", highlight=False)
    if failed:
        raise typer.Exit(code=1)


def mount(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.add_typer(alerts, name="alerts")
