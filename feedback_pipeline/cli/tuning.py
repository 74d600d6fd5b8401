"""The commands of fine-tuning: `feedback tune`, `models`, `approve`, `rollback`; mounted by `cli.groups`."""

import getpass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from feedback_pipeline.cli.listing import Json, Listing
from feedback_pipeline.cli.opening import open_pipeline
from feedback_pipeline.cli.printing import PlainConsole
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.tuning import approvals, registry
from feedback_pipeline.tuning.routing import write_router_entry

if TYPE_CHECKING:
    from feedback_pipeline.tuning.runs import Run
    from feedback_pipeline.tuning.tuning import Consideration

console = PlainConsole(markup=False)
By = Annotated[str | None, typer.Option(help="Who decides; your login name by default.")]


def tune(
    start: Annotated[bool, typer.Option("--start", help="Start or go on with the run; without it, only look.")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Take every open run one step on.")] = False,
    cancel: Annotated[
        str | None, typer.Option("--cancel", metavar="RUN", help="Stop this run; its id or the beginning.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed makes another run of the same data.")] = 0,
) -> None:
    """Show whether the newest closed week may be trained on, what it would cost, and start it.

    Ends with 1 where a run was asked for and refused, by us or by the provider.
    """
    from feedback_pipeline.tuning import following, tuning
    from feedback_pipeline.tuning.configured import open_provider
    from feedback_pipeline.tuning.providers.protocol import ProviderError
    from feedback_pipeline.tuning.runs import Ledger

    pipeline = open_pipeline()
    refused = False
    try:
        if cancel is not None:
            stopped = tuning.cancel(pipeline, _run_named(pipeline, cancel), open_provider(pipeline.settings))
            _say(f"run {stopped.entry.key[:12]} was asked to stop: {stopped.entry.state}")
        elif follow:
            for one in following.follow(pipeline):
                _say(f"{one.run.entry.key[:12]} {one.run.entry.state} {one.problem or one.attention or ''}")
        elif start:
            run, considered = tuning.start(pipeline, seed=seed, asked=True)
            if run is None:
                _consider(considered)
                raise typer.Exit(code=1)
            run = tuning.submit(pipeline, run, open_provider(pipeline.settings))
            _say(f"run {run.entry.key[:12]} at {run.provider}: {run.entry.state} {run.entry.reason or ''}")
            refused = run.entry.state in ("refused", "failed", "cancelled", "lost")
        else:
            _consider(tuning.consider(pipeline, seed=seed, asked=True))
    except ProviderError as error:
        _say(f"{error}; nothing is lost: run it again")
        raise typer.Exit(code=1) from error
    runs = Listing("run", "week", "provider", "base_model", "state", "job", "highest_usd", "charged_usd", "reason",
                   run=lambda key: key[:12], highest_usd=_dollars, charged_usd=_dollars)  # fmt: skip
    for run in Ledger(pipeline.database).runs():
        runs.add(run.entry.key, run.week, run.provider, run.request.model, run.entry.state, run.entry.job_id,
                 run.highest_usd, run.charged_usd, run.entry.reason)  # fmt: skip
    runs.show(console, as_json=False, nothing="No fine-tuning runs.")
    if refused:
        raise typer.Exit(code=1)


def _dollars(amount: float | None) -> str:
    return "" if amount is None else f"{amount:.2f}"


def _run_named(pipeline: Pipeline, beginning: str) -> "Run":
    from feedback_pipeline.tuning.runs import Ledger

    found = [run for run in Ledger(pipeline.database).runs() if run.entry.key.startswith(beginning)]
    if len(found) != 1:
        raise typer.BadParameter(f"{len(found)} runs begin with {beginning}: see feedback tune")
    return found[0]


def _consider(considered: "Consideration") -> None:
    cost = "unknown" if considered.highest_usd is None else f"up to {considered.highest_usd:.2f} USD"
    _say(f"week {considered.week} at {considered.provider}: {considered.examples} examples, {cost}")
    if considered.request is not None:
        _say(f"dataset {considered.request.dataset_id}")
    for line in (
        considered.advice,
        *(f"warning: {sentence}" for sentence in considered.warnings),
        *(f"no: {sentence}" for sentence in considered.refusals),
    ):
        _say(line)


def models(as_json: Json = False) -> None:
    """List the models: candidates, what answers now, what ends when."""
    pipeline = open_pipeline()
    answering = registry.current_model(pipeline.database)
    rows = Listing("model", "state", "base", "week", "evaluation", "passed", "ends", "erased_since",
                   evaluation=lambda hash_: (hash_ or "")[:12],
                   erased_since=lambda share: f"{share:.1%}" if share else "")  # fmt: skip
    for model in registry.models(pipeline.database):
        if model.kind != "model":
            continue
        rows.add(model.name, model.state, model.base, model.week, model.evaluation, model.passed, model.shutdown_date,
                 model.tainted_share)  # fmt: skip
    rows.show(console, as_json, "No models yet: they come with fine-tuning runs (`feedback tune`).")
    if as_json:
        return
    _say(f"{registry.ALIAS}: {answering.model if answering else 'nothing was promoted; the base model answers'}")
    for warning in registry.expiry_warnings(pipeline.database, pipeline.today()):
        _say(f"warning: {warning}")


def approve(
    what: Annotated[str, typer.Argument(help="A dataset's id or a model's name, whole.")],
    by: By = None,
    reason: Annotated[str | None, typer.Option(help="Why.")] = None,
    reject: Annotated[bool, typer.Option("--reject", help="Reject instead.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Show what is behind a dataset or model, and approve it: the dataset for upload, the model for promotion."""
    pipeline = open_pipeline()
    found = registry.models(pipeline.database, what)
    if found:
        subject, content = approvals.model_subject(what), found[0].evaluation
        if content is None:
            raise typer.BadParameter(f"{what} was not evaluated: run the job evaluate_candidate first")
        _show_evaluation(pipeline, found[0])
        if not found[0].passed and not reject:
            raise typer.BadParameter(f"{what} did not pass the gate: it can only be rejected")
    else:
        subject, content = approvals.DATASET, what
        if not _show_dataset(pipeline, what, past=reject):
            raise typer.BadParameter(f"there is no dataset and no model {what}: see feedback tune, feedback models")
    decision: approvals.Decision = "rejected" if reject else "approved"
    if not yes and not typer.confirm(f"{'Reject' if reject else 'Approve'} this, signed by {by or getpass.getuser()}?"):
        raise typer.Exit(code=1)
    made = approvals.record(pipeline, subject, content, decision, approver=by or getpass.getuser(), reason=reason)
    _say(f"{decision}: {subject} {content[:12]}, approval {made.id}")
    if found and found[0].kind == "prompt":
        if not reject:
            _say("approved is not shown: feedback prompt rollout shows it to a share of people, or to all")
        return
    if found and not reject:
        try:
            promoted = registry.promote(pipeline, what)
            write_router_entry(pipeline.frames, promoted)
            _say(f"{promoted.model} answers now")
        except registry.PromotionRefusedError as error:
            _say(str(error))
            raise typer.Exit(code=1) from error


def _show_dataset(pipeline: Pipeline, dataset: str, *, past: bool = False) -> bool:
    import sqlalchemy as sa

    from feedback_pipeline.tuning.disclosure import dataset_of, disclose

    with pipeline.database.engine.connect() as connection:
        week = connection.execute(sa.text("SELECT week FROM dataset WHERE id = :id"), {"id": dataset}).scalar()
    if week is None:
        return False
    if (others := dataset_of(pipeline.frames, week)) != dataset:
        # what would be shown is not what would be approved
        if not past:
            raise typer.BadParameter(f"the files of {week} were made again, as dataset {others}: see feedback tune")
        _say(f"the files of {week} were made again since: what follows is dataset {others}")
    shown = disclose(pipeline.frames, week)
    _say(f"week {week}: {shown.examples} examples, {shown.corrections} of them corrections, by {shown.contributors} "
         f"people; the heaviest is behind {shown.largest_share:.1%} of the weight")  # fmt: skip
    table = Table("example", "weight", "people", "kind", title="highest weights")
    for identity, weight, people, kind in shown.heaviest.iter_rows():
        table.add_row(identity[:16], f"{weight:.2f}", str(people), kind)
    console.print(table)
    for identity, lines in shown.differences:
        _say(f"correction {identity[:16]}")
        for line in lines:
            _say(f"    {line}")
    return True


def _show_prompt(pipeline: Pipeline, name: str) -> None:
    """How a version differs from the one it came from, and what it answers."""
    from feedback_pipeline.experiments import prompts

    tenant, prompt, version = prompts.parsed(name) or ("", "", "")
    after = prompts.prompt_named(pipeline.database, prompt, version, tenant)
    if after.parent is not None:
        before = prompts.prompt_named(pipeline.database, prompt, after.parent, tenant)
        for line in prompts.difference(before, after):
            _say(line)
    for cited in (after.proposal or {}).get("cites", ()):
        _say(f"answers {cited}")


def _show_evaluation(pipeline: Pipeline, model: registry.Model) -> None:
    import sqlalchemy as sa

    if model.kind == "prompt":
        _show_prompt(pipeline, model.name)
    if model.dataset_id is not None:
        _show_dataset(pipeline, model.dataset_id, past=True)
    with pipeline.database.engine.connect() as connection:
        detail = connection.execute(
            sa.text("SELECT detail FROM model_evaluation WHERE content_hash = :hash"), {"hash": model.evaluation}
        ).scalar_one()
    table = Table("measure", "n", "candidate", "now", "difference", "rule", "passed",
                  title=f"{model.name} against {model.compared_with}")  # fmt: skip
    for row in detail:
        numbers = [
            "" if row[name] is None else f"{row[name]:.4g}" for name in ("candidate", "current_value", "difference")
        ]
        table.add_row(row["measure"], str(row["n"]), *numbers, row["rule"], "yes" if row["passed"] else "no")
    console.print(table)


def rollback(
    reason: Annotated[str, typer.Option(help="Why.")],
    by: By = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Let the model answer again that answered before the last promotion."""
    pipeline = open_pipeline()
    current = registry.current_model(pipeline.database)
    if current is None or current.previous is None:
        _say("nothing was promoted: there is nothing to go back to")
        raise typer.Exit(code=1)
    if not yes and not typer.confirm(f"Go back from {current.model} to {current.previous}?"):
        raise typer.Exit(code=1)
    found = registry.roll_back(pipeline, person=by or getpass.getuser(), reason=reason)
    write_router_entry(pipeline.frames, found)
    _say(f"{found.model} answers again")


def _say(text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True)


def mount(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    for command in (tune, models, approve, rollback):
        app.command()(command)
