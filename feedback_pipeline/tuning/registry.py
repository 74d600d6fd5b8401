"""Candidates, what answers now, and every change of it: models of a provider and prompts, in one way."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.statements import statement
from feedback_pipeline.tuning import approvals
from feedback_pipeline.tuning.providers.shutdowns import model_end
from feedback_pipeline.tuning.runs import Run

ALIAS = "production"
"""The name under which applications ask for the model."""

NOTICE = dt.timedelta(days=90)


class PromotionRefusedError(RuntimeError):
    """A model may not be promoted; the message says why and what to do."""


@dataclass(frozen=True)
class Model:
    """One model of the registry.

    Attributes:
        name: as the provider calls it.
        base: the model it was tuned from.
        provider: where it lives.
        state: base, candidate, approved, promoted, retired or tainted.
        shutdown_date: the day it stops answering, where known.
        tainted_share: share of its training weight that was erased since.
        created_at: when it was registered.
        job_id: the run that made it.
        dataset_id: what it was trained on.
        week: of that dataset.
        evaluation: content hash of its newest evaluation.
        passed: whether that evaluation passed every gate.
        compared_with: what it was compared with.
        evaluated_at: when.
        kind: model or prompt.
    """

    name: str
    base: str | None
    provider: str | None
    state: str
    shutdown_date: dt.date | None
    tainted_share: float | None
    created_at: dt.datetime
    job_id: str | None
    dataset_id: str | None
    week: dt.date | None
    evaluation: str | None
    passed: bool | None
    compared_with: str | None
    evaluated_at: dt.datetime | None
    kind: str = "model"


@dataclass(frozen=True)
class CurrentModel:
    """What a router needs to know: the model that answers under an alias, and what answers when it ends.

    Attributes:
        alias: the name asked for.
        model: the model that answers.
        base: the model it was tuned from: the last resort.
        previous: what a rollback goes back to.
        since: since when.
        expires: the day it stops answering, where known.
        tainted_share: share of its training weight that was erased since.
    """

    alias: str
    model: str
    base: str | None
    previous: str | None
    since: dt.datetime
    expires: dt.date | None
    tainted_share: float | None


def models(database: Database, name: str | None = None) -> list[Model]:
    """Every model (or the named one) with its newest evaluation, oldest first."""
    with database.engine.connect() as connection:
        return [Model(**row) for row in connection.execute(statement("models"), {"name": name}).mappings()]


def model_named(database: Database, name: str) -> Model:
    """The named model.

    Raises:
        PromotionRefusedError: there is none.
    """
    found = models(database, name)
    if not found:
        raise PromotionRefusedError(f"there is no model {name}: see feedback models")
    return found[0]


def register_candidate(database: Database, run: Run, *, told: dt.date | None, now: dt.datetime) -> Model:
    """Enters the model a run made, and its base; entering it again changes nothing but an earlier end date.

    Args:
        database: the store.
        run: a run that succeeded.
        told: the end date the provider tells of it.
        now: the time.
    """
    name = run.entry.fine_tuned_model
    if name is None:
        raise ValueError(f"run {run.entry.key[:12]} is {run.entry.state} and made no model")
    base_end = model_end(run.provider, run.request.model)
    base = {
        "kind": "model", "name": run.request.model,
        "base": None, "provider": run.provider, "state": "base", "shutdown_date": base_end,
        "job_id": None, "dataset_id": None, "week": None, "now": now,
    }  # fmt: skip
    tuned = {
        "kind": "model", "name": name, "base": run.request.model, "provider": run.provider, "state": "candidate",
        "shutdown_date": min(filter(None, (base_end, told)), default=None), "job_id": run.entry.key,
        "dataset_id": run.request.dataset_id, "week": run.week, "now": now,
    }  # fmt: skip
    with database.engine.begin() as connection:
        connection.execute(statement("model_register"), base)
        connection.execute(statement("model_register"), tuned)
    return model_named(database, name)


def register_prompt(
    database: Database, name: str, base: str | None, *, week: dt.date | None, now: dt.datetime
) -> Model:
    """Enters a prompt as a candidate against the version it came from; entering it again changes nothing.

    Args:
        database: the store.
        name: of the candidate.
        base: the version it came from: the last resort of a rollback; None for a prompt's first version.
        week: whose votes it answers; None for one that a person wrote.
        now: the time.
    """
    values = {
        "kind": "prompt", "name": name, "base": base, "provider": None, "shutdown_date": None, "job_id": None,
        "state": "base" if base is None else "candidate", "dataset_id": None, "week": week, "now": now,
    }  # fmt: skip
    with database.engine.begin() as connection:
        connection.execute(statement("model_register"), values)
    return model_named(database, name)


def record_evaluation(
    database: Database,
    model: str,
    compared_with: str,
    content_hash: str,
    *,
    passed: bool,
    detail: Any,
    now: dt.datetime,
) -> None:
    """Keeps an evaluation; the same one again only becomes the newest."""
    values = {
        "content_hash": content_hash, "model": model, "compared_with": compared_with, "passed": passed,
        "detail": orjson.dumps(detail).decode(), "now": now,
    }  # fmt: skip
    with database.engine.begin() as connection:
        connection.execute(statement("model_evaluation_insert"), values)


def current_model(database: Database, alias: str = ALIAS) -> CurrentModel | None:
    """The model that answers under an alias; None where nothing was promoted yet and the base model answers."""
    with database.engine.connect() as connection:
        row = _serving(connection, alias)
    if row is None:
        return None
    return CurrentModel(
        alias, row["model"], row["base"], row["previous"], row["since"], row["shutdown_date"], row["tainted_share"]
    )


def promotion_problems(pipeline: Pipeline, model: Model) -> list[str]:
    """Why a model may not be promoted; empty where it may."""
    found = []
    if model.state not in ("candidate", "approved", "retired", "promoted"):
        found.append(f"{model.name} is {model.state}")
    if model.tainted_share:
        found.append(f"{model.tainted_share:.1%} of what it was trained on has been erased since: train again")
    if model.shutdown_date is not None and model.shutdown_date <= pipeline.today():
        found.append(f"it ended on {model.shutdown_date}")
    if model.evaluation is None:
        found.append("it was not evaluated: materialise candidate_evaluation")
    elif not model.passed:
        found.append("its newest evaluation did not pass the gate")
    approval = approvals.newest(pipeline, approvals.model_subject(model.name))
    if approval is None or approval.decision != "approved":
        found.append("nobody approved it: feedback approve " + model.name)
    elif approval.content_hash != model.evaluation:
        found.append("the approval is of another evaluation than its newest one")
    return found


def promote(pipeline: Pipeline, name: str, alias: str = ALIAS) -> CurrentModel:
    """Lets an approved model answer under an alias; promoting the one that answers already changes nothing.

    Raises:
        PromotionRefusedError: the gate was not passed, nobody approved this very evaluation, or it may not serve.
    """
    model = model_named(pipeline.database, name)
    current = current_model(pipeline.database, alias)
    if current is not None and current.model == name:
        return current
    if problems := promotion_problems(pipeline, model):
        raise PromotionRefusedError(f"{name} is not promoted: {'; '.join(problems)}")
    approval = approvals.newest(pipeline, approvals.model_subject(name))
    assert approval is not None
    with pipeline.database.engine.begin() as connection:
        locked = _locked(connection, alias)
        # what answers is what the evaluation compared with, or the comparison says nothing about this change
        answering = locked["model"] if locked else model.base
        if answering != model.compared_with:
            raise PromotionRefusedError(
                f"{name} is not promoted: it was compared with {model.compared_with}, but {answering} answers now: "
                "evaluate it again"
            )
        _serve(connection, alias, name, answering, "promoted", pipeline.now(), approval.approver, approval.reason,
               approval.id)  # fmt: skip
    found = current_model(pipeline.database, alias)
    assert found is not None
    return found


def roll_back(pipeline: Pipeline, *, person: str, reason: str, alias: str = ALIAS) -> CurrentModel:
    """Lets the model answer again that answered before; the approval of the current one is revoked.

    Raises:
        PromotionRefusedError: there is nothing to go back to.
    """
    current = current_model(pipeline.database, alias)
    if current is None or current.previous is None:
        raise PromotionRefusedError(f"{alias} was never changed: there is nothing to go back to")
    model = model_named(pipeline.database, current.model)
    revoked = approvals.record(
        pipeline, approvals.model_subject(model.name), model.evaluation or "", "revoked", approver=person, reason=reason
    )
    _change(pipeline, alias, current, "rolled_back", person, reason, revoked.id)
    found = current_model(pipeline.database, alias)
    assert found is not None
    return found


def expire(pipeline: Pipeline, alias: str = ALIAS) -> CurrentModel | None:
    """Takes a model that has ended out of service; what answered before, or its base, answers instead.

    Returns:
        What answers now where that changed; None where nothing did. A base model that has ended is told by
        `expiry_warnings`: there is nothing left to choose.
    """
    current = current_model(pipeline.database, alias)
    if current is None or current.expires is None or current.expires > pipeline.today():
        return None
    if current.base is None:
        return None
    _change(pipeline, alias, current, "expired", None, f"the provider ended {current.model} on {current.expires}", None)
    return current_model(pipeline.database, alias)


def expiry_warnings(database: Database, today: dt.date) -> list[str]:
    """Models in use that end soon, or have ended."""
    current = current_model(database)
    if current is None or current.expires is None or current.expires - today > NOTICE:
        return []
    if current.expires <= today:
        return [f"{current.model} ended on {current.expires}"]
    return [f"{current.model} ends on {current.expires}, in {(current.expires - today).days} days: train its successor"]


def history(database: Database) -> list[dict[str, Any]]:
    """Every change of what answers, oldest first."""
    with database.engine.connect() as connection:
        return [dict(row) for row in connection.execute(statement("model_events")).mappings()]


def _serving(connection: sa.Connection, alias: str) -> dict[str, Any] | None:
    row = connection.execute(statement("model_serving"), {"alias": alias}).mappings().first()
    return dict(row) if row else None


def _locked(connection: sa.Connection, alias: str) -> dict[str, Any] | None:
    connection.execute(sa.text("LOCK TABLE model_alias IN EXCLUSIVE MODE"))
    return _serving(connection, alias)


def _change(
    pipeline: Pipeline, alias: str, expected: CurrentModel, event: str, person: str | None, reason: str,
    approval_id: int | None,
) -> None:  # fmt: skip
    """Goes back to the previous model, or to the base where that has ended too."""
    today = pipeline.today()
    candidates = [name for name in (expected.previous, expected.base) if name is not None]
    usable = [
        name for name in candidates
        if (found := model_named(pipeline.database, name)).shutdown_date is None or found.shutdown_date > today
    ]  # fmt: skip
    target = (usable or candidates[-1:])[0]
    with pipeline.database.engine.begin() as connection:
        locked = _locked(connection, alias)
        if locked is None or locked["model"] != expected.model:
            raise PromotionRefusedError(f"{alias} was changed by somebody else just now: look again")
        # going back twice goes to the base, never forth again
        base = model_named(pipeline.database, target).base
        _serve(connection, alias, target, base, event, pipeline.now(), person, reason, approval_id)


def _serve(
    connection: sa.Connection, alias: str, name: str, previous: str | None, event: str, now: dt.datetime,
    person: str | None, reason: str | None, approval_id: int | None,
) -> None:  # fmt: skip
    replaced = _serving(connection, alias)
    connection.execute(statement("model_serve"), {"alias": alias, "model": name, "previous": previous, "now": now})
    before = replaced["model"] if replaced else previous
    values = {"alias": alias, "event": event, "model": name, "previous": before, "approval_id": approval_id,
              "person": person, "reason": reason, "now": now}  # fmt: skip
    connection.execute(statement("model_event_insert"), values)
    states = sa.text("UPDATE model SET state = :state WHERE name = :name AND state NOT IN ('base', 'tainted')")
    if before is not None and before != name:
        connection.execute(states, {"state": "retired", "name": before})
    connection.execute(states, {"state": "promoted", "name": name})
