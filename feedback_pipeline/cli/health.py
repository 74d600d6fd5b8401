"""What `feedback doctor` looks at: settings, keys, extras, storage, database, migrations, sources."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import uuid4

import psycopg

from feedback_pipeline import extras
from feedback_pipeline.settings import Settings, without_password
from feedback_pipeline.store import database, embedded
from feedback_pipeline.tables.parquet import is_local, location

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
        *_unknown_variables(settings),
        *_keys(settings),
        *_extras(settings),
        _home(settings),
        _disk(settings),
        *_database(settings),
        _data(settings),
        _sources(settings),
        _verdicts(settings),
        _judge(settings),
    ]


def _unknown_variables(settings: Settings) -> list[Finding]:
    return [
        Finding("settings", "warn", f"{name} is set and means nothing",
                f"did you mean {nearest}?" if nearest else "unset it; docs/settings.md lists every variable")
        for name, nearest in settings.unknown
    ]  # fmt: skip


def _keys(settings: Settings) -> list[Finding]:
    """Whether the keys are there that `serve`, imports and approvals would refuse to start without."""
    from feedback_pipeline.capture.access import signing_keys
    from feedback_pipeline.privacy.pseudonyms import InvalidKeyError, MissingKeyError, Pseudonymiser
    from feedback_pipeline.tuning.signing import ApprovalKeyError, signing_key

    if settings.environment != "production":
        return [Finding("keys", "ok", "made up where missing, as FEEDBACK_ENV is development")]
    openers: list[tuple[str, Callable[[], object]]] = [
        ("pseudonym keys", lambda: Pseudonymiser.open(settings.home, production=True)),
        ("token key", lambda: signing_keys(settings.home, settings.capture.token_key, production=True)),
        ("approval key", lambda: signing_key(settings.home, production=True)),
    ]
    findings = []
    for what, opened in openers:
        try:
            opened()
            findings.append(Finding(what, "ok", "there"))
        except (MissingKeyError, InvalidKeyError, ApprovalKeyError, OSError) as error:
            findings.append(Finding(what, "error", str(error), "see docs/deploy.md"))
    return findings


def _extras(settings: Settings) -> list[Finding]:
    """Extras that the settings ask for and that are not installed."""
    scheme = settings.data_url.partition("://")[0]
    asked = {
        "s3": ("FEEDBACK_DATA_URL", scheme in {"s3", "s3a"}),
        "gcs": ("FEEDBACK_DATA_URL", scheme in {"gs", "gcs"}),
        "names": ("FEEDBACK_NAMES_MODEL", settings.names_model is not None),
        "posthog": ("POSTHOG_API_KEY", settings.capture.posthog_key is not None),
    }
    return [
        Finding("extras", "error", f"{variable} needs the extra {extra}, which is not installed",
                extras.install_command(extra))
        for extra, (variable, wanted) in asked.items()
        if wanted and extras.missing(extra)
    ]  # fmt: skip


def _home(settings: Settings) -> Finding:
    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = settings.home / f".probe-{uuid4().hex}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        return Finding(
            "home", "error", f"{settings.home}: {error.strerror}", "set FEEDBACK_HOME to a folder you can write"
        )
    data = location(settings.data_url)
    # what lies below the home is as closed as the home
    apart = [Path(data.path)] if is_local(data) and settings.home not in Path(data.path).parents else []
    for folder in (settings.home, *apart):
        if folder.exists() and folder.stat().st_mode & 0o077:
            return Finding("home", "warn", f"{folder}: others may read it", f"chmod -R go-rwx '{folder}'")
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
    place = without_password(opened.url)
    if settings.database_url is None:
        place = f"embedded, {place} (password in {settings.home / 'postgres' / 'password'})"
    counts = ", ".join(f"about {max(count, 0):,} {name}" for name, count in sorted(rows))
    return [
        Finding("database", "ok", f"PostgreSQL {version}, {place}; {counts}"),
        Finding(
            "migrations", "ok", f"at revision {database.schema_revision(opened)}, rights of the API's role in place"
        ),
    ]


def _data(settings: Settings) -> Finding:
    from feedback_pipeline.tables.free_space import space_for_writing
    from feedback_pipeline.tables.parquet import location

    try:
        refused = space_for_writing(location(settings.data_url))
    except (ImportError, ValueError) as error:
        refused = f"{settings.data_url}: {error}"
    if refused:
        advice = "make room, or set FEEDBACK_DATA_URL to a folder or bucket that can be written (extras: s3, gcs)"
        return Finding("data", "error", refused, advice)
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
