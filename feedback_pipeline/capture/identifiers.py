"""Ids: time-ordered for new rows, derived from content where the same thing must get the same id."""

import hashlib
import os
import time
import uuid

from asyncpg.pgproto.pgproto import UUID  # uuid.UUID as the driver makes it, in a tenth of the time


def new_id() -> uuid.UUID:
    """A UUID of version 7 (RFC 9562, section 5.7): milliseconds since 1970, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    value = bytearray(milliseconds.to_bytes(6, "big") + os.urandom(10))
    value[6] = 0x70 | value[6] & 0x0F
    value[8] = 0x80 | value[8] & 0x3F
    made: uuid.UUID = UUID(bytes(value))
    return made


def digest(*parts: str | bytes) -> bytes:
    """16 bytes of BLAKE2b over parts that cannot run into each other."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "big"))
        state.update(data)
    return state.digest()
