"""Writing: votes one by one and in batches, changes, withdrawals, logged answers, browser tokens."""

import asyncio
import time
from collections import Counter
from typing import Any
from uuid import UUID

import orjson
from fastapi import APIRouter
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from feedback_pipeline.capture import bodies, views, votes
from feedback_pipeline.capture.access import Principal
from feedback_pipeline.capture.identifiers import digest, new_id
from feedback_pipeline.capture.problems import MEDIA_TYPE, ProblemError, from_validation, invalid, not_found
from feedback_pipeline.capture.service import Service, service_of
from feedback_pipeline.capture.shapes import (
    AnyVote,
    Change,
    ContentVote,
    LoggedAnswer,
    Parameter,
    StoreVote,
    TokenRequest,
    TokensRequest,
    Voter,
    shortened,
)
from feedback_pipeline.capture.votes import AnswerRow, NameRow, Person, Submission, VoteRow
from feedback_pipeline.capture.writer import Outcome
from feedback_pipeline.cleaning.tags import look_alikes
from feedback_pipeline.llm.prices import read_prices
from feedback_pipeline.store.rows import content_name

router = APIRouter()
VOTES: TypeAdapter[Voter] = TypeAdapter(AnyVote)
LOGGED = TypeAdapter(LoggedAnswer)
MAX_ITEMS = 5000
ITEMS_AT_A_TIME = 250
MAX_ANSWERS = 1000
MAX_KEY = 200
GENERAL = "general"
"""The kind of content of the floating button, which is always there."""


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(
        orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS), status, headers=headers, media_type="application/json"
    )


def problem_response(problem: dict[str, Any]) -> Response:
    """A problem document as the answer of its request."""
    return Response(orjson.dumps(problem), problem["status"], media_type=MEDIA_TYPE)


def parsed(adapter: Any, value: Any, skipped: int = 0) -> Any:
    """A value as its model; raises ProblemError naming the fields."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise from_validation(error, skipped) from None


@router.post("/api/feedback")
@router.post("/v1/feedback")
async def create_feedback(request: Request) -> Response:
    """File one vote. It is durable when acknowledged, and seen by the next read."""
    service = service_of(request)
    principal = await service.authenticate(request, "write")
    body = await bodies.read(request, service.settings.capture.body_bytes)
    value = bodies.parse(body, request.headers.get("content-type", ""))
    shape: Voter = _shape(value)
    if shape.idempotency_key is not None:
        raise invalid("idempotency_key", "is for items of a batch; send the header Idempotency-Key")
    person = await service.person(request, principal, _user(shape), shape.session_id, writes=True)
    key = _scoped(_idempotency_key(request), principal, person)
    fingerprint = None if key is None else digest(body)
    submission = _submission(service, principal, person, shape, key, fingerprint)
    outcome = await service.writer.write(principal.tenant, submission)
    service.metrics.vote(outcome.outcome)
    tags = [tag for answer in submission.answers for tag in answer.tags]
    alike = look_alikes(tags, await _tags(service, principal.tenant)) if tags else {}
    if outcome.outcome == "stored":
        _analyse(service, shape, submission, service.analysed(person, _user(shape), request))
    return _answered(outcome, alike)


async def file_content_vote(
    service: Service, principal: Principal, person: Person, given: dict[str, Any], request: Request
) -> None:
    """Files a browser's vote on the content that its token is for.

    Raises:
        ProblemError: as `create_feedback`.
    """
    content_type, content_id = principal.content or ("", "")
    shape = _shape({"content_type": content_type, "content_id": content_id, **given})
    submission = _submission(service, principal, person, shape, None, None)
    outcome = await service.writer.write(principal.tenant, submission)
    service.metrics.vote(outcome.outcome)
    if outcome.outcome == "stored":
        _analyse(service, shape, submission, service.analysed(person, None, request))


def _analyse(service: Service, shape: Voter, submission: Submission, person: str | None) -> None:
    vote = submission.vote
    service.analytics.submitted(person, vote.kind, _content_type(shape), vote.thumb, vote.comment is not None)


def _shape(value: Any) -> Voter:
    shape: Voter = parsed(VOTES, value, skipped=1 if isinstance(value, dict) else 0)
    return shape


def _user(shape: Voter) -> str | None:
    if shape.user_id is None and isinstance(shape, ContentVote):
        return shape.submitted_by
    return shape.user_id


def _submission(
    service: Service,
    principal: Principal,
    person: Person,
    shape: Voter,
    key: str | None,
    fingerprint: bytes | None,
    ordinal: int = 0,
) -> Submission:
    vote = votes.read(shape)
    capture = service.settings.capture
    snapshot = vote.answer.get("content_snapshot") if vote.answer else None
    if snapshot is not None and len(snapshot) > capture.snapshot_bytes:
        raise ProblemError(
            413, "too_large", f"content_snapshot is larger than {capture.snapshot_bytes} bytes",
            [{"field": "content_snapshot", "reason": "too large"}],
        )  # fmt: skip
    content_type = _content_type(shape)
    if content_type not in {None, GENERAL} and capture.content_types and content_type not in capture.content_types:
        raise invalid("content_type", f"must be one of {', '.join(sorted({*capture.content_types, GENERAL}))}")
    if principal.browser and (vote.key != content_name(*(principal.content or ("", ""))) or vote.interaction_id):
        raise ProblemError(403, "wrong_content", "the token belongs to other content")
    return votes.submission(vote, shape, principal.tenant, person, key, fingerprint, ordinal)


def _content_type(shape: Voter) -> str | None:
    if isinstance(shape, ContentVote):
        return shape.content_type
    return shape.content.type if isinstance(shape, StoreVote) and shape.content else None


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


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not (0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
        raise invalid("Idempotency-Key", f"must be 1 to {MAX_KEY} printable ASCII characters")
    return key


def _scoped(key: str | None, principal: Principal, person: Person) -> str | None:
    """A browser's keys are its own: nobody else's request can be answered with one."""
    return key if key is None or not principal.browser else f"{person.voter}:{key}"


@router.post("/v1/feedback/batch")
async def create_batch(request: Request) -> Response:
    """File up to 5,000 votes; each is answered by itself, in order."""
    service = service_of(request)
    principal = await service.authenticate(request, "write")
    if principal.browser:
        raise ProblemError(403, "missing_scope", "batches need an API key")
    body = await bodies.read(request, service.settings.capture.batch_bytes)
    value = bodies.parse(body, request.headers.get("content-type", ""))
    items = value.get("items") if isinstance(value, dict) and value.keys() == {"items"} else value
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_ITEMS:
        raise invalid("items", f"must be a list of 1 to {MAX_ITEMS} votes")
    started = time.time()
    results = await file_batch(service, principal, items, _idempotency_key(request))
    stored = sum(result["status"] == 201 for result in results)
    refused = sum(result["status"] >= 400 for result in results)
    found = {"stored": stored, "refused": refused, "seconds": round(time.time() - started, 4), "results": results}
    return json_response(found, 200 if not refused else 207)


async def file_batch(
    service: Service, principal: Principal, items: list[Any], key: str | None = None
) -> list[dict[str, Any]]:
    """Files votes; says of each what became of it, in order.

    Raises:
        ProblemError: 503, the store is away; what was filed is replayed under its idempotency keys.
    """
    results: list[dict[str, Any]] = [{} for _ in items]
    shares = []
    for first in range(0, len(items), ITEMS_AT_A_TIME):
        submissions: list[Submission] = []
        places: list[tuple[int, Voter, Submission, Person]] = []
        for place in range(first, min(first + ITEMS_AT_A_TIME, len(items))):
            try:
                shape = _shape(items[place])
                person = _server_person(service, principal, shape)
                submission = _batch_submission(service, principal, items[place], shape, person, key, place)
                submissions.append(submission)
                places.append((place, shape, submission, person))
            except ProblemError as problem:
                results[place] = {"status": problem.status, "problem": problem.document()}
        if submissions:
            shares.append((places, service.writer.enqueue(principal.tenant, submissions)))
        await asyncio.sleep(0)  # the store works on these votes, and others have their turn, while the next are read
    for places, settled in shares:
        for (place, shape, submission, person), outcome in zip(places, await settled, strict=True):
            if isinstance(outcome, ProblemError) and outcome.status == 503:
                raise outcome  # what was filed is replayed under its idempotency keys
            results[place] = _batch_result(outcome)
            if results[place].get("outcome") == "stored":
                _analyse(service, shape, submission, service.analysed(person, _user(shape)))
    for name, number in Counter(result.get("outcome") for result in results).items():
        if name is not None:
            service.metrics.vote(name, number)
    return results


def _server_person(service: Service, principal: Principal, shape: Voter) -> Person:
    pseudonym, tenant = service.intake.pseudonym, principal.tenant
    return Person(pseudonym(tenant, _user(shape)), pseudonym(tenant, shape.session_id), "server")


def _batch_submission(
    service: Service, principal: Principal, item: Any, shape: Voter, person: Person, key: str | None, place: int
) -> Submission:
    own = shape.idempotency_key or (None if key is None else f"{key}#{place}")
    fingerprint = None if own is None else digest(orjson.dumps(item, option=orjson.OPT_SORT_KEYS))
    return _submission(service, principal, person, shape, own, fingerprint, place)


def _batch_result(outcome: Outcome | ProblemError) -> dict[str, Any]:
    if isinstance(outcome, ProblemError):
        return {"status": outcome.status, "problem": outcome.document()}
    if outcome.outcome == "reused":
        problem = ProblemError(422, "idempotency_key_reused", "the key was used for another request")
        return {"status": 422, "problem": problem.document()}
    identity = None if outcome.outcome == "opted_out" else str(outcome.feedback_id)
    return {"status": 201 if outcome.outcome == "stored" else 200, "id": identity, "outcome": outcome.outcome}


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
    await service.writer.write(principal.tenant, Submission(_follows(row, {"withdrawn": True, **_EMPTY})))
    return Response(status_code=204)


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


@router.post("/v1/interactions", status_code=202)
async def log_interactions(request: Request) -> Response:
    """Keep answers, one or up to 1,000, whether or not anybody votes on them."""
    service = service_of(request)
    principal = await service.authenticate(request, "write")
    if principal.browser:
        raise ProblemError(403, "missing_scope", "logging needs an API key")
    body = await bodies.read(request, service.settings.capture.batch_bytes)
    value = bodies.parse(body, request.headers.get("content-type", ""))
    items = value.get("items") if isinstance(value, dict) and value.keys() == {"items"} else [value]
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_ANSWERS:
        raise invalid("items", f"must be a list of 1 to {MAX_ANSWERS} answers")
    many = isinstance(value, dict) and value.keys() == {"items"}
    if not many:
        _logged(service, principal.tenant, value)  # a lone answer that cannot be kept is the request's own problem
    results = await file_answers(service, principal, items)
    refused = sum(result["status"] >= 400 for result in results)
    if not many and refused:
        return problem_response(results[0]["problem"])
    ids = [result.get("interaction_id") for result in results]
    new = len({result["interaction_id"] for result in results if result.get("outcome") == "new"})
    found = {"interaction_ids": ids, "new": new, "refused": refused, "results": results}
    return json_response(found, 207 if refused else 202)


async def file_answers(service: Service, principal: Principal, items: list[Any]) -> list[dict[str, Any]]:
    """Keeps answers; says of each what became of it, in order.

    Raises:
        ProblemError: 503, the store is away.
    """
    rows: dict[int, AnswerRow] = {}
    names: list[NameRow] = []
    results: list[dict[str, Any]] = [{} for _ in items]
    for place, item in enumerate(items):
        try:
            row, own_names, cut = _logged(service, principal.tenant, item)
        except ProblemError as problem:
            results[place] = {"status": problem.status, "problem": problem.document()}
            continue
        rows[place] = row
        names += own_names
        if cut:
            results[place] = {"cut": cut}
    first = {row.id: row for row in reversed(rows.values())}
    outcomes = await service.writer.log(principal.tenant, list(first.values()), names) if rows else {}
    new: dict[UUID, AnswerRow] = {}
    for place, row in rows.items():
        outcome = outcomes[row.id]
        if outcome == "new" and row.id in new:  # an answer twice in one request
            outcome = "known" if row.output == new[row.id].output else "conflict"
        elif outcome == "new":
            new[row.id] = row
        results[place] |= _logged_result(row.id, outcome)
    return results


def _logged(service: Service, tenant: str, item: Any) -> tuple[AnswerRow, list[NameRow], list[str]]:
    """The rows of a logged answer, and which of its names were too long and are cut."""
    item, cut = shortened(item)
    answer: LoggedAnswer = parsed(LOGGED, item)
    pseudonym = service.intake.pseudonym
    person = Person(pseudonym(tenant, answer.user_id), pseudonym(tenant, answer.session_id), "logged")
    row, names = votes.logged(answer, tenant, person)
    if row.content_snapshot is not None and len(row.content_snapshot) > service.settings.capture.snapshot_bytes:
        raise invalid("content_snapshot", "too large")
    if row.cost_usd is None:
        prices = read_prices(service.settings.prices_file)
        row = row._replace(cost_usd=prices.cost(row.model, row.input_tokens, row.output_tokens))
    return row, names, cut


def _logged_result(identity: UUID, outcome: str | ProblemError) -> dict[str, Any]:
    if outcome == "conflict":
        outcome = ProblemError(409, "conflict", "another answer was logged under this id; it stays as it is")
    if isinstance(outcome, ProblemError):
        return {"status": outcome.status, "problem": outcome.document()}
    return {"status": 202, "interaction_id": str(identity), "outcome": outcome}


@router.post("/v1/tokens", status_code=201)
async def mint_token(request: Request) -> Response:
    """Make a short-lived token for one browser: for one piece of content, on pages of one origin; or, with `contents`,
    one for each of a page's."""
    service = service_of(request)
    principal = await service.authenticate(request, "write")
    if principal.browser:
        raise ProblemError(403, "missing_scope", "tokens are made with an API key")
    value = bodies.parse(await bodies.read(request, 60_000), request.headers.get("content-type", ""))
    many = isinstance(value, dict) and "contents" in value
    wanted: TokenRequest | TokensRequest = parsed(TypeAdapter(TokensRequest if many else TokenRequest), value)
    user = service.intake.pseudonym(principal.tenant, wanted.user_id)
    tokens = [
        service.tokens.mint(principal.tenant, (one.content_type, one.content_id), wanted.origin, user, wanted.seconds)
        for one in (wanted.contents if isinstance(wanted, TokensRequest) else [wanted])
    ]
    found = {"tokens": tokens} if many else {"token": tokens[0]}
    return json_response({**found, "expires_in": wanted.seconds}, 201, {"Cache-Control": "no-store"})
