"""What people said of a prompt's answers: reasons they gave, findings about it, comments, corrections, failed cases."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from feedback_pipeline.stats.intervals import clustered_rate

MIN_PEOPLE = 5
"""People behind a piece of evidence: fewer could be pointed at."""

MAX_QUOTES = 12
"""Comments and corrections that an optimiser may read."""

MAX_QUOTE = 400
"""Characters of each."""

Kind = Literal["reason", "finding", "comment", "correction", "failed_case"]


@dataclass(frozen=True)
class Evidence:
    """One thing a proposal may answer.

    Attributes:
        id: what it is cited by: a finding's id, a vote's, or `reason:<chip>`.
        kind: what it is.
        weight: votes down that it stands for.
        people: people behind it.
        text: redacted words of a person, for the optimiser alone; empty for reasons and findings.
        prompt: redacted question it is about.
        about: the chip, or the finding's slice.
    """

    id: str
    kind: Kind
    weight: float
    people: int
    about: str = ""
    text: str = ""
    prompt: str = ""


def gather(votes: pl.DataFrame, findings: pl.DataFrame, version: str) -> list[Evidence]:
    """The evidence on one prompt version, heaviest first.

    Args:
        votes: `feedback_id`, `voter`, `prompt_version`, `verdict`, `reasons`, `comment`, `correction`, `prompt` of the
            weeks looked at; texts redacted.
        findings: `slice_findings` of the newest of these weeks.
        version: as answers name it.
    """
    own = votes.filter(pl.col("prompt_version") == version)
    return [*_reasons(own), *_findings(findings, version), *_quotes(own)]


def approval(votes: pl.DataFrame, version: str) -> tuple[float | None, int]:
    """Approval of a version's answers and the people behind it."""
    decided = votes.filter((pl.col("prompt_version") == version) & pl.col("verdict").is_in(["up", "down"]))
    sums = decided.group_by("voter").agg(up=(pl.col("verdict") == "up").sum(), n=pl.len()).sort("voter")
    rate = clustered_rate(sums["up"].to_numpy(), sums["n"].to_numpy())
    return rate.estimate, rate.people


def _reasons(own: pl.DataFrame) -> list[Evidence]:
    """Chips that people chose under a thumb down."""
    chips = own.filter(pl.col("verdict") == "down").select("voter", chip=pl.col("reasons")).explode("chip").drop_nulls()
    counted = chips.group_by("chip").agg(votes=pl.len(), people=pl.col("voter").n_unique())
    kept = counted.filter(pl.col("people") >= MIN_PEOPLE).sort("votes", "chip", descending=[True, False])
    return [
        Evidence(f"reason:{chip}", "reason", float(count), people, about=chip)
        for chip, count, people in kept.select("chip", "votes", "people").iter_rows()
    ]


def _findings(findings: pl.DataFrame, version: str) -> list[Evidence]:
    found = []
    for row in findings.iter_rows(named=True):
        values = dict(zip(row["dimensions"], row["values"], strict=True))
        if values.get("prompt_version") == version and row["status"] != "gone" and row["people"] >= MIN_PEOPLE:
            others = ", ".join(f"{name} {value}" for name, value in values.items() if name != "prompt_version")
            found.append(Evidence(row["finding_id"], "finding", float(row["down"]), row["people"], about=others))
    return found


def _quotes(own: pl.DataFrame) -> list[Evidence]:
    """One comment or correction a person, corrections first; each is one person's and is cited by its vote."""
    spoken = own.filter(pl.col("comment").is_not_null() | pl.col("correction").is_not_null())
    spoken = spoken.filter((pl.col("verdict") != "up").fill_null(True))
    rows = spoken.sort(pl.col("correction").is_null(), "feedback_id").unique("voter", keep="first", maintain_order=True)
    return [
        Evidence(
            row["feedback_id"], "correction" if row["correction"] else "comment", 1.0, 1,
            text=str(row["correction"] or row["comment"])[:MAX_QUOTE], prompt=str(row["prompt"] or "")[:MAX_QUOTE],
        )
        for row in rows.head(MAX_QUOTES).iter_rows(named=True)
    ]  # fmt: skip


def words_of(evidence: Sequence[Evidence]) -> list[str]:
    """Every text of a person that a proposal must not repeat."""
    return [text for one in evidence for text in (one.text, one.prompt) if text]
