"""Signatures of approvals: HMAC-SHA256 (RFC 2104) with a key that lives apart from the store."""

import hashlib
import hmac
import secrets
from pathlib import Path

from feedback_pipeline.privacy import key_files

KEY_FILE = "approval.key"
_KEY_BYTES = 32


class ApprovalKeyError(RuntimeError):
    """The key that approvals are signed with is missing or cannot be used; the message never quotes it."""


def signing_key(home: Path, *, production: bool) -> bytes:
    """The key in `home / "approval.key"`; in development it is made where missing, readable by its owner only.

    Raises:
        ApprovalKeyError: it is missing in production, malformed, or others may read it.
    """
    path = home / KEY_FILE
    if not path.exists():
        if production:
            raise ApprovalKeyError(
                f"no approval key at {path}: put the output of `openssl rand -hex 32` there, readable by you alone"
            )
        key_files.create(path, secrets.token_hex(_KEY_BYTES).encode())
    if key_files.readable_by_others(path):
        raise ApprovalKeyError(f"others may read {path}: chmod 600 it, and if they did, make another and approve again")
    try:
        key = bytes.fromhex(path.read_text().strip())
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise ApprovalKeyError(f"{path} does not hold 64 hexadecimal digits")
    return key


def sign(key: bytes, *parts: str) -> str:
    """The signature of a sequence of texts; where one ends and the next begins is signed too."""
    message = b"".join(len(part.encode()).to_bytes(8, "big") + part.encode() for part in parts)
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def verify(key: bytes, signature: str, *parts: str) -> bool:
    """Whether `sign` with the same key gives this signature."""
    return hmac.compare_digest(signature, sign(key, *parts))
