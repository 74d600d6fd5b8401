"""Every setting of the project, declared in one place and read from the environment.

A setting that is missing has a default that works on one machine; a setting that is wrong is an error that names the
variable, what it held and what it takes. To add one, add a line to its group: name, type, variable, default, help.
`feedback doctor` and `docs/settings.md` show it then.

Groups are classes that `Settings` is composed of: what needs a part of the settings asks for its group
(`def judge(settings: JudgeSettings)`) and is handed the whole.
"""

import json
import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from feedback_pipeline.environment import (
    Declared,
    Derived,
    SettingsError,
    address,
    declared,
    dollars,
    group,
    parts,
    read_settings,
    read_text,
    setting,
    share,
    share_or_none,
    text_of,
    unknown_variables,
    variables,
)

__all__ = ["CaptureSettings", "Settings", "SettingsError", "ShownSetting", "project_root", "without_password"]

Executor = Literal["in_process", "multiprocess", "k8s", "ray", "celery"]
Environment = Literal["development", "production"]
DistinctId = Literal["pseudonym", "user"]
TuningProvider = Literal["dry_run", "openai", "azure", "together", "fireworks", "vertex", "local", "trl"]
PromptOptimiser = Literal["rules", "gepa"]
TuningMethod = Literal["supervised", "preference", "kto"]
TuningApproval = Literal["required", "not_required"]
JudgeMode = Literal["schema", "probabilities", "decisions"]
TrainingFormat = Literal[
    "azure",
    "export",
    "fireworks",
    "llama_factory",
    "openai",
    "promptfoo",
    "table",
    "together",
    "trl",
    "vertex",
    "weighted",
]

BASE_MODELS = {
    "openai": "gpt-4.1-mini", "azure": "gpt-4.1-mini", "together": "Qwen/Qwen3-8B",
    "fireworks": "accounts/fireworks/models/qwen3-8b", "vertex": "gemini-2.5-flash", "trl": "Qwen/Qwen3-0.6B",
}  # fmt: skip
"""What is tuned where nobody says otherwise; models with open weights end when whoever runs them wants."""

FIRST_DAY_FILE = "start"
"""Below the home folder: the Monday of the first week, where `FEEDBACK_START` does not say it."""
OPENAI_URL = "https://api.openai.com/v1"

# Variables with the project's prefix that something else reads: tests, benchmarks, the clients.
OTHER_VARIABLES = frozenset(
    {
        "FEEDBACK_API_KEY",
        "FEEDBACK_API_URL",
        "FEEDBACK_BENCH_REPLAY",
        "FEEDBACK_BENCH_VOTES",
        "FEEDBACK_PEER_PYTHON",
        "FEEDBACK_SHARED_DATA",
        "FEEDBACK_SPOOL",
        "FEEDBACK_URL",
    }
)

_http = address("https", "http")


def project_root() -> Path:
    """The checkout, or the working folder where the package is installed without one."""
    checkout = Path(__file__).resolve().parent.parent
    return checkout if (checkout / "workspace.yaml").exists() else Path.cwd()


def _folder(name: str, text: str) -> Path:
    return Path(text).expanduser().absolute()


def _database_url(name: str, url: str) -> str:
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


def _timezone(name: str, zone: str) -> str:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingsError(f"{name} is {zone!r}, not an IANA zone such as Europe/Berlin") from error
    return zone


def _monday(name: str, text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"{name} is {text!r}, expected a date such as 2025-01-06") from error
    if found.weekday() != 0:
        raise SettingsError(f"{name} is {text}, a {found:%A}; weeks start on Monday, so it must be one")
    return found


def _first_day(_: Mapping[str, str], values: dict[str, Any]) -> date:
    """The Monday that `first_day.follow` wrote down."""
    file = values["home"] / FIRST_DAY_FILE if "home" in values else None
    if file is None or not file.exists():
        return date(2025, 1, 6)
    return _monday(str(file), file.read_text().strip())


def _training_formats(name: str, text: str) -> tuple[TrainingFormat, ...]:
    known: tuple[TrainingFormat, ...] = get_args(TrainingFormat)
    named = parts(text)
    if named == ("all",):
        return known
    if not named or (unknown := [one for one in named if one not in known]):
        wrong = f"names {unknown[0]!r}" if named else "names nothing"
        raise SettingsError(f"{name} {wrong}, expected all, or some of {', '.join(known)}")
    return tuple(one for one in known if one in named)


def _key_parts(name: str, text: str) -> tuple[str, ...]:
    found = tuple(text.strip("/").split("/"))
    if not all(re.fullmatch(r"[A-Za-z0-9_]+", part) for part in found):
        raise SettingsError(f"{name} is {text!r}, expected letters, digits and _, in parts separated by /")
    return found


def _json_object(name: str, text: str) -> str:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise SettingsError(f'{name} is not a JSON object such as {{"trainingType": "GlobalStandard"}}')
    return text


def _origins(name: str, text: str) -> tuple[str, ...]:
    origins = parts(text)
    for origin in origins:
        if not origin.startswith(("http://", "https://")) or origin.rstrip("/") != origin or origin.count("/") != 2:
            raise SettingsError(f"{name} holds {origin!r}, expected origins such as https://app.example")
    return origins


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


@dataclass(frozen=True)
class CalendarSettings:
    """Days, weeks and when they are computed."""

    timezone: str = setting(
        "FEEDBACK_TIMEZONE", "UTC", "zone that days and weeks are cut in; fixed by the first migration", read=_timezone
    )
    start: date = setting(
        "FEEDBACK_START",
        Derived(_first_day, "the week of the first vote, kept in `start` below FEEDBACK_HOME; without it 2025-01-06"),
        "first day of the first week, a Monday",
        read=_monday,
    )
    lateness_days: int = setting("FEEDBACK_LATENESS", 3, "days after its end at which a week closes")
    quiet_seconds: int = setting(
        "FEEDBACK_QUIET", 15, "seconds without another change before a day or week is computed by itself"
    )
    longest_wait_seconds: int = setting(
        "FEEDBACK_LONGEST_WAIT", 300, "seconds after which a day is computed all the same; a week after six times"
    )
    automation: bool = setting("FEEDBACK_AUTOMATION", False, "sensors and schedules run from the first start")
    executor: Executor = setting("FEEDBACK_EXECUTOR", "in_process", "how the steps of one run are run")
    asset_prefix: tuple[str, ...] = setting(
        "FEEDBACK_ASSET_PREFIX",
        (),
        "what the keys of all assets begin with, parts separated by `/`: for two loops in one Dagster instance",
        read=_key_parts,
    )
    ui_hosts: frozenset[str] = setting(
        "FEEDBACK_UI_HOSTS", frozenset(), "names under which the Dagster UI is served besides this machine's own"
    )
    environment: Environment = setting(
        "FEEDBACK_ENV", "development", "production refuses to start where development makes keys up"
    )


@dataclass(frozen=True)
class FindingSettings:
    """What votes mean and what is looked for in them."""

    verdicts_file: Path | None = setting(
        "FEEDBACK_VERDICTS",
        None,
        "what each signal says, a TOML file; none for the mapping that comes with the project",
    )
    names_model: str | None = setting(
        "FEEDBACK_NAMES_MODEL", None, "model that finds names in what reports quote, `language:model`", needs="names"
    )
    approval_target: float = setting(
        "FEEDBACK_APPROVAL_TARGET", 0.8, "approval below which people are alerted", read=share
    )


@dataclass(frozen=True)
class JudgeSettings:
    """Judging answers and suggesting changes with a model."""

    judge_sample_size: int = setting("FEEDBACK_JUDGE_SAMPLE", 2000, "answers judged a week")
    judge_model: str | None = setting(
        "FEEDBACK_JUDGE_MODEL", None, "model that judges beside the local classifier; none without it"
    )
    judge_url: str = setting(
        ("FEEDBACK_JUDGE_BASE_URL", "OPENAI_BASE_URL"),
        OPENAI_URL,
        "OpenAI-compatible endpoint that serves it",
        read=_http,
    )
    judge_mode: JudgeMode = setting(
        "FEEDBACK_JUDGE_MODE",
        "schema",
        "how it is asked: for verdicts with reasons, for token probabilities, or by the Decisions endpoint",
    )
    judge_samples: int = setting(
        "FEEDBACK_JUDGE_SAMPLES", 1, "how often each answer is judged; the score is the mean", low=1
    )
    judge_rubric: str = setting(
        "FEEDBACK_JUDGE_RUBRIC",
        "answer_quality",
        "what it judges by: a rubric of the project by name, or a YAML file",
    )
    judge_nonce: bool = setting("FEEDBACK_JUDGE_NONCE", True, "it must copy a nonce back; 0 for models too small to")
    judge_concurrency: int = setting(
        "FEEDBACK_JUDGE_CONCURRENCY", 16, "its calls in flight; fewer while it says that there are too many", low=1
    )
    judge_requests_a_minute: int | None = setting(
        "FEEDBACK_JUDGE_REQUESTS_A_MINUTE", None, "calls started a minute; none for no limit", low=1
    )
    judge_tokens_a_minute: int | None = setting(
        "FEEDBACK_JUDGE_TOKENS_A_MINUTE", None, "tokens sent and received a minute; none for no limit", low=1
    )
    judge_cost_cap_usd: float = setting(
        "FEEDBACK_JUDGE_COST_CAP", 1.0, "US dollars that judging one week may cost in all its runs", read=dollars
    )
    prices_file: Path | None = setting(
        ("FEEDBACK_MODEL_PRICES", "FEEDBACK_JUDGE_PRICES"),
        None,
        "what models cost that the project's list lacks or has wrong, a file in the form of `llm/prices.yaml`",
    )
    audit_size: int = setting(
        "FEEDBACK_AUDIT_SAMPLE", 100, "answers of a week that people are asked to judge, drawn at random"
    )
    model_url: str = setting(
        "OPENAI_BASE_URL", OPENAI_URL, "OpenAI-compatible endpoint that suggestions are asked of", read=_http
    )
    model_key: str | None = setting(
        "OPENAI_API_KEY", None, "key of the endpoints above; suggestions come from rules without one", secret=True
    )
    suggestion_model: str = setting("FEEDBACK_SUGGESTION_MODEL", "gpt-6-luna", "model that suggestions are asked of")
    prompt_model: str | None = setting(
        "FEEDBACK_PROMPT_MODEL", None, "model that the registered prompts are for; without one it is simulated by rules"
    )
    prompt_optimiser: PromptOptimiser = setting(
        "FEEDBACK_PROMPT_OPTIMISER",
        "rules",
        "who proposes prompts: rules over reasons, or reflection (extra `prompts`)",
    )
    prompt_calls: int = setting("FEEDBACK_PROMPT_CALLS", 150, "answers that one reflection may ask for", low=10)


@dataclass(frozen=True)
class AlertSettings:
    """Telling people."""

    alert_webhook: str | None = setting(
        "FEEDBACK_ALERT_WEBHOOK",
        None,
        "Slack-compatible webhook for incidents and the weekly digest",
        read=_http,
        secret=True,
    )
    smtp_url: str | None = setting(
        "FEEDBACK_SMTP_URL",
        None,
        "mail server for the same: `smtp://user:password@host:587`, `smtps://…`",
        read=address("smtp", "smtps"),
        secret=True,
    )
    mail_from: str = setting("FEEDBACK_MAIL_FROM", "feedback-pipeline@localhost", "sender of these mails")
    mail_to: tuple[str, ...] = setting(
        "FEEDBACK_MAIL_TO", (), "who gets them, separated by commas; required with a mail server"
    )


@dataclass(frozen=True)
class TuningSettings:
    """Training files and fine-tuning."""

    training_weeks: int = setting(
        "FEEDBACK_TRAINING_WEEKS", 12, "length of the rolling window of training data, weeks", low=1
    )
    training_formats: tuple[TrainingFormat, ...] = setting(
        "FEEDBACK_TRAINING_FORMATS",
        ("openai", "promptfoo", "trl"),
        "kinds of training files written every week, separated by commas, or `all`; the provider's own always is",
        read=_training_formats,
    )
    tuning_provider: TuningProvider = setting(
        "FEEDBACK_TUNING_PROVIDER", "dry_run", "who trains; a dry run sends nothing"
    )
    tuning_enabled: bool = setting(
        (),
        Derived(lambda env, _: bool(env.get("FEEDBACK_TUNING_PROVIDER")), "whether a provider was named"),
        "fine-tunes may start by themselves",
    )
    tuning_url: str | None = setting(
        "FEEDBACK_TUNING_BASE_URL",
        None,
        "endpoint of an OpenAI-compatible provider, which also serves what it trained; of a local trainer, where its "
        "models are served",
        read=_http,
    )
    tuning_model: str = setting(
        "FEEDBACK_TUNING_MODEL",
        Derived(lambda _, values: BASE_MODELS.get(values["tuning_provider"], "Qwen/Qwen3-8B"), "by provider"),
        "base model",
    )
    tuning_method: TuningMethod = setting("FEEDBACK_TUNING_METHOD", "supervised", "what is trained on")
    tuning_python: Path = setting(
        "FEEDBACK_TUNING_PYTHON",
        Derived(lambda _, values: values["home"] / "trainer" / "bin" / "python", "`trainer/bin/python` in the home"),
        "interpreter of the environment that `trl` trains in",
    )
    tuning_account: str | None = setting(
        "FEEDBACK_TUNING_ACCOUNT",
        None,
        "account at the provider: of Fireworks its id, of Vertex `project/location/bucket`",
    )
    tuning_command: tuple[str, ...] = setting(
        "FEEDBACK_TUNING_COMMAND",
        (),
        "command of a local trainer, split as a shell does",
        read=lambda name, text: tuple(shlex.split(text)),
    )
    tuning_budget_usd: float = setting(
        "FEEDBACK_TUNING_BUDGET", 0.0, "US dollars that fine-tunes may cost in a calendar month", read=dollars
    )
    tuning_cooldown_days: int = setting("FEEDBACK_TUNING_COOLDOWN", 7, "least days between two fine-tunes")
    tuning_least_examples: int = setting("FEEDBACK_TUNING_EXAMPLES", 500, "approved examples a fine-tune needs", low=10)
    tuning_approval: TuningApproval = setting(
        "FEEDBACK_TUNING_APPROVAL",
        "required",
        "a person must approve the dataset before it is uploaded; no model is promoted without one in any case",
    )
    tuning_prices_file: Path | None = setting(
        "FEEDBACK_TUNING_PRICES", None, "what training costs, a file in the form of `training/prices.yaml`"
    )
    tuning_extra: str = setting(
        "FEEDBACK_TUNING_EXTRA",
        "{}",
        'further fields of a job\'s creation, a JSON object such as `{"trainingType": "GlobalStandard"}` of Azure',
        read=_json_object,
    )
    tuning_webhook_secret: str | None = setting(
        "FEEDBACK_TUNING_WEBHOOK_SECRET",
        None,
        "what the provider signs its webhooks with, `whsec_…`; without one none is taken",
        secret=True,
    )


@dataclass(frozen=True)
class CaptureSettings:
    """The capture API."""

    token_key: str | None = setting(
        "FEEDBACK_TOKEN_KEY",
        None,
        "signs browser tokens; several separated by commas while one follows another, the new one first; made up in "
        "development where it is missing",
        secret=True,
    )
    content_types: frozenset[str] = setting(
        "FEEDBACK_CONTENT_TYPES",
        frozenset(),
        "kinds of content that may be voted on, separated by commas; any if empty",
    )
    origins: tuple[str, ...] = setting(
        "FEEDBACK_CORS_ORIGINS", (), "web origins that may call the API from a page, separated by commas", read=_origins
    )
    reasons: tuple[str, ...] = setting(
        "FEEDBACK_REASONS",
        ("incorrect", "incomplete", "unclear", "too_long", "unsafe"),
        "reasons offered after a thumbs-down, separated by commas",
    )
    body_bytes: int = setting("FEEDBACK_BODY_BYTES", 512 * 1024, "largest request body of one vote")
    batch_bytes: int = setting("FEEDBACK_BATCH_BYTES", 32 * 1024 * 1024, "largest request body of a batch")
    snapshot_bytes: int = setting("FEEDBACK_SNAPSHOT_BYTES", 256 * 1024, "largest content snapshot, as JSON")
    key_requests: int = setting("FEEDBACK_KEY_REQUESTS", 60_000, "requests a minute per API key; 0 for no limit")
    address_requests: int = setting(
        "FEEDBACK_ADDRESS_REQUESTS", 600, "requests a minute per address without a key; 0 for no limit"
    )
    token_uses: int = setting("FEEDBACK_TOKEN_USES", 60, "writes that one browser token may make")
    connections: int = setting("FEEDBACK_CONNECTIONS", 10, "largest number of database connections of a process", low=2)
    trusted_proxies: frozenset[str] = setting(
        "FEEDBACK_TRUSTED_PROXIES", frozenset(), "addresses whose X-Forwarded-For is believed, separated by commas"
    )
    ask_share: float = setting(
        "FEEDBACK_ASK_SHARE", 0.0, "share of answers that somebody is asked about; 0 asks nobody", read=share_or_none
    )
    posthog_key: str | None = setting(
        "POSTHOG_API_KEY", None, "PostHog project key; analytics are off without it", secret=True
    )
    posthog_host: str = setting("POSTHOG_HOST", "https://eu.i.posthog.com", "PostHog address")
    posthog_distinct_id: DistinctId = setting(
        "POSTHOG_DISTINCT_ID",
        "pseudonym",
        "whom PostHog's events are of: our pseudonym, or `user`: your own id of the person, as PostHog knows it "
        "(the header X-PostHog-Distinct-Id, which posthog-js can add, else `user_id`)",
    )
    posthog_survey: str | None = setting("POSTHOG_SURVEY_ID", None, "survey that the floating button opens")

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> "CaptureSettings":
        """Reads the group; raises SettingsError as `Settings.from_environment` does."""
        return read_settings(cls, env)[0]


@dataclass(frozen=True)
class ShownSetting:
    """A setting as people are shown it.

    Attributes:
        value: as text; of a secret only whether it is set.
        source: the variable it was read from, or `default`.
        default: as text.
    """

    group: str
    name: str
    variables: tuple[str, ...]
    value: str
    source: str
    default: str
    help: str


@dataclass(frozen=True)
class Settings(
    TuningSettings, AlertSettings, JudgeSettings, FindingSettings, CalendarSettings, StorageSettings
):  # read and shown from the last group to the first
    """The configuration of one process.

    Attributes:
        sources: by a setting's name the variable that it was read from.
        unknown: variables with the project's prefix that mean nothing, each with the known one nearest to it.
    """

    capture: CaptureSettings = group(default_factory=CaptureSettings)
    sources: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False, kw_only=True)
    unknown: tuple[tuple[str, str | None], ...] = field(default=(), repr=False, compare=False, kw_only=True)

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
        found, sources = read_settings(cls, env)
        if found.smtp_url is not None and not found.mail_to:
            raise SettingsError("FEEDBACK_SMTP_URL is set, but FEEDBACK_MAIL_TO names nobody to write to")
        object.__setattr__(found, "sources", sources)
        object.__setattr__(found, "unknown", tuple(unknown_variables(env, known_variables())))
        return found

    def read(self, texts: Mapping[str, str]) -> "Settings":
        """These settings with some as if their variables held these texts, by the names they have here.

        Raises:
            SettingsError: a text is none that the setting takes, or no setting has that name.
        """
        known = {one.name: one for one in declared(Settings) if one.setting.variables and "." not in one.name}
        if strange := sorted(texts.keys() - known.keys()):
            raise SettingsError(f"{strange[0]} is no setting")
        return replace(self, **{name: read_text(known[name], text) for name, text in texts.items()})

    def shown(self) -> list[ShownSetting]:
        """Every setting for people: value, where that came from, default; no passwords, keys, secret addresses."""
        return [
            ShownSetting(
                one.group,
                one.name,
                one.setting.variables,
                _text(one, _attribute(self, one.name)),
                self.sources.get(one.name, "default"),
                default_text(one),
                one.setting.help,
            )
            for one in declared(Settings)
        ]

    def described(self) -> dict[str, str]:
        """The settings as text by name, without passwords, keys and secret addresses."""
        return {one.name: one.value for one in self.shown()}


def known_variables() -> set[str]:
    """Every variable that something in the project reads."""
    return variables(Settings) | OTHER_VARIABLES


def _attribute(settings: object, name: str) -> Any:
    for part in name.split("."):
        settings = getattr(settings, part)
    return settings


def _text(one: Declared, value: Any) -> str:
    if one.name == "database_url" and value is not None:
        return without_password(value)
    if one.setting.secret:
        return "not set" if value is None else "set"
    return plain(value)


def default_text(one: Declared) -> str:
    """A setting's default for people."""
    default = one.setting.default
    return default.described if isinstance(default, Derived) else "not set" if one.setting.secret else plain(default)


def plain(value: Any) -> str:
    """A setting's value as it would be written into its variable; `none` and `empty` for what cannot be."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, tuple | frozenset):
        listed = value if isinstance(value, tuple) else sorted(value)
        return ",".join(str(part) for part in listed) or "empty"
    return str(value)


def without_password(url: str) -> str:
    """A database URL that may be shown."""
    scheme, _, rest = url.partition("://")
    credentials, at, place = rest.rpartition("@")
    user, colon, _ = credentials.partition(":")
    return f"{scheme}://{user}{':…' if colon else ''}{at}{place}"
