"""The capture API."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from feedback_pipeline.environment import SettingsError, parts, read_settings, setting, share_or_none

DistinctId = Literal["pseudonym", "user"]


def _origins(name: str, text: str) -> tuple[str, ...]:
    """a list of https://… or http://…, separated by commas"""
    origins = parts(text)
    for origin in origins:
        if not origin.startswith(("http://", "https://")) or origin.rstrip("/") != origin or origin.count("/") != 2:
            raise SettingsError(f"{name} holds {origin!r}, expected origins such as https://app.example")
    return origins


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
