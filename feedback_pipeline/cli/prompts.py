"""`feedback prompt …`: versions of prompts, proposals from votes, their evaluation, and their way to people."""

import getpass
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.table import Table

from feedback_pipeline.cli.listing import Json, Listing
from feedback_pipeline.cli.opening import open_pipeline
from feedback_pipeline.cli.printing import PlainConsole

if TYPE_CHECKING:
    from datetime import date

    from feedback_pipeline.pipeline import Pipeline

prompt = typer.Typer(help="Prompts: versions, proposals from votes, evaluation, rollout.", no_args_is_help=True)
console = PlainConsole()

Name = Annotated[str, typer.Argument(help="The prompt's name.")]
Version = Annotated[str, typer.Argument(help="The version.")]
Tenant = Annotated[str, typer.Option(help="Whose it is.")]
By = Annotated[str | None, typer.Option(help="Who decides; your login name by default.")]
WeekOption = Annotated[
    datetime | None, typer.Option("--week", formats=["%Y-%m-%d"], help="Monday of the week; the newest closed one.")
]
Found = TypeVar("Found")


@prompt.command()
def add(
    name: Name,
    file: Annotated[Path, typer.Argument(help="File with the text.", exists=True, dir_okay=False)],
    version: Annotated[str | None, typer.Option(help="As answers name it in prompt_version; v1, v2 … if none.")] = None,
    parent: Annotated[str | None, typer.Option(help="The version it came from.")] = None,
    tenant: Tenant = "default",
    by: By = None,
) -> None:
    """Add a version of a prompt from a file; the same text again changes nothing."""
    from feedback_pipeline.experiments import prompts

    pipeline = open_pipeline()
    text = file.read_text(encoding="utf-8")
    found = _done(lambda: prompts.add(
        pipeline.database, name, text, now=pipeline.now(), version=version, parent=parent, origin="file", tenant=tenant,
        person=_who(by),
    ))  # fmt: skip
    _say(f"{found.name} {found.version}: {len(found.text):,} characters, {found.digest[:12]}")


@prompt.command("list")
def list_prompts(tenant: Tenant = "default", as_json: Json = False) -> None:
    """List every version, and which one answers."""
    from feedback_pipeline.experiments import prompts

    database = open_pipeline().database
    known = prompts.prompts(database, tenant)
    answers = {name: prompts.answering(database, name, tenant).version for name in {version.name for version in known}}
    rows = Listing("prompt", "version", "answers_now", "origin", "made_from", "added", "by", "sha256",
                   sha256=lambda digest: digest[:12])  # fmt: skip
    for version in known:
        rows.add(version.name, version.version, answers[version.name] == version.version, version.origin,
                 version.parent, version.created_at, version.added_by, version.digest)  # fmt: skip
    rows.show(console, as_json, "No prompts: add one with `feedback prompt add`.")


@prompt.command()
def show(name: Name, version: Annotated[str | None, typer.Argument(help="The version that answers if none.")] = None,
         tenant: Tenant = "default") -> None:  # fmt: skip
    """Print a version's text."""
    from feedback_pipeline.experiments import prompts

    database = open_pipeline().database
    found = _done(
        lambda: prompts.prompt_named(database, name, version, tenant)
        if version else prompts.answering(database, name, tenant)
    )  # fmt: skip
    console.print(found.text, markup=False, highlight=False, soft_wrap=True)


@prompt.command()
def diff(name: Name, before: Version, after: Version, tenant: Tenant = "default") -> None:
    """Show how two versions differ."""
    from feedback_pipeline.experiments import prompts

    database = open_pipeline().database
    for line in _done(lambda: prompts.difference(
        prompts.prompt_named(database, name, before, tenant), prompts.prompt_named(database, name, after, tenant)
    )):  # fmt: skip
        _say(line)


@prompt.command()
def propose(name: Name, week: WeekOption = None, tenant: Tenant = "default") -> None:
    """Propose versions from what people said of the one that answers; costs what the configured model does."""
    from feedback_pipeline.experiments import prompt_work

    pipeline = open_pipeline()
    rows = _done(lambda: prompt_work.propose(pipeline, _week(pipeline, week), tenant=tenant, name=name))
    for row in rows.iter_rows(named=True):
        _say(f"{row['prompt']} {row['current']}: {row['status']} {row['version'] or ''} {row['reason'] or ''} "
             f"(by {row['optimiser']}, {row['evidence']} pieces of evidence, {len(row['cites'])} cited)")  # fmt: skip
    if "proposed" not in rows["status"].to_list():
        raise typer.Exit(code=1)


@prompt.command()
def evaluate(name: Name, version: Version, week: WeekOption = None, tenant: Tenant = "default") -> None:
    """Hold a version against the one that answers: held-out prompts, judge in both orders, probes, gate."""
    from feedback_pipeline.experiments import prompt_work, prompts

    pipeline = open_pipeline()
    candidate = _done(lambda: prompts.prompt_named(pipeline.database, name, version, tenant))
    found = prompt_work.evaluate(pipeline, _week(pipeline, week), candidate)
    table = Table("measure", "n", "candidate", "now", "difference", "asked for", "passed")
    for row in found.rows().iter_rows(named=True):
        numbers = [
            "" if row[one] is None else f"{row[one]:.4g}" for one in ("candidate", "current_value", "difference")
        ]
        table.add_row(row["measure"], str(row["n"]), *numbers, row["rule"], "yes" if row["passed"] else "no")
    console.print(table)
    _say(found.cannot or ("passed: approve it with feedback approve " + candidate.key if found.passed
                          else "refused by the gate"))  # fmt: skip
    if not found.passed:
        raise typer.Exit(code=1)


@prompt.command()
def rollout(
    name: Name,
    version: Version,
    share: Annotated[float | None, typer.Option(help="Share of people that takes part in the comparison.")] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Promote it: everybody gets it.")] = False,
    tenant: Tenant = "default",
    by: By = None,
) -> None:
    """Show an approved version to a share of people, or to all."""
    from feedback_pipeline.experiments import prompts
    from feedback_pipeline.experiments import rollout as rollouts

    if everybody == (share is not None):
        raise typer.BadParameter("say either --share or --all")
    pipeline = open_pipeline()
    found = _done(lambda: prompts.prompt_named(pipeline.database, name, version, tenant))
    if share is None:
        rollouts.show_to_all(pipeline, found, person=_who(by))
        _say(f"{name} {version} answers everybody")
        return
    made = _done(lambda: rollouts.show_to_some(pipeline, found, share, person=_who(by)))
    _say(f"experiment {made.experiment.name}: {made.experiment.coverage:.0%} take part, half of them get {version}")


@prompt.command()
def rollback(
    name: Name, reason: Annotated[str, typer.Option(help="Why.")], tenant: Tenant = "default", by: By = None
) -> None:
    """Let the version answer again that answered before."""
    from feedback_pipeline.experiments import rollout as rollouts

    pipeline = open_pipeline()
    found = _done(lambda: rollouts.roll_back(pipeline, name, person=_who(by), reason=reason, tenant=tenant))
    _say(f"{found.model} answers again")


def _week(pipeline: "Pipeline", week: datetime | None) -> "date":
    from feedback_pipeline.tuning.tuning import newest_closed_week

    return week.date() if week else newest_closed_week(pipeline)


def _done(act: Callable[[], Found]) -> Found:
    try:
        return act()
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _who(by: str | None) -> str:
    return by or getpass.getuser()


def _say(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def demonstrate(pipeline: "Pipeline", week: "date") -> None:
    """What the votes of the sample make of its prompt: a version proposed, what it changes, and what the gate says.
    Nothing is asked of a model that costs money."""
    from feedback_pipeline.experiments import prompt_work, prompts
    from feedback_pipeline.experiments.sample_prompt import NAME, add_sample_prompt

    if pipeline.settings.prompt_model is not None:
        return
    current = add_sample_prompt(pipeline)
    rows = prompt_work.propose(pipeline, week, tenant=current.tenant, name=NAME)
    console.print(f"\n[bold]Prompt {NAME} {current.version}[/], answers and judge simulated", highlight=False)
    for row in rows.iter_rows(named=True):
        if row["status"] != "proposed":
            _say(f"no version proposed: {row['reason']}")
            continue
        found = prompts.prompt_named(pipeline.database, NAME, row["version"], current.tenant)
        _say(f"proposed {found.version} from {row['evidence']} pieces of evidence, answering {', '.join(row['cites'])}")
        for line in prompts.difference(current, found):
            _say(f"  {line}")
        passed = prompt_work.evaluate(pipeline, week, found).passed
        _say(f"the gate lets it pass; a person decides: feedback approve {found.key}" if passed
             else f"the gate refuses it, see feedback prompt evaluate {NAME} {found.version}")  # fmt: skip


def mount(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.add_typer(prompt, name="prompt")
