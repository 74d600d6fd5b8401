"""Settings declared once and read from environment variables: what `settings/` is written in.

A setting is one line in a frozen dataclass: its name and type, and `setting(variable, default, help)`. Its type says
how it is read. Every secret can stand in a file instead: `FEEDBACK_TOKEN_KEY_FILE=/run/secrets/token_key` is read where
`FEEDBACK_TOKEN_KEY` is not set.
"""

import inspect
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

PREFIX = "FEEDBACK_"
FILE_SUFFIX = "_FILE"

Read = Callable[[str, str], Any]
"""From a variable's name and its text to the value; raises SettingsError naming the variable. Its docstring says what
the variable takes, in the words of the reference page."""


class SettingsError(ValueError):
    """An environment variable holds something it cannot hold."""


@dataclass(frozen=True)
class Derived:
    """A default that follows from the environment and from settings above it."""

    of: Callable[[Mapping[str, str], dict[str, Any]], Any]
    described: str


@dataclass(frozen=True)
class Setting:
    """A declaration.

    Attributes:
        variables: where it is looked for, first found first used; empty where it follows from others alone.
        default: the value without any of them, or how it is derived.
        help: what it does, for people.
        read: how its text is read; None for the way of its type.
        low: least whole number it takes.
        secret: never shown, and may stand in a file.
        needs: the extra that it takes effect with.
    """

    variables: tuple[str, ...]
    default: Any
    help: str
    read: Read | None
    low: int
    secret: bool
    needs: str | None


@dataclass(frozen=True)
class Declared:
    """A setting of a group, with the name it has there."""

    group: str
    name: str
    setting: Setting
    kind: Any


def setting(
    variable: str | tuple[str, ...],
    default: Any,
    help: str,
    *,
    read: Read | None = None,
    low: int = 0,
    secret: bool = False,
    needs: str | None = None,
) -> Any:
    """Declares a setting as the default of a dataclass's field."""
    variables = (variable,) if isinstance(variable, str) else variable
    declared = Setting(variables, default, help, read, low, secret, needs)
    return field(
        default=MISSING if isinstance(default, Derived) else default,
        repr=not secret,
        kw_only=True,
        metadata={"setting": declared},
    )


def group(*, default_factory: Any) -> Any:
    """Declares a nested group of settings."""
    return field(default_factory=default_factory, kw_only=True, metadata={"group": True})


def declared(settings_type: type, prefix: str = "") -> Iterator[Declared]:
    """Every setting of a class and of the groups nested in it, in the order of declaration.

    A class may be composed of groups by inheritance; each setting then bears the docstring of the class it stands in.
    """
    hints = get_type_hints(settings_type)
    for one in fields(settings_type):
        if one.metadata.get("group"):
            yield from declared(hints[one.name], f"{prefix}{one.name}.")
        elif "setting" in one.metadata:
            yield Declared(_group_of(settings_type, one.name), prefix + one.name, one.metadata["setting"],
                           hints[one.name])  # fmt: skip


def _group_of(settings_type: type, name: str) -> str:
    owner = next(base for base in reversed(settings_type.__mro__) if name in inspect.get_annotations(base))
    return (owner.__doc__ or owner.__name__).split("\n")[0].rstrip(".")


T = TypeVar("T")


def read_settings(settings_type: type[T], env: Mapping[str, str]) -> tuple[T, dict[str, str]]:
    """The settings as an environment has them, and by name the variable that each was read from (`default` for none).

    Raises:
        SettingsError: a variable is malformed, or a secret's file cannot be read.
    """
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    hints = get_type_hints(settings_type)
    for each in fields(settings_type):  # type: ignore[arg-type]
        if each.metadata.get("group"):
            values[each.name], inner = read_settings(hints[each.name], env)
            sources |= {f"{each.name}.{name}": source for name, source in inner.items()}
        elif (declaration := each.metadata.get("setting")) is not None:
            values[each.name], sources[each.name] = _value(declaration, hints[each.name], env, values)
    return settings_type(**values), sources


def _value(declaration: Setting, kind: Any, env: Mapping[str, str], values: dict[str, Any]) -> tuple[Any, str]:
    read = declaration.read or _reader(kind, declaration.low)
    for variable in declaration.variables:
        text, source = text_of(env, variable) if declaration.secret else (env.get(variable), variable)
        if text:
            return read(variable, text), source
    default = declaration.default
    return (default.of(env, values) if isinstance(default, Derived) else default), "default"


def read_text(one: Declared, text: str) -> Any:
    """A setting's value as if its variable held this text.

    Raises:
        SettingsError: it cannot; the message names the variable.
    """
    read = one.setting.read or _reader(one.kind, one.setting.low)
    return read(one.setting.variables[0], text)


def text_of(env: Mapping[str, str], variable: str) -> tuple[str | None, str]:
    """A secret's text and where it stood: in the variable itself, or in the file that `…_FILE` names.

    Raises:
        SettingsError: both are set, or the file cannot be read or is empty.
    """
    file_variable = variable + FILE_SUFFIX
    file_name = env.get(file_variable)
    if not file_name:
        return env.get(variable), variable
    if env.get(variable):
        raise SettingsError(f"{variable} and {file_variable} are both set; keep one")
    try:
        text = Path(file_name).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise SettingsError(f"{file_variable} names {file_name}, which cannot be read: {reason}") from error
    if not text:
        raise SettingsError(f"{file_variable} names {file_name}, which is empty")
    return text, file_variable


def variables(settings_type: type) -> set[str]:
    """Every variable that a settings class reads, files of secrets included."""
    found: set[str] = set()
    for one in declared(settings_type):
        found |= set(one.setting.variables)
        if one.setting.secret:
            found |= {variable + FILE_SUFFIX for variable in one.setting.variables}
    return found


def unknown_variables(env: Mapping[str, str], known: set[str]) -> list[tuple[str, str | None]]:
    """Variables that bear the project's prefix and mean nothing, each with the known one nearest to it, if any."""
    strange = sorted(name for name in env if name.startswith(PREFIX) and name not in known)
    if not strange:
        return []
    from difflib import get_close_matches  # only where something is wrong

    meant = {name.removeprefix(PREFIX): name for name in sorted(known)}
    near = {name: get_close_matches(name.removeprefix(PREFIX), meant, n=1, cutoff=0.7) for name in strange}
    return [(name, meant[found[0]] if found else None) for name, found in near.items()]


def _reader(kind: Any, low: int) -> Read:
    """How a text becomes a value of a type."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _reader(next(option for option in arguments if option is not type(None)), low)
    if origin is Literal:
        return lambda name, text: _choice(name, text, arguments)
    if origin in (tuple, frozenset):
        return lambda name, text: origin(parts(text))
    if kind is int:
        return lambda name, text: whole(name, text, low)
    readers: dict[Any, Read] = {
        str: lambda name, text: text,
        bool: switch,
        date: day,
        Path: lambda name, text: Path(text).expanduser().absolute(),
    }
    return readers[kind]


def parts(text: str) -> tuple[str, ...]:
    """What stands between commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def whole(name: str, text: str, low: int) -> int:
    if not text.isdecimal() or int(text) < low:
        raise SettingsError(f"{name} is {text!r}, expected a whole number of at least {low}")
    return int(text)


def share(name: str, text: str) -> float:
    """a number between 0 and 1"""
    try:
        found = float(text)
    except ValueError as error:
        raise SettingsError(f"{name} is {text!r}, expected a number between 0 and 1") from error
    if not 0 < found < 1:
        raise SettingsError(f"{name} is {text}, expected a number between 0 and 1")
    return found


def share_or_none(name: str, text: str) -> float:
    """a number from 0 to below 1"""
    return 0.0 if text.strip() in {"0", "0.0"} else share(name, text)


def dollars(name: str, text: str) -> float:
    """a number from 0"""
    try:
        amount = float(text)
    except ValueError as error:
        raise SettingsError(f"{name} is {text!r}, expected US dollars such as 2.50") from error
    if not 0 <= amount < float("inf"):
        raise SettingsError(f"{name} is {text}, expected US dollars of at least 0")
    return amount


def switch(name: str, text: str) -> bool:
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off"}:
        return False
    raise SettingsError(f"{name} is {text!r}, expected 1 or 0")


def day(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"{name} is {text!r}, expected a date such as 2026-11-16") from error


def address(*schemes: str) -> Read:
    """Reads an address, which may hold a secret and is therefore never quoted."""

    begins = " or ".join(f"{allowed}://…" for allowed in schemes)

    def read(name: str, text: str) -> str:
        scheme, separator, place = text.partition("://")
        if not separator or scheme not in schemes or not place.strip("/"):
            raise SettingsError(f"{name} is not an address that starts with {begins}")
        return text

    read.__doc__ = f"an address, {begins}"
    return read


def _choice(name: str, text: str, allowed: tuple[str, ...]) -> str:
    if text not in allowed:
        raise SettingsError(f"{name} is {text!r}, expected one of {', '.join(allowed)}")
    return text
