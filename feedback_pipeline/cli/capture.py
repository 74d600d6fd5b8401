"""The commands of live capture: `feedback serve`, `feedback keys …`, `feedback dashboard`; mounted by `cli.groups`."""

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import typer

from feedback_pipeline.cli.listing import Json, Listing
from feedback_pipeline.cli.opening import open_pipeline, open_store
from feedback_pipeline.cli.printing import PlainConsole
from feedback_pipeline.settings import Settings

keys = typer.Typer(help="API keys: make, list, rotate, revoke.", no_args_is_help=True, rich_markup_mode=None)
console = PlainConsole()


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8787,
    workers: Annotated[int, typer.Option(help="Processes.", min=1, max=64)] = 1,
) -> None:
    """Run the capture API, the component's demo page (/demo) and the console (/console)."""
    from feedback_pipeline.capture import server
    from feedback_pipeline.store import embedded

    if port and not embedded.is_free(port):
        raise typer.BadParameter(f"port {port} is taken by another process", param_hint="--port")
    open_store()  # a problem with the database is said here, once, not by every worker
    if (settings := Settings.from_environment()).database_url is None:
        embedded.watch(settings.home / "postgres", lambda line: console.print(line, highlight=False))
    console.print(
        f"API http://{host}:{port}/v1/feedback  console /console  demo /demo  OpenAPI /openapi.json", highlight=False
    )
    server.run("feedback_pipeline.console.app:from_environment", host, port, workers)


def init(
    tenant: Annotated[str, typer.Option(help="The team whose feedback it is.")] = "default",
) -> None:
    """Make this machine's store ready, and a key to it; run again, it changes nothing."""
    from feedback_pipeline.capture import key_store

    settings = Settings.from_environment()
    database = open_store()
    console.print(f"the store is ready: PostgreSQL database {database.name}", highlight=False, soft_wrap=True)
    if any(key.tenant == tenant and key.revoked_at is None for key in key_store.listed(database)):
        console.print("there are keys already (feedback keys list)", highlight=False)
    else:
        _show(*key_store.create(database, "made by feedback init", ("write", "read"), tenant))
    console.print(
        f"next: feedback capture --prompt … --output … --rating 5, or feedback serve (home {settings.home})",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


def capture(
    prompt: Annotated[str, typer.Option(help="What was asked.")],
    output: Annotated[str, typer.Option(help="What was answered.")],
    rating: Annotated[int | None, typer.Option(min=1, max=5, help="Stars.")] = None,
    thumbs: Annotated[bool | None, typer.Option("--thumbs-up/--thumbs-down", help="A thumb.")] = None,
    tags: Annotated[str, typer.Option(help="Tags, separated by commas.")] = "",
    framework: Annotated[str | None, typer.Option(help="Framework or prompting method.")] = None,
    model: Annotated[str | None, typer.Option(help="Model that answered.")] = None,
    confidence: Annotated[float | None, typer.Option(min=0, max=1, help="How sure the router was.")] = None,
    techniques: Annotated[str, typer.Option(help="Prompting techniques, separated by commas.")] = "",
    execution_time: Annotated[float | None, typer.Option(min=0, help="Seconds.")] = None,
    notes: Annotated[str | None, typer.Option(help="A comment.")] = None,
    user: Annotated[str | None, typer.Option(help="Who rates; stored as a pseudonym.")] = None,
) -> None:
    """File a rating: with the service that FEEDBACK_API_URL and FEEDBACK_API_KEY name, else in this machine's store."""
    from feedback_client import FeedbackError

    from feedback_pipeline.capture.verbs import capture_feedback, default_client

    if rating is None and thumbs is None and notes is None:
        raise typer.BadParameter("give --rating, --thumbs-up, --thumbs-down or --notes")
    context = {
        "framework": framework, "model": model, "confidence": confidence, "techniques": _listed(techniques) or None,
        "execution_time": execution_time,
    }  # fmt: skip
    said = {name: value for name, value in context.items() if value is not None}
    try:
        identity = capture_feedback(prompt, output, rating, thumbs, _listed(tags), said, notes, user_id=user)
        alike = default_client().look_alikes(_listed(tags)) if tags else {}
    except FeedbackError as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(code=1) from None
    console.print("not kept: the person refused collection" if identity is None else identity, highlight=False)
    for tag, others in alike.items():
        console.print(f"the tag {tag} looks like {', '.join(others)}", markup=False, highlight=False)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scope: Annotated[list[str], typer.Option(help="write, read, export or admin; repeatable.")],
    tenant: Annotated[str, typer.Option(help="The team it belongs to; made where new.")] = "default",
    days: Annotated[int | None, typer.Option(help="Days until it expires; never by default.", min=1)] = None,
) -> None:
    """Make a key and show it, once."""
    from feedback_pipeline.capture import key_store

    try:
        identity, text = key_store.create(open_store(), name, scope, tenant, timedelta(days=days) if days else None)
    except key_store.KeyStoreError as error:
        raise typer.BadParameter(str(error)) from error
    _note("key.made", tenant, key=str(identity), scopes=scope)
    _show(identity, text)


@keys.command("list")
def list_keys(as_json: Json = False) -> None:
    """List the keys."""
    from feedback_pipeline.capture import key_store

    rows = Listing(
        "id", "tenant", "name", "scopes", "made", "expires", "revoked", made=_day, expires=_day, revoked=_day
    )
    for key in key_store.listed(open_store()):
        rows.add(key.id, key.tenant, key.name, key.scopes, key.created_at, key.expires_at, key.revoked_at)
    rows.show(console, as_json, "No keys: make one with `feedback keys create`.")


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else ""


@keys.command("rotate")
def rotate_key(
    identity: Annotated[UUID, typer.Argument(metavar="ID", help="The key's id, from `feedback keys list`.")],
    grace: Annotated[int, typer.Option(help="Hours that the old key goes on working.", min=0)] = 24,
) -> None:
    """Make a key like another, which ends after a grace."""
    from feedback_pipeline.capture import key_store

    try:
        made, text = key_store.rotate(open_store(), identity, timedelta(hours=grace))
    except key_store.KeyStoreError as error:
        raise typer.BadParameter(str(error)) from error
    _note("key.rotated", None, key=str(identity), made=str(made))
    _show(made, text)


@keys.command("revoke")
def revoke_key(identity: Annotated[UUID, typer.Argument(metavar="ID", help="The key's id.")]) -> None:
    """End a key; services notice within two seconds."""
    from feedback_pipeline.capture import key_store

    try:
        key_store.revoke(open_store(), identity)
    except key_store.KeyStoreError as error:
        raise typer.BadParameter(str(error)) from error
    _note("key.revoked", None, key=str(identity))
    console.print(f"{identity} is revoked", highlight=False)


@keys.command("sign-out")
def sign_out(identity: Annotated[UUID, typer.Argument(metavar="ID", help="The key's id.")]) -> None:
    """End the console's sessions that were opened with a key; the key itself goes on working."""
    from feedback_pipeline.capture import key_store

    console.print(f"{key_store.end_sessions(open_store(), identity)} sessions ended", highlight=False)


def _note(action: str, tenant: str | None, **detail: Any) -> None:
    """Writes what was done into the audit log."""
    from feedback_pipeline.privacy import audit_log

    pipeline = open_pipeline()
    audit_log.append(
        pipeline.database, pipeline.pseudonymiser, action, actor=audit_log.account(), tenant=tenant, detail=detail
    )


def _show(identity: UUID, text: str) -> None:
    console.print(f"key {identity}; it is shown this once:", highlight=False)
    typer.echo(text)


def dashboard(
    interval: Annotated[float, typer.Option(help="Seconds between two looks.", min=0.5)] = 5.0,
    tenant: Annotated[str | None, typer.Option(help="Whose votes; by default the team with the most.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Show it once and leave.")] = False,
) -> None:
    """Show the metrics in the terminal, kept current."""
    import asyncio

    from feedback_pipeline.capture import key_store
    from feedback_pipeline.cli import dashboard as view

    database = open_store()
    teams = key_store.teams(database)
    asyncio.run(view.watch(database.address(), tenant, teams, interval, console, once=once))


def mount(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.command()(serve)
    app.command()(init)
    app.command()(capture)
    app.command()(dashboard)
    app.add_typer(keys, name="keys")
