"""What may be posted: five shapes of one vote, and the answer that a logging application sends.

A shape is told by its fields: `content_id` (votes on content of a page), `query` (votes with their answer),
`message_id` with `feedback` (votes on a message), `feedback_type` (explicit, implicit and outcome signals), `kind`
(everything, in the store's own terms). `votes.py` reads each as a `Vote`.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)

from feedback_pipeline.cleaning.tags import normalised_tags

MAX_TEXT = 100_000
MAX_COMMENT = 10_000
MAX_NAME = 200
MAX_CONTENT_TYPE = 30
MAX_NAMES = 50


def _aware(moment: datetime) -> datetime:
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not 2000 <= moment.year < 2100:
        raise ValueError("must be between the years 2000 and 2100")
    return moment


def _text_of_number(value: Any) -> Any:
    return str(value) if type(value) is int and abs(value) < 1 << 63 else value


def _no_switch(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be -1 or 1")
    return value


def _number_of_switch(value: Any) -> Any:
    return float(value) if isinstance(value, bool) else value


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("contains a NUL character")
    return text


Parameter = Annotated[str, Field(min_length=1, max_length=MAX_NAME), AfterValidator(_storable)]
"""A text in a query string; bodies are checked for NUL as a whole."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME)]
Identifier = Annotated[Name, BeforeValidator(_text_of_number)]
Text = Annotated[str, StringConstraints(max_length=MAX_TEXT)]
Comment = Annotated[str, StringConstraints(max_length=MAX_COMMENT)]
Names = Annotated[list[Name], Field(max_length=MAX_NAMES)]
Tags = Annotated[Names, AfterValidator(normalised_tags)]
Moment = Annotated[datetime, Field(strict=False), AfterValidator(_aware)]
Id = Annotated[UUID, Field(strict=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0, le=1e12)]
Count = Annotated[int, Field(ge=0, le=2_000_000_000)]
Stars = Annotated[int, Field(ge=1, le=5)]
ContentType = Annotated[str, StringConstraints(min_length=1, max_length=MAX_CONTENT_TYPE, pattern="^[^/]+$")]
"""A kind of content; no slash, as one parts it from the id in the content's name."""
Object: TypeAlias = dict[str, Any]


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Voter(Shape):
    """Who voted, and when; both may be left out."""

    user_id: Identifier | None = Field(None, description="Stored only as a keyed pseudonym.")
    session_id: Identifier | None = Field(None, description="Stored only as a keyed pseudonym.")
    occurred_at: Moment | None = Field(None, description="When the person voted; now if left out.")
    idempotency_key: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        None, description="In a batch: repeats of this item within 24 hours are not carried out again."
    )


class ContentVote(Voter):
    """A thumb on generated content of a page."""

    content_type: ContentType
    content_id: Identifier
    rating: bool = Field(description="true is a thumb up.")
    comment: Comment | None = None
    reasons: Names = Field(default_factory=list)
    content_snapshot: Any | None = Field(None, description="The content as shown: any JSON value.")
    input_context: Any | None = Field(None, description="What the content was made from: any JSON value.")
    prompt_version: Name | None = None
    model: Name | None = None
    project: Name | None = None
    submitted_by: Identifier | None = Field(None, description="The team member; used where user_id is missing.")
    pull_request: Identifier | None = None
    daily_insight: Identifier | None = None


class AnswerVote(Voter):
    """A rating together with the question and the answer it is about."""

    query: Text
    response: Text
    model: Name | None = None
    rating: Annotated[Literal[-1, 1], BeforeValidator(_no_switch)]
    intent: Name | None = None
    project: Name | None = None
    memory_used: Annotated[Amount, BeforeValidator(_number_of_switch)] | None = None
    tools_called: Names = Field(default_factory=list)
    metadata: Object | None = None
    comment: Comment | None = None
    prompt_version: Name | None = None
    request_id: Identifier | None = None


class MessageVote(Voter):
    """A thumb on a message of an assistant."""

    message_id: Identifier
    feedback: Literal["up", "down"]
    user_message: Text | None = None
    assistant_response: Text | None = None
    action_type: Name | None = None
    action_data: Object | None = None
    comment: Comment | None = None
    model: Name | None = None


class SignalVote(Voter):
    """An explicit rating, an implicit signal (copy, retry, edit, abandon) or an outcome, by request or turn."""

    feedback_type: Literal["explicit", "implicit", "outcome"]
    feedback_value: Object = Field(description='{"rating": "up"}, {"signal": "copy"} or {"task_succeeded": true}')
    request_id: Identifier | None = None
    conversation_id: Identifier | None = None
    turn_id: Identifier | None = None
    input_text: Text | None = None
    output_text: Text | None = None
    prompt_version: Name | None = None
    model: Name | None = None
    comment: Comment | None = None

    @model_validator(mode="after")
    def _names_an_answer(self) -> "SignalVote":
        if self.request_id is None and (self.conversation_id is None or self.turn_id is None):
            raise ValueError("name the answer: request_id, or conversation_id with turn_id")
        return self


class Content(Shape):
    """A piece of content of a page."""

    type: ContentType
    id: Identifier


class Subject(Shape):
    """What is no answer, and can be voted on by itself."""

    kind: Literal["session", "conversation", "tool_call", "step"]
    id: Identifier


class Answer(Shape):
    """A model's answer, with what is known of how it came about."""

    messages: Annotated[list[Object], Field(max_length=500)] | None = Field(None, description="As sent to the model.")
    prompt: Text | None = None
    output: Text | None = None
    content_snapshot: Any | None = None
    project: Name | None = None
    conversation_id: Identifier | None = None
    turn: Count | None = None
    intent: Name | None = None
    content_type: ContentType | None = None
    action_type: Name | None = None
    language: Annotated[str, StringConstraints(max_length=10)] | None = None
    model: Name | None = None
    prompt_version: Name | None = None
    framework: Name | None = None
    variant: Name | None = None
    tags: Tags = Field(default_factory=list)
    tools_called: Names = Field(default_factory=list)
    techniques: Names = Field(default_factory=list)
    memory_used: Amount | None = None
    finish_reason: Name | None = None
    confidence: Share | None = None
    latency_ms: Amount | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cost_usd: Annotated[float, Field(ge=0, le=1e9)] | None = None
    metadata: Object | None = None


_MAKES = {
    "explicit": ("thumb", "stars"),
    "implicit": ("value",),
    "outcome": ("value",),
    "correction": ("correction",),
    "preference": ("preference",),
    "comment": ("comment",),
}
"""Of which fields a vote of a kind must have one."""
_NAMELESS = (None, None, None, None)


class StoreVote(Voter):
    """Any feedback in the store's own terms: ratings, corrections, preferences, comments, signals."""

    kind: Literal["explicit", "implicit", "outcome", "correction", "preference", "comment"]
    interaction_id: Id | None = None
    request_id: Identifier | None = None
    message_id: Identifier | None = None
    content: Content | None = None
    subject: Subject | None = Field(None, description="Instead of an answer: a session, a conversation …")
    thumb: bool | None = None
    stars: Stars | None = None
    value: Object | None = None
    comment: Comment | None = None
    correction: Text | None = None
    reasons: Names = Field(default_factory=list)
    preference: Literal["this", "other", "tie"] | None = None
    other_interaction_id: Id | None = None
    answer: Answer | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> "StoreVote":
        names = (self.interaction_id, self.request_id, self.message_id, self.content)
        if self.subject is not None and (self.answer is not None or names != _NAMELESS):
            raise ValueError("a vote is about a subject or about an answer, not both")
        if self.subject is None and self.answer is None and names == _NAMELESS:
            raise ValueError(
                "name the answer (interaction_id, request_id, message_id, content) or send it; or a subject"
            )
        if all(getattr(self, name) is None for name in _MAKES[self.kind]):
            raise ValueError(f"a vote of kind {self.kind} lacks what makes one: {' or '.join(_MAKES[self.kind])}")
        if self.kind == "preference" and self.other_interaction_id is None:
            raise ValueError("a vote of kind preference lacks other_interaction_id")
        return self


def _shape_of(value: Any) -> str | None:
    fields: Any = value if isinstance(value, dict) else {}
    for field, shape in _TELLING:
        if field in fields:
            return shape
    return None


_TELLING = (
    ("kind", "store"),
    ("feedback_type", "signal"),
    ("content_id", "content"),
    ("content_type", "content"),
    ("message_id", "message"),
    ("query", "answer"),
    ("response", "answer"),
)

AnyVote: TypeAlias = Annotated[
    Annotated[ContentVote, Tag("content")]
    | Annotated[AnswerVote, Tag("answer")]
    | Annotated[MessageVote, Tag("message")]
    | Annotated[SignalVote, Tag("signal")]
    | Annotated[StoreVote, Tag("store")],
    Discriminator(
        _shape_of,
        custom_error_type="unknown_shape",
        custom_error_message="not one of the shapes of feedback: send content_type and content_id, query and response, "
        "message_id and feedback, feedback_type, or kind",
    ),
]


class LoggedAnswer(Answer):
    """An answer to keep, under the caller's own names for it."""

    interaction_id: Id | None = None
    request_id: Identifier | None = None
    message_id: Identifier | None = None
    turn_id: Identifier | None = None
    content_id: Identifier | None = None
    user_id: Identifier | None = None
    session_id: Identifier | None = None
    occurred_at: Moment | None = None
    inclusion_probability: Share = 1.0
    context: Literal["full", "partial"] | None = None


_CUT = {
    **dict.fromkeys(("project", "intent", "action_type", "model", "prompt_version"), MAX_NAME),
    **dict.fromkeys(("framework", "variant", "finish_reason"), MAX_NAME),
    "content_type": MAX_CONTENT_TYPE,
    "language": 10,
}
_LIMITS = tuple({"prompt": MAX_TEXT, "output": MAX_TEXT, **_CUT}.items())
_CUT_LISTS = ("tags", "tools_called", "techniques")


def shortened(answer: Any) -> tuple[Any, list[str]]:
    """A logged answer whose names fit, and the fields that were cut: an over-long prompt version costs nobody their
    log. Ids are not cut, as two could become one."""
    if not isinstance(answer, dict):
        return answer, []
    fitting: dict[str, Any] = {}
    for name, limit in _LIMITS:
        if isinstance(value := answer.get(name), str) and len(value) > limit:
            fitting[name] = value[:limit]
    for name in _CUT_LISTS:
        if isinstance(value := answer.get(name), list) and _too_long(value):
            fitting[name] = [item[:MAX_NAME] if isinstance(item, str) else item for item in value[:MAX_NAMES]]
    return ({**answer, **fitting} if fitting else answer), sorted(fitting)


def _too_long(names: list[Any]) -> bool:
    return len(names) > MAX_NAMES or any(isinstance(name, str) and len(name) > MAX_NAME for name in names)


class Change(Shape):
    """What a person changes about their vote; what is left out stays."""

    rating: bool | Literal[-1, 1] | None = None
    feedback: Literal["up", "down"] | None = None
    thumb: bool | None = None
    stars: Stars | None = None
    comment: Comment | None = None
    correction: Text | None = None
    reasons: Names | None = None
    value: Object | None = None
    preference: Literal["this", "other", "tie"] | None = None
    metadata: Object | None = None
    user_id: Identifier | None = Field(None, description="The person acting; must be who voted.")
    session_id: Identifier | None = None


class ContentState(Shape):
    """One piece of content on a page, with the token that the page has for it."""

    token: Annotated[str, StringConstraints(min_length=1, max_length=4000)]
    content_type: ContentType
    content_id: Identifier
    content_snapshot: Any | None = None


class StatesRequest(Shape):
    """All the content of a page."""

    items: Annotated[list[ContentState], Field(min_length=1, max_length=100)]


class TokenRequest(Shape):
    """What a browser token is good for."""

    content_type: ContentType
    content_id: Identifier
    origin: Annotated[str, StringConstraints(pattern=r"^https?://[^/\s]+$", max_length=300)]
    user_id: Identifier | None = None
    seconds: Annotated[int, Field(ge=10, le=86_400)] = 3600


class TokenContent(Shape):
    """One piece of content."""

    content_type: ContentType
    content_id: Identifier


class TokensRequest(Shape):
    """What the browser tokens of a page are good for: one for each piece of its content."""

    contents: Annotated[list[TokenContent], Field(min_length=1, max_length=100)]
    origin: Annotated[str, StringConstraints(pattern=r"^https?://[^/\s]+$", max_length=300)]
    user_id: Identifier | None = None
    seconds: Annotated[int, Field(ge=10, le=86_400)] = 3600


class ExportRequest(Shape):
    """Which votes to export, and where to: a path under the export folder."""

    output_path: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    start_date: Annotated[datetime, Field(strict=False), AfterValidator(_aware)] | None = None
    end_date: Annotated[datetime, Field(strict=False), AfterValidator(_aware)] | None = None


class StateRequest(Shape):
    """The content whose votes of one person are wanted; with the snapshot, only votes on just that snapshot."""

    content_type: ContentType
    content_id: Identifier
    content_snapshot: Any | None = None
    user_id: Identifier | None = None
    session_id: Identifier | None = None
