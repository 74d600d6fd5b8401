"""The fields a source can fill: what `mapping`, `constants` and `values` in `sources.yaml` may name."""

from dataclasses import dataclass
from typing import Literal

from feedback_pipeline.tables.vocabulary import KINDS

Kind = Literal["id", "name", "names", "text", "json", "thumb", "stars", "integer", "number", "flag", "time", "value"]
About = Literal["row", "answer", "vote"]

NAME_LIMIT = 200
"""Characters in a name (model, intent, a tag …)."""
ID_LIMIT = 500
"""Characters in an id; what PostgreSQL can index is the reason for a limit."""
TEXT_LIMIT = 4 * 1024 * 1024
"""Bytes in a text or JSON field."""


@dataclass(frozen=True)
class Field:
    """One of our fields.

    Attributes:
        name: as written in `sources.yaml`.
        kind: how a delivered value is read.
        about: whether it describes the model's answer, the vote, or both.
        description: what it means.
        low: smallest number allowed.
        high: largest number allowed.
        values: the only values allowed, where the set is closed.
    """

    name: str
    kind: Kind
    about: About
    description: str
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] | None = None

    @property
    def is_text(self) -> bool:
        """The field holds people's or models' words: it must have been delivered as text."""
        return self.kind == "text"


_INT_MAX = 2**31 - 1

FIELDS: dict[str, Field] = {
    field.name: field
    for field in (
        Field("id", "id", "vote", "Id of the row; without one, a hash of the row's content."),
        Field("version", "id", "vote", "Changes whenever the row does (`updated_at`): a changed row is a new vote."),
        Field("tenant", "name", "row", "Tenant that owns the row."),
        Field("user", "id", "row", "Who voted; becomes a pseudonym."),
        Field("session", "id", "row", "Session of an anonymous voter; becomes a pseudonym."),
        Field("occurred_at", "time", "vote", "When the person voted."),
        Field("kind", "name", "vote", "Kind of signal; without it, what the row holds decides.", values=KINDS),
        Field("thumb", "thumb", "vote", "Up or down."),
        Field("stars", "stars", "vote", "1–5.", low=1, high=5),
        Field("value", "value", "vote", "Outcome (true, false), implicit signal (copy, retry …) or a JSON object."),
        Field("comment", "text", "vote", "The person's words."),
        Field("correction", "text", "vote", "The better answer the person wrote."),
        Field("reasons", "names", "vote", "Reasons chosen."),
        Field("criterion", "name", "vote", "What a judge judged an answer by; only of a source that names a judge."),
        Field("score", "number", "vote", "A judge's score."),
        Field("label", "name", "vote", "A judge's word."),
        Field("withdrawn", "flag", "vote", "The person took the vote back."),
        Field("answer_id", "id", "answer", "Id of the answer, shared by all votes on it."),
        Field("request_id", "id", "answer", "The application's request id."),
        Field("message_id", "id", "answer", "The application's message id."),
        Field("content_id", "id", "answer", "Id of the content shown; several answers can share one."),
        Field("answered_at", "time", "answer", "When the answer was given; else the time of the vote."),
        Field("asker", "id", "answer", "Who asked, where that is not the voter; becomes a pseudonym."),
        Field("prompt", "text", "answer", "The last user message."),
        Field("output", "text", "answer", "The model's answer."),
        Field("messages", "json", "answer", "All messages as sent (JSON array of role and content)."),
        Field("content_snapshot", "json", "answer", "The content as shown, where it differs (JSON)."),
        Field("metadata", "json", "answer", "Anything else (JSON)."),
        Field("project", "name", "answer", "Product or feature."),
        Field("conversation_id", "id", "answer", "Conversation."),
        Field("turn", "integer", "answer", "Position in the conversation, from 0.", low=0, high=_INT_MAX),
        Field("intent", "name", "answer", "What the person wanted."),
        Field("content_type", "name", "answer", "Kind of generated content."),
        Field("action_type", "name", "answer", "Action proposed or taken."),
        Field("language", "name", "answer", "ISO 639-1."),
        Field("model", "name", "answer", "Model that answered."),
        Field("prompt_version", "name", "answer", "Prompt version."),
        Field("framework", "name", "answer", "Framework or prompting method."),
        Field("variant", "name", "answer", "Experiment arm."),
        Field("tags", "names", "answer", "Tags: a JSON array or a comma-separated list."),
        Field("tools_called", "names", "answer", "Tools called."),
        Field("techniques", "names", "answer", "Prompting techniques."),
        Field("memory_used", "number", "answer", "Memory used, as the application counts it."),
        Field("finish_reason", "name", "answer", "Why generation ended."),
        Field("confidence", "number", "answer", "The application's confidence, 0–1.", low=0, high=1),
        Field("latency_ms", "number", "answer", "Milliseconds to the complete answer.", low=0),
        Field("input_tokens", "integer", "answer", "Tokens sent.", low=0, high=_INT_MAX),
        Field("output_tokens", "integer", "answer", "Tokens received.", low=0, high=_INT_MAX),
        Field("cost_usd", "number", "answer", "Cost in US dollars.", low=0),
    )
}

ANSWER_TEXT = ("output", "content_snapshot")
"""A row that fills one of these brings the answer itself."""

JUDGE_FIELDS = ("criterion", "score", "label")
"""What a judge can say of one answer."""

VOTE_FIELDS = ("thumb", "stars", "value", "comment", "correction")
"""What a vote can say, beside a preference between two answers."""

ANSWER_KEYS = {"request_id": "request", "message_id": "message", "content_id": "content"}
"""Fields that are the application's own names for an answer, and their kind in `interaction_key`."""

SIDE_FIELDS = tuple(
    name for name, field in FIELDS.items() if field.about == "answer" and name not in ("answered_at", "answer_id")
)
"""What each side of a pairwise vote may say about its answer, beside `id`."""
