"""Judged text as data: written by strangers who may want to talk to the judge.

Invisible characters go, look-alikes of our own markup and of chat templates are broken up, and the text is put
between tags that carry a nonce. The nonce is a hash of the text itself, so that the same request stays the same
(and cached), while no text can contain its own hash.
"""

import re
from hashlib import blake2b

_INVISIBLE = re.compile(
    "[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
_MARKUP = re.compile(
    r"<(?=\s*[|｜]|\s*/?\s*(?:data|prompt|answer|reference|system|assistant|user|instructions?)\b)", re.I
)
_TEMPLATE = re.compile(r"\[(?=/?(?:INST|SYS)\])|<(?=<SYS>>)", re.I)


def neutralised(text: str) -> str:
    """The text without invisible characters and with markup that could be mistaken for ours or a template's broken."""
    visible = _INVISIBLE.sub("", text)
    return _TEMPLATE.sub(lambda match: match.group()[0] + " ", _MARKUP.sub("< ", visible))


def nonce(*texts: str) -> str:
    """Sixteen hexadecimal digits that only these texts have."""
    digest = blake2b(digest_size=8, person=b"judged-content")
    for text in texts:
        encoded = text.encode()
        digest.update(len(encoded).to_bytes(8, "little") + encoded)
    return digest.hexdigest()
