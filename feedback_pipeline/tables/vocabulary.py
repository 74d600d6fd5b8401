"""Types and closed sets of values that tables of several packages share."""

import polars as pl

TIMESTAMP = pl.Datetime("us", "UTC")
KINDS = ("explicit", "implicit", "outcome", "correction", "preference", "comment")
VERDICTS = ("up", "neutral", "down")
PROVENANCES = ("logged", "server", "import", "browser")
