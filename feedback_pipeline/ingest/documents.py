"""YAML as `sources.yaml` and the presets use it: errors name the line, and only true and false are booleans."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_BOOLEAN, _TEXT, _MERGE = (f"tag:yaml.org,2002:{name}" for name in ("bool", "str", "merge"))


class SourcesError(ValueError):
    """A `sources.yaml` cannot be used; the message names the file, the place and what to do."""


class _Loader(yaml.SafeLoader):
    """YAML 1.2 booleans (`yes`, `no`, `on` and `off` are words), keys as they are written, and none twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                continue
            key.tag = _TEXT  # 1 and true would be one key of a dict
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value} is there twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOLEAN]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOLEAN, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


def load_document(file: Path) -> dict[str, Any]:
    """The mapping at the top of a YAML file.

    Raises:
        SourcesError: the file cannot be read, is not YAML (with the line), or holds no mapping.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SourcesError(
            f"{file} is not there: copy examples/sources.yaml to it, or set FEEDBACK_SOURCES to your own"
        ) from error
    except OSError as error:
        raise SourcesError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SourcesError(f"{file} is not UTF-8 text (byte {error.start})") from error
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise SourcesError(f"{file}: {line}{error.problem or 'this is not YAML'}") from error
    except yaml.YAMLError as error:
        raise SourcesError(f"{file}: this is not YAML: {error}") from error
    if not isinstance(document, dict):
        raise SourcesError(f"{file}: expected a mapping at the top, such as sources:")
    return document


def expand(text: str, environment: Mapping[str, str], where: str) -> str:
    """`${NAME}` and `${NAME:-default}` replaced.

    Raises:
        SourcesError: a variable is not set and has no default; `where` and its name are in the message.
    """

    def value(match: re.Match[str]) -> str:
        name, default = match.groups()
        found = environment.get(name) or default
        if found is None:
            raise SourcesError(f"{where}: the environment variable {name} is not set; set it, or write ${{{name}:-…}}")
        return found

    return _VARIABLE.sub(value, text)
