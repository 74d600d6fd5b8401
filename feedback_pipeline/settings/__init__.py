"""Every setting of the project, declared in one place and read from the environment.

A setting that is missing has a default that works on one machine; a setting that is wrong is an error that names the
variable, what it held and what it takes. To add one, add a line to its group, a module here: name, type, variable,
default, help. `feedback doctor` and `docs/settings.md` show it then.

Groups are classes that `Settings` is composed of: what needs a part of the settings asks for its group
(`def judge(settings: JudgeSettings)`) and is handed the whole.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from zoneinfo import ZoneInfo

from feedback_pipeline.environment import (
    SettingsError,
    declared,
    group,
    read_settings,
    read_text,
    unknown_variables,
    variables,
)
from feedback_pipeline.settings.alerting import AlertSettings
from feedback_pipeline.settings.calendar import FIRST_DAY_FILE, CalendarSettings, Executor
from feedback_pipeline.settings.capture import CaptureSettings
from feedback_pipeline.settings.findings import FindingSettings
from feedback_pipeline.settings.judging import OPENAI_URL, JudgeMode, JudgeSettings
from feedback_pipeline.settings.shown import ShownSetting, attribute, default_text, plain, shown_text
from feedback_pipeline.settings.storage import StorageSettings, project_root, without_password
from feedback_pipeline.settings.tuning import BASE_MODELS, TrainingFormat, TuningSettings

__all__ = [
    "BASE_MODELS", "FIRST_DAY_FILE", "OPENAI_URL", "CaptureSettings", "Executor", "JudgeMode", "Settings",
    "SettingsError", "ShownSetting", "TrainingFormat", "default_text", "known_variables", "plain", "project_root",
    "without_password",
]  # fmt: skip

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
"""Variables with the project's prefix that something else reads: tests, benchmarks, the clients."""


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
                shown_text(one, attribute(self, one.name)),
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
