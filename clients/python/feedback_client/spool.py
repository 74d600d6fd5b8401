"""Requests that could not be delivered, kept on disk until they can: one file each, oldest first."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Spooled:
    """One request on disk."""

    file: Path
    path: str
    body: dict[str, Any]
    key: str


class Spool:
    """A folder of undelivered requests, bounded in bytes: what does not fit is dropped and counted.

    Several clients may share one. Each takes only what was kept under its `owner` (see `Address.owner`): a request goes
    with the key it was made for.
    """

    def __init__(self, folder: Path, owner: str, largest: int = 64 * 1024 * 1024) -> None:
        self._folder = folder
        self._owner = owner
        self._largest = largest
        self.dropped = 0
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._bytes = sum(file.stat().st_size for file in folder.glob("*.json"))

    def add(self, path: str, body: dict[str, Any], key: str) -> bool:
        """Keeps a request; False if there is no room."""
        request = {"path": path, "body": body, "key": key, "owner": self._owner}
        data = json.dumps(request, separators=(",", ":")).encode()
        if self._bytes + len(data) > self._largest:
            self.dropped += 1
            return False
        name = f"{time.time_ns():020d}-{secrets.token_hex(4)}"
        temporary = self._folder / f".{name}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        temporary.rename(self._folder / f"{name}.json")
        self._bytes += len(data)
        return True

    def waiting(self) -> Iterator[Spooled]:
        """The requests of this owner, oldest first; a file that cannot be read is set aside."""
        for file in sorted(self._folder.glob("*.json")):
            try:
                content = json.loads(file.read_bytes())
                spooled = Spooled(file, content["path"], content["body"], content["key"])
                if content.get("owner", self._owner) == self._owner:  # earlier versions named none
                    yield spooled
            except FileNotFoundError:
                continue  # another process has delivered it
            except (ValueError, KeyError, TypeError):
                file.rename(file.with_suffix(".broken"))

    def done(self, spooled: Spooled) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._bytes -= spooled.file.stat().st_size
            spooled.file.unlink()

    def __len__(self) -> int:
        return sum(1 for _ in self._folder.glob("*.json"))
