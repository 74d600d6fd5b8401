"""Every setting of the project, read from the environment in one place.

Nothing else looks at `os.environ`. A setting that is missing has a default that works on one machine; a setting that
is wrong is an error that names the variable, what it held and what it takes.
"""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Executor = Literal["in_process", "multiprocess"]
Environment = Literal["development", "production"]
TuningProvider = Literal["dry_run", "openai", "local"]
TuningMethod = Literal["supervised", "preference"]
TuningApproval = Literal["required", "not_required"]

DEFAULT_START = "2025-01-06"
OPENAI_URL = "https://api.openai.com/v1"
DEFAULT_SUGGESTION_MODEL = "gpt-6-luna"
DEFAULT_TUNING_MODEL = "gpt-4.1-mini"


class SettingsError(ValueError):
    """An environment variable holds something it cannot hold."""


@dataclass(frozen=True)
class Settings:
    """The configuration of one process.

    Attributes:
        home: folder for everything the project writes on this machine (`FEEDBACK_HOME`, default `.feedback`).
        database_url: PostgreSQL to use (`FEEDBACK_DATABASE_URL`, else `POSTGRES_HOST` …); None runs an embedded one.
        data_url: folder or bucket for Parquet, reports and training files (`FEEDBACK_DATA_URL`).
        sources_file: what to import (`FEEDBACK_SOURCES`).
        timezone: zone that days and weeks are cut in (`FEEDBACK_TIMEZONE`); fixed by the first migration.
        start: first day of the first partition, a Monday (`FEEDBACK_START`).
        lateness_days: days after its end at which a week closes (`FEEDBACK_LATENESS`).
        executor: how the steps of one run are run (`FEEDBACK_EXECUTOR`).
        environment: production refuses what development makes up (`FEEDBACK_ENV`).
        keep_raw: keep unredacted originals in PostgreSQL (`FEEDBACK_KEEP_RAW`).
        automation: sensors and schedules run from the first start (`FEEDBACK_AUTOMATION`).
        approval_target: approval rate below which people are told (`FEEDBACK_APPROVAL_TARGET`).
        training_weeks: length of the rolling window of training data, weeks (`FEEDBACK_TRAINING_WEEKS`).
        raw_text_days: days that prompt and answer text is kept; older days are sealed (`FEEDBACK_RAW_TEXT_DAYS`).
        judge_sample_size: answers judged a week (`FEEDBACK_JUDGE_SAMPLE`).
        judge_model: the model that judges beside the local classifier (`FEEDBACK_JUDGE_MODEL`); None for none.
        judge_url: OpenAI-compatible endpoint that serves it (`FEEDBACK_JUDGE_BASE_URL`, else `OPENAI_BASE_URL`); its
            key is `model_key`.
        judge_cost_cap_usd: US dollars that judging one week may cost in all its runs (`FEEDBACK_JUDGE_COST_CAP`).
        judge_prices_file: what models cost (`FEEDBACK_JUDGE_PRICES`, in the form of `judging/prices.yaml`); None for
            the file that comes with the project.
        audit_size: answers of a week that people are asked to judge at random (`FEEDBACK_AUDIT_SAMPLE`).
        alert_webhook: Slack-compatible webhook that incidents and the weekly digest go to (`FEEDBACK_ALERT_WEBHOOK`).
        smtp_url: mail server for the same (`FEEDBACK_SMTP_URL`: `smtp://user:password@host:587`, `smtps://…`).
        mail_from: sender of these mails (`FEEDBACK_MAIL_FROM`).
        mail_to: who gets them (`FEEDBACK_MAIL_TO`, separated by commas); required with a mail server.
        model_url: OpenAI-compatible endpoint that suggestions are asked of (`OPENAI_BASE_URL`).
        model_key: its key (`OPENAI_API_KEY`); without one suggestions come from rules.
        suggestion_model: the model that is asked (`FEEDBACK_SUGGESTION_MODEL`).
        tuning_enabled: fine-tunes may start by themselves: a provider was named (`FEEDBACK_TUNING_PROVIDER` is set).
        tuning_provider: who trains (`FEEDBACK_TUNING_PROVIDER`); a dry run sends nothing.
        tuning_url: endpoint of an OpenAI-compatible provider, which also serves what it trained; of a local trainer,
            where its models are served (`FEEDBACK_TUNING_BASE_URL`); its key is `model_key`.
        tuning_model: base model (`FEEDBACK_TUNING_MODEL`).
        tuning_method: `supervised` or `preference` (`FEEDBACK_TUNING_METHOD`).
        tuning_command: command of a local trainer (`FEEDBACK_TUNING_COMMAND`, split like a shell does).
        tuning_budget_usd: US dollars that fine-tunes may cost in a calendar month (`FEEDBACK_TUNING_BUDGET`).
        tuning_cooldown_days: least days between two fine-tunes (`FEEDBACK_TUNING_COOLDOWN`).
        tuning_least_examples: approved examples a fine-tune needs (`FEEDBACK_TUNING_EXAMPLES`).
        tuning_approval: a person must approve the dataset before it is uploaded (`FEEDBACK_TUNING_APPROVAL`); a model
            is never promoted without one.
        tuning_prices_file: what training costs (`FEEDBACK_TUNING_PRICES`, in the form of `training/prices.yaml`); None
            for the file that comes with the project.
    """

    home: Path
    database_url: str | None
    data_url: str
    sources_file: Path
    timezone: str
    start: date
    lateness_days: int
    executor: Executor
    environment: Environment
    keep_raw: bool
    automation: bool
    approval_target: float
    training_weeks: int
    raw_text_days: int
    judge_sample_size: int
    judge_model: str | None
    judge_url: str
    judge_cost_cap_usd: float
    judge_prices_file: Path | None
    audit_size: int
    alert_webhook: str | None = field(repr=False)
    smtp_url: str | None = field(repr=False)
    mail_from: str
    mail_to: tuple[str, ...]
    model_url: str
    model_key: str | None = field(repr=False)
    suggestion_model: str
    tuning_enabled: bool
    tuning_provider: TuningProvider
    tuning_url: str | None
    tuning_model: str
    tuning_method: TuningMethod
    tuning_command: tuple[str, ...]
    tuning_budget_usd: float
    tuning_cooldown_days: int
    tuning_least_examples: int
    tuning_approval: TuningApproval
    tuning_prices_file: Path | None

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def dagster_home(self) -> Path:
        return self.home / "dagster"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Reads the settings.

        Raises:
            SettingsError: a variable is malformed; the message names it and what it takes.
        """
        env = os.environ if environment is None else environment
        mail_to = tuple(filter(None, (address.strip() for address in (env.get("FEEDBACK_MAIL_TO") or "").split(","))))
        home = Path(env.get("FEEDBACK_HOME") or project_root() / ".feedback").expanduser().absolute()
        return cls(
            home=home,
            database_url=_database_url(env),
            data_url=env.get("FEEDBACK_DATA_URL") or str(home / "data"),
            sources_file=Path(env.get("FEEDBACK_SOURCES") or project_root() / "sources.yaml").expanduser().absolute(),
            timezone=_timezone(env.get("FEEDBACK_TIMEZONE") or "UTC"),
            start=_monday("FEEDBACK_START", env.get("FEEDBACK_START") or DEFAULT_START),
            lateness_days=_whole("FEEDBACK_LATENESS", env.get("FEEDBACK_LATENESS") or "3", low=0),
            executor=_choice("FEEDBACK_EXECUTOR", env.get("FEEDBACK_EXECUTOR") or "in_process", Executor),
            environment=_choice("FEEDBACK_ENV", env.get("FEEDBACK_ENV") or "development", Environment),
            keep_raw=_switch("FEEDBACK_KEEP_RAW", env.get("FEEDBACK_KEEP_RAW") or "0"),
            automation=_switch("FEEDBACK_AUTOMATION", env.get("FEEDBACK_AUTOMATION") or "0"),
            approval_target=_share("FEEDBACK_APPROVAL_TARGET", env.get("FEEDBACK_APPROVAL_TARGET") or "0.8"),
            training_weeks=_whole("FEEDBACK_TRAINING_WEEKS", env.get("FEEDBACK_TRAINING_WEEKS") or "12", low=1),
            raw_text_days=_whole("FEEDBACK_RAW_TEXT_DAYS", env.get("FEEDBACK_RAW_TEXT_DAYS") or "90", low=1),
            judge_sample_size=_whole("FEEDBACK_JUDGE_SAMPLE", env.get("FEEDBACK_JUDGE_SAMPLE") or "2000", low=0),
            judge_model=env.get("FEEDBACK_JUDGE_MODEL") or None,
            judge_url=_url("FEEDBACK_JUDGE_BASE_URL", env.get("FEEDBACK_JUDGE_BASE_URL"), ("https", "http"))
            or _url("OPENAI_BASE_URL", env.get("OPENAI_BASE_URL"), ("https", "http"))
            or OPENAI_URL,
            judge_cost_cap_usd=_dollars("FEEDBACK_JUDGE_COST_CAP", env.get("FEEDBACK_JUDGE_COST_CAP") or "1"),
            judge_prices_file=_path(env.get("FEEDBACK_JUDGE_PRICES")),
            audit_size=_whole("FEEDBACK_AUDIT_SAMPLE", env.get("FEEDBACK_AUDIT_SAMPLE") or "100", low=0),
            alert_webhook=_url("FEEDBACK_ALERT_WEBHOOK", env.get("FEEDBACK_ALERT_WEBHOOK"), ("https", "http")),
            smtp_url=_mail_server(env.get("FEEDBACK_SMTP_URL"), mail_to),
            mail_from=env.get("FEEDBACK_MAIL_FROM") or "feedback-pipeline@localhost",
            mail_to=mail_to,
            model_url=_url("OPENAI_BASE_URL", env.get("OPENAI_BASE_URL"), ("https", "http")) or OPENAI_URL,
            model_key=env.get("OPENAI_API_KEY") or None,
            suggestion_model=env.get("FEEDBACK_SUGGESTION_MODEL") or DEFAULT_SUGGESTION_MODEL,
            tuning_enabled=bool(env.get("FEEDBACK_TUNING_PROVIDER")),
            tuning_provider=_choice(
                "FEEDBACK_TUNING_PROVIDER", env.get("FEEDBACK_TUNING_PROVIDER") or "dry_run", TuningProvider
            ),
            tuning_url=_url("FEEDBACK_TUNING_BASE_URL", env.get("FEEDBACK_TUNING_BASE_URL"), ("https", "http")),
            tuning_model=env.get("FEEDBACK_TUNING_MODEL") or DEFAULT_TUNING_MODEL,
            tuning_method=_choice(
                "FEEDBACK_TUNING_METHOD", env.get("FEEDBACK_TUNING_METHOD") or "supervised", TuningMethod
            ),
            tuning_command=tuple(shlex.split(env.get("FEEDBACK_TUNING_COMMAND") or "")),
            tuning_budget_usd=_dollars("FEEDBACK_TUNING_BUDGET", env.get("FEEDBACK_TUNING_BUDGET") or "0"),
            tuning_cooldown_days=_whole("FEEDBACK_TUNING_COOLDOWN", env.get("FEEDBACK_TUNING_COOLDOWN") or "7", low=0),
            tuning_least_examples=_whole(
                "FEEDBACK_TUNING_EXAMPLES", env.get("FEEDBACK_TUNING_EXAMPLES") or "500", low=10
            ),
            tuning_approval=_choice(
                "FEEDBACK_TUNING_APPROVAL", env.get("FEEDBACK_TUNING_APPROVAL") or "required", TuningApproval
            ),
            tuning_prices_file=_path(env.get("FEEDBACK_TUNING_PRICES")),
        )

    def described(self) -> dict[str, str]:
        """The settings as text for people, without passwords, keys and secret addresses."""
        shown = {one.name: str(getattr(self, one.name)) if one.repr else "set" for one in fields(self)}
        shown |= {name: "not set" for name, text in shown.items() if text == "set" and getattr(self, name) is None}
        if self.database_url:
            shown["database_url"] = without_password(self.database_url)
        return shown


def project_root() -> Path:
    """The checkout, or the working folder where the package is installed without one."""
    checkout = Path(__file__).resolve().parent.parent
    return checkout if (checkout / "workspace.yaml").exists() else Path.cwd()


def without_password(url: str) -> str:
    """A database URL that may be shown."""
    scheme, _, rest = url.partition("://")
    credentials, at, place = rest.rpartition("@")
    user, colon, _ = credentials.partition(":")
    return f"{scheme}://{user}{':…' if colon else ''}{at}{place}"


def _database_url(env: Mapping[str, str]) -> str | None:
    if url := env.get("FEEDBACK_DATABASE_URL"):
        scheme = url.partition("://")[0].partition("+")[0]
        if scheme not in {"postgres", "postgresql"}:
            raise SettingsError(
                f"FEEDBACK_DATABASE_URL starts with {scheme}://, expected postgresql://user:password@host:port/database"
            )
        return "postgresql://" + url.partition("://")[2]
    if host := env.get("POSTGRES_HOST"):
        user, password = env.get("POSTGRES_USER") or "postgres", env.get("POSTGRES_PASSWORD") or ""
        port, database = env.get("POSTGRES_PORT") or "5432", env.get("POSTGRES_DB") or "feedback"
        secret = f":{quote(password, safe='')}" if password else ""
        return f"postgresql://{quote(user, safe='')}{secret}@{host}:{port}/{database}"
    return None


def _url(name: str, text: str | None, schemes: tuple[str, ...]) -> str | None:
    """The address, which may hold a secret and is therefore never quoted."""
    if not text:
        return None
    scheme, separator, place = text.partition("://")
    if not separator or scheme not in schemes or not place.strip("/"):
        expected = " or ".join(f"{allowed}://…" for allowed in schemes)
        raise SettingsError(f"{name} is not an address that starts with {expected}")
    return text


def _mail_server(text: str | None, recipients: tuple[str, ...]) -> str | None:
    url = _url("FEEDBACK_SMTP_URL", text, ("smtp", "smtps"))
    if url is not None and not recipients:
        raise SettingsError("FEEDBACK_SMTP_URL is set, but FEEDBACK_MAIL_TO names nobody to write to")
    return url


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingsError(f"FEEDBACK_TIMEZONE is {name!r}, not an IANA zone such as Europe/Berlin") from error
    return name


def _monday(name: str, text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"{name} is {text!r}, expected a date such as {DEFAULT_START}") from error
    if day.weekday() != 0:
        raise SettingsError(f"{name} is {text}, a {day:%A}; weeks start on Monday, so it must be one")
    return day


def _whole(name: str, text: str, low: int) -> int:
    if not text.isdecimal() or int(text) < low:
        raise SettingsError(f"{name} is {text!r}, expected a whole number of at least {low}")
    return int(text)


def _share(name: str, text: str) -> float:
    try:
        share = float(text)
    except ValueError as error:
        raise SettingsError(f"{name} is {text!r}, expected a number between 0 and 1") from error
    if not 0 < share < 1:
        raise SettingsError(f"{name} is {text}, expected a number between 0 and 1")
    return share


def _dollars(name: str, text: str) -> float:
    try:
        amount = float(text)
    except ValueError as error:
        raise SettingsError(f"{name} is {text!r}, expected US dollars such as 2.50") from error
    if not 0 <= amount < float("inf"):
        raise SettingsError(f"{name} is {text}, expected US dollars of at least 0")
    return amount


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser().absolute() if text else None


def _switch(name: str, text: str) -> bool:
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off"}:
        return False
    raise SettingsError(f"{name} is {text!r}, expected 1 or 0")


def _choice(name: str, text: str, choices: object) -> "Literal":  # type: ignore[valid-type]
    allowed = get_args(choices)
    if text not in allowed:
        raise SettingsError(f"{name} is {text!r}, expected one of {', '.join(allowed)}")
    return text
