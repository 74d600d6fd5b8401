"""The tables of experiments."""

import polars as pl

from feedback_pipeline.experiments.verdicts import VERDICTS
from feedback_pipeline.tables.schema import Column, Table

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
