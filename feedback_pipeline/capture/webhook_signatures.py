"""Signatures of webhooks as OpenAI and others send them (Standard Webhooks 1.0, standardwebhooks.com)."""

import binascii
from collections.abc import Mapping

from standardwebhooks import Webhook, WebhookVerificationError

_ENCODED = "whsec_"


class WebhookRefusedError(ValueError):
    """A delivery was not signed by whoever holds the secret, or not now."""


def verified(secret: str, headers: Mapping[str, str], body: bytes) -> str:
    """The id of a delivery, which is the same each time it is sent.

    Args:
        secret: shared with the sender: `whsec_` and Base64, or as it is.
        headers: of the request; names in any case.
        body: as received, byte for byte.

    Raises:
        WebhookRefusedError: a header is missing, the time is more than five minutes from ours, or no signature fits.
    """
    try:
        webhook = Webhook(secret if secret.startswith(_ENCODED) else secret.encode())
    except binascii.Error:
        raise WebhookRefusedError("the secret set here is not Base64 after whsec_") from None
    named = {name.lower(): value for name, value in headers.items()}
    try:
        webhook.verify(body, named, json_parse=False)
    except WebhookVerificationError as error:
        raise WebhookRefusedError(f"the delivery is not taken: {error}") from None
    except ValueError:  # a signature or body that is not even text
        raise WebhookRefusedError("the delivery is not taken: its signature cannot be read") from None
    return named["webhook-id"]
