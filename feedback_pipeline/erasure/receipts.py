"""Receipts: what an erasure did, signed so that a changed one is noticed.

The signature is HMAC-SHA256 (RFC 2104) over the receipt as canonical JSON, under a key derived from a pseudonym key:
who holds the keys can check it, nobody else could have made it.
"""

import hmac
from collections.abc import Mapping
from typing import Any

import orjson

from feedback_pipeline.privacy.pseudonyms import Pseudonymiser

_PURPOSE = b"feedback-pipeline erasure receipt"


def sign(pseudonymiser: Pseudonymiser, content: Mapping[str, Any]) -> dict[str, Any]:
    """The receipt: the content, the version of the key and the signature."""
    signed = {**content, "key_version": pseudonymiser.current}
    return {**signed, "signature": _signature(pseudonymiser.keys[pseudonymiser.current], signed)}


def is_genuine(pseudonymiser: Pseudonymiser, receipt: Mapping[str, Any]) -> bool:
    """Whether the receipt was signed with one of these keys and not changed since."""
    content = {name: value for name, value in receipt.items() if name != "signature"}
    key = pseudonymiser.keys.get(str(receipt.get("key_version")))
    return key is not None and hmac.compare_digest(_signature(key, content), str(receipt.get("signature")))


def _signature(key: bytes, content: Mapping[str, Any]) -> str:
    derived = hmac.digest(key, _PURPOSE, "sha256")
    canonical = orjson.dumps(content, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)
    return hmac.digest(derived, canonical, "sha256").hex()
