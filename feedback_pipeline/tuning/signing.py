"""Signatures of approvals: HMAC-SHA256 (RFC 2104) with a key that lives apart from the store."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

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
        _create(path)
    if path.stat().st_mode & 0o077:
        raise ApprovalKeyError(f"others may read {path}: chmod 600 it, and if they did, make another and approve again")
    try:
        key = bytes.fromhex(path.read_text().strip())
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise ApprovalKeyError(f"{path} does not hold 64 hexadecimal digits")
    return key


def _create(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(_KEY_BYTES))
    try:
        os.link(draft, path)  # fails where another process was faster: its key stays
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def sign(key: bytes, *parts: str) -> str:
    """The signature of a sequence of texts; where one ends and the next begins is signed too."""
    message = b"".join(len(part.encode()).to_bytes(8, "big") + part.encode() for part in parts)
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def verify(key: bytes, signature: str, *parts: str) -> bool:
    """Whether `sign` with the same key gives this signature."""
    return hmac.compare_digest(signature, sign(key, *parts))
