"""The rows the store takes in bulk: what ingest, samples and batch capture hand over.

Text in these rows is already redacted (redaction happens at intake), `user_key` is already a pseudonym, and ids are
already derived: the store checks, deduplicates and files, it does not interpret.
"""

import uuid

import polars as pl

from feedback_pipeline.tables.schema import Column, Table
from feedback_pipeline.tables.vocabulary import KINDS, PROVENANCES, TIMESTAMP

ID_NAMESPACE = uuid.UUID("6f0d9a52-52a1-5d0c-9c1e-7d3f6a1b2c4d")


def derived_id(tenant: str, source: str, source_id: str) -> str:
    """The id of an imported row: the same for the same tenant, source and source id, so that rebuilding keeps ids."""
    return str(uuid.uuid5(ID_NAMESPACE, f"{tenant}\x1f{source}\x1f{source_id}"))


def content_name(content_type: str, content_id: str) -> tuple[str, str]:
    """Kind and value of the name that content has in `interaction_key`: its id is unique within its type only."""
    return "content", f"{content_type}/{content_id}"


INCOMING_INTERACTION = Table(
    "incoming_interaction",
    "One model answer as delivered.",
    (
        Column("id", pl.String, "UUID; `derived_id(tenant, source, source_id)` for imports.", nullable=False),
        Column("tenant", pl.String, "Tenant; `default` where there is only one.", nullable=False),
        Column("project", pl.String, "Product or feature."),
        Column("conversation_id", pl.String, "Conversation, as the caller names it."),
        Column("turn", pl.Int32, "Position in the conversation, from 0."),
        Column("intent", pl.String, "What the person wanted."),
        Column("content_type", pl.String, "Kind of generated content."),
        Column("action_type", pl.String, "Action proposed or taken."),
        Column("language", pl.String, "ISO 639-1."),
        Column("model", pl.String, "Model that answered."),
        Column("prompt_version", pl.String, "Prompt version."),
        Column("framework", pl.String, "Framework or prompting method."),
        Column("variant", pl.String, "Experiment arm."),
        Column("tags", pl.List(pl.String), "Normalised tags."),
        Column("tools_called", pl.List(pl.String), "Tools called."),
        Column("techniques", pl.List(pl.String), "Prompting techniques used."),
        Column("memory_used", pl.Float32, "Memory used, as the application counts it."),
        Column(
            "messages",
            pl.String,
            "Messages as sent (JSON array of role/content); null where only query and response are known.",
            text=True,
        ),
        Column("prompt", pl.String, "Text of the last user message.", text=True),
        Column("output", pl.String, "The answer.", text=True),
        Column("content_snapshot", pl.String, "The content as shown, where it differs (JSON).", text=True),
        Column("context", pl.String, "`full` or `partial`.", nullable=False, values=("full", "partial")),
        Column("finish_reason", pl.String, "Why generation ended."),
        Column("confidence", pl.Float32, "0–1."),
        Column("latency_ms", pl.Float32, "Milliseconds."),
        Column("input_tokens", pl.Int32, "Tokens sent."),
        Column("output_tokens", pl.Int32, "Tokens received."),
        Column("cost_usd", pl.Float64, "US dollars."),
        Column("user_key", pl.String, "Pseudonym of the asker."),
        Column("session_key", pl.String, "Session, pseudonymised."),
        Column("occurred_at", TIMESTAMP, "When the answer was given (UTC).", nullable=False),
        Column("source", pl.String, "Name of the source.", nullable=False),
        Column("source_id", pl.String, "Id in the source.", nullable=False),
        Column("provenance", pl.String, "Who vouches for the text.", nullable=False, values=PROVENANCES),
        Column("inclusion_probability", pl.Float32, "Probability with which the text was kept.", nullable=False),
        Column("metadata", pl.String, "Anything else the caller sent (JSON object).", text=True),
    ),
    key=("id",),
)

INCOMING_KEY = Table(
    "incoming_key",
    "One of the caller's own names for an answer.",
    (
        Column("tenant", pl.String, "Tenant.", nullable=False),
        Column("kind", pl.String, "request | message | content | interaction.", nullable=False),
        Column("value", pl.String, "The caller's id.", nullable=False),
        Column("interaction_id", pl.String, "UUID of the answer.", nullable=False),
    ),
)

INCOMING_FEEDBACK = Table(
    "incoming_feedback",
    "One feedback event as delivered.",
    (
        Column("id", pl.String, "UUID; `derived_id` for imports.", nullable=False),
        Column("tenant", pl.String, "Tenant.", nullable=False),
        Column(
            "interaction_id", pl.String, "UUID of the answer, which need not exist yet; null where only a key is known."
        ),
        Column("key_kind", pl.String, "With a null interaction_id: kind of the caller's key."),
        Column("key_value", pl.String, "With a null interaction_id: the caller's key."),
        Column("kind", pl.String, "Kind of signal.", nullable=False, values=KINDS),
        Column("thumb", pl.Boolean, "true = up."),
        Column("stars", pl.Int16, "1–5."),
        Column("value", pl.String, 'Outcome or implicit signal, e.g. {"task_succeeded": true} (JSON object).'),
        Column("comment", pl.String, "The person's words.", text=True),
        Column("correction", pl.String, "The better answer the person wrote.", text=True),
        Column("reasons", pl.List(pl.String), "Reason chips."),
        Column("preference", pl.String, "this | other | tie.", values=("this", "other", "tie")),
        Column("other_interaction_id", pl.String, "UUID of the other answer of a preference."),
        Column("user_key", pl.String, "Pseudonym of the voter."),
        Column("session_key", pl.String, "Session, pseudonymised."),
        Column("occurred_at", TIMESTAMP, "When the person voted (UTC).", nullable=False),
        Column("received_at", TIMESTAMP, "When it arrived (UTC).", nullable=False),
        Column("withdrawn", pl.Boolean, "The person takes the vote back.", nullable=False),
        Column("source", pl.String, "Name of the source.", nullable=False),
        Column("source_id", pl.String, "Id in the source.", nullable=False),
    ),
    key=("id",),
)

INCOMING_REFUSAL = Table(
    "incoming_refusal",
    "One delivered row that was refused, or a repeated delivery of one already taken in the same import.",
    (
        Column(
            "id", pl.String, "UUID derived from source and place, so that a second import adds nothing.", nullable=False
        ),
        Column("tenant", pl.String, "Tenant.", nullable=False),
        Column("day", pl.Date, "Day of the vote where readable, else of its arrival.", nullable=False),
        Column(
            "category",
            pl.String,
            "What became of it.",
            nullable=False,
            values=("quarantined", "duplicate", "opted_out"),
        ),
        Column("source", pl.String, "Name of the source.", nullable=False),
        Column("place", pl.String, "File and row number.", nullable=False),
        Column("field", pl.String, "The field that was wrong."),
        Column("reason", pl.String, "Why, as a code.", nullable=False),
        Column("payload", pl.String, "The row as delivered, redacted (JSON).", text=True),
    ),
    key=("id",),
)
