"""Replies by the hash of the request: what makes a second run free and a killed one resumable."""

from collections.abc import Sequence
from typing import Protocol


class ReplyCache(Protocol):
    """Where usable replies are kept. Errors, refusals and unreadable replies never get here."""

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The replies known, by key."""
        ...

    async def keep(self, key: str, reply: bytes) -> None:
        """Keeps a reply durably before returning; a key that exists keeps its first reply. Holds up no other call."""
        ...


class MemoryCache:
    """A cache for one process."""

    def __init__(self) -> None:
        self.replies: dict[str, bytes] = {}

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return {key: self.replies[key] for key in keys if key in self.replies}

    async def keep(self, key: str, reply: bytes) -> None:
        self.replies.setdefault(key, reply)
