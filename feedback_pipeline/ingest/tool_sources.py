"""Sources that need no entry: tools by name, their exports as folders of files."""

import glob
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from feedback_pipeline.ingest.documents import SourcesError, load_document
from feedback_pipeline.ingest.sources import Sources, load_sources, preset_names, source_of

TOOL_ENTRIES = Path(__file__).parent / "tools.yaml"
EXPORTS = Path(__file__).parent / "exports.yaml"
"""Of tools whose export is a folder of several tables: the sources in it."""


def with_tools(
    file: Path, names: tuple[str, ...], environment: Mapping[str, str], place: str | None = None
) -> "Sources":
    """The entries of a `sources.yaml` and, for names that are a tool's and no entry's, the tool's own.

    Args:
        file: the `sources.yaml`; need not be there where all names are tools'.
        place: instead of where the environment says that a tool is: its URL, or a file or folder that it exported.

    Raises:
        SourcesError: as `load_sources`, or a place is given and the names are not one tool's or preset's.
    """
    listed = load_sources(file, environment) if file.exists() else None
    own = {source.name for source in listed.entries} if listed else set()
    tools = load_document(TOOL_ENTRIES)
    if place is not None:
        if len(names) != 1 or names[0] in own or names[0] not in {*preset_names(), *tools}:
            raise SourcesError("--from goes with the name of one tool or preset, such as open-webui")
        if Path(place).is_dir():
            exported = _exported(names[0], Path(place).absolute())
            return Sources(file, tuple(source_of(EXPORTS, name, held, environment) for name, held in exported.items()))
        entry = {**tools.get(names[0], {"preset": names[0]}), **_placed(place)}
        return Sources(file, (source_of(TOOL_ENTRIES, names[0], entry, environment),))
    made = [name for name in names if name not in own and name in tools]
    if listed is None and (not names or len(made) < len(names)):
        load_document(file)  # says that it is not there
    entries = tuple(source_of(TOOL_ENTRIES, name, tools[name], environment) for name in made)
    return Sources(file, (*(listed.entries if listed else ()), *entries))


def _exported(tool: str, folder: Path) -> dict[str, dict[str, Any]]:
    """The sources of a folder that a tool exported: each table lies in a folder of its own, in files of one kind.

    Raises:
        SourcesError: the tool's export is no folder, or a table is not there.
    """
    entries = load_document(EXPORTS).get(tool)
    if entries is None:
        raise SourcesError(f"{folder} is a folder: name a file of {tool} in it")
    found = {}
    for name, entry in entries.items():
        files = [path for path in folder.rglob(f"{entry['path']}/*") if _kind_of(path.name)]
        if not files:
            raise SourcesError(f"{folder}: no file of {tool} lies in a folder {entry['path']}")
        ending = "".join(min(files).suffixes[-2 if min(files).suffix == ".gz" else -1 :])
        pattern = f"{glob.escape(str(folder))}/**/{entry['path']}/*{ending}"
        found[name] = {**entry, "kind": _kind_of(ending), "path": pattern}
    return found


def tool_of(source: str) -> str:
    """The tool whose export has a source of this name; the name itself where none has."""
    return next((tool for tool, entries in load_document(EXPORTS).items() if source in entries), source)


def _kind_of(name: str) -> str | None:
    kinds = {"jsonl": "jsonl", "ndjson": "jsonl", "json": "json", "csv": "csv", "parquet": "parquet"}
    return kinds.get(name.removesuffix(".gz").rpartition(".")[2])


def _placed(place: str) -> dict[str, Any]:
    """Where an export, or a tool, is: kind and path, or URL."""
    if place.startswith(("http://", "https://")):
        return {"kind": "api", "url": place}
    if "://" in place:
        return {"kind": "sql", "url": place}
    path = str(Path(place).absolute())
    return {"kind": _kind_of(place) or "json", "path": path, "url": None, "key": None, "query": None}
