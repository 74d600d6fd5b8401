"""Browser tokens made here, with the API key: a page is served whether or not the service runs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from uuid import uuid4

PREFIX = "fbl_"
MAX_SECONDS = 86_400


def local_token(
    key: str, content_type: str, content_id: str, origin: str, user_id: str | None = None, seconds: int = 3600
) -> str:
    """A token for one piece of content on pages of one origin, signed with the API key it is an extract of.

    It names the user as you do, in a form that the page can read. The key needs the scope `write`; the token ends with
    its time, and with the key.

    Raises:
        ValueError: a name is missing, or the time is not between 10 seconds and a day.
    """
    if not content_type or not content_id or not origin:
        raise ValueError("a token needs a content type, a content id and an origin")
    if not 10 <= seconds <= MAX_SECONDS:
        raise ValueError(f"seconds must be between 10 and {MAX_SECONDS:,}")
    mark = hashlib.sha256(key.encode()).digest()
    claims = {
        "h": _text(handle(mark)), "c": [content_type, str(content_id)], "o": origin.rstrip("/"), "u": user_id,
        "i": str(uuid4()), "e": int(time.time()) + seconds,
    }  # fmt: skip
    payload = _text(json.dumps(claims, separators=(",", ":")).encode())
    return f"{PREFIX}{payload}.{_text(signature(mark, payload))}"


def handle(mark: bytes) -> bytes:
    """What a token names its key by: a digest of the key's hash, from which neither can be found."""
    return hashlib.sha256(b"feedback token handle\x00" + mark).digest()[:16]


def signature(mark: bytes, payload: str) -> bytes:
    """The signature of a token's payload under the hash of its key."""
    return hmac.new(mark, b"feedback browser token\x00" + payload.encode(), hashlib.sha256).digest()


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
