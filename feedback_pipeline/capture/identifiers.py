"""Ids: time-ordered for new rows, derived from content where the same thing must get the same id."""

import hashlib
import os
import time
import uuid

_NAMES = {"version": 0x7, "variant": 0b10}


def new_id() -> uuid.UUID:
    """A UUID of version 7 (RFC 9562, section 5.7): milliseconds since 1970, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    noise = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & ((1 << 48) - 1)) << 80
    value |= _NAMES["version"] << 76 | (noise >> 68) << 64 | _NAMES["variant"] << 62 | noise & ((1 << 62) - 1)
    return uuid.UUID(int=value)


def digest(*parts: str | bytes) -> bytes:
    """16 bytes of BLAKE2b over parts that cannot run into each other."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "big"))
        state.update(data)
    return state.digest()
