"""The section about votes on sessions, conversations, tool calls and steps."""

import polars as pl

from feedback_pipeline.reports.parts import MIN_PEOPLE, NoResultPart
from feedback_pipeline.reports.sections.estimates import NOT_COMPUTED, approval, report_rate
from feedback_pipeline.reports.sources import Sources
from feedback_pipeline.reports.subjects import Subjects, SubjectVotes


def subjects(sources: Sources) -> Subjects | NoResultPart:
    """Approval by kind of subject, each with its interval clustered by person."""
    if sources.subjects is None:
        return NOT_COMPUTED
    if sources.subjects.is_empty():
        return NoResultPart("nobody spoke of a session, a conversation, a tool call or a step")
    # a pseudonym is one tenant's, and so is the name of a session
    events = sources.subjects.with_columns(
        person=pl.struct("tenant", "voter"), subject=pl.struct("tenant", "subject_id")
    )
    kinds = [_of_kind(str(kind), found) for (kind,), found in events.group_by("subject_kind")]
    return Subjects(tuple(sorted(kinds, key=lambda one: (-one.people, one.kind))))


def _of_kind(kind: str, events: pl.DataFrame) -> SubjectVotes:
    told = events.filter(pl.col("verdict").is_in(["up", "down"]))
    sums = told.group_by("person").agg(up=(pl.col("verdict") == "up").sum(), votes=pl.len()).sort("person")
    starred = events.drop_nulls("stars")
    enough = starred["person"].n_unique() >= MIN_PEOPLE
    return SubjectVotes(
        kind=kind,
        subjects=events["subject"].n_unique(),
        people=events["person"].n_unique(),
        approval=report_rate(approval(sums)),
        average_stars=float(starred["stars"].sum()) / starred.height if enough else None,
        comments=int(events["commented"].sum()),
    )
