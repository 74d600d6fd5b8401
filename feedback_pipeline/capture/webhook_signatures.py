"""Signatures of webhooks as OpenAI and others send them (Standard Webhooks 1.0, standardwebhooks.com)."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

TOLERANCE_SECONDS = 300
"""A delivery whose time is further from ours was kept and sent again, or one of the clocks is wrong."""

_ENCODED = "whsec_"


class WebhookRefusedError(ValueError):
    """A delivery was not signed by whoever holds the secret, or not now."""


def verified(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> str:
    """The id of a delivery, which is the same each time it is sent.

    Args:
        secret: shared with the sender: `whsec_` and Base64, or as it is.
        headers: of the request; names in any case.
        body: as received, byte for byte.
        now: seconds since 1970.

    Raises:
        WebhookRefusedError: a header is missing, the time is not near, or no signature fits.
    """
    named = {name.lower(): value for name, value in headers.items()}
    found = [named.get(f"webhook-{name}") for name in ("id", "timestamp", "signature")]
    identity, timestamp, signatures = found
    if not identity or not timestamp or not signatures:
        raise WebhookRefusedError("the headers webhook-id, webhook-timestamp and webhook-signature are needed")
    if not timestamp.isdecimal() or abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        raise WebhookRefusedError(f"webhook-timestamp is more than {TOLERANCE_SECONDS} seconds from our time")
    signed = b".".join((identity.encode(), timestamp.encode(), body))
    expected = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    for signature in signatures.split():
        version, _, value = signature.partition(",")
        if version == "v1" and hmac.compare_digest(base64.b64encode(expected), value.encode()):
            return identity
    raise WebhookRefusedError("no signature fits: the secret is another, or the body was changed on its way")


def _key(secret: str) -> bytes:
    if not secret.startswith(_ENCODED):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_ENCODED))
    except binascii.Error:
        raise WebhookRefusedError("the secret set here is not Base64 after whsec_") from None
