"""Every setting of the project, read from the environment in one place.

Nothing else looks at `os.environ`. A setting that is missing has a default that works on one machine; a setting that
is wrong is an error that names the variable, what it held and what it takes.
"""

import json
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
JudgeMode = Literal["schema", "probabilities", "decisions"]
TrainingFormat = Literal["azure", "export", "fireworks", "llama_factory", "openai", "promptfoo", "table", "trl"]

DEFAULT_START = "2025-01-06"
DEFAULT_TRAINING_FORMATS = "openai,promptfoo,trl"
OPENAI_URL = "https://api.openai.com/v1"
DEFAULT_SUGGESTION_MODEL = "gpt-6-luna"
DEFAULT_TUNING_MODEL = "gpt-4.1-mini"


class SettingsError(ValueError):
    """An environment variable holds something it cannot hold."""


@dataclass(frozen=True)
class CaptureSettings:
    """How one process of the capture API behaves.

    Attributes:
        token_key: signs browser tokens (`FEEDBACK_TOKEN_KEY`); made up in development where it is missing.
        content_types: kinds of content that may be voted on, any if empty (`FEEDBACK_CONTENT_TYPES`, comma-separated).
        origins: web origins that may call the API from a page (`FEEDBACK_CORS_ORIGINS`, comma-separated).
        reasons: chips offered after a thumbs-down (`FEEDBACK_REASONS`, comma-separated).
        body_bytes: largest request body of one vote (`FEEDBACK_BODY_BYTES`).
        batch_bytes: largest request body of a batch (`FEEDBACK_BATCH_BYTES`).
        snapshot_bytes: largest content snapshot, as JSON (`FEEDBACK_SNAPSHOT_BYTES`).
        key_requests: requests a minute per API key (`FEEDBACK_KEY_REQUESTS`); 0 for no limit.
        address_requests: requests a minute per address without a key (`FEEDBACK_ADDRESS_REQUESTS`); 0 for no limit.
        token_uses: writes one browser token may make (`FEEDBACK_TOKEN_USES`).
        connections: largest number of database connections of a process, at least 2 (`FEEDBACK_CONNECTIONS`).
        trusted_proxies: addresses whose X-Forwarded-For is believed (`FEEDBACK_TRUSTED_PROXIES`).
        posthog_key: PostHog project key (`POSTHOG_API_KEY`); analytics are off without it.
        posthog_host: PostHog address (`POSTHOG_HOST`).
        posthog_survey: survey that the floating button opens (`POSTHOG_SURVEY_ID`).
    """

    token_key: str | None = field(default=None, repr=False)
    content_types: frozenset[str] = frozenset()
    origins: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ("incorrect", "incomplete", "unclear", "too_long", "unsafe")
    body_bytes: int = 512 * 1024
    batch_bytes: int = 32 * 1024 * 1024
    snapshot_bytes: int = 256 * 1024
    key_requests: int = 60_000
    address_requests: int = 600
    token_uses: int = 60
    connections: int = 10
    trusted_proxies: frozenset[str] = frozenset()
    posthog_key: str | None = field(default=None, repr=False)
    posthog_host: str = "https://eu.i.posthog.com"
    posthog_survey: str | None = None

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> "CaptureSettings":
        """Reads the settings; raises SettingsError as `Settings.from_environment` does."""
        default = cls()

        def number(name: str, value: int, low: int = 0) -> int:
            return _whole(name, env.get(name) or str(value), low=low)

        return cls(
            token_key=env.get("FEEDBACK_TOKEN_KEY") or None,
            content_types=frozenset(_list(env, "FEEDBACK_CONTENT_TYPES")),
            origins=_origins(env),
            reasons=_list(env, "FEEDBACK_REASONS") or default.reasons,
            body_bytes=number("FEEDBACK_BODY_BYTES", default.body_bytes),
            batch_bytes=number("FEEDBACK_BATCH_BYTES", default.batch_bytes),
            snapshot_bytes=number("FEEDBACK_SNAPSHOT_BYTES", default.snapshot_bytes),
            key_requests=number("FEEDBACK_KEY_REQUESTS", default.key_requests),
            address_requests=number("FEEDBACK_ADDRESS_REQUESTS", default.address_requests),
            token_uses=number("FEEDBACK_TOKEN_USES", default.token_uses),
            connections=number("FEEDBACK_CONNECTIONS", default.connections, low=2),
            trusted_proxies=frozenset(_list(env, "FEEDBACK_TRUSTED_PROXIES")),
            posthog_key=env.get("POSTHOG_API_KEY") or None,
            posthog_host=env.get("POSTHOG_HOST") or default.posthog_host,
            posthog_survey=env.get("POSTHOG_SURVEY_ID") or None,
        )


@dataclass(frozen=True)
class Settings:
    """The configuration of one process.

    Attributes:
        home: folder for everything the project writes on this machine (`FEEDBACK_HOME`, default `.feedback`).
        database_url: PostgreSQL to use (`FEEDBACK_DATABASE_URL`, else `POSTGRES_HOST` …); None runs an embedded one.
        data_url: folder or bucket for Parquet, reports and training files (`FEEDBACK_DATA_URL`).
        sources_file: what to import (`FEEDBACK_SOURCES`).
        verdicts_file: what each signal says (`FEEDBACK_VERDICTS`, a TOML file as in docs/verdicts.md); None for the
            mapping that comes with the project.
        names_model: model that finds names in what reports quote (`FEEDBACK_NAMES_MODEL`, `language:model`); None for
            none. Needs the extra `names`.
        timezone: zone that days and weeks are cut in (`FEEDBACK_TIMEZONE`); fixed by the first migration.
        start: first day of the first partition, a Monday (`FEEDBACK_START`).
        quiet_seconds: without another change before days and weeks are computed by themselves (`FEEDBACK_QUIET`).
        longest_wait_seconds: after which a day is computed all the same (`FEEDBACK_LONGEST_WAIT`); a week after six
            times as long.
        lateness_days: days after its end at which a week closes (`FEEDBACK_LATENESS`).
        executor: how the steps of one run are run (`FEEDBACK_EXECUTOR`).
        environment: production refuses what development makes up (`FEEDBACK_ENV`).
        keep_raw: keep unredacted originals in PostgreSQL (`FEEDBACK_KEEP_RAW`).
        automation: sensors and schedules run from the first start (`FEEDBACK_AUTOMATION`).
        approval_target: approval rate below which people are told (`FEEDBACK_APPROVAL_TARGET`).
        training_weeks: length of the rolling window of training data, weeks (`FEEDBACK_TRAINING_WEEKS`).
        training_formats: kinds of training files that are written every week (`FEEDBACK_TRAINING_FORMATS`, separated by
            commas; `all` for every one); the configured fine-tuning provider's own is always written.
        raw_text_days: days that prompt and answer text is kept; older days are sealed (`FEEDBACK_RAW_TEXT_DAYS`).
        judge_sample_size: answers judged a week (`FEEDBACK_JUDGE_SAMPLE`).
        judge_model: the model that judges beside the local classifier (`FEEDBACK_JUDGE_MODEL`); None for none.
        judge_url: OpenAI-compatible endpoint that serves it (`FEEDBACK_JUDGE_BASE_URL`, else `OPENAI_BASE_URL`); its
            key is `model_key`.
        judge_mode: how it is asked (`FEEDBACK_JUDGE_MODE`): `schema` for verdicts with reasons, `probabilities` for
            token probabilities, `decisions` for the Decisions endpoint.
        judge_samples: how often each answer is judged (`FEEDBACK_JUDGE_SAMPLES`); the score is the mean.
        judge_rubric: what it judges by (`FEEDBACK_JUDGE_RUBRIC`): a rubric of the project by name, or a YAML file.
        judge_nonce: it must copy a nonce back (`FEEDBACK_JUDGE_NONCE`); 0 for models too small to.
        judge_concurrency: its calls in flight (`FEEDBACK_JUDGE_CONCURRENCY`); fewer while it says "too many".
        judge_requests_a_minute: calls started a minute (`FEEDBACK_JUDGE_REQUESTS_A_MINUTE`); None for no limit.
        judge_tokens_a_minute: tokens sent and received a minute (`FEEDBACK_JUDGE_TOKENS_A_MINUTE`); None for no limit.
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
        tuning_extra: further fields of a job's creation at an OpenAI-compatible provider (`FEEDBACK_TUNING_EXTRA`, a
            JSON object such as Azure's `{"trainingType": "GlobalStandard"}`).
        tuning_webhook_secret: what the provider signs its webhooks with (`FEEDBACK_TUNING_WEBHOOK_SECRET`, `whsec_…`);
            without one the capture API takes none.
        capture: how the capture API behaves.
    """

    home: Path
    database_url: str | None
    data_url: str
    sources_file: Path
    verdicts_file: Path | None
    names_model: str | None
    timezone: str
    start: date
    lateness_days: int
    quiet_seconds: int
    longest_wait_seconds: int
    executor: Executor
    environment: Environment
    keep_raw: bool
    automation: bool
    approval_target: float
    training_weeks: int
    training_formats: tuple[TrainingFormat, ...]
    raw_text_days: int
    judge_sample_size: int
    judge_model: str | None
    judge_url: str
    judge_mode: JudgeMode
    judge_samples: int
    judge_rubric: str
    judge_nonce: bool
    judge_concurrency: int
    judge_requests_a_minute: int | None
    judge_tokens_a_minute: int | None
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
    tuning_extra: str
    tuning_webhook_secret: str | None = field(repr=False)
    capture: CaptureSettings

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
        mail_to = _list(env, "FEEDBACK_MAIL_TO")
        home = Path(env.get("FEEDBACK_HOME") or project_root() / ".feedback").expanduser().absolute()
        return cls(
            home=home,
            database_url=_database_url(env),
            data_url=env.get("FEEDBACK_DATA_URL") or str(home / "data"),
            sources_file=Path(env.get("FEEDBACK_SOURCES") or project_root() / "sources.yaml").expanduser().absolute(),
            verdicts_file=_path(env.get("FEEDBACK_VERDICTS")),
            names_model=env.get("FEEDBACK_NAMES_MODEL") or None,
            timezone=_timezone(env.get("FEEDBACK_TIMEZONE") or "UTC"),
            start=_monday("FEEDBACK_START", env.get("FEEDBACK_START") or DEFAULT_START),
            quiet_seconds=_whole("FEEDBACK_QUIET", env.get("FEEDBACK_QUIET") or "15", low=0),
            longest_wait_seconds=_whole("FEEDBACK_LONGEST_WAIT", env.get("FEEDBACK_LONGEST_WAIT") or "300", low=0),
            lateness_days=_whole("FEEDBACK_LATENESS", env.get("FEEDBACK_LATENESS") or "3", low=0),
            executor=_choice("FEEDBACK_EXECUTOR", env.get("FEEDBACK_EXECUTOR") or "in_process", Executor),
            environment=_choice("FEEDBACK_ENV", env.get("FEEDBACK_ENV") or "development", Environment),
            keep_raw=_switch("FEEDBACK_KEEP_RAW", env.get("FEEDBACK_KEEP_RAW") or "0"),
            automation=_switch("FEEDBACK_AUTOMATION", env.get("FEEDBACK_AUTOMATION") or "0"),
            approval_target=_share("FEEDBACK_APPROVAL_TARGET", env.get("FEEDBACK_APPROVAL_TARGET") or "0.8"),
            training_weeks=_whole("FEEDBACK_TRAINING_WEEKS", env.get("FEEDBACK_TRAINING_WEEKS") or "12", low=1),
            training_formats=_training_formats(env.get("FEEDBACK_TRAINING_FORMATS") or DEFAULT_TRAINING_FORMATS),
            raw_text_days=_whole("FEEDBACK_RAW_TEXT_DAYS", env.get("FEEDBACK_RAW_TEXT_DAYS") or "90", low=1),
            judge_sample_size=_whole("FEEDBACK_JUDGE_SAMPLE", env.get("FEEDBACK_JUDGE_SAMPLE") or "2000", low=0),
            judge_model=env.get("FEEDBACK_JUDGE_MODEL") or None,
            judge_url=_url("FEEDBACK_JUDGE_BASE_URL", env.get("FEEDBACK_JUDGE_BASE_URL"), ("https", "http"))
            or _url("OPENAI_BASE_URL", env.get("OPENAI_BASE_URL"), ("https", "http"))
            or OPENAI_URL,
            judge_mode=_choice("FEEDBACK_JUDGE_MODE", env.get("FEEDBACK_JUDGE_MODE") or "schema", JudgeMode),
            judge_samples=_whole("FEEDBACK_JUDGE_SAMPLES", env.get("FEEDBACK_JUDGE_SAMPLES") or "1", low=1),
            judge_rubric=env.get("FEEDBACK_JUDGE_RUBRIC") or "answer_quality",
            judge_nonce=_switch("FEEDBACK_JUDGE_NONCE", env.get("FEEDBACK_JUDGE_NONCE") or "1"),
            judge_concurrency=_whole(
                "FEEDBACK_JUDGE_CONCURRENCY", env.get("FEEDBACK_JUDGE_CONCURRENCY") or "16", low=1
            ),
            judge_requests_a_minute=_whole_or_none("FEEDBACK_JUDGE_REQUESTS_A_MINUTE", env, low=1),
            judge_tokens_a_minute=_whole_or_none("FEEDBACK_JUDGE_TOKENS_A_MINUTE", env, low=1),
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
            tuning_extra=_json_object("FEEDBACK_TUNING_EXTRA", env.get("FEEDBACK_TUNING_EXTRA") or "{}"),
            tuning_webhook_secret=env.get("FEEDBACK_TUNING_WEBHOOK_SECRET") or None,
            capture=CaptureSettings.from_environment(env),
        )

    def described(self) -> dict[str, str]:
        """The settings as text for people, without passwords, keys and secret addresses."""
        shown = _shown(self)
        del shown["capture"]
        shown |= {f"capture.{name}": text for name, text in _shown(self.capture).items()}
        if self.database_url:
            shown["database_url"] = without_password(self.database_url)
        return shown


def _shown(settings: Settings | CaptureSettings) -> dict[str, str]:
    shown = {one.name: str(getattr(settings, one.name)) if one.repr else "set" for one in fields(settings)}
    return shown | {
        name: "not set" for name, text in shown.items() if text == "set" and getattr(settings, name) is None
    }


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


def _list(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in (env.get(name) or "").split(",") if part.strip())


def _origins(env: Mapping[str, str]) -> tuple[str, ...]:
    origins = _list(env, "FEEDBACK_CORS_ORIGINS")
    for origin in origins:
        if not origin.startswith(("http://", "https://")) or origin.rstrip("/") != origin or origin.count("/") != 2:
            raise SettingsError(f"FEEDBACK_CORS_ORIGINS holds {origin!r}, expected origins such as https://app.example")
    return origins


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


def _whole_or_none(name: str, env: Mapping[str, str], low: int) -> int | None:
    return _whole(name, env[name], low) if env.get(name) else None


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


def _training_formats(text: str) -> tuple[TrainingFormat, ...]:
    known: tuple[TrainingFormat, ...] = get_args(TrainingFormat)
    named = [name.strip() for name in text.split(",") if name.strip()]
    if named == ["all"]:
        return known
    if not named or (unknown := [name for name in named if name not in known]):
        wrong = f"names {unknown[0]!r}" if named else "names nothing"
        raise SettingsError(f"FEEDBACK_TRAINING_FORMATS {wrong}, expected all, or some of {', '.join(known)}")
    return tuple(name for name in known if name in named)


def _json_object(name: str, text: str) -> str:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise SettingsError(f'{name} is not a JSON object such as {{"trainingType": "GlobalStandard"}}')
    return text


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
