"""The tables of training data."""

import polars as pl

from feedback_pipeline.tables.schema import Column, Table, with_columns
from feedback_pipeline.tables.vocabulary import PROVENANCES, TIMESTAMP

SPLITS = ("train", "validation", "holdout")
EXAMPLE_KINDS = ("answer", "correction")
SHAPES = ("alternating", "plain", "tools")
PAIR_ORIGINS = ("correction", "preference", "regeneration", "same_prompt")
CONTEXTS = ("full", "partial")
REVIEW_REASONS = ("correction", "planted", "refusal", "browser")

TRAINING_EXAMPLES = Table(
    "training_examples",
    "One completion of one conversation that people judged: desirable or not, how much it weighs, and why.",
    (
        Column(
            "example_id", pl.String, "Identity: hash of the answer and, for a correction, its event.", nullable=False
        ),
        Column("tenant", pl.String, "Tenant that owns it.", nullable=False),
        Column(
            "kind",
            pl.String,
            "The model's own answer, or the correction a person wrote.",
            nullable=False,
            values=EXAMPLE_KINDS,
        ),
        Column(
            "interaction_id", pl.String, "The answer judged (UUID); of exact duplicates the newest.", nullable=False
        ),
        Column("feedback_ids", pl.List(pl.String), "Every vote behind it (UUIDs), sorted.", nullable=False),
        Column(
            "voters", pl.List(pl.String), "Pseudonyms of the people whose votes gave the label, sorted.", nullable=False
        ),
        Column("people", pl.UInt32, "How many people that is.", nullable=False),
        Column("ups", pl.UInt32, "People who approved.", nullable=False),
        Column("downs", pl.UInt32, "People who disapproved.", nullable=False),
        Column(
            "approval_probability",
            pl.Float64,
            "P(approval rate > 1/2) given the votes, each counted by trust and strength, under a uniform prior.",
            nullable=False,
        ),
        Column("label", pl.Boolean, "true = desirable.", nullable=False),
        Column(
            "messages", pl.String, "The input as the model saw it (JSON array of messages).", nullable=False, text=True
        ),
        Column("completion", pl.String, "What the assistant says next.", nullable=False, text=True),
        Column(
            "shape",
            pl.String,
            "`alternating`: text only, user and assistant in turn after an optional system "
            "message; `plain`: text only; `tools`: with tool calls.",
            nullable=False,
            values=SHAPES,
        ),
        Column(
            "context", pl.String, "`partial` where only query and response are known.", nullable=False, values=CONTEXTS
        ),
        Column("provenance", pl.String, "Who vouches for the answer's text.", nullable=False, values=PROVENANCES),
        Column("reviewed", pl.Boolean, "A person reviewed it and let it in.", nullable=False),
        Column("placeholders_filled", pl.UInt32, "Placeholders replaced by invented values.", nullable=False),
        Column("conversation_id", pl.String, "Conversation of the answer."),
        Column("cluster", pl.UInt64, "Group of near-duplicate prompts.", nullable=False),
        Column("day", pl.Date, "Day of the first vote.", nullable=False),
        Column("occurred_at", TIMESTAMP, "When the newest vote was given (UTC).", nullable=False),
        Column("project", pl.String, "Product or feature."),
        Column("model", pl.String, "Model that wrote the answer."),
        Column("prompt_version", pl.String, "Version of the system prompt."),
        Column("intent", pl.String, "What the person wanted."),
        Column("language", pl.String, "Language of the prompt, ISO 639-1."),
        Column("action_type", pl.String, "Action the answer proposed."),
        Column("split", pl.String, "What it may be used for.", nullable=False, values=SPLITS),
        Column("unseen_person", pl.Boolean, "Held out, and no voter behind it has a vote in train.", nullable=False),
        Column("weight_trust", pl.Float64, "Factor: mean trust in its voters.", nullable=False),
        Column("weight_recency", pl.Float64, "Factor: halves with every half-life.", nullable=False),
        Column(
            "weight_balance",
            pl.Float64,
            "Factor: lifts rare intents and languages, lowers common ones.",
            nullable=False,
        ),
        Column(
            "weight_person", pl.Float64, "Factor: keeps each person within their share after weighting.", nullable=False
        ),
        Column(
            "importance",
            pl.Float64,
            "Product of the factors over the dataset's quantum; about 1 on average. A weight policy multiplies it.",
            nullable=False,
        ),
    ),
    key=("example_id",),
)

REGRESSION_CASES = Table(
    "regression_cases",
    "One answer people rejected, or a correction they wrote, that no later model may get wrong again: a training "
    "example of this week, or of an earlier one that still stands.",
    with_columns(
        TRAINING_EXAMPLES.columns,
        Column("since", pl.Date, "Monday of the week whose suite it first was in.", nullable=False),
        Column("said", pl.String, "What people said was wrong: their reasons and comments, redacted.", text=True),
    ),
    key=("example_id",),
)

PREFERENCE_PAIRS = Table(
    "preference_pairs",
    "Two answers to the same input, of which people preferred one.",
    (
        Column("pair_id", pl.String, "Identity: hash of origin and both sides.", nullable=False),
        Column("tenant", pl.String, "Tenant that owns both.", nullable=False),
        Column("origin", pl.String, "How it is known.", nullable=False, values=PAIR_ORIGINS),
        Column(
            "chosen_interaction_id",
            pl.String,
            "The better answer; for a correction, the answer corrected.",
            nullable=False,
        ),
        Column("rejected_interaction_id", pl.String, "The worse answer.", nullable=False),
        Column("feedback_ids", pl.List(pl.String), "Every vote behind it, sorted.", nullable=False),
        Column("voters", pl.List(pl.String), "Pseudonyms of the people behind it, sorted.", nullable=False),
        Column("votes_for", pl.UInt32, "People for the chosen side.", nullable=False),
        Column("votes_against", pl.UInt32, "People for the other side.", nullable=False),
        Column("messages", pl.String, "The input (JSON array of messages).", nullable=False, text=True),
        Column("chosen", pl.String, "The better answer's text.", nullable=False, text=True),
        Column("rejected", pl.String, "The worse answer's text.", nullable=False, text=True),
        Column("shape", pl.String, "See training_examples.", nullable=False, values=SHAPES),
        Column("context", pl.String, "See training_examples.", nullable=False, values=CONTEXTS),
        Column("conversation_id", pl.String, "Conversation of the chosen answer."),
        Column("cluster", pl.UInt64, "Group of near-duplicate prompts.", nullable=False),
        Column("day", pl.Date, "Day of the first vote.", nullable=False),
        Column("intent", pl.String, "What the person wanted."),
        Column("language", pl.String, "Language of the prompt."),
        Column("split", pl.String, "What it may be used for.", nullable=False, values=SPLITS),
        Column("importance", pl.Float64, "Trust × recency over the dataset's quantum.", nullable=False),
    ),
    key=("pair_id",),
)

FUNNEL = Table(
    "training_funnel",
    "One step of curation: what came in and what was dropped.",
    (
        Column("position", pl.UInt32, "Order of the steps, from 1.", nullable=False),
        Column("stage", pl.String, "What is being made.", nullable=False, values=("examples", "pairs")),
        Column("step", pl.String, "Name of the step.", nullable=False),
        Column(
            "unit",
            pl.String,
            "What is counted.",
            nullable=False,
            values=("vote", "answer", "correction", "example", "pair"),
        ),
        Column("rows_in", pl.UInt32, "Rows before the step.", nullable=False),
        Column("rows_dropped", pl.UInt32, "Rows it dropped or merged.", nullable=False),
        Column("reason", pl.String, "Why rows are dropped here.", nullable=False),
    ),
    key=("stage", "position"),
)

LINEAGE = Table(
    "training_lineage",
    "One line of a training file and what it came from.",
    (
        Column("dataset_id", pl.String, "Content hash of the manifest.", nullable=False),
        Column(
            "layout", pl.String, "Sequence of lines shared by every file that names it in the manifest.", nullable=False
        ),
        Column("line", pl.UInt32, "Line number, from 1.", nullable=False),
        Column("row_id", pl.String, "example_id or pair_id.", nullable=False),
        Column("copy", pl.UInt8, "Which copy of the row, from 0.", nullable=False),
        Column("weight", pl.Float64, "Weight of the row under the dataset's policy.", nullable=False),
        Column("interaction_ids", pl.List(pl.String), "Answers in the line.", nullable=False),
        Column("feedback_ids", pl.List(pl.String), "Votes behind the line.", nullable=False),
    ),
    key=("dataset_id", "layout", "line"),
)

WAITING = Table(
    "waiting",
    "What becomes training data only after a person let it in: one correction or one answer. No text.",
    (
        Column("feedback_id", pl.String, "The first of its votes (UUID).", nullable=False),
        Column("feedback_ids", pl.List(pl.String), "Every vote a decision is about.", nullable=False),
        Column("interaction_id", pl.String, "The answer judged or corrected (UUID).", nullable=False),
        Column(
            "reason",
            pl.String,
            "A correction nobody else stands behind; one that looks planted; a refusal people disliked; an answer "
            "whose text a browser supplied.",
            nullable=False,
            values=REVIEW_REASONS,
        ),
        Column("label", pl.Boolean, "As what it would be trained on: desirable or not.", nullable=False),
        Column("occurred_at", TIMESTAMP, "When the last of the votes was cast.", nullable=False),
    ),
    key=("feedback_id", "reason"),
)
