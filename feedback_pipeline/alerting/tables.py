"""The tables of alerting: daily sums that count each person once, and what every rule saw."""

from typing import get_args

import polars as pl

from feedback_pipeline.alerting.detectors import Kind, Severity
from feedback_pipeline.tables.schema import Column, Table

KINDS: tuple[Kind, ...] = get_args(Kind)

DAILY_APPROVAL = Table(
    "daily_approval",
    "People's verdicts of one day, each person counted once: the whole day, or one action type of it. The row of the "
    "whole day has no action type.",
    (
        Column("day", pl.Date, "Day of the votes.", nullable=False),
        Column("action_type", pl.String, "Action type; null for the whole day."),
        Column("votes", pl.Int64, "Votes up or down.", nullable=False),
        Column("people", pl.Int64, "Distinct people behind them.", nullable=False),
        Column(
            "people_up",
            pl.Float64,
            "Sum over people of the share of their votes that were up; with people_down it adds up to people.",
            nullable=False,
        ),
        Column("people_down", pl.Float64, "The same of votes down.", nullable=False),
    ),
    key=("day", "action_type"),
)

ALERT_READINGS = Table(
    "alert_readings",
    "What one alert rule saw on one day (of one action type, for new ones): an alert, none, or why it could not look.",
    (
        Column("day", pl.Date, "The day looked at.", nullable=False),
        Column("kind", pl.String, "The rule.", nullable=False, values=KINDS),
        Column("dimensions", pl.String, "What it is about, as JSON: [[dimension, value], …]; [] for all.", False),
        Column("severity", pl.String, "Of the alert; null where there is none.", values=get_args(Severity)),
        Column("incident", pl.String, "Hash of rule and dimensions; null where there is no alert."),
        Column("explanation", pl.String, "The alert in a sentence of numbers and dimension values."),
        Column("numbers", pl.String, "What the rule looked at, as a JSON object.", nullable=False),
        Column("reason", pl.String, "Why the rule could not look."),
    ),
)
