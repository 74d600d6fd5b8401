"""`sources.yaml`: what to import."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from feedback_pipeline.ingest.documents import SourcesError, expand, load_document
from feedback_pipeline.ingest.source_entry import Source

PRESETS = Path(__file__).parent / "presets"


@dataclass(frozen=True)
class Sources:
    """The entries of a `sources.yaml` and where it is: its relative paths start there."""

    file: Path
    entries: tuple[Source, ...]

    def __len__(self) -> int:
        return len(self.entries)

    def chosen(self, names: tuple[str, ...] = ()) -> tuple[Source, ...]:
        """The named entries, or all.

        Raises:
            SourcesError: there is no entry of a name.
        """
        known = {source.name: source for source in self.entries}
        if unknown := [name for name in names if name not in known]:
            raise SourcesError(f"{self.file}: no source is called {unknown[0]}; there are: {', '.join(known)}")
        return tuple(known[name] for name in names) if names else self.entries


def load_sources(file: Path, environment: Mapping[str, str] | None = None) -> Sources:
    """Reads a `sources.yaml`: presets filled in, `${VARIABLE}` and `${VARIABLE:-default}` replaced in paths and URLs.

    Raises:
        SourcesError: the file is missing or malformed, an entry is wrong, a variable is not set; the message names
            file, source, field and what to do.
    """
    environment = os.environ if environment is None else environment
    document = load_document(file)
    entries = document.get("sources")
    if not isinstance(entries, dict) or not entries or set(document) != {"sources"}:
        raise SourcesError(f"{file}: expected one key, sources, with named entries below it (examples/sources.yaml)")
    sources = tuple(source_of(file, str(name), entry, environment) for name, entry in entries.items())
    names = {source.name for source in sources}
    for source in sources:
        if source.answers and source.answers not in names:
            raise SourcesError(f"{file}: source {source.name}: answers: no source is called {source.answers}")
    return Sources(file, sources)


def read_entry(name: str, entry: Mapping[str, Any], environment: Mapping[str, str]) -> Source:
    """One entry of a `sources.yaml` by itself.

    Raises:
        SourcesError: it is wrong; the message names field and what to do.
    """
    return source_of(Path("sources.yaml"), name, dict(entry), environment)


def preset_names() -> list[str]:
    """The names a `preset:` can have."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def source_of(file: Path, name: str, entry: Any, environment: Mapping[str, str]) -> Source:
    if not isinstance(entry, dict):
        raise SourcesError(f"{file}: source {name}: expected fields such as kind and path")
    merged = _with_preset(file, name, entry)
    for place in ("path", "url", "key"):
        if isinstance(merged.get(place), str):
            merged[place] = expand(merged[place], environment, f"{file}: source {name}: {place}")
    if isinstance(merged.get("joins"), dict):
        for join, settings in merged["joins"].items():
            if isinstance(settings, dict) and isinstance(settings.get("path"), str):
                where = f"{file}: source {name}: joins.{join}.path"
                settings["path"] = expand(settings["path"], environment, where)
    try:
        return Source.model_validate({**merged, "name": name})
    except ValidationError as error:
        raise SourcesError("\n".join(_described(file, name, problem) for problem in error.errors())) from error


def _with_preset(file: Path, name: str, entry: dict[str, Any]) -> dict[str, Any]:
    """The entry over its preset: maps are merged key by key, and a null takes a key away."""
    preset = entry.get("preset")
    if preset is None:
        return _without_nulls(entry)
    if preset not in preset_names():
        raise SourcesError(f"{file}: source {name}: preset: {preset} is none of {', '.join(preset_names())}")
    base = load_document(PRESETS / f"{preset}.yaml")
    merged = {**base, **entry}
    for part in ("mapping", "constants", "values"):
        own = entry.get(part) or {}
        if isinstance(own, dict):
            merged[part] = {**base.get(part, {}), **own}
    for field in merged["constants"]:
        if field in merged["mapping"] and field not in (entry.get("mapping") or {}):
            merged["mapping"][field] = None
    return _without_nulls(merged)


def _without_nulls(entry: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in entry.items() if value is not None}
    for part in ("mapping", "values"):
        if isinstance(kept.get(part), dict):
            kept[part] = {key: value for key, value in kept[part].items() if value is not None}
    return kept


def _described(file: Path, name: str, problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        message = f"unknown setting; known: {', '.join(n for n in Source.model_fields if n != 'name')}"
    return f"{file}: source {name}: {where + ': ' if where else ''}{message}"
