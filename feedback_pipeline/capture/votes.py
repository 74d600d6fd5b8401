"""One model underneath every shape: the event, the answer it brings along, and the caller's names for that answer."""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import singledispatch
from typing import Any, NamedTuple

from feedback_pipeline.capture import bodies
from feedback_pipeline.capture.identifiers import digest, new_id
from feedback_pipeline.capture.problems import invalid
from feedback_pipeline.capture.shapes import (
    MAX_NAME,
    Answer,
    AnswerVote,
    ContentVote,
    LoggedAnswer,
    MessageVote,
    SignalVote,
    StoreVote,
    Voter,
)
from feedback_pipeline.cleaning.conversations import last_user_text
from feedback_pipeline.store.rows import content_name, derived_id

SOURCE = "api"
MIN_PROBABILITY = 1e-6
"""What is stored where an application keeps no texts at all: a probability of 0 has no inverse."""
_FUTURE_LIMIT = timedelta(days=1)
_BROWSER_LIMIT = timedelta(days=30)
"""How long a vote may wait in a browser for the service: what says that it is older comes from a wrong clock."""


class VoteRow(NamedTuple):
    """`vote_row` of the store's function, field by field."""

    ordinal: int
    id: uuid.UUID
    interaction_id: uuid.UUID | None
    key_kind: str | None
    key_value: str | None
    kind: str
    thumb: bool | None
    stars: int | None
    value: str | None
    comment: str | None
    correction: str | None
    reasons: list[str]
    preference: str | None
    other_interaction_id: uuid.UUID | None
    user_key: str | None
    session_key: str | None
    occurred_at: datetime | None
    withdrawn: bool
    supersedes: uuid.UUID | None
    idempotency_key: str | None
    fingerprint: bytes | None
    source: str
    raw: str | None
    shown: str | None = None
    shown_differently: bool | None = None
    metadata: str | None = None
    lane: str | None = None
    from_browser: bool = False


class AnswerRow(NamedTuple):
    """`answer_row` of the store's function, field by field."""

    id: uuid.UUID
    project: str | None
    conversation_id: str | None
    turn: int | None
    intent: str | None
    content_type: str | None
    action_type: str | None
    language: str | None
    model: str | None
    prompt_version: str | None
    framework: str | None
    variant: str | None
    tags: list[str]
    tools_called: list[str]
    techniques: list[str]
    memory_used: float | None
    messages: str | None
    prompt: str | None
    output: str | None
    content_snapshot: str | None
    context: str
    finish_reason: str | None
    confidence: float | None
    latency_ms: float | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    user_key: str | None
    session_key: str | None
    occurred_at: datetime | None
    source: str
    source_id: str
    provenance: str
    inclusion_probability: float
    metadata: str | None
    raw: str | None


class NameRow(NamedTuple):
    """One of the caller's names for an answer."""

    kind: str
    value: str
    interaction_id: uuid.UUID


@dataclass(frozen=True)
class Person:
    """Who acts, as pseudonyms, and who vouches for the text they send."""

    user_key: str | None
    session_key: str | None
    provenance: str

    @property
    def voter(self) -> str | None:
        return self.user_key or self.session_key


@dataclass
class Vote:
    """A vote read from its shape; `answer` holds the fields of the answer it brought along."""

    kind: str
    thumb: bool | None = None
    stars: int | None = None
    value: dict[str, Any] | None = None
    comment: str | None = None
    correction: str | None = None
    reasons: list[str] = field(default_factory=list)
    preference: str | None = None
    other_interaction_id: uuid.UUID | None = None
    interaction_id: uuid.UUID | None = None
    key: tuple[str, str] | None = None
    answer: dict[str, Any] | None = None


class Submission(NamedTuple):
    """The rows of one request, not yet redacted."""

    vote: VoteRow
    answers: tuple[AnswerRow, ...] = ()
    names: tuple[NameRow, ...] = ()


_ENVELOPE = {"content_type", "content_id", "snapshot", "input", "prompt_version"}
"""Fields of a snapshot that comes with what it was made from."""


def opened(snapshot: Any) -> tuple[Any, Any, str | None]:
    """A snapshot, what it was made from, and its prompt version: taken out of the envelope that may hold all three.

    Raises:
        ProblemError: the envelope's prompt version is no short text.
    """
    if not isinstance(snapshot, dict) or "snapshot" not in snapshot or not snapshot.keys() <= _ENVELOPE:
        return snapshot, None, None
    return snapshot["snapshot"], snapshot.get("input"), _version(snapshot)


def _version(envelope: dict[str, Any]) -> str | None:
    version = envelope.get("prompt_version")
    if version is None:
        return None
    if not isinstance(version, str | int | float) or isinstance(version, bool) or len(str(version)) > MAX_NAME:
        raise invalid("content_snapshot.prompt_version", f"must be a text of at most {MAX_NAME} characters")
    return str(version) or None


def turn_name(conversation_id: str, turn_id: str) -> tuple[str, str]:
    return "message", f"{conversation_id}/{turn_id}"


@singledispatch
def read(shape: Voter) -> Vote:
    """The vote in a shape."""
    raise TypeError(f"{type(shape).__name__} is not a shape of feedback")


@read.register
def _(shape: ContentVote) -> Vote:
    snapshot, context = shape.content_snapshot, shape.input_context
    snapshot, enveloped_input, version = opened(snapshot)
    context = enveloped_input if context is None else context
    prompt_version = shape.prompt_version or version
    links = {"pull_request": shape.pull_request, "daily_insight": shape.daily_insight}
    answer: dict[str, Any] | None = None
    if snapshot is not None:
        answer = {
            "prompt": _as_text(context, "input_context"),
            "output": _as_text(snapshot, "content_snapshot"),
            "content_snapshot": bodies.to_json(snapshot, "content_snapshot"),
            "content_type": shape.content_type,
            "prompt_version": prompt_version,
            "model": shape.model,
            "project": shape.project,
            "metadata": {name: link for name, link in links.items() if link is not None} or None,
        }
    return Vote(
        "explicit", thumb=shape.rating, comment=shape.comment, reasons=shape.reasons,
        key=content_name(shape.content_type, shape.content_id), answer=answer,
    )  # fmt: skip


@read.register
def _(shape: AnswerVote) -> Vote:
    answer = {
        "prompt": shape.query,
        "output": shape.response,
        "model": shape.model,
        "intent": shape.intent,
        "project": shape.project,
        "prompt_version": shape.prompt_version,
        "memory_used": shape.memory_used,
        "tools_called": shape.tools_called,
        "metadata": shape.metadata,
    }
    key = None if shape.request_id is None else ("request", shape.request_id)
    return Vote("explicit", thumb=shape.rating > 0, comment=shape.comment, key=key, answer=answer)


@read.register
def _(shape: MessageVote) -> Vote:
    answer = None
    if shape.user_message is not None or shape.assistant_response is not None:
        answer = {
            "prompt": shape.user_message,
            "output": shape.assistant_response,
            "action_type": shape.action_type,
            "model": shape.model,
            "metadata": None if shape.action_data is None else {"action_data": shape.action_data},
        }
    return Vote(
        "explicit",
        thumb=shape.feedback == "up",
        comment=shape.comment,
        key=("message", shape.message_id),
        answer=answer,
    )


@read.register
def _(shape: SignalVote) -> Vote:
    key = (
        ("request", shape.request_id)
        if shape.request_id is not None
        else turn_name(str(shape.conversation_id), str(shape.turn_id))
    )
    answer = None
    if shape.output_text is not None:
        answer = {
            "prompt": shape.input_text,
            "output": shape.output_text,
            "prompt_version": shape.prompt_version,
            "model": shape.model,
            "conversation_id": shape.conversation_id,
        }
    vote = Vote(shape.feedback_type, comment=shape.comment, key=key, answer=answer)
    if shape.feedback_type == "explicit":
        _read_rating(vote, shape.feedback_value)
    else:
        vote.value = shape.feedback_value
    return vote


def _read_rating(vote: Vote, value: dict[str, Any]) -> None:
    """`rating` is a thumb as true, false, "up", "down" or −1, and stars as 1 to 5."""
    rating = value.get("rating", value.get("thumbs_up"))
    if rating in ("up", "down"):
        vote.thumb = rating == "up"
    elif isinstance(rating, bool):
        vote.thumb = rating
    elif type(rating) is int and 1 <= rating <= 5:
        vote.stars = rating
    elif type(rating) is int and rating == -1:
        vote.thumb = False
    else:
        raise invalid("feedback_value.rating", 'must be true, false, "up", "down", -1 or 1 to 5 stars')
    comment = value.get("comment")
    if comment is not None and not isinstance(comment, str):
        raise invalid("feedback_value.comment", "must be a text")
    vote.comment = vote.comment if comment is None else comment


@read.register
def _(shape: StoreVote) -> Vote:
    key: tuple[str, str] | None = None
    if shape.subject is not None:
        key = (shape.subject.kind, shape.subject.id)
    elif shape.content is not None:
        key = content_name(shape.content.type, shape.content.id)
    elif shape.request_id is not None:
        key = ("request", shape.request_id)
    elif shape.message_id is not None:
        key = ("message", shape.message_id)
    answer = None if shape.answer is None else answer_fields(shape.answer)
    if answer is not None and shape.content is not None and answer["content_type"] is None:
        answer["content_type"] = shape.content.type
    return Vote(
        shape.kind, thumb=shape.thumb, stars=shape.stars, value=shape.value, comment=shape.comment,
        correction=shape.correction, reasons=shape.reasons, preference=shape.preference,
        other_interaction_id=shape.other_interaction_id, interaction_id=shape.interaction_id, key=key, answer=answer,
    )  # fmt: skip


def answer_fields(answer: Answer) -> dict[str, Any]:
    """An answer's fields in the store's terms; the last user message is the prompt where none is given."""
    fields = answer.model_dump(include=set(Answer.model_fields))
    messages = fields["messages"]
    if fields["content_snapshot"] is not None:
        fields["content_snapshot"] = bodies.to_json(fields["content_snapshot"], "content_snapshot")
        if fields["output"] is None:
            fields["output"] = _as_text(answer.content_snapshot, "content_snapshot")
    if messages is not None:
        if fields["prompt"] is None:
            fields["prompt"] = last_user_text(messages)
        fields["messages"] = bodies.to_json(messages, "messages")
    return fields


def submission(
    vote: Vote,
    shape: Voter,
    tenant: str,
    person: Person,
    key: str | None,
    fingerprint: bytes | None,
    ordinal: int = 0,
) -> Submission:
    """The rows of a vote, `ordinal` being its place in the request; the answer it brings has an id derived from what
    was shown, so that the votes of several people on one snapshot are about one answer. Which answer the vote is about
    in the end, the store decides: it knows what was logged."""
    occurred_at = clamped(shape.occurred_at, browser=person.provenance == "browser")
    event = new_id()
    interaction = vote.interaction_id
    name = vote.key if interaction is None or vote.key is not None else given_name(interaction)
    answers: tuple[AnswerRow, ...] = ()
    names: tuple[NameRow, ...] = ()
    if vote.answer is not None:
        named = {name} if name is not None else set()
        if interaction is not None:
            named.add(given_name(interaction))
            interaction = given_id(tenant, interaction)
        else:
            interaction = new_id() if name is None else shown_id(tenant, name, vote.answer, person.provenance)
        answers = (answer_row(interaction, vote.answer, person, occurred_at, str(interaction)),)
        names = tuple(NameRow(kind, value, interaction) for kind, value in sorted(named))
    key_kind, key_value = name or (None, None)
    signal = None if vote.value is None else bodies.to_json(vote.value, "value")
    row = VoteRow(
        ordinal, event, interaction, key_kind, key_value, vote.kind, vote.thumb, vote.stars, signal, vote.comment,
        vote.correction, vote.reasons, vote.preference, vote.other_interaction_id, person.user_key, person.session_key,
        occurred_at, False, None, key, fingerprint, SOURCE, None, from_browser=person.provenance == "browser",
    )  # fmt: skip
    return Submission(row, answers, names)


def given_name(identity: uuid.UUID) -> tuple[str, str]:
    """The name under which an answer is known to whoever gave it an id."""
    return "interaction", str(identity)


def given_id(tenant: str, identity: uuid.UUID) -> uuid.UUID:
    """The id of an answer to which its tenant gave one: no other tenant can make it, nor take it before."""
    return uuid.UUID(derived_id(tenant, SOURCE, f"given\x1f{identity}"))


def shown_id(tenant: str, key: tuple[str, str], answer: dict[str, Any], provenance: str) -> uuid.UUID:
    """The id of an answer as it was shown under a name. Of what a browser sends, everything counts: claims that differ
    in anything are different, so that nobody's prompt or model is vouched for by votes on somebody else's."""
    if provenance == "browser":
        fields = (bodies.to_json([name, answer[name]], name) for name in sorted(answer) if answer[name])
        shown = digest("browser", *fields)
    elif key[0] == "content" and answer.get("content_snapshot") is not None:
        shown = digest(answer["content_snapshot"])
    else:
        shown = digest(answer.get("content_snapshot") or "", answer.get("prompt") or "", answer.get("output") or "")
    return uuid.UUID(derived_id(tenant, SOURCE, "\x1f".join((*key, shown.hex()))))


def answer_row(
    identity: uuid.UUID,
    fields: dict[str, Any],
    person: Person,
    occurred_at: datetime | None,
    source_id: str,
    probability: float = 1.0,
    context: str | None = None,
) -> AnswerRow:
    """An answer as a row; its context is full where the messages are there."""
    metadata = fields.get("metadata")
    values: dict[str, Any] = {name: fields.get(name) for name in AnswerRow._fields}
    values |= {name: fields.get(name) or [] for name in ("tags", "tools_called", "techniques")}
    values |= {
        "id": identity,
        "context": context or ("full" if fields.get("messages") is not None else "partial"),
        "user_key": person.user_key,
        "session_key": person.session_key,
        "occurred_at": occurred_at,
        "source": SOURCE,
        "source_id": source_id,
        "provenance": person.provenance,
        "inclusion_probability": probability,
        "metadata": None if metadata is None else bodies.to_json(metadata, "metadata"),
        "raw": None,
    }
    return AnswerRow(**values)


def logged(answer: LoggedAnswer, tenant: str, person: Person) -> tuple[AnswerRow, list[NameRow]]:
    """A logged answer and its names; sent again, it is the same answer."""
    names = logged_names(answer)
    if answer.interaction_id is not None:
        identity = given_id(tenant, answer.interaction_id)
        names.append(given_name(answer.interaction_id))
    elif answer.request_id is not None:
        identity = request_identity(tenant, answer.request_id)
    else:
        identity = new_id()
    row = answer_row(
        identity, answer_fields(answer), person, clamped(answer.occurred_at), answer.request_id or str(identity),
        max(answer.inclusion_probability, MIN_PROBABILITY), answer.context,
    )  # fmt: skip
    return row, [NameRow(kind, value, identity) for kind, value in names]


def request_identity(tenant: str, request_id: str) -> uuid.UUID:
    """The id of the answer that is logged, or will be, under a request id."""
    return uuid.UUID(derived_id(tenant, SOURCE, f"logged\x1frequest\x1f{request_id}"))


def logged_names(answer: LoggedAnswer) -> list[tuple[str, str]]:
    names: list[tuple[str, str]] = []
    if answer.request_id is not None:
        names.append(("request", answer.request_id))
    if answer.message_id is not None:
        names.append(("message", answer.message_id))
    if answer.conversation_id is not None and answer.turn_id is not None:
        names.append(turn_name(answer.conversation_id, answer.turn_id))
    if answer.content_id is not None:
        if answer.content_type is None:
            raise invalid("content_type", "is needed with content_id")
        names.append(content_name(answer.content_type, answer.content_id))
    return names


def clamped(moment: datetime | None, *, browser: bool = False) -> datetime | None:
    """A caller's clock may be fast: what lies ahead of ours becomes now, what lies far ahead is refused. Nobody sets a
    visitor's clock right: a browser's vote at an impossible time is of now."""
    if moment is None:
        return None
    now = datetime.now(UTC)
    if browser and not now - _BROWSER_LIMIT <= moment <= now:
        return None
    if moment > now + _FUTURE_LIMIT:
        raise invalid("occurred_at", "lies in the future")
    return None if moment > now else moment


def _as_text(value: Any, name: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return bodies.to_json(value, name)
