"""Where things are kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from feedback_pipeline.environment import Derived, SettingsError, setting, share, text_of


def project_root() -> Path:
    """The checkout, or the working folder where the package is installed without one."""
    checkout = Path(__file__).resolve().parents[2]
    return checkout if (checkout / "workspace.yaml").exists() else Path.cwd()


def _folder(name: str, text: str) -> Path:
    """a path"""
    return Path(text).expanduser().absolute()


def _database_url(name: str, url: str) -> str:
    """an address, postgresql://…"""
    scheme = url.partition("://")[0].partition("+")[0]
    if scheme not in {"postgres", "postgresql"}:
        raise SettingsError(f"{name} starts with {scheme}://, expected postgresql://user:password@host:port/database")
    return "postgresql://" + url.partition("://")[2]


def _database_of_parts(env: Mapping[str, str], _: dict[str, Any]) -> str | None:
    """The database as older deployments name it."""
    if not (host := env.get("POSTGRES_HOST")):
        return None
    user, password = env.get("POSTGRES_USER") or "postgres", text_of(env, "POSTGRES_PASSWORD")[0] or ""
    port, database = env.get("POSTGRES_PORT") or "5432", env.get("POSTGRES_DB") or "feedback"
    secret = f":{quote(password, safe='')}" if password else ""
    return f"postgresql://{quote(user, safe='')}{secret}@{host}:{port}/{database}"


@dataclass(frozen=True)
class StorageSettings:
    """Where things are kept."""

    home: Path = setting(
        "FEEDBACK_HOME",
        Derived(lambda env, _: (project_root() / ".feedback").expanduser().absolute(), ".feedback"),
        "folder for everything the project writes on this machine",
        read=_folder,
    )
    database_url: str | None = setting(
        "FEEDBACK_DATABASE_URL",
        Derived(_database_of_parts, "from POSTGRES_HOST, …; without it an embedded server is run"),
        "PostgreSQL to use: postgresql://user:password@host:port/database",
        read=_database_url,
        secret=True,
    )
    data_url: str = setting(
        "FEEDBACK_DATA_URL",
        Derived(lambda env, values: str(values["home"] / "data"), "data below FEEDBACK_HOME"),
        "folder or bucket (`s3://…`, `gs://…`) for Parquet, reports and training files",
    )
    sources_file: Path = setting(
        "FEEDBACK_SOURCES",
        Derived(lambda env, _: (project_root() / "sources.yaml").absolute(), "sources.yaml"),
        "what to import",
    )
    keep_raw: bool = setting("FEEDBACK_KEEP_RAW", False, "keep unredacted originals in PostgreSQL")
    raw_text_days: int = setting(
        "FEEDBACK_RAW_TEXT_DAYS", 90, "days that prompt and answer text is kept; older days are sealed", low=1
    )
    retention_max_rows: int = setting(
        "FEEDBACK_RETENTION_MAX_ROWS", 1_000_000, "rows that one run of the retention may empty", low=1
    )
    retention_max_share: float = setting(
        "FEEDBACK_RETENTION_MAX_SHARE", 0.1, "share of all rows that one run of the retention may empty", read=share
    )


def without_password(url: str) -> str:
    """A database URL that may be shown."""
    scheme, _, rest = url.partition("://")
    credentials, at, place = rest.rpartition("@")
    user, colon, _ = credentials.partition(":")
    return f"{scheme}://{user}{':…' if colon else ''}{at}{place}"
