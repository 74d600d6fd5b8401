"""What an import did, or a dry run would do, as values."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Progress:
    """Where an import is: for a progress bar."""

    source: str
    file: str
    rows: int
    refused: int
    share: float | None
    """Part of the file that has been read, 0–1; None where nobody knows (a database, a compressed file)."""


@dataclass(frozen=True)
class Refused:
    """Rows refused for one reason."""

    reason: str
    field: str | None
    rows: int


@dataclass(frozen=True)
class Problem:
    """A file or table that could not be read (further): where, a code, and what to do."""

    place: str
    reason: str
    message: str


@dataclass(frozen=True)
class SourceSummary:
    """What became of one source.

    Attributes:
        rows: rows read, those that could not be taken apart included.
        interactions, events, judgements: new to the store (dry run: would be).
        known: votes that the store had already.
        opted_out: votes of people who refused collection, counted and not kept.
        refused: rows not taken, by reason and field, the most frequent first; repeated deliveries are among them
            (`delivered_twice`).
        redactions: identifiers replaced, by type.
        reject_files: where the refused rows are.
        unchanged: files that were imported before and have not changed since.
        problems: what could not be read.
        notes: what a reader of the figures should know.
        unfit: words that are none of their field's, with how often, the most frequent first.
        examples: of a dry run, some rows as they would be stored: our field → its value as text.
        seconds: time taken.
    """

    name: str
    rows: int = 0
    interactions: int = 0
    events: int = 0
    judgements: int = 0
    known: int = 0
    opted_out: int = 0
    refused: tuple[Refused, ...] = ()
    redactions: dict[str, int] = field(default_factory=dict)
    reject_files: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    unfit: tuple[tuple[str, str, int], ...] = ()
    examples: tuple[dict[str, str], ...] = ()
    seconds: float = 0.0

    @property
    def refused_rows(self) -> int:
        return sum(refused.rows for refused in self.refused)

    @property
    def rows_per_second(self) -> float | None:
        return self.rows / self.seconds if self.seconds and self.rows else None


@dataclass(frozen=True)
class ImportSummary:
    """What became of every source, in the order of `sources.yaml`."""

    sources: tuple[SourceSummary, ...]
    dry_run: bool

    @property
    def rows(self) -> int:
        return sum(source.rows for source in self.sources)

    @property
    def interactions(self) -> int:
        return sum(source.interactions for source in self.sources)

    @property
    def events(self) -> int:
        return sum(source.events for source in self.sources)

    @property
    def known(self) -> int:
        return sum(source.known for source in self.sources)

    @property
    def refused(self) -> int:
        return sum(source.refused_rows for source in self.sources)

    @property
    def problems(self) -> tuple[Problem, ...]:
        return tuple(problem for source in self.sources for problem in source.problems)
