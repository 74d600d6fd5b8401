"""The commands of webhooks: `feedback webhooks …`; mounted by `cli.groups`."""

from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table
from rich.text import Text

from feedback_pipeline.cli.opening import open_store
from feedback_pipeline.cli.printing import PlainConsole

webhooks = typer.Typer(
    help="Webhooks: tell an address of a team's feedback events.", no_args_is_help=True, rich_markup_mode=None
)
console = PlainConsole()


@webhooks.command("add")
def add_webhook(
    url: Annotated[str, typer.Argument(help="Where events are posted to.")],
    tenant: Annotated[str, typer.Option(help="The team whose events they are.")] = "default",
    with_texts: Annotated[
        bool, typer.Option("--with-texts", help="Send comments and answers too: no erasure reaches what was sent.")
    ] = False,
) -> None:
    """Have every feedback event of a team posted to an address from now on, and show the secret it is signed with."""
    from feedback_pipeline.capture import webhooks as registry

    try:
        identity, secret = registry.add(open_store(), tenant, url, with_texts=with_texts)
    except registry.WebhookError as error:
        raise typer.BadParameter(str(error)) from error
    console.print(f"webhook {identity}; events are signed (Standard Webhooks) with, shown this once:", highlight=False)
    typer.echo(secret)


@webhooks.command("list")
def list_webhooks() -> None:
    """List the webhooks, how far each is, and what went wrong last."""
    from feedback_pipeline.capture import webhooks as registry

    table = Table(box=None)
    table.add_column("id", no_wrap=True)
    for heading in ("tenant", "address", "told up to (UTC)", "state"):
        table.add_column(heading, overflow="fold")
    for webhook in registry.listed(open_store()):
        state = (
            "ended" if webhook["ended_at"] else f"attempt {webhook['attempts'] + 1}" if webhook["attempts"] else "runs"
        )
        problem = f": {webhook['problem']}" if webhook["problem"] else ""
        cells = (webhook["tenant"], webhook["url"], f"{webhook['told_at']:%Y-%m-%d %H:%M}", state + problem)
        table.add_row(str(webhook["id"]), *(Text(cell) for cell in cells))
    console.print(table)


@webhooks.command("remove")
def remove_webhook(identity: Annotated[UUID, typer.Argument(metavar="ID", help="The webhook's id.")]) -> None:
    """End a webhook."""
    from feedback_pipeline.capture import webhooks as registry

    try:
        registry.remove(open_store(), identity)
    except registry.WebhookError as error:
        raise typer.BadParameter(str(error)) from error
    console.print(f"{identity} is removed", highlight=False)


def mount(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.add_typer(webhooks, name="webhooks")
