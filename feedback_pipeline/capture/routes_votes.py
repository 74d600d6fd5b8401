"""Writing votes one by one: given, changed, withdrawn; and the tags in use."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from feedback_pipeline.capture import bodies, views, votes
from feedback_pipeline.capture.access import Principal
from feedback_pipeline.capture.identifiers import digest, new_id
from feedback_pipeline.capture.problems import ProblemError, invalid, not_found
from feedback_pipeline.capture.responses import json_response, parsed
from feedback_pipeline.capture.service import Service, service_of
from feedback_pipeline.capture.shapes import Change, Parameter, Voter
from feedback_pipeline.capture.submissions import (
    idempotency_key,
    note_for_analytics,
    scoped_key,
    shape_of,
    submission_of,
    user_of,
)
from feedback_pipeline.capture.votes import Person, Submission, VoteRow
from feedback_pipeline.capture.writer import Outcome
from feedback_pipeline.cleaning.tags import look_alikes
from feedback_pipeline.store.rows import content_name

router = APIRouter()


@router.post("/api/feedback")
@router.post("/v1/feedback")
async def create_feedback(request: Request) -> Response:
    """File one vote. It is durable when acknowledged, and seen by the next read."""
    service = service_of(request)
    principal = await service.authenticate(request, "write")
    body = await bodies.read(request, service.settings.capture.body_bytes)
    value = bodies.parse(body, request.headers.get("content-type", ""))
    shape: Voter = shape_of(value)
    if shape.idempotency_key is not None:
        raise invalid("idempotency_key", "is for items of a batch; send the header Idempotency-Key")
    person = await service.person(request, principal, user_of(shape), shape.session_id, writes=True)
    key = scoped_key(idempotency_key(request), principal, person)
    fingerprint = None if key is None else digest(body)
    submission = submission_of(service, principal, person, shape, key, fingerprint)
    outcome = await service.writer.write(principal.tenant, submission)
    service.metrics.vote(outcome.outcome)
    tags = [tag for answer in submission.answers for tag in answer.tags]
    alike = look_alikes(tags, await _tags(service, principal.tenant)) if tags else {}
    if outcome.outcome == "stored":
        note_for_analytics(service, shape, submission, service.analysed(person, user_of(shape), request))
    return _answered(outcome, alike)


async def file_content_vote(
    service: Service, principal: Principal, person: Person, given: dict[str, Any], request: Request
) -> None:
    """Files a browser's vote on the content that its token is for.

    Raises:
        ProblemError: as `create_feedback`.
    """
    content_type, content_id = principal.content or ("", "")
    shape = shape_of({"content_type": content_type, "content_id": content_id, **given})
    submission = submission_of(service, principal, person, shape, None, None)
    outcome = await service.writer.write(principal.tenant, submission)
    service.metrics.vote(outcome.outcome)
    if outcome.outcome == "stored":
        note_for_analytics(service, shape, submission, service.analysed(person, None, request))


async def _tags(service: Service, tenant: str) -> list[str]:
    return [row["name"] for row in await service.store.fetch(tenant, "read_tags")]


@router.get("/v1/tags")
async def read_tags(request: Request) -> Response:
    """The tags in use, and which of them look alike: a slip makes two of one."""
    service = service_of(request)
    principal = await service.authenticate(request, "read")
    if principal.browser:
        raise ProblemError(403, "missing_scope", "this needs an API key with the scope read")
    tags = await _tags(service, principal.tenant)
    return json_response({"tags": tags, "look_alikes": look_alikes(tags, tags)})


def _answered(outcome: Outcome, alike: dict[str, list[str]]) -> Response:
    if outcome.outcome == "reused":
        raise ProblemError(422, "idempotency_key_reused", "the Idempotency-Key was used for another request")
    if outcome.outcome == "opted_out":
        return json_response({"id": None, "feedback_id": None, "status": "opted_out"})
    identity = str(outcome.feedback_id)
    found: dict[str, Any] = {"id": identity, "feedback_id": identity, "status": outcome.outcome}
    if alike:
        found["look_alikes"] = alike
    if outcome.outcome == "replayed":
        return json_response(found, 200, {"Idempotency-Replayed": "true", "Location": f"/v1/feedback/{identity}"})
    return json_response(found, 201, {"Location": f"/v1/feedback/{identity}"})


@router.put("/v1/feedback/{feedback_id}")
async def change_feedback(request: Request, feedback_id: UUID) -> Response:
    """Change a vote: a new event that follows the former, which stays in the history."""
    service = service_of(request)
    principal = await service.authenticate(request, "write")
    body = await bodies.read(request, service.settings.capture.body_bytes)
    value = bodies.parse(body, request.headers.get("content-type", ""))
    change: Change = parsed(TypeAdapter(Change), value)
    person = await service.person(request, principal, change.user_id, change.session_id, writes=True)
    row = await current(service, principal, feedback_id)
    require_own(row, principal, person)
    fields = change.model_dump(exclude_unset=True, exclude={"user_id", "session_id", "rating", "feedback"})
    thumb = _changed_thumb(change)
    if thumb is not None:
        fields["thumb"] = thumb
    if not fields:
        raise invalid("body", "changes nothing")
    if "value" in fields and fields["value"] is not None:
        fields["value"] = bodies.to_json(fields["value"], "value")
    if fields.get("metadata") is not None:
        fields["metadata"] = bodies.to_json(fields["metadata"], "metadata")
    if fields.get("reasons", ()) is None:
        fields["reasons"] = []
    event = _follows(row, {**fields, "from_browser": principal.browser or row["from_browser"]})
    _complete(event)
    await service.writer.write(principal.tenant, Submission(event))
    row = await current(service, principal, feedback_id)
    content_type = row["key_value"].partition("/")[0] if row["key_kind"] == "content" else None
    voter = Person(row["user_key"], row["session_key"], "browser" if principal.browser else "server")
    person_seen = service.analysed(voter, change.user_id, request)
    service.analytics.submitted(person_seen, row["kind"], content_type, row["thumb"], row["comment"] is not None)
    shown = views.own_vote if principal.browser else views.vote
    return json_response(shown(row, feedback_id, row["first_at"]))


def _changed_thumb(change: Change) -> bool | None:
    if change.rating is not None:
        return change.rating is True or (change.rating is not False and change.rating > 0)
    return None if change.feedback is None else change.feedback == "up"


def _complete(event: VoteRow) -> None:
    needed = {
        "explicit": event.thumb is not None or event.stars is not None,
        "correction": event.correction is not None,
        "comment": event.comment is not None,
        "preference": event.preference is not None,
    }
    if not needed.get(event.kind, event.value is not None):
        raise invalid("body", f"a vote of kind {event.kind} would lack what makes one; withdraw it instead")


@router.delete("/v1/feedback/{feedback_id}", status_code=204)
async def withdraw_feedback(
    request: Request, feedback_id: UUID, user_id: Parameter | None = None, session_id: Parameter | None = None
) -> Response:
    """Withdraw a vote: it is gone from the next read on, and is not counted as anything."""
    service = service_of(request)
    principal = await service.authenticate(request, "write")
    person = await service.person(request, principal, user_id, session_id, writes=True)
    row = await current(service, principal, feedback_id)
    require_own(row, principal, person)
    await _withdraw(service, principal, row)
    return Response(status_code=204)


@router.delete("/v1/feedback", status_code=204)
async def withdraw_from_content(
    request: Request,
    content_type: Parameter | None = None,
    content_id: Parameter | None = None,
    user_id: Parameter | None = None,
    session_id: Parameter | None = None,
) -> Response:
    """Withdraw a person's vote on content, for those who do not know its id: the answer to it may have been lost. A
    browser's token names both. Without such a vote nothing changes."""
    service = service_of(request)
    principal = await service.authenticate(request, "write")
    content = named_content(principal, content_type, content_id)
    person = await service.person(request, principal, user_id, session_id, writes=True)
    if person.voter is None:
        raise invalid("user_id", "name a person: user_id or session_id")
    tenant = principal.tenant
    for row in await service.store.fetch(tenant, "read_state", *content_name(*content), person.voter, None, tenant):
        if row["kind"] == "explicit":
            await _withdraw(service, principal, await current(service, principal, row["id"]))
    return Response(status_code=204)


def named_content(principal: Principal, content_type: str | None, content_id: str | None) -> tuple[str, str]:
    """The type and id of the content that a request is about; a browser's token names its own.

    Raises:
        ProblemError: 403 for a browser that names other content; 422, one of the two is missing.
    """
    content = principal.content or (content_type or "", content_id or "")
    if (content_type or content[0], content_id or content[1]) != content:
        raise ProblemError(403, "wrong_content", "the token belongs to other content")
    for name, value, other in zip(("content_type", "content_id"), content, ("content_id", "content_type"), strict=True):
        if not value:
            raise invalid(name, f"is needed with {other}")
    return content


async def _withdraw(service: Service, principal: Principal, row: Any) -> None:
    await service.writer.write(principal.tenant, Submission(_follows(row, {"withdrawn": True, **_EMPTY})))


_EMPTY: dict[str, Any] = {
    "thumb": None,
    "stars": None,
    "value": None,
    "comment": None,
    "correction": None,
    "reasons": [],
}


async def read_one(
    service: Service, principal: Principal, feedback_id: str | UUID, *, history: bool = False
) -> dict[str, Any]:
    """One vote as it stands, with its answer; with `history` every event of it.

    Raises:
        ProblemError: 404, as `current`.
    """
    identity = feedback_id if isinstance(feedback_id, UUID) else UUID(feedback_id)
    row = await current(service, principal, identity)
    found = views.vote(row, identity, row["first_at"])
    if history:
        events = await service.store.fetch(principal.tenant, "read_history", row["id"])
        found["history"] = [views.event(event) for event in events]
    return found


async def current(service: Service, principal: Principal, identity: UUID) -> Any:
    """The newest event of a vote.

    Raises:
        ProblemError: 404, there is none of this tenant, or it was withdrawn.
    """
    rows = await service.store.fetch(principal.tenant, "read_vote", identity)
    if not rows or rows[0]["withdrawn"]:
        raise not_found()
    return rows[0]


def require_own(row: Any, principal: Principal, person: Person) -> None:
    """A person reads by token and changes only their own vote, on the content that the token is for; a server that
    names nobody acts for the team.

    Raises:
        ProblemError: 404 for browsers, 403 for servers.
    """
    named = person.voter
    if principal.browser and (
        row["voter"] not in {person.user_key, person.session_key}
        or (row["key_kind"], row["key_value"]) != content_name(*(principal.content or ("", "")))
    ):
        raise not_found()
    if not principal.browser and named is not None and row["voter"] not in {person.user_key, person.session_key}:
        raise ProblemError(403, "not_yours", "only the person who voted may change the vote")


def _follows(row: Any, fields: dict[str, Any]) -> VoteRow:
    """The event after `row`: the same person, answer and kind. Of an anonymous vote, the first event stands for the
    session, so that the next one is known to follow it."""
    anonymous = row["user_key"] is None and row["session_key"] is None
    base: dict[str, Any] = {name: row[name] for name in VoteRow._fields if name in row.keys()}  # noqa: SIM118 - a Record
    base |= {
        "ordinal": 0,
        "id": new_id(),
        "session_key": row["voter"] if anonymous else row["session_key"],
        "occurred_at": None,
        "withdrawn": False,
        "supersedes": row["id"],
        "idempotency_key": None,
        "fingerprint": None,
        "source": votes.SOURCE,
        "raw": None,
        "metadata": row["vote_metadata"],
    }
    return VoteRow(**(base | fields))
