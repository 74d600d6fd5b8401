"""Clean: a day of the store becomes a day of rows that may be trusted, and a week of voters gets its weights."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl

from assets.declaration import Check, Outcome, daily, weekly
from assets.small_days import by_day
from feedback_pipeline.calendar import days_of, window
from feedback_pipeline.cleaning import clusters, conflicts, consensus, days, facts, signatures, tables, trust
from feedback_pipeline.cleaning.verdicts import VerdictPolicy
from feedback_pipeline.judging.tables import OVERALL
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.privacy.canary import leaks_in, missed_canaries
from feedback_pipeline.store import audits, bulk, changes
from feedback_pipeline.tables.parquet import Written, in_parts, regroup
from feedback_pipeline.tables.schema import Table

GROUP = "clean"
TRUST_WEEKS = 4
SCANNED_TOGETHER = 50_000
"""Rows that are scanned for identifiers at a time: each of some forty searches is made ready anew for every frame, and
what several frames repeat is looked at once. A few frames of the store's together; bounds the memory."""
JSON_COLUMNS = {"messages", "payload", "content_snapshot", "shown"}


def _interactions_of(pipeline: Pipeline, wanted: Sequence[date]) -> dict[date, Outcome]:
    if changes.sealed(pipeline.database, wanted):
        return {day: clean_interactions.function(pipeline, day) for day in wanted}  # type: ignore[misc]
    found = days.clean_interactions(bulk.read_days(pipeline.database, "read_interactions", wanted))
    read = by_day(found, wanted)
    scans = _LeakScan.of_days(tables.CLEAN_INTERACTIONS, read)
    return {
        day: Outcome(read[day], numbers={"texts_scanned": scans[day].texts}, checks=[scans[day].check()])
        for day in wanted
    }  # fmt: skip


@daily(
    tables.CLEAN_INTERACTIONS,
    group=GROUP,
    after=["raw_interactions"],
    blocking=["no_personal_data"],
    independent=True,
    small_days=_interactions_of,
)
def clean_interactions(pipeline: Pipeline, day: date) -> Outcome:
    """One model answer of the day, voted on or not, with its redacted text; the only Parquet with prompts and
    answers."""
    scan = _LeakScan(tables.CLEAN_INTERACTIONS)
    if changes.is_sealed(pipeline.database, day):
        known = bulk.read_day(pipeline.database, "read_interaction_ids", day).filter("use_for_analysis")
        consents = known.select("interaction_id", "use_for_training")
        was = pipeline.frames.read(tables.CLEAN_INTERACTIONS, [day]).drop("use_for_training")
        kept = tables.CLEAN_INTERACTIONS.conform(was.join(consents, on="interaction_id", maintain_order="left"))
        return Outcome(kept, checks=lambda _: [scan.check()])
    batches = bulk.read_day_batches(pipeline.database, "read_interactions", day)
    return Outcome(
        map(scan.watch, regroup(map(days.clean_interactions, batches), SCANNED_TOGETHER)),
        numbers=lambda: {"texts_scanned": scan.texts},
        checks=lambda _: [scan.check()],
    )


def _feedback_of(pipeline: Pipeline, wanted: Sequence[date]) -> dict[date, Outcome]:
    database, policy = pipeline.database, pipeline.verdict_policy
    if changes.sealed(database, wanted):
        return {day: clean_feedback.function(pipeline, day) for day in wanted}  # type: ignore[misc]
    refusals = by_day(bulk.read_days(database, "read_refusals", wanted), wanted)
    delivered = bulk.count_events(database, wanted)
    events = bulk.read_days(database, "read_feedback", wanted)
    raw, clean = by_day(events, wanted), by_day(days.clean_feedback(events, policy), wanted)
    scans = _LeakScan.of_days(tables.CLEAN_FEEDBACK, clean)

    def outcome(day: date) -> Outcome:
        account = _Account(delivered[day], refusals[day], _Events(), scans[day], policy)
        account.events.watch(raw[day])
        return account.outcome(account.events.keep(clean[day]))

    return {day: outcome(day) for day in wanted}


@daily(
    tables.CLEAN_FEEDBACK,
    group=GROUP,
    after=["raw_feedback", "raw_interactions"],
    blocking=["conservation", "no_personal_data"],
    independent=True,
    small_days=_feedback_of,
)
def clean_feedback(pipeline: Pipeline, day: date) -> Outcome:
    """One current feedback event of the day with its verdict, the redacted words of the person, and the properties of
    the answer it is about. Superseded, withdrawn, duplicate, opted-out, pending and refused events are counted."""
    database, policy = pipeline.database, pipeline.verdict_policy
    refusals = bulk.read_day(database, "read_refusals", day)
    delivered = bulk.count_events(database, [day])[day]
    scan, events = _LeakScan(tables.CLEAN_FEEDBACK), _Events()
    current: Iterator[pl.DataFrame] = (
        days.clean_feedback(events.watch(batch), policy)
        for batch in bulk.read_day_batches(database, "read_feedback", day)
    )
    after_seal = 0
    if changes.is_sealed(database, day):
        consents = pl.concat(batch.select("feedback_id", "use_for_training", "admissible") for batch in current)
        was = pipeline.frames.read(tables.CLEAN_FEEDBACK, [day]).drop("use_for_training", "admissible", strict=False)
        kept = tables.CLEAN_FEEDBACK.conform(was.join(consents, on="feedback_id", maintain_order="left"))
        after_seal = consents.height - kept.height
        current = iter([kept])
    account = _Account(delivered, refusals, events, scan, policy, after_seal)
    return account.outcome(map(scan.watch, regroup(map(events.keep, current), SCANNED_TOGETHER)))


def _quarantined_of(pipeline: Pipeline, wanted: Sequence[date]) -> dict[date, Outcome]:
    refusals = by_day(bulk.read_days(pipeline.database, "read_refusals", wanted), wanted)
    return {day: _quarantined(refusals[day]) for day in wanted}


def _quarantined(refusals: pl.DataFrame) -> Outcome:
    refused = days.quarantined_feedback(refusals)
    reasons = dict(refused.group_by("reason").len().sort("reason").iter_rows())
    return Outcome(refused, numbers={f"reason/{reason}": count for reason, count in reasons.items()})


@daily(tables.QUARANTINED_FEEDBACK, group=GROUP, after=["raw_feedback"], independent=True, small_days=_quarantined_of)
def quarantined_feedback(pipeline: Pipeline, day: date) -> Outcome:
    """One delivered row that could not be taken as feedback, with the reason; it can be corrected and re-admitted."""
    return _quarantined(bulk.read_day(pipeline.database, "read_refusals", day))


def _signatures(pipeline: Pipeline, wanted: Sequence[date]) -> Iterator[pl.DataFrame]:
    columns = ["interaction_id", "day", "conversation_id", "prompt", "answer"]
    answers = pipeline.frames.scan(tables.CLEAN_INTERACTIONS, wanted).select(columns)
    key = pipeline.split_key().encode()
    return (signatures.text_signatures(some, key=key) for some in in_parts(answers))


@daily(
    tables.TEXT_SIGNATURES,
    group=GROUP,
    after=["clean_interactions"],
    code_version="3",
    carries={"clean_interactions": ("interaction_id", "conversation_id", "day")},
    independent=True,
    small_days=lambda pipeline, wanted: by_day(pl.concat(_signatures(pipeline, wanted)), wanted),
)
def text_signatures(pipeline: Pipeline, day: date) -> Outcome:
    """One answer of the day with the hashes duplicates are found by, across days and without rereading text."""
    return Outcome(_signatures(pipeline, [day]))


def _facts_of(pipeline: Pipeline, wanted: Sequence[date]) -> dict[date, Outcome]:
    read = pipeline.frames.scan(tables.CLEAN_FEEDBACK, wanted).select(facts.READS).collect()
    rows = by_day(facts.vote_facts(read), wanted)
    return {day: _with_people(rows[day]) for day in wanted}


def _with_people(rows: pl.DataFrame) -> Outcome:
    return Outcome(rows, numbers={"people": rows["person"].n_unique()})


@daily(
    tables.VOTE_FACTS,
    group="patterns",
    after=["clean_feedback"],
    carries={
        "clean_feedback": (
            "feedback_id",
            "interaction_id",
            "day",
            "strength",
            "stars",
            "success",
            *tables.DIMENSIONS,
            *tables.MULTI_DIMENSIONS,
        )
    },
    independent=True,
    small_days=_facts_of,
)
def vote_facts(pipeline: Pipeline, day: date) -> Outcome:
    """One verdict by one person on one answer: coded dimensions, verdict, stars, person; no text."""
    return _facts_of(pipeline, [day])[day]


@weekly(
    tables.PROMPT_CLUSTERS,
    group=GROUP,
    after=["text_signatures"],
    carries={"text_signatures": ("prompt_hash",)},
)
def prompt_clusters(pipeline: Pipeline, week: date) -> Outcome:
    """One distinct prompt of the training window that ends with the week, and the group of duplicates it is in."""
    days_seen = window(week, pipeline.settings.training_weeks)
    signed = pipeline.frames.scan(tables.TEXT_SIGNATURES, days_seen)
    rows = clusters.prompt_clusters(signed, last_day=days_seen[-1])
    repeated = rows.filter(pl.col("cluster_answers") > 1)
    return Outcome(rows, numbers={"clusters": rows["cluster_id"].n_unique(), "repeated_prompts": repeated.height})


@weekly(
    tables.PAIR_CLUSTERS,
    group=GROUP,
    after=["text_signatures"],
    carries={"text_signatures": ("pair_hash",)},
)
def pair_clusters(pipeline: Pipeline, week: date) -> Outcome:
    """One distinct prompt and answer of the training window that ends with the week, and the group of duplicates they
    are in."""
    days_seen = window(week, pipeline.settings.training_weeks)
    signed = pipeline.frames.scan(tables.TEXT_SIGNATURES, days_seen)
    rows = clusters.pair_clusters(signed, last_day=days_seen[-1])
    repeated = rows.filter(pl.col("cluster_answers") > 1)
    return Outcome(rows, numbers={"clusters": rows["cluster_id"].n_unique(), "repeated_pairs": repeated.height})


@weekly(
    tables.RATER_TRUST,
    group=GROUP,
    after=["clean_feedback", "prompt_clusters", "text_signatures"],
    code_version="3",
    carries={"clean_feedback": ("tenant", "voter")},
)
def rater_trust(pipeline: Pipeline, week: date) -> Outcome:
    """One voter of the last four weeks and how far their votes may move a training file: 0.1–1, with the reasons.
    Voting one way alone lowers nobody's trust; speed, copied comments, brigades and contradicting everybody do."""
    days_seen, week_before = window(week, TRUST_WEEKS), [week - timedelta(weeks=1)]
    grouped = pipeline.frames.scan(tables.PROMPT_CLUSTERS, [week]).select("prompt_hash", "cluster_id")
    signed = pipeline.frames.scan(tables.TEXT_SIGNATURES, days_seen).select("interaction_id", "prompt_hash")
    earlier = pipeline.frames.read(tables.RATER_TRUST, week_before)
    labels = audits.read_labels(pipeline.database).filter(pl.col("criterion") == OVERALL)
    audited = consensus.decided_by_audit(labels)
    rows = trust.rater_trust(
        pipeline.frames.scan(tables.CLEAN_FEEDBACK, days_seen).select(trust.READS).collect(),
        clusters=signed.join(grouped, on="prompt_hash").select("interaction_id", "cluster_id").collect(),
        first_seen=None if earlier.is_empty() else earlier.select("tenant", "voter", "first_seen"),
        audited=audited,
    )
    trusted_less = int((rows["weight"] < 0.9).sum())
    return Outcome(rows, numbers={"voters": rows.height, "trusted_less": trusted_less, "audited": audited.height})


@weekly(
    tables.CONFLICTING_ANSWERS,
    group=GROUP,
    after=["clean_feedback", "rater_trust"],
    carries={"clean_feedback": ("tenant", "interaction_id")},
)
def conflicting_answers(pipeline: Pipeline, week: date) -> Outcome:
    """One answer of the week on which people disagree, and whether the votes decide it; undecided ones are set
    aside."""
    weights = pipeline.frames.read(tables.RATER_TRUST, [week - timedelta(weeks=1)])
    votes = pipeline.frames.scan(tables.CLEAN_FEEDBACK, days_of(week)).select(conflicts.READS).collect()
    rows = conflicts.conflicting_answers(votes, None if weights.is_empty() else weights)
    return Outcome(rows, numbers={"undecided": int((~rows["decided"]).sum())})


class _LeakScan:
    """Counts structured identifiers left in the text columns of the frames that pass."""

    def __init__(self, table: Table) -> None:
        self._columns = table.text_columns
        self._found: dict[str, int] = {}
        self.texts = 0

    @classmethod
    def of_days(cls, table: Table, frames: Mapping[date, pl.DataFrame]) -> "dict[date, _LeakScan]":
        """A scan of each day: where nothing is left in all of them together, nothing is in one."""
        leaking = leaks_in(pl.concat(frames.values()), table.text_columns, JSON_COLUMNS)
        scans = {day: cls(table) for day in frames}
        for day, frame in frames.items():
            scans[day]._take(frame, leaks_in(frame, table.text_columns, JSON_COLUMNS) if leaking else {})
        return scans

    def watch(self, frame: pl.DataFrame) -> pl.DataFrame:
        self._take(frame, leaks_in(frame, self._columns, JSON_COLUMNS))
        return frame

    def _take(self, frame: pl.DataFrame, found: Mapping[str, int]) -> None:
        self.texts += sum(frame.height - frame[column].null_count() for column in self._columns)
        for kind, count in found.items():
            self._found[kind] = self._found.get(kind, 0) + count

    def check(self) -> Check:
        # a scan that finds nothing says something only where it finds what was planted
        missed = missed_canaries()
        found = ", ".join(f"{count} {kind}" for kind, count in sorted(self._found.items()))
        numbers = {"texts": self.texts, "canaries_missed": sum(missed.values()), **self._found}
        return Check("no_personal_data", not self._found and not missed, numbers, found or "none")


class _Events:
    """What the frames of a day's events hold, counted while they pass: those read, and those kept."""

    def __init__(self) -> None:
        self._states: list[pl.DataFrame] = []
        self._voters: list[pl.Series] = []
        self.clean = self.up = self.down = 0

    def watch(self, raw: pl.DataFrame) -> pl.DataFrame:
        self._states.append(raw.select("state"))
        return raw

    def keep(self, clean: pl.DataFrame) -> pl.DataFrame:
        verdicts = clean.filter("counts")["verdict"]
        self.clean += clean.height
        self.up += int((verdicts == "up").sum())
        self.down += int((verdicts == "down").sum())
        self._voters.append(clean["voter"].unique())
        return clean

    @property
    def states(self) -> pl.DataFrame:
        """The state of every event read."""
        return pl.concat(self._states)

    @property
    def people(self) -> int:
        """Voters of the events kept."""
        return pl.concat(self._voters).n_unique() if self._voters else 0


@dataclass(frozen=True)
class _Account:
    """What is told of a day of feedback when its events have passed."""

    delivered: int
    refusals: pl.DataFrame
    events: _Events
    scan: _LeakScan
    policy: VerdictPolicy
    after_seal: int = 0

    def outcome(self, rows: pl.DataFrame | Iterator[pl.DataFrame]) -> Outcome:
        return Outcome(rows, numbers=self._numbers, checks=self._checks)

    def _conservation(self) -> days.Conservation:
        events = self.events
        return days.account(self.delivered, events.states, self.refusals, events.clean, after_seal=self.after_seal)

    def _numbers(self) -> dict[str, Any]:
        judged = self.events.up + self.events.down
        return {
            "delivered": self.delivered,
            **self._conservation().parts,
            "people": self.events.people,
            "approval": self.events.up / judged if judged else None,
            "verdict_policy": self.policy.fingerprint,
        }

    def _checks(self, _: Written | None) -> list[Check]:
        found = self._conservation()
        told = {"delivered": found.delivered, **found.parts, "missing": found.missing}
        return [Check("conservation", found.missing == 0, told, found.described()), self.scan.check()]


def declarations() -> Iterator[object]:
    """The assets of this stage, in the order the data flows."""
    yield from (clean_interactions, clean_feedback, quarantined_feedback, text_signatures, vote_facts)
    yield from (prompt_clusters, pair_clusters, rater_trust, conflicting_answers)
