"""Erasures that a backup does not know yet: noted beside the home's receipts and beside every backup within reach.

A line holds what the tombstone in the store holds: keyed hashes of a person, an id of an answer, or a tenant's name.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from feedback_pipeline.erasure.subjects import Subject

NAME = "erasures.jsonl"
BACKUPS = "backups.json"
"""In the home folder: where its backups are."""


def note(home: Path, subject: Subject) -> None:
    """Notes a finished erasure in the home and at every backup that can be reached now."""
    line = orjson.dumps(
        {
            "kind": subject.kind,
            "tenant": subject.tenant,
            "pseudonyms": list(subject.pseudonyms),
            "interaction": subject.interaction,
            "mark": subject.mark,
            "finished_at": datetime.now(UTC),
        }
    )
    _append(home / "erasures" / NAME, line)
    for backup in backups(home):
        with contextlib.suppress(OSError):  # not mounted now: `restore --erasures` takes the home's own list
            if backup.is_dir():
                _append(backup / NAME, line)


def noted(*places: Path) -> list[tuple[Subject, datetime]]:
    """The erasures of these lists (files, or folders that hold one), oldest first, each once."""
    found: dict[str, tuple[Subject, datetime]] = {}
    for line in (line for place in places for line in _lines(place)):
        subject = Subject(
            line["kind"],
            line["tenant"],
            tuple(line["pseudonyms"]),
            None if line["interaction"] is None else UUID(line["interaction"]),
            line["mark"],
        )
        found[subject.mark] = subject, datetime.fromisoformat(line["finished_at"])
    return sorted(found.values(), key=lambda each: each[1])


def backups(home: Path) -> list[Path]:
    """Where the home's backups are."""
    file = home / BACKUPS
    return [Path(path) for path in orjson.loads(file.read_bytes())] if file.exists() else []


def keep_in_mind(home: Path, backup: Path) -> None:
    """Notes a new backup of the home; those that are gone are dropped."""
    staying: Sequence[Path] = [path for path in backups(home) if path.is_dir()]
    listed = sorted({str(path) for path in (*staying, backup.resolve())})
    temporary = home / f".{BACKUPS}.{os.getpid()}.partial"
    temporary.write_bytes(orjson.dumps(listed))
    temporary.replace(home / BACKUPS)


def _append(file: Path, line: bytes) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, line + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lines(place: Path) -> Iterator[dict[str, Any]]:
    if place.is_dir():
        place = place / NAME if (place / NAME).exists() else place / "erasures" / NAME
    if place.exists():
        yield from (orjson.loads(line) for line in place.read_bytes().splitlines() if line.strip())
