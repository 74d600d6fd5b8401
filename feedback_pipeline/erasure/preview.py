"""What an erasure would remove."""

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from feedback_pipeline.erasure.context import EARLIER, ErasureContext, weeks_of
from feedback_pipeline.erasure.subjects import Subject, find
from feedback_pipeline.store.statements import query


@dataclass(frozen=True)
class Preview:
    """What an erasure would remove: what `--dry-run` shows."""

    interactions: int
    feedback: int
    refusals: int
    days: int
    weeks: tuple[date, ...]
    datasets: tuple[tuple[str, float], ...]
    provider_files: int
    votes_of_others: int
    earlier: datetime | None
    """When the subject was forgotten before."""
    interrupted: bool
    """An erasure of the subject is under way or was interrupted."""

    @property
    def has_rows(self) -> bool:
        """There is something to erase."""
        return bool(self.interactions or self.feedback or self.refusals or self.interrupted)

    @property
    def unknown(self) -> bool:
        """Nothing is known of the subject."""
        return not self.has_rows


def preview(context: ErasureContext, subject: Subject) -> Preview:
    """What an erasure would remove; nothing is changed."""
    scope = find(context.database, context.frames, subject)
    with context.database.engine.connect() as connection:
        datasets = connection.execute(sa.text(query("find_subject_datasets")), scope.parameters).all()
        others = connection.execute(sa.text(query("count_votes_of_others")), scope.parameters).scalar_one()
        earlier = connection.execute(EARLIER, {"mark": subject.mark}).all()
    return Preview(
        interactions=len(scope.interactions),
        feedback=len(scope.feedback),
        refusals=len(scope.refusals),
        days=len(scope.days),
        weeks=tuple(weeks_of(context, scope)),
        datasets=tuple((row.id, float(row.share or 0)) for row in datasets),
        provider_files=len(scope.provider_files),
        votes_of_others=others,
        earlier=max((row.finished_at for row in earlier if row.finished_at), default=None),
        interrupted=any(row.finished_at is None for row in earlier),
    )
