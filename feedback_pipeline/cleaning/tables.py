"""The cleaned tables: what downstream packages read."""

import polars as pl

from feedback_pipeline.cleaning.minhash import SKETCH
from feedback_pipeline.tables.schema import Column, Table
from feedback_pipeline.tables.vocabulary import KINDS, PROVENANCES, TIMESTAMP, VERDICTS

DIMENSIONS = (
    "project",
    "model",
    "prompt_version",
    "framework",
    "intent",
    "content_type",
    "action_type",
    "language",
    "variant",
)
"""Single-valued properties of an answer that votes are compared by. Null means unknown."""

LENGTH_BANDS = ("prompt_length", "answer_length")
"""Derived dimensions: bands of characters (see `cleaning.facts`)."""

MULTI_DIMENSIONS = ("tags", "tools")
"""Properties of which an answer can have several."""

TRUST_REASONS = (
    "disagrees_with_consensus",
    "faster_than_reading",
    "repeated_comments",
    "copied_comments",
    "brigade",
    "new_account",
)
"""Why a voter is trusted less."""

_DIMENSION_COLUMNS = (
    Column("project", pl.String, "Product or feature the answer belongs to."),
    Column("model", pl.String, "Model that wrote the answer."),
    Column("prompt_version", pl.String, "Version of the system prompt or template in use."),
    Column("framework", pl.String, "Framework or prompting method that produced the prompt."),
    Column("intent", pl.String, "What the person wanted (code, reasoning, general …)."),
    Column("content_type", pl.String, "Kind of generated content (qa_answer, pr_summary …)."),
    Column("action_type", pl.String, "Action the answer proposed or took."),
    Column("language", pl.String, "Language of the prompt, ISO 639-1."),
    Column("variant", pl.String, "Experiment arm that served the answer."),
    Column("tags", pl.List(pl.String), "Normalised tags, sorted, without repeats."),
    Column("tools", pl.List(pl.String), "Names of the tools called, sorted, without repeats."),
)

CLEAN_INTERACTIONS = Table(
    "clean_interactions",
    "One model answer of the day, voted on or not, with its redacted text.",
    (
        Column("interaction_id", pl.String, "Id of the answer (UUID).", nullable=False),
        Column("tenant", pl.String, "Tenant that owns the answer.", nullable=False),
        Column("day", pl.Date, "Day of the answer in the configured zone.", nullable=False),
        Column("occurred_at", TIMESTAMP, "When the answer was given (UTC).", nullable=False),
        Column("conversation_id", pl.String, "Conversation the answer belongs to."),
        Column("turn", pl.Int32, "Position in the conversation, from 0."),
        *_DIMENSION_COLUMNS,
        Column("messages", pl.String, "Messages as sent to the model, redacted (JSON array).", text=True),
        Column("prompt", pl.String, "Text of the last user message, redacted.", text=True),
        Column("answer", pl.String, "The model's answer, redacted.", text=True),
        Column(
            "content_snapshot",
            pl.String,
            "What was shown where that is more than the text (JSON), redacted.",
            text=True,
        ),
        Column(
            "context",
            pl.String,
            "`full` if messages are complete, `partial` if only query and response are known.",
            nullable=False,
            values=("full", "partial"),
        ),
        Column("provenance", pl.String, "Who vouches for the text.", nullable=False, values=PROVENANCES),
        Column("source", pl.String, "Where the row came from.", nullable=False),
        Column("finish_reason", pl.String, "Why generation ended, as the provider reported it."),
        Column("confidence", pl.Float32, "The application's own confidence, 0–1."),
        Column("latency_ms", pl.Float32, "Time to the complete answer, milliseconds."),
        Column("input_tokens", pl.Int32, "Tokens sent."),
        Column("output_tokens", pl.Int32, "Tokens received."),
        Column("cost_usd", pl.Float64, "Cost of the call, US dollars."),
        Column("inclusion_probability", pl.Float32, "Probability with which the text was kept (0–1]."),
        Column("user_key", pl.String, "Pseudonym of the person who asked."),
        Column("use_for_training", pl.Boolean, "The tenant and the person allow training on it.", nullable=False),
    ),
    key=("interaction_id",),
)

CLEAN_FEEDBACK = Table(
    "clean_feedback",
    "One current feedback event of the day: not superseded, withdrawn, duplicate, opted out, pending or quarantined. "
    "The dimensions are those of the answer it is about.",
    (
        Column("feedback_id", pl.String, "Id of the event (UUID).", nullable=False),
        Column("interaction_id", pl.String, "The answer it is about (UUID).", nullable=False),
        Column("tenant", pl.String, "Tenant that owns it.", nullable=False),
        Column("day", pl.Date, "Day of the vote in the configured zone.", nullable=False),
        Column("interaction_day", pl.Date, "Day of the answer.", nullable=False),
        Column("occurred_at", TIMESTAMP, "When the person voted (UTC).", nullable=False),
        Column("kind", pl.String, "What kind of signal it is.", nullable=False, values=KINDS),
        Column(
            "verdict",
            pl.String,
            "up, neutral or down; null where the event judges nothing (comment, preference).",
            values=VERDICTS,
        ),
        Column("strength", pl.Float32, "How strongly the verdict is meant, 0–1; null without a verdict."),
        Column(
            "counts",
            pl.Boolean,
            "This event gives the person's verdict on the answer (explicit beats correction "
            "beats outcome beats implicit); one per person and answer, and the only ones approval rates count.",
            nullable=False,
        ),
        Column("thumb", pl.Boolean, "true = up, false = down, as given."),
        Column("stars", pl.Int8, "1–5, as given."),
        Column("success", pl.Boolean, "Thumb up, else stars ≥ 4, else a successful outcome; null when unknown."),
        Column("disagrees", pl.Boolean, "Thumb and stars of the same event contradict each other.", nullable=False),
        Column("preference", pl.String, "For a preference: which answer won.", values=("this", "other", "tie")),
        Column("other_interaction_id", pl.String, "For a preference: the other answer (UUID)."),
        Column("other_model", pl.String, "For a preference: the other answer's model."),
        Column("comment", pl.String, "The person's words, redacted.", text=True),
        Column("correction", pl.String, "The better answer the person wrote, redacted.", text=True),
        Column("reasons", pl.List(pl.String), "Reason chips chosen."),
        Column("content_id", pl.String, "Name of the content, where the vote was given by it."),
        Column("shown", pl.String, "What the voter's page showed (JSON), where that is other or more.", text=True),
        Column("user_key", pl.String, "Pseudonym of the voter; null if anonymous."),
        Column(
            "voter",
            pl.String,
            "Pseudonym, else session, else the event itself: the unit people are counted by.",
            nullable=False,
        ),
        Column("conversation_id", pl.String, "Conversation of the answer."),
        Column("source", pl.String, "Where the event came from.", nullable=False),
        Column("provenance", pl.String, "Who vouches for the answer's text.", nullable=False, values=PROVENANCES),
        *_DIMENSION_COLUMNS,
        Column("prompt_chars", pl.Int32, "Characters in the prompt."),
        Column("answer_chars", pl.Int32, "Characters in the answer."),
        Column("use_for_analysis", pl.Boolean, "The tenant and the person allow it in analyses.", nullable=False),
        Column("use_for_training", pl.Boolean, "The tenant and the person allow it in training files.", nullable=False),
        Column(
            "admissible",
            pl.Boolean,
            "May leave as training material without a review: a server vouches for the answer's text, the vote is "
            "about that very text, and tenant, voter and asker allow it (the store's function admissible_vote).",
            nullable=False,
        ),
    ),
    key=("feedback_id",),
)

QUARANTINED_FEEDBACK = Table(
    "quarantined_feedback",
    "One delivered row that could not be taken as feedback, with the reason.",
    (
        Column("refusal_id", pl.String, "Id of the refusal (UUID).", nullable=False),
        Column("tenant", pl.String, "Tenant that sent it.", nullable=False),
        Column("day", pl.Date, "Day of the vote where readable, else of its arrival.", nullable=False),
        Column("source", pl.String, "Where it came from.", nullable=False),
        Column("place", pl.String, "File and row, or request, it was in."),
        Column("field", pl.String, "The field that was wrong."),
        Column("reason", pl.String, "Why it was refused, as a code.", nullable=False),
        Column("payload", pl.String, "The row as delivered, redacted (JSON).", text=True),
    ),
    key=("refusal_id",),
)

VOTE_FACTS = Table(
    "vote_facts",
    "One verdict by one person on one answer: the narrow row that statistics read. No text.",
    (
        Column("feedback_id", pl.String, "The event behind it (UUID).", nullable=False),
        Column("interaction_id", pl.String, "The answer (UUID).", nullable=False),
        Column("day", pl.Date, "Day of the vote.", nullable=False),
        Column("person", pl.UInt64, "Hash of tenant and voter: the unit of clustered errors.", nullable=False),
        Column("verdict", pl.Int8, "1 up, 0 neutral, −1 down.", nullable=False),
        Column("strength", pl.Float32, "0–1.", nullable=False),
        Column("stars", pl.Int8, "1–5 where given."),
        Column("success", pl.Boolean, "See clean_feedback."),
        *(
            Column(name, pl.Categorical(), f"{name.replace('_', ' ')} of the answer; null means unknown.")
            for name in (*DIMENSIONS, *LENGTH_BANDS)
        ),
        Column("tags", pl.List(pl.String), "Tags of the answer."),
        Column("tools", pl.List(pl.String), "Tools the answer called."),
    ),
    key=("feedback_id",),
)

TEXT_SIGNATURES = Table(
    "text_signatures",
    "One answer of the day with hashes of its normalised texts: duplicates are found without rereading text.",
    (
        Column("interaction_id", pl.String, "The answer (UUID).", nullable=False),
        Column("day", pl.Date, "Day of the answer.", nullable=False),
        Column("conversation_id", pl.String, "Conversation of the answer."),
        Column("prompt_hash", pl.UInt64, "BLAKE2b-64 of the normalised prompt; null without a prompt."),
        Column("pair_hash", pl.UInt64, "BLAKE2b-64 of the normalised prompt and answer; null if either is missing."),
        Column(
            "prompt_bands",
            SKETCH,
            "MinHash sketch of the normalised prompt: 16 bands of 8 bins of 8 bits; null without a prompt.",
        ),
        Column(
            "pair_bands",
            SKETCH,
            "MinHash sketch of the normalised prompt and answer together; null if either is missing.",
        ),
    ),
    key=("interaction_id",),
)

PROMPT_CLUSTERS = Table(
    "prompt_clusters",
    "One distinct prompt seen in the window that ends with the week, and the group of duplicates it belongs to.",
    (
        Column("prompt_hash", pl.UInt64, "Hash of the normalised prompt.", nullable=False),
        Column("cluster_id", pl.UInt64, "Smallest prompt_hash of the group.", nullable=False),
        Column("answers", pl.UInt32, "Answers given to this prompt in the window.", nullable=False),
        Column("cluster_answers", pl.UInt32, "Answers given to any prompt of the group.", nullable=False),
        Column(
            "cluster_prompts",
            pl.UInt32,
            "Distinct prompts of the group: more than 1 where near duplicates were found.",
            nullable=False,
        ),
    ),
    key=("prompt_hash",),
)

PAIR_CLUSTERS = Table(
    "pair_clusters",
    "One distinct prompt and answer seen in the window that ends with the week, and the group of duplicates they "
    "belong to.",
    (
        Column("pair_hash", pl.UInt64, "Hash of the normalised prompt and answer.", nullable=False),
        Column("cluster_id", pl.UInt64, "Smallest pair_hash of the group.", nullable=False),
        Column("answers", pl.UInt32, "Times this answer was given to this prompt in the window.", nullable=False),
        Column("cluster_answers", pl.UInt32, "Times any pair of the group was given.", nullable=False),
        Column(
            "cluster_pairs",
            pl.UInt32,
            "Distinct pairs of the group: more than 1 where near duplicates were found.",
            nullable=False,
        ),
    ),
    key=("pair_hash",),
)

RATER_TRUST = Table(
    "rater_trust",
    "One voter of the window that ends with the week: how far their votes may move a training file.",
    (
        Column("tenant", pl.String, "Tenant.", nullable=False),
        Column("voter", pl.String, "Pseudonym, session or event (see clean_feedback).", nullable=False),
        Column("votes", pl.UInt32, "Verdicts and preferences given in the window.", nullable=False),
        Column("first_seen", TIMESTAMP, "The voter's first vote, as far back as is known.", nullable=False),
        Column(
            "compared",
            pl.UInt32,
            "Sides taken on what others judged too (and did not split evenly on), or what was audited.",
            nullable=False,
        ),
        Column(
            "evidence",
            pl.Float32,
            "What these comparisons say, in comparisons with a certain consensus.",
            nullable=False,
        ),
        Column(
            "agreement",
            pl.Float32,
            "Share of the evidence in which the voter agrees; shrunk towards what is expected.",
            nullable=False,
        ),
        Column(
            "expected_agreement",
            pl.Float32,
            "The share among other voters of the tenant who say the same as often.",
            nullable=False,
        ),
        Column("fastest_minute", pl.UInt32, "Most votes cast by hand within sixty seconds.", nullable=False),
        Column("hurried", pl.UInt32, "Votes cast by hand within a moment of the one before.", nullable=False),
        Column(
            "repeated_comments",
            pl.UInt32,
            "Comments that repeat one of the voter's own, word for word.",
            nullable=False,
        ),
        Column(
            "copied_comments",
            pl.UInt32,
            "Comments that many accounts sent word for word within the hour.",
            nullable=False,
        ),
        Column("weight", pl.Float32, "0.1–1: the factor of the voter's votes in training weights.", nullable=False),
        Column(
            "reasons",
            pl.List(pl.String),
            "Why the weight is below 1: " + ", ".join(TRUST_REASONS) + ".",
            nullable=False,
        ),
    ),
    key=("tenant", "voter"),
)

CONFLICTING_ANSWERS = Table(
    "conflicting_answers",
    "One answer that people contradict each other about in the window that ends with the week.",
    (
        Column("interaction_id", pl.String, "The answer (UUID).", nullable=False),
        Column("tenant", pl.String, "Tenant.", nullable=False),
        Column("ups", pl.UInt32, "People whose verdict is up.", nullable=False),
        Column("downs", pl.UInt32, "People whose verdict is down.", nullable=False),
        Column("people", pl.UInt32, "People who judged it, neutral ones included.", nullable=False),
        Column(
            "probability",
            pl.Float64,
            "P(more people would say up than down) under a Beta(1 + up, 1 + down) posterior; trust and strength count.",
            nullable=False,
        ),
        Column(
            "decided",
            pl.Boolean,
            "The posterior has settled; if not, the answer is set aside for review.",
            nullable=False,
        ),
    ),
    key=("interaction_id",),
)
