"""Settings as people are shown them: no passwords, no keys, no secret addresses."""

from dataclasses import dataclass
from typing import Any

from feedback_pipeline.environment import Declared, Derived
from feedback_pipeline.settings.storage import without_password


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


def attribute(settings: object, name: str) -> Any:
    for part in name.split("."):
        settings = getattr(settings, part)
    return settings


def shown_text(one: Declared, value: Any) -> str:
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
