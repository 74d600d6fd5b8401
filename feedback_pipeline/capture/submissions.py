"""What a body with a vote becomes: whose it is, what is filed, and under which key."""

from typing import Any

from pydantic import TypeAdapter
from starlette.requests import Request

from feedback_pipeline.capture import votes
from feedback_pipeline.capture.access import Principal
from feedback_pipeline.capture.problems import ProblemError, invalid
from feedback_pipeline.capture.responses import parsed
from feedback_pipeline.capture.service import Service
from feedback_pipeline.capture.shapes import AnyVote, ContentVote, StoreVote, Voter
from feedback_pipeline.capture.votes import Person, Submission
from feedback_pipeline.store.rows import content_name

VOTES: TypeAdapter[Voter] = TypeAdapter(AnyVote)
MAX_KEY = 200
GENERAL = "general"
"""The kind of content of the floating button, which is always there."""


def note_for_analytics(service: Service, shape: Voter, submission: Submission, person: str | None) -> None:
    """Tells PostHog of a vote, where it is configured."""
    vote = submission.vote
    service.analytics.submitted(person, vote.kind, content_type_of(shape), vote.thumb, vote.comment is not None)


def shape_of(value: Any) -> Voter:
    """Which of the five shapes a body has; raises ProblemError where it has none."""
    shape: Voter = parsed(VOTES, value, skipped=1 if isinstance(value, dict) else 0)
    return shape


def user_of(shape: Voter) -> str | None:
    """The application's own id of who votes."""
    if shape.user_id is None and isinstance(shape, ContentVote):
        return shape.submitted_by
    return shape.user_id


def submission_of(
    service: Service,
    principal: Principal,
    person: Person,
    shape: Voter,
    key: str | None,
    fingerprint: bytes | None,
    ordinal: int = 0,
) -> Submission:
    """What is filed of a body; raises ProblemError where its snapshot is too large or its content not the key's."""
    vote = votes.read(shape)
    capture = service.settings.capture
    snapshot = vote.answer.get("content_snapshot") if vote.answer else None
    if snapshot is not None and len(snapshot) > capture.snapshot_bytes:
        raise ProblemError(
            413, "too_large", f"content_snapshot is larger than {capture.snapshot_bytes} bytes",
            [{"field": "content_snapshot", "reason": "too large"}],
        )  # fmt: skip
    content_type = content_type_of(shape)
    if content_type not in {None, GENERAL} and capture.content_types and content_type not in capture.content_types:
        raise invalid("content_type", f"must be one of {', '.join(sorted({*capture.content_types, GENERAL}))}")
    if principal.browser and (vote.key != content_name(*(principal.content or ("", ""))) or vote.interaction_id):
        raise ProblemError(403, "wrong_content", "the token belongs to other content")
    return votes.submission(vote, shape, principal.tenant, person, key, fingerprint, ordinal)


def content_type_of(shape: Voter) -> str | None:
    """The kind of content that is voted on, where the body says it."""
    if isinstance(shape, ContentVote):
        return shape.content_type
    return shape.content.type if isinstance(shape, StoreVote) and shape.content else None


def idempotency_key(request: Request) -> str | None:
    """The key under which a request is filed once; raises ProblemError where it is malformed."""
    key = request.headers.get("idempotency-key")
    if key is not None and not (0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
        raise invalid("Idempotency-Key", f"must be 1 to {MAX_KEY} printable ASCII characters")
    return key


def scoped_key(key: str | None, principal: Principal, person: Person) -> str | None:
    """A browser's keys are its own: nobody else's request can be answered with one."""
    return key if key is None or not principal.browser else f"{person.voter}:{key}"
