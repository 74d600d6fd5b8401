"""The experiments of the store: made, started, ramped, stopped, concluded; every change is kept with who made it."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import sqlalchemy as sa
from feedback_client.assignment import Experiment
from feedback_client.configuration import ConfigurationError, content_of, experiment_from

from feedback_pipeline.experiments.verdicts import planned_people
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.statements import Queries

statement = Queries(__file__).statement
"""`queries/<name>.sql`, its parameters written `:name`."""

TENANT = "default"
RAMP = (0.01, 0.05, 0.25, 1.0)
"""Coverage of an experiment that is ramped step by step."""

GUARDRAILS: Mapping[str, float] = {
    "refused": 0.02, "personal_data": 0.0, "cost_usd": 0.25, "latency_ms": 0.25, "unsafe": 0.01,
}  # fmt: skip
"""How much worse an arm may get: points for shares; a share of the control's mean for cost and latency."""


class ExperimentError(ValueError):
    """What was asked of an experiment cannot be done; the message says why and what to do."""


@dataclass(frozen=True)
class Plan:
    """How an experiment is to be read.

    Attributes:
        people: with a vote, over all arms, at which it is concluded where nothing was found.
        smallest: the smallest difference of approval that matters.
        guardrails: margins by name.
        ramp: coverage by days after the start, as `[[0, 0.01], [1, 0.05]]`; empty: by hand.
    """

    people: int = 3_000
    smallest: float = 0.03
    guardrails: Mapping[str, float] = field(default_factory=lambda: dict(GUARDRAILS))
    ramp: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Registered:
    """An experiment of the store.

    Attributes:
        tenant: whose it is.
        experiment: what is decided with now.
        state: draft, running, stopped or concluded.
        plan: how it is read.
        adaptive: its weights are computed daily.
        created_at: when it was made.
        started_at: when it first ran.
        ended_at: when it was stopped or concluded.
        conclusion: what was decided, in words.
    """

    tenant: str
    experiment: Experiment
    state: str
    plan: Plan
    adaptive: bool
    created_at: dt.datetime
    started_at: dt.datetime | None
    ended_at: dt.datetime | None
    conclusion: str | None


def experiments(database: Database, tenant: str | None = TENANT, name: str | None = None) -> list[Registered]:
    """The experiments of a tenant (of all where it is None), newest first."""
    with database.engine.connect() as connection:
        rows = connection.execute(statement("experiments"), {"tenant": tenant, "name": name}).mappings()
        return [registered(dict(row)) for row in rows]


def registered(row: Mapping[str, Any]) -> Registered:
    """A row of `queries/experiments.sql`."""
    definition, plan = (_loaded(row[name]) for name in ("definition", "plan"))
    found = experiment_from(definition | {"version": row["version"], "running": row["state"] == "running"})
    return Registered(
        row["tenant"], replace(found, coverage=row["coverage"]), row["state"], _plan(plan), row["adaptive"],
        row["created_at"], row["started_at"], row["ended_at"], row["conclusion"],
    )  # fmt: skip


def experiment_named(database: Database, name: str, tenant: str = TENANT) -> Registered:
    """Raises:
    ExperimentError: there is none.
    """
    found = experiments(database, tenant, name)
    if not found:
        raise ExperimentError(f"there is no experiment {name}: see feedback experiment list")
    return found[0]


def create(
    database: Database, experiment: Experiment, *, now: dt.datetime, plan: Plan | None = None, adaptive: bool = False,
    layer_share: float | None = None, tenant: str = TENANT, person: str | None = None,
) -> Registered:  # fmt: skip
    """Makes an experiment, as a draft that assigns nobody.

    Args:
        database: the store.
        experiment: what is decided with; checked here.
        now: the time.
        plan: how it is read; without one, for three points on a rate of 80 %.
        adaptive: its weights are computed daily.
        layer_share: how much of its layer it takes: the first free part is given to it.
        tenant: whose it is.
        person: who makes it.

    Raises:
        ExperimentError: the name is taken, or the layer has no room.
        ConfigurationError: it cannot be used.
    """
    checked = experiment_from(content_of(replace(experiment, version=1)))
    wanted = plan or Plan(people=planned_people(0.8, 0.03, arms=len(checked.arms)))
    if layer_share is not None:
        checked = replace(checked, layer_range=_free(database, tenant, checked.layer, layer_share))
    if len(checked.arms) < 2:
        raise ExperimentError("an experiment compares at least two arms")
    values = {
        "tenant": tenant, "name": checked.name, "coverage": checked.coverage, "adaptive": adaptive, "now": now,
        "plan": orjson.dumps(_plan_content(wanted)).decode(),
    }  # fmt: skip
    with database.engine.begin() as connection:
        # a tenant is known from its first row on
        connection.execute(sa.text("INSERT INTO tenant (name) VALUES (:tenant) ON CONFLICT DO NOTHING"), values)
        if connection.execute(statement("create_experiment"), values).first() is None:
            raise ExperimentError(f"there is an experiment {checked.name} already: names are used once")
        _add_version(connection, tenant, checked, now)
        _note(connection, tenant, checked, "created", now, person, None)
    return experiment_named(database, checked.name, tenant)


def change(
    database: Database, name: str, changes: Mapping[str, Any], *, now: dt.datetime, tenant: str = TENANT,
    person: str | None = None, reason: str | None = None,
) -> Registered:  # fmt: skip
    """Makes a new version with other weights, targeting or payloads; who has an arm keeps it.

    Raises:
        ExperimentError: it has ended; or it runs, and an arm would go, or the seed or unit change, which would give
            people another arm than the one they had.
        ConfigurationError: the new version cannot be used.
    """
    current = experiment_named(database, name, tenant)
    before = current.experiment
    if current.state in ("stopped", "concluded"):
        raise ExperimentError(f"{name} is {current.state}: make another experiment")
    after = experiment_from(content_of(before) | dict(changes) | {"name": name, "version": before.version + 1})
    if current.state == "running":
        gone = {arm.name for arm in before.arms} - {arm.name for arm in after.arms}
        if gone:
            raise ExperimentError(
                f"people have the arm {sorted(gone)[0]}: give it the weight 0, or stop the experiment"
            )
        for part in ("seed", "unit", "layer", "layer_range"):
            if getattr(before, part) != getattr(after, part):
                raise ExperimentError(f"another {part} would give people other arms in mid-run: stop it, make another")
    with database.engine.begin() as connection:
        _add_version(connection, tenant, after, now)
        _note(connection, tenant, after, "changed", now, person, reason)
    return experiment_named(database, name, tenant)


def start(
    database: Database, name: str, *, now: dt.datetime, tenant: str = TENANT, person: str | None = None
) -> Registered:
    """Lets a draft (or a stopped experiment again) assign people.

    Raises:
        ExperimentError: it is concluded, or another experiment has its part of the layer.
    """
    current = experiment_named(database, name, tenant)
    if current.state == "running":
        return current
    if current.state == "concluded":
        raise ExperimentError(f"{name} is concluded: make another experiment")
    _check_layer(database, tenant, current.experiment)
    coverage = current.plan.ramp[0][1] if current.plan.ramp and current.started_at is None else None
    return _move(database, current, "running", "started", now=now, person=person, coverage=coverage)


def ramp(
    database: Database, name: str, coverage: float | None = None, *, now: dt.datetime, tenant: str = TENANT,
    person: str | None = None,
) -> Registered:  # fmt: skip
    """Lets more people take part: the share given, else the next of 1, 5, 25 and 100 %.

    Raises:
        ExperimentError: it does not run, or fewer would take part.
    """
    current = experiment_named(database, name, tenant)
    if current.state != "running":
        raise ExperimentError(f"{name} is {current.state}: start it first")
    before = current.experiment.coverage
    after = next((step for step in RAMP if step > before), 1.0) if coverage is None else coverage
    if not 0 < after <= 1:
        raise ExperimentError("a coverage is more than 0 and at most 1")
    if after < before:
        raise ExperimentError(
            f"{before:.0%} take part: fewer would lose the arm they have; stop the experiment instead"
        )
    return _move(database, current, "running", "ramped", now=now, person=person, coverage=after)


def ramp_due(database: Database, *, now: dt.datetime) -> list[Registered]:
    """Ramps every running experiment whose schedule asks for it; a clock that jumps back ramps nothing down."""
    moved = []
    for current in experiments(database, None):
        if current.state != "running" or current.started_at is None or not current.plan.ramp:
            continue
        days = (now - current.started_at) / dt.timedelta(days=1)
        due = max((share for day, share in current.plan.ramp if day <= days), default=0.0)
        if due > current.experiment.coverage:
            moved.append(ramp(database, current.experiment.name, due, now=now, tenant=current.tenant))
    return moved


def stop(
    database: Database, name: str, *, now: dt.datetime, reason: str, tenant: str = TENANT, person: str | None = None
) -> Registered:
    """Gives everybody the default arm from now on.

    Raises:
        ExperimentError: it does not run.
    """
    current = experiment_named(database, name, tenant)
    if current.state != "running":
        raise ExperimentError(f"{name} is {current.state}, not running")
    return _move(database, current, "stopped", "stopped", now=now, person=person, reason=reason)


def conclude(
    database: Database, name: str, conclusion: str, *, now: dt.datetime, tenant: str = TENANT, person: str | None = None
) -> Registered:
    """Ends an experiment for good, with what was decided.

    Raises:
        ExperimentError: it never ran, or is concluded already.
    """
    current = experiment_named(database, name, tenant)
    if current.state not in ("running", "stopped"):
        raise ExperimentError(f"{name} is {current.state}: only what ran can be concluded")
    return _move(database, current, "concluded", "concluded", now=now, person=person, reason=conclusion)


def versions(database: Database, name: str, tenant: str = TENANT) -> dict[int, Experiment]:
    """Every version of an experiment."""
    with database.engine.connect() as connection:
        rows = connection.execute(statement("experiment_versions"), {"tenant": tenant, "name": name}).mappings()
        return {
            row["version"]: experiment_from(_loaded(row["definition"]) | {"version": row["version"]}) for row in rows
        }


def events(database: Database, name: str, tenant: str = TENANT) -> list[dict[str, Any]]:
    """What was done to an experiment, oldest first."""
    with database.engine.connect() as connection:
        rows = connection.execute(statement("experiment_events"), {"tenant": tenant, "name": name}).mappings()
        return [dict(row) for row in rows]


def _move(
    database: Database, current: Registered, state: str, event: str, *, now: dt.datetime, person: str | None,
    reason: str | None = None, coverage: float | None = None,
) -> Registered:  # fmt: skip
    name, share = current.experiment.name, current.experiment.coverage if coverage is None else coverage
    values = {
        "tenant": current.tenant, "name": name, "state": state, "coverage": share, "expected": current.state,
        "conclusion": reason if state == "concluded" else None, "now": now,
    }  # fmt: skip
    with database.engine.begin() as connection:
        if connection.execute(statement("set_state"), values).first() is None:
            raise ExperimentError(f"{name} was changed by somebody else just now: look again")
        _note(connection, current.tenant, replace(current.experiment, coverage=share), event, now, person, reason)
    return experiment_named(database, name, current.tenant)


def _add_version(connection: sa.Connection, tenant: str, experiment: Experiment, now: dt.datetime) -> None:
    definition = orjson.dumps(content_of(experiment)).decode()
    connection.execute(statement("add_version"), {"tenant": tenant, "name": experiment.name, "now": now,
                                                  "version": experiment.version, "definition": definition})  # fmt: skip


def _note(
    connection: sa.Connection, tenant: str, experiment: Experiment, event: str, now: dt.datetime, person: str | None,
    reason: str | None,
) -> None:  # fmt: skip
    connection.execute(statement("add_event"), {
        "tenant": tenant, "name": experiment.name, "version": experiment.version, "event": event,
        "coverage": experiment.coverage, "person": person, "reason": reason, "now": now,
    })  # fmt: skip


def _taken(database: Database, tenant: str, layer: str, but: str) -> list[tuple[float, float]]:
    """Parts of a layer that drafts and running experiments have."""
    return sorted(
        one.experiment.layer_range for one in experiments(database, tenant)
        if one.experiment.layer == layer and one.state in ("draft", "running") and one.experiment.name != but
    )  # fmt: skip


def _free(database: Database, tenant: str, layer: str | None, share: float) -> tuple[float, float]:
    if layer is None:
        raise ExperimentError("a share of a layer needs the layer's name")
    start = 0.0
    for low, high in [*_taken(database, tenant, layer, ""), (1.0, 1.0)]:
        if low - start >= share - 1e-9:
            return start, min(1.0, start + share)
        start = max(start, high)
    raise ExperimentError(f"the layer {layer} has no {share:.0%} left: conclude an experiment, or take less")


def _check_layer(database: Database, tenant: str, experiment: Experiment) -> None:
    if experiment.layer is None:
        return
    low, high = experiment.layer_range
    for other_low, other_high in _taken(database, tenant, experiment.layer, experiment.name):
        if low < other_high and other_low < high:
            raise ExperimentError(f"another experiment has people of the layer {experiment.layer} that this one wants")


def _plan(content: Mapping[str, Any]) -> Plan:
    return Plan(int(content["people"]), float(content["smallest"]), content.get("guardrails") or {},
                tuple((float(day), float(share)) for day, share in content.get("ramp") or ()))  # fmt: skip


def _plan_content(plan: Plan) -> dict[str, Any]:
    if plan.people < 1 or not 0 < plan.smallest < 1:
        raise ConfigurationError("a plan names people and a smallest difference between 0 and 1")
    if any(not 0 < share <= 1 or day < 0 for day, share in plan.ramp) or list(plan.ramp) != sorted(plan.ramp):
        raise ConfigurationError("a ramp is days and shares that both grow")
    return {
        "people": plan.people,
        "smallest": plan.smallest,
        "guardrails": dict(plan.guardrails),
        "ramp": list(plan.ramp),
    }


def _loaded(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(value) if isinstance(value, str) else dict(value)
    return found
