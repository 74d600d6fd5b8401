"""The part of a report about feedback that is on no single answer: sessions, conversations, tool calls, steps."""

from dataclasses import dataclass

from feedback_pipeline.reports.parts import NoResultPart, Part, Rate


@dataclass(frozen=True)
class SubjectVotes(Part):
    """What people said of one kind of subject."""

    kind: str
    """session, conversation, tool_call or step."""
    subjects: int
    """Distinct ones that something was said of."""
    people: int
    """Distinct people who said it."""
    approval: Rate | NoResultPart
    """Share of up among up and down votes."""
    average_stars: float | None
    """Mean of the stars given, 1–5; null without stars, or of fewer than five people."""
    comments: int
    """Votes and comments with words."""


@dataclass(frozen=True)
class Subjects(Part):
    """Feedback on more, or less, than one answer; no other number of the report holds it."""

    kinds: tuple[SubjectVotes, ...]
    """One entry a kind, the one with most people first."""
