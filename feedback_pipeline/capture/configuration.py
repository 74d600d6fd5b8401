"""The settings of live capture, beside those of `settings.py`.

Attributes of `CaptureSettings` name their environment variables; a missing one has a default for one machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from feedback_pipeline.settings import Settings, SettingsError


@dataclass(frozen=True)
class CaptureSettings:
    """How the API of one process behaves.

    Attributes:
        content_types: kinds of content that may be voted on, any if empty (`FEEDBACK_CONTENT_TYPES`, comma-separated).
        origins: web origins that may call the API from a page (`FEEDBACK_CORS_ORIGINS`, comma-separated).
        reasons: chips offered after a thumbs-down (`FEEDBACK_REASONS`, comma-separated).
        body_bytes: largest request body of one vote (`FEEDBACK_BODY_BYTES`).
        batch_bytes: largest request body of a batch (`FEEDBACK_BATCH_BYTES`).
        snapshot_bytes: largest content snapshot, as JSON (`FEEDBACK_SNAPSHOT_BYTES`).
        key_requests: requests a minute per API key (`FEEDBACK_KEY_REQUESTS`); 0 for no limit.
        address_requests: requests a minute per address without a key (`FEEDBACK_ADDRESS_REQUESTS`); 0 for no limit.
        token_uses: writes one browser token may make (`FEEDBACK_TOKEN_USES`).
        connections: largest number of database connections of a process (`FEEDBACK_CONNECTIONS`).
        trusted_proxies: addresses whose X-Forwarded-For is believed (`FEEDBACK_TRUSTED_PROXIES`).
        posthog_key: PostHog project key (`POSTHOG_API_KEY`); analytics are off without it.
        posthog_host: PostHog address (`POSTHOG_HOST`).
        posthog_survey: survey that the floating button opens (`POSTHOG_SURVEY_ID`).
    """

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
    posthog_key: str | None = None
    posthog_host: str = "https://eu.i.posthog.com"
    posthog_survey: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "CaptureSettings":
        """Reads the settings.

        Raises:
            SettingsError: a variable is malformed; the message names it.
        """
        default = cls()
        return cls(
            content_types=frozenset(_list(environment, "FEEDBACK_CONTENT_TYPES")),
            origins=_origins(environment),
            reasons=_list(environment, "FEEDBACK_REASONS") or default.reasons,
            body_bytes=_whole(environment, "FEEDBACK_BODY_BYTES", default.body_bytes),
            batch_bytes=_whole(environment, "FEEDBACK_BATCH_BYTES", default.batch_bytes),
            snapshot_bytes=_whole(environment, "FEEDBACK_SNAPSHOT_BYTES", default.snapshot_bytes),
            key_requests=_whole(environment, "FEEDBACK_KEY_REQUESTS", default.key_requests),
            address_requests=_whole(environment, "FEEDBACK_ADDRESS_REQUESTS", default.address_requests),
            token_uses=_whole(environment, "FEEDBACK_TOKEN_USES", default.token_uses),
            connections=max(2, _whole(environment, "FEEDBACK_CONNECTIONS", default.connections)),
            trusted_proxies=frozenset(_list(environment, "FEEDBACK_TRUSTED_PROXIES")),
            posthog_key=environment.get("POSTHOG_API_KEY") or None,
            posthog_host=environment.get("POSTHOG_HOST") or default.posthog_host,
            posthog_survey=environment.get("POSTHOG_SURVEY_ID") or None,
        )


@dataclass(frozen=True)
class ServiceSettings:
    """Everything the service is configured by."""

    project: Settings
    capture: CaptureSettings

    @property
    def production(self) -> bool:
        return self.project.environment == "production"


def _list(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in (environment.get(name) or "").split(",") if part.strip())


def _origins(environment: Mapping[str, str]) -> tuple[str, ...]:
    origins = _list(environment, "FEEDBACK_CORS_ORIGINS")
    for origin in origins:
        if not origin.startswith(("http://", "https://")) or origin.rstrip("/") != origin or origin.count("/") != 2:
            raise SettingsError(f"FEEDBACK_CORS_ORIGINS holds {origin!r}, expected origins such as https://app.example")
    return origins


def _whole(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isdecimal():
        raise SettingsError(f"{name} is {text!r}, expected a whole number of at least 0")
    return int(text)
