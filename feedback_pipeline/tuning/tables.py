"""The tables of models."""

import polars as pl

from feedback_pipeline.tables.schema import Column, Table

CANDIDATE_EVALUATION = Table(
    "candidate_evaluation",
    "One measure of a candidate against the model that answers now, and what the gate says of it.",
    (
        Column("model", pl.String, "The candidate.", nullable=False),
        Column("current_model", pl.String, "The model that answers now.", nullable=False),
        Column("measure", pl.String, "What was measured.", nullable=False),
        Column("n", pl.UInt32, "Prompts it rests on.", nullable=False),
        Column("candidate", pl.Float64, "Value of the candidate."),
        Column("current_value", pl.Float64, "Value of the current model."),
        Column("difference", pl.Float64, "Candidate minus current; for win rates, win rate minus one half."),
        Column("low", pl.Float64, "Lower end of the difference's 95 % interval."),
        Column("high", pl.Float64, "Upper end."),
        Column("rule", pl.String, "What the gate asks for.", nullable=False),
        Column("blocking", pl.Boolean, "Not passing it forbids the promotion.", nullable=False),
        Column("passed", pl.Boolean, "Whether it is met.", nullable=False),
        Column("reason", pl.String, "Why there is no number, or how it is to be read."),
        Column("evaluation", pl.String, "Content hash of the whole evaluation: what is approved.", nullable=False),
    ),
    key=("model", "measure"),
)

MODEL_EFFECT = Table(
    "model_effect",
    "Approval of a promoted model in a week against the model before it.",
    (
        Column("week", pl.Date, "Monday of the week.", nullable=False),
        Column("model", pl.String, "The promoted model.", nullable=False),
        Column("previous", pl.String, "What answered before.", nullable=False),
        Column("promoted_on", pl.Date, "Day of the promotion.", nullable=False),
        Column("votes", pl.UInt32, "Votes on the promoted model since the promotion, up to the week's end.",
               nullable=False),
        Column("people", pl.UInt32, "People who gave them.", nullable=False),
        Column("approval", pl.Float64, "Their approval rate."),
        Column("votes_before", pl.UInt32, "Votes on the previous model in the four weeks before.", nullable=False),
        Column("approval_before", pl.Float64, "Their approval rate."),
        Column("difference", pl.Float64, "After minus before."),
        Column("low", pl.Float64, "Lower end of its 95 % interval, clustered by person."),
        Column("high", pl.Float64, "Upper end."),
        Column("verdict", pl.String, "What follows.", nullable=False,
               values=("better", "worse", "no_measurable_change", "cannot_say")),
        Column("reason", pl.String, "Why nothing can be said, or what to do."),
    ),
    key=("week", "model"),
)  # fmt: skip
