"""`feedback experiment …`: make, start, ramp, read, stop and conclude experiments."""

import getpass
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from feedback_pipeline.cli.listing import Json, Listing
from feedback_pipeline.cli.opening import open_pipeline
from feedback_pipeline.cli.printing import PlainConsole

if TYPE_CHECKING:
    from feedback_pipeline.experiments.registry import Registered
    from feedback_pipeline.pipeline import Pipeline

experiment = typer.Typer(help="Experiments: create, start, ramp, read, stop, conclude.", no_args_is_help=True)
console = PlainConsole()

Name = Annotated[str, typer.Argument(help="The experiment's name.")]
Tenant = Annotated[str, typer.Option(help="Whose it is.")]
By = Annotated[str | None, typer.Option(help="Who decides; your login name by default.")]


@experiment.command()
def create(
    name: Name,
    arm: Annotated[list[str], typer.Option(help="`name=weight`, such as v1=0.5; give it once an arm.")],
    default: Annotated[str | None, typer.Option(help="The control: the first arm if not given.")] = None,
    unit: Annotated[str, typer.Option(help="person, session or conversation.")] = "person",
    holdout: Annotated[float, typer.Option(help="Share of people that never gets anything but the control.")] = 0.0,
    layer: Annotated[str | None, typer.Option(help="Experiments of one layer share no person.")] = None,
    layer_share: Annotated[float | None, typer.Option(help="How much of the layer it takes.")] = None,
    condition: Annotated[str, typer.Option(help='Whom it is for, as JSON: {"plan": "pro"}.')] = "{}",
    context: Annotated[
        list[str] | None, typer.Option(help="Leaf of an adaptive experiment, as JSON; give it once a leaf.")
    ] = None,
    adaptive: Annotated[bool, typer.Option("--adaptive", help="Weights are computed daily.")] = False,
    people: Annotated[int | None, typer.Option(help="People with a vote to wait for.")] = None,
    smallest: Annotated[float, typer.Option(help="Smallest difference of approval that matters.")] = 0.03,
    ramp: Annotated[str, typer.Option(help="Coverage by day after the start: 0:0.01,1:0.05,3:0.25,7:1.")] = "",
    tenant: Tenant = "default",
    by: By = None,
) -> None:
    """Make an experiment, as a draft that assigns nobody."""
    from feedback_client.configuration import experiment_from

    from feedback_pipeline.experiments import registry
    from feedback_pipeline.experiments.verdicts import planned_people

    pipeline = open_pipeline()
    try:
        arms = [_arm(text) for text in arm]
        made = experiment_from({
            "name": name, "arms": arms, "default": default, "unit": unit, "holdout": holdout, "layer": layer,
            "condition": json.loads(condition),
            "contexts": [
                {"leaf": number, "condition": json.loads(text), "weights": [one["weight"] for one in arms]}
                for number, text in enumerate(context or ())
            ],
        })  # fmt: skip
        steps = tuple(_step(part) for part in ramp.split(",") if part)
        wanted = people or planned_people(0.8, smallest, arms=len(arms))
        plan = registry.Plan(wanted, smallest, registry.GUARDRAILS, steps)
        found = registry.create(
            pipeline.database, made, now=pipeline.now(), plan=plan, adaptive=adaptive, layer_share=layer_share,
            tenant=tenant, person=by or getpass.getuser(),
        )  # fmt: skip
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    console.print(f"{escape(name)} is a draft: it waits for {found.plan.people:,} people with a vote. Start it with "
                  f"`feedback experiment start {escape(name)}`.", highlight=False)  # fmt: skip


@experiment.command("list")
def list_experiments(tenant: Tenant = "default", as_json: Json = False) -> None:
    """List the experiments, newest first."""
    from feedback_pipeline.experiments import registry

    listed = registry.experiments(open_pipeline().database, tenant)
    rows = Listing("name", "state", "version", "arms", "takes_part", "layer", "started", "conclusion",
                   takes_part="{:.0%}".format,
                   arms=lambda arms: ", ".join(f"{name} {weight:.0%}" for name, weight in arms.items()))  # fmt: skip
    for each in listed:
        rows.add(
            each.experiment.name, each.state, each.experiment.version,
            {arm.name: arm.weight for arm in each.experiment.arms}, each.experiment.coverage, each.experiment.layer,
            each.started_at, each.conclusion,
        )  # fmt: skip
    rows.show(console, as_json, "No experiments: make one with `feedback experiment create`.")


@experiment.command()
def show(name: Name, tenant: Tenant = "default") -> None:
    """Show how an experiment stands now: people, every measure with both intervals, verdict and advice."""
    from feedback_pipeline.experiments import registry
    from feedback_pipeline.experiments.readout import read_experiment
    from feedback_pipeline.experiments.signals import seen

    pipeline = open_pipeline()
    found = _named(pipeline, name, tenant)
    today = pipeline.today()
    versions = registry.versions(pipeline.database, name, tenant)
    rows = read_experiment(found, versions, seen(pipeline, found, today), today)
    console.print(f"{escape(name)}: {found.state}, version {found.experiment.version}, "
                  f"{found.experiment.coverage:.0%} of those concerned take part", highlight=False)  # fmt: skip
    table = Table("arm", "measure", "people", "value", "control", "difference", "planned 95 %", "always valid", "")
    for row in rows.iter_rows(named=True):
        table.add_row(
            escape(row["arm"]), row["measure"], f"{row['people']:,} / {row['people_control']:,}",
            _number(row["value"]), _number(row["value_control"]), _number(row["difference"]),
            _interval(row["low"], row["high"]), _interval(row["sequence_low"], row["sequence_high"]),
            escape(row["reason"] or ""),
        )  # fmt: skip
    console.print(table)
    for row in rows.iter_rows(named=True):
        if row["role"] == "primary":
            _conclude(row)
    for event in registry.events(pipeline.database, name, tenant):
        who = "" if event["person"] is None else f" by {event['person']}"
        console.print(f"{event['at']:%Y-%m-%d %H:%M} {event['event']}{who} {event['reason'] or ''}", markup=False)


def _conclude(row: dict[str, Any]) -> None:
    verdict = row["verdict"].replace("_", " ")
    if row["beyond"] is not None:
        verdict += f" {100 * row['beyond']:.1f} points"
    expected = "" if row["expected"] is None else f"; to expect: {100 * row['expected']:+.1f} points"
    missing = "" if row["people_missing"] is None else f"; {row['people_missing']:,} people with a vote to go"
    console.print(f"{row['arm']}: {verdict}. {row['advice']}{missing}{expected}", highlight=False, markup=False)


@experiment.command()
def start(name: Name, tenant: Tenant = "default", by: By = None) -> None:
    """Let an experiment assign people."""
    from feedback_pipeline.experiments import registry

    pipeline = open_pipeline()
    found = _done(lambda: registry.start(pipeline.database, name, now=pipeline.now(), tenant=tenant, person=_who(by)))
    console.print(f"{name} runs: {found.experiment.coverage:.0%} of those concerned take part", markup=False)


@experiment.command("ramp")
def ramp_up(
    name: Name,
    to: Annotated[
        float | None, typer.Option(help="Share that takes part; the next of 1, 5, 25, 100 % if none.")
    ] = None,
    tenant: Tenant = "default",
    by: By = None,
) -> None:
    """Let more people take part; nobody changes arms."""
    from feedback_pipeline.experiments import registry

    pipeline = open_pipeline()
    found = _done(
        lambda: registry.ramp(pipeline.database, name, to, now=pipeline.now(), tenant=tenant, person=_who(by))
    )
    console.print(f"{name}: {found.experiment.coverage:.0%} of those concerned take part", markup=False)


@experiment.command()
def stop(
    name: Name, reason: Annotated[str, typer.Option(help="Why.")], tenant: Tenant = "default", by: By = None
) -> None:
    """Give everybody the control from now on."""
    from feedback_pipeline.experiments import registry

    pipeline = open_pipeline()
    _done(lambda: registry.stop(
        pipeline.database, name, now=pipeline.now(), reason=reason, tenant=tenant, person=_who(by)
    ))  # fmt: skip
    console.print(f"{name} is stopped: everybody gets the control", markup=False)


@experiment.command()
def conclude(
    name: Name,
    conclusion: Annotated[str, typer.Option(help="What was decided.")],
    tenant: Tenant = "default",
    by: By = None,
) -> None:
    """End an experiment for good, with what was decided."""
    from feedback_pipeline.experiments import registry

    pipeline = open_pipeline()
    _done(lambda: registry.conclude(
        pipeline.database, name, conclusion, now=pipeline.now(), tenant=tenant, person=_who(by)
    ))  # fmt: skip
    console.print(f"{name} is concluded: {conclusion}", markup=False)


def _arm(text: str) -> dict[str, Any]:
    name, separator, weight = text.rpartition("=")
    if not separator:
        raise ValueError(f"{text}: an arm is name=weight, such as v1=0.5")
    return {"name": name, "weight": float(weight)}


def _step(text: str) -> tuple[float, float]:
    day, separator, share = text.partition(":")
    if not separator:
        raise ValueError(f"{text}: a ramp is day:share, such as 0:0.01,1:0.05")
    return float(day), float(share)


def _named(pipeline: "Pipeline", name: str, tenant: str) -> "Registered":
    from feedback_pipeline.experiments import registry

    return _done(lambda: registry.experiment_named(pipeline.database, name, tenant))


def _done(act: Any) -> "Registered":
    try:
        found: Registered = act()
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return found


def _who(by: str | None) -> str:
    return by or getpass.getuser()


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:+.4f} … {high:+.4f}"


def mount(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.add_typer(experiment, name="experiment")
