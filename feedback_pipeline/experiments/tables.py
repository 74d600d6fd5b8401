"""The tables of experiments."""

from dataclasses import replace

import polars as pl

from feedback_pipeline.experiments.verdicts import VERDICTS
from feedback_pipeline.tables.schema import Column, Table
from feedback_pipeline.tuning.tables import CANDIDATE_EVALUATION, MODEL_EFFECT

MEASURES = ("approval", "success", "judged_approval", "refused", "personal_data", "cost_usd", "latency_ms", "unsafe")

EXPERIMENT_READOUT = Table(
    "experiment_readout",
    "One measure of one arm of an experiment against its control, over everybody exposed up to the end of the day.",
    (
        Column("tenant", pl.String, "Whose experiment it is.", nullable=False),
        Column("experiment", pl.String, "Its name.", nullable=False),
        Column("version", pl.Int32, "Newest version of it.", nullable=False),
        Column("day", pl.Date, "The last day that is counted.", nullable=False),
        Column("arm", pl.String, "The arm.", nullable=False),
        Column("control", pl.String, "What it is compared with.", nullable=False),
        Column("measure", pl.String, "What is compared.", nullable=False, values=MEASURES),
        Column("role", pl.String, "`primary` decides, `guardrail` stops, `secondary` is shown beside.", nullable=False,
               values=("primary", "secondary", "guardrail")),
        Column("assigned", pl.UInt32, "People of the arm.", nullable=False),
        Column("assigned_control", pl.UInt32, "People of the control.", nullable=False),
        Column("people", pl.UInt32, "People of the arm that the measure is about.", nullable=False),
        Column("people_control", pl.UInt32, "People of the control that the measure is about.", nullable=False),
        Column("value", pl.Float64, "The arm's value."),
        Column("value_control", pl.Float64, "The control's value."),
        Column("difference", pl.Float64, "Arm minus control, adjusted by what people did before."),
        Column("low", pl.Float64, "Lower end of the 95 % interval at the planned number of people."),
        Column("high", pl.Float64, "Upper end."),
        Column("sequence_low", pl.Float64, "Lower end of the confidence sequence: valid however often one looks."),
        Column("sequence_high", pl.Float64, "Upper end."),
        Column("explained", pl.Float64, "Share of the variance that the people's history took away."),
        Column("expected", pl.Float64, "The difference to expect later: shrunk, as early wins flatter."),
        Column("sample_ratio", pl.Float64, "p-value of the people's shares over all arms; null for too few."),
        Column("verdict", pl.String, "What follows, on the primary measure.", values=VERDICTS),
        Column("beyond", pl.Float64, "For `no_difference_beyond`: the largest difference still possible."),
        Column("advice", pl.String, "Stop or go on, and why."),
        Column("people_missing", pl.Int64, "People with a vote that are still needed for the plan."),
        Column("reason", pl.String, "Why there is no number."),
    ),
    key=("tenant", "experiment", "arm", "measure"),
)  # fmt: skip

PROMPT_CANDIDATES = Table(
    "prompt_candidates",
    "One proposal for a prompt, or the reason why there is none. No text: it is in the store, as a version.",
    (
        Column("tenant", pl.String, "Whose prompt it is.", nullable=False),
        Column("prompt", pl.String, "The prompt.", nullable=False),
        Column("number", pl.Int32, "Position among the week's proposals for it.", nullable=False),
        Column("current", pl.String, "The version that answers.", nullable=False),
        Column("optimiser", pl.String, "Who proposed it.", nullable=False),
        Column("status", pl.String, "Whether it became a version.", nullable=False,
               values=("proposed", "refused", "nothing")),
        Column("version", pl.String, "The version it became."),
        Column("digest", pl.String, "SHA-256 of its text."),
        Column("cites", pl.List(pl.String), "Ids of the findings, reasons and votes it answers.", nullable=False),
        Column("evidence", pl.UInt32, "Pieces of evidence there were.", nullable=False),
        Column("approval", pl.Float64, "Approval of the version that answers, in the weeks looked at."),
        Column("people", pl.UInt32, "People behind it.", nullable=False),
        Column("reason", pl.String, "Why there is none, or why it was refused."),
    ),
    key=("tenant", "prompt", "number"),
)  # fmt: skip

PROMPT_EVALUATION = replace(CANDIDATE_EVALUATION, name="prompt_evaluation")
"""What a proposed prompt scored against the one that answers: the table that models have."""

PROMPT_EFFECT = replace(MODEL_EFFECT, name="prompt_effect")
"""Approval since a prompt's promotion: the table that models have."""

SHADOW_COMPARISON = Table(
    "shadow_comparison",
    "One measure of a candidate's shadow answers of a day against what was shown.",
    (
        Column("tenant", pl.String, "Whose answers they are.", nullable=False),
        Column("candidate", pl.String, "The candidate.", nullable=False),
        Column("day", pl.Date, "The day.", nullable=False),
        Column("measure", pl.String, "What is compared; `win_rate` is judged in both orders.", nullable=False),
        Column("pairs", pl.UInt32, "Pairs behind it.", nullable=False),
        Column("value", pl.Float64, "The candidate's value."),
        Column("value_shown", pl.Float64, "Of what was shown."),
        Column("difference", pl.Float64, "Candidate minus shown; for the win rate, win rate minus one half."),
        Column("low", pl.Float64, "Lower end of the difference's 95 % interval."),
        Column("high", pl.Float64, "Upper end."),
        Column("runs", pl.UInt32, "Shadow runs of the day whose shown answer is known.", nullable=False),
        Column("late", pl.UInt32, "Of them, those that missed the deadline.", nullable=False),
        Column("failed", pl.UInt32, "Of them, those that raised.", nullable=False),
        Column("reason", pl.String, "Why there is no number, or how it is to be read."),
    ),
    key=("tenant", "candidate", "measure"),
)  # fmt: skip

ROUTING_POLICY = Table(
    "routing_policy",
    "The weight of an arm in a leaf of an adaptive experiment after a day, and what the arm alone would have earned.",
    (
        Column("tenant", pl.String, "Whose experiment it is.", nullable=False),
        Column("experiment", pl.String, "Its name.", nullable=False),
        Column("version", pl.Int32, "The version whose votes were counted.", nullable=False),
        Column("day", pl.Date, "The last day that is counted.", nullable=False),
        Column("leaf", pl.Int32, "The context; −1 for everybody whom no context fits.", nullable=False),
        Column("arm", pl.String, "The arm.", nullable=False),
        Column("weight", pl.Float64, "Share of the leaf that it gets from now on.", nullable=False),
        Column("best", pl.Float64, "Probability that it is the best arm of the leaf.", nullable=False),
        Column("votes", pl.Int64, "Votes behind it, of people whose votes had time to come.", nullable=False),
        Column("people", pl.Int64, "People behind them.", nullable=False),
        Column("approval", pl.Float64, "Approval, weighted by one over the probability served."),
        Column("method", pl.String, "How the weight came about.", nullable=False),
        Column("value", pl.Float64, "Approval had everybody got this arm: doubly robust."),
        Column("low", pl.Float64, "Lower end of its 95 % interval."),
        Column("high", pl.Float64, "Upper end."),
        Column("effective", pl.Float64, "Effective sample size behind it."),
        Column("reason", pl.String, "Why that value is refused."),
        Column("advice", pl.String, "Stop, where the arm is the best one whenever one looks."),
    ),
    key=("tenant", "experiment", "leaf", "arm"),
)  # fmt: skip

APPROVAL_OF_ALL = Table(
    "approval_of_all",
    "Approval of all answers of a tenant's week, beside that of the people who chose to vote.",
    (
        Column("tenant", pl.String, "Whose answers they are.", nullable=False),
        Column("week", pl.Date, "Monday of the week.", nullable=False),
        Column("answers", pl.Int64, "Answers of the week.", nullable=False),
        Column("asked", pl.Int64, "Of them, those somebody was asked about.", nullable=False),
        Column("answered", pl.Int64, "Of them, those that got a verdict.", nullable=False),
        Column("voted", pl.Int64, "Answers that people chose to vote on without being asked.", nullable=False),
        Column("estimate", pl.Float64, "Share of all answers that people approve of."),
        Column("low", pl.Float64, "Lower end of its 95 % interval, clustered by person."),
        Column("high", pl.Float64, "Upper end."),
        Column("plain", pl.Float64, "Approval among those who chose to vote."),
        Column("plain_low", pl.Float64, "Lower end of its 95 % interval."),
        Column("plain_high", pl.Float64, "Upper end."),
        Column("judged", pl.Float64, "Share of the judged answers that the judge calls good."),
        Column("if_worse", pl.Float64, "The estimate if those who did not answer were ten points less satisfied."),
        Column("reason", pl.String, "Why there is no estimate."),
    ),
    key=("tenant", "week"),
)  # fmt: skip
