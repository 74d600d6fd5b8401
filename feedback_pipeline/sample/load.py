"""Sample feedback into the store, through the intake of all: redacted, pseudonymised, refused rows counted."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from shutil import copyfile
from typing import Any

import orjson
import polars as pl
import sqlalchemy as sa

from feedback_pipeline.ingest.importing import import_sources
from feedback_pipeline.ingest.intake import PrivacyRules
from feedback_pipeline.ingest.sources import load_sources
from feedback_pipeline.privacy.pseudonyms import Pseudonymiser
from feedback_pipeline.privacy.redaction import redact_frame
from feedback_pipeline.sample.batches import SampleBatch, generate
from feedback_pipeline.sample.rows import SOURCE
from feedback_pipeline.sample.truth import truth
from feedback_pipeline.store import bulk
from feedback_pipeline.store.bulk import Batch, Filed, Progress
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.rows import INCOMING_FEEDBACK, INCOMING_INTERACTION, INCOMING_REFUSAL, derived_id
from feedback_pipeline.tables.schema import Table

JSON_COLUMNS = ("messages", "content_snapshot", "metadata")
PEOPLE = ("user_key", "session_key")
BAD_ROWS = Path(__file__).parent / "bad_rows.yaml"


@dataclass(frozen=True)
class LoadedSample:
    """What a sample put into the store.

    Attributes:
        filed: rows that were new.
        refused: bad rows that were refused, as planted.
        truth_file: the JSON file that says what was planted.
    """

    filed: Filed
    refused: int
    truth_file: Path


def load_sample(
    database: Database,
    pseudonymiser: Pseudonymiser,
    home: Path,
    *,
    votes: int,
    weeks: int,
    seed: int,
    end: date,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> LoadedSample:
    """Generates a sample and files it; loading the same sample again, or going on after a kill, adds what is missing.

    A sample is anchored once: on a later day the same votes, weeks and seed mean the rows that are there already.

    Args:
        database: the store.
        pseudonymiser: replaces people and sessions.
        home: the truth, and the file of bad rows, go to its `sample` folder.
        votes: as `generate` takes them, like weeks, seed and end.
        weeks: see votes.
        seed: see votes.
        end: the last day it may reach, for its first loading; it stops on a Sunday.
        on_progress: takes events filed and events to expect in all.
    """
    privacy = PrivacyRules(redact=redact_frame, pseudonyms=pseudonymiser.pseudonyms)
    end = _anchor(database, f"{votes}-{weeks}-{seed}-", end)
    planted = truth(votes, weeks, seed, end)
    name = f"{votes}-{weeks}-{seed}-{end}"
    folder = home / "sample" / name
    folder.mkdir(parents=True, exist_ok=True)
    truth_file = folder / "truth.json"
    truth_file.write_bytes(orjson.dumps(planted, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
    _keep_policies(database, planted["policies"], pseudonymiser)
    done_before, finished = bulk.progress_of(database, SOURCE, name)
    if finished:
        return LoadedSample(Filed(), 0, truth_file)
    filed, bad, number, waiting = Filed(), [], -1, None
    with ThreadPoolExecutor(max_workers=1) as filer:  # while the store takes a batch, the next one is made
        for number, batch in enumerate(generate(votes, weeks, seed, end)):
            bad.append(batch.bad_rows)
            if number >= done_before:
                private = _private(batch, privacy)
                filed += waiting.result() if waiting else Filed()
                waiting = filer.submit(_file, database, private, number, _progress(name, number + 1))
            on_progress(filed.feedback, planted["counts"]["feedback_events"])
        filed += waiting.result() if waiting else Filed()
    on_progress(filed.feedback, planted["counts"]["feedback_events"])
    refused = _import_bad_rows(database, pl.concat(bad), folder, privacy, home)
    bulk.file_batch(database, Batch(), _progress(name, number + 1, finished=True))
    return LoadedSample(filed, refused, truth_file)


def _anchor(database: Database, name: str, end: date) -> date:
    """The end that this sample was first loaded with; `end` where it was not."""
    with database.engine.begin() as connection:
        known = connection.execute(_FIRST_LOADED, {"source": SOURCE, "name": name}).scalar_one_or_none()
    return date.fromisoformat(known.removeprefix(name)) if known else end


_FIRST_LOADED = sa.text(
    "SELECT min(fingerprint) FROM import_progress WHERE source = :source AND starts_with(fingerprint, :name)"
)


def _progress(name: str, batches: int, *, finished: bool = False) -> Progress:
    return Progress(SOURCE, name, batches, finished)


def _import_bad_rows(database: Database, rows: pl.DataFrame, folder: Path, privacy: PrivacyRules, home: Path) -> int:
    """Delivers the bad rows as a file, the way a user would; returns how many were refused."""
    rows.write_csv(folder / "bad-rows.csv")
    copyfile(BAD_ROWS, folder / BAD_ROWS.name)
    summary = import_sources(database, load_sources(folder / BAD_ROWS.name), privacy, home)
    return summary.refused


_TENANT = sa.text(
    "INSERT INTO tenant (name, use_for_analysis, use_for_training)"
    " VALUES (:name, :use_for_analysis, :use_for_training)"
    " ON CONFLICT (name) DO UPDATE SET use_for_analysis = excluded.use_for_analysis,"
    " use_for_training = excluded.use_for_training"
)
_OPT_OUT = sa.text(
    "INSERT INTO consent (tenant, user_key, use_for_analysis, use_for_training)"
    " VALUES (:tenant, :user_key, false, false)"
    " ON CONFLICT (tenant, user_key) DO NOTHING"
)


def _keep_policies(database: Database, policies: dict[str, Any], pseudonymiser: Pseudonymiser) -> None:
    """What tenants allow and people opted out of, before their rows come."""
    tenants: dict[str, dict[str, bool]] = policies["tenants"]
    opted_out = [
        {"tenant": tenant, "user_key": pseudonymiser.pseudonym(tenant, person)}
        for tenant in tenants
        for person in policies["opted_out"]
    ]
    with database.engine.begin() as connection:
        connection.execute(_TENANT, [{"name": name, **policy} for name, policy in tenants.items()])
        if opted_out:
            connection.execute(_OPT_OUT, opted_out)


def _private(batch: SampleBatch, privacy: PrivacyRules) -> Batch:
    """A batch as it may be stored: no identifiers in texts, pseudonyms for people."""
    interactions = _redacted(batch.interactions, INCOMING_INTERACTION, privacy)
    feedback = _redacted(batch.feedback, INCOMING_FEEDBACK, privacy)
    # together: who asked and who voted are mostly the same people
    columns = [(frame["tenant"], frame[name]) for frame in (interactions, feedback) for name in PEOPLE]
    named = privacy.pseudonyms(pl.concat([tenants for tenants, _ in columns]), pl.concat([who for _, who in columns]))
    asked, voted = named.head(2 * interactions.height), named.tail(2 * feedback.height)
    return Batch(_with_people(interactions, asked), batch.keys, _with_people(feedback, voted))


def _with_people(rows: pl.DataFrame, pseudonyms: pl.Series) -> pl.DataFrame:
    users, sessions = pseudonyms.head(rows.height), pseudonyms.tail(rows.height)
    return rows.with_columns(user_key=users, session_key=sessions)


def _file(database: Database, batch: Batch, number: int, progress: Progress) -> Filed:
    """Files a batch; events that were delivered before (in it, or in one the store holds) are refused as repeats."""
    if batch.feedback is None:
        return bulk.file_batch(database, batch, progress)
    feedback = batch.feedback.with_row_index("_row")
    known = bulk.known_feedback(database, feedback["id"])
    repeated = pl.Series(feedback["id"].is_in(known.implode())) | ~feedback["id"].is_first_distinct()
    once = replace(
        batch,
        feedback=feedback.filter(~repeated).drop("_row"),
        refusals=_repeats(feedback.filter(repeated), number),
    )
    return bulk.file_batch(database, once, progress)


def _redacted(rows: pl.DataFrame, table: Table, privacy: PrivacyRules) -> pl.DataFrame:
    plain = [name for name in table.text_columns if name not in JSON_COLUMNS]
    structured = [name for name in table.text_columns if name in JSON_COLUMNS]
    return privacy.redact(rows, plain, structured).frame


def _repeats(rows: pl.DataFrame, number: int) -> pl.DataFrame:
    if rows.is_empty():
        return INCOMING_REFUSAL.empty()
    places = [f"{SOURCE} batch {number} row {row}" for row in rows["_row"]]
    return INCOMING_REFUSAL.conform(
        rows.select("tenant", day=pl.min_horizontal("occurred_at", "received_at").dt.date()).with_columns(
            id=pl.Series([derived_id("", SOURCE, place) for place in places]),
            category=pl.lit("duplicate"),
            source=pl.lit(SOURCE),
            place=pl.Series(places),
            field=pl.lit(None, pl.String),
            reason=pl.lit("repeated_delivery"),
            payload=pl.lit(None, pl.String),
        )
    )
