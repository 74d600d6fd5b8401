"""What `feedback doctor` looks at: settings, storage, database, migrations, sources, keys."""

import shutil
from dataclasses import dataclass
from typing import Literal
from uuid import uuid4

import psycopg

from feedback_pipeline.settings import Settings, without_password
from feedback_pipeline.store import database, embedded

LOW_DISK_BYTES = 1_000_000_000


@dataclass(frozen=True)
class Finding:
    """One thing looked at: how it is, and what to do about it."""

    what: str
    level: Literal["ok", "warn", "error"]
    found: str
    advice: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Everything a user may have to put right before the loop runs."""
    return [
        _home(settings),
        _disk(settings),
        *_database(settings),
        _data(settings),
        _sources(settings),
        _verdicts(settings),
        _judge(settings),
    ]


def _home(settings: Settings) -> Finding:
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        probe = settings.home / f".probe-{uuid4().hex}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        return Finding(
            "home", "error", f"{settings.home}: {error.strerror}", "set FEEDBACK_HOME to a folder you can write"
        )
    return Finding("home", "ok", str(settings.home))


def _disk(settings: Settings) -> Finding:
    place = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free = shutil.disk_usage(place).free
    if free < LOW_DISK_BYTES:
        return Finding("disk", "warn", f"{free / 1e9:.1f} GB free", "a million votes take about 2 GB; make room")
    return Finding("disk", "ok", f"{free / 1e9:.0f} GB free")


def _database(settings: Settings) -> list[Finding]:
    try:
        opened = database.open_database(settings)
        with psycopg.connect(opened.address(), connect_timeout=10) as connection:
            version = connection.info.server_version // 10_000
            rows = connection.execute(
                "SELECT relname, reltuples::bigint FROM pg_class WHERE relname IN ('interaction', 'feedback')"
            ).fetchall()
    except (database.DatabaseError, embedded.EmbeddedPostgresError, psycopg.Error) as error:
        return [Finding("database", "error", str(error).split("\n")[0], "see docs/database.md")]
    place = "embedded" if settings.database_url is None else without_password(settings.database_url)
    counts = ", ".join(f"about {max(count, 0):,} {name}" for name, count in sorted(rows))
    return [
        Finding("database", "ok", f"PostgreSQL {version}, {place}; {counts}"),
        Finding("migrations", "ok", f"at revision {database.schema_revision(opened)}"),
    ]


def _data(settings: Settings) -> Finding:
    from feedback_pipeline.tables.parquet import ParquetFolder, remove_file, replaced_file

    folder = ParquetFolder(settings.data_url)
    probe = folder.root / f".probe-{uuid4().hex}"
    try:
        with replaced_file(probe) as file:
            file.write(b"probe")
        remove_file(probe)
    except (OSError, ImportError) as error:
        return Finding("data", "error", f"{settings.data_url}: {error}", "set FEEDBACK_DATA_URL to a folder or bucket")
    return Finding("data", "ok", settings.data_url)


def _sources(settings: Settings) -> Finding:
    if not settings.sources_file.exists():
        return Finding("sources", "warn", f"{settings.sources_file} is not there", "copy examples/sources.yaml")
    from feedback_pipeline.ingest.documents import SourcesError
    from feedback_pipeline.ingest.sources import load_sources

    try:
        sources = load_sources(settings.sources_file)
    except SourcesError as error:
        return Finding("sources", "error", str(error), "see docs/sources.md")
    return Finding("sources", "ok", f"{len(sources)} in {settings.sources_file}")


def _verdicts(settings: Settings) -> Finding:
    if settings.verdicts_file is None:
        return Finding("verdicts", "ok", "the mapping that comes with the project")
    from feedback_pipeline.cleaning.verdicts import PolicyError, read_policy

    try:
        policy = read_policy(settings.verdicts_file)
    except PolicyError as error:
        return Finding("verdicts", "error", str(error), "see docs/verdicts.md, or unset FEEDBACK_VERDICTS")
    return Finding("verdicts", "ok", f"{settings.verdicts_file}, policy {policy.fingerprint}")


def _judge(settings: Settings) -> Finding:
    if settings.model_key:
        return Finding("judge", "ok", "an OpenAI-compatible key is set")
    return Finding("judge", "ok", "no key: answers are judged by a local classifier trained on earlier votes")
