"""Identities by content: of a judge, so that series are never mixed, and of a request, so that it is paid once."""

import hashlib
from typing import Any

import orjson


def fingerprint(parts: Any) -> str:
    """Sixteen hexadecimal digits of the canonical JSON of what makes a judge this judge."""
    return content_hash(parts)[:16]


def content_hash(parts: Any) -> str:
    """SHA-256 of the canonical JSON (sorted keys) of a value, in hexadecimal."""
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()
