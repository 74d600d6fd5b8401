"""Token counts without a network: `bpe-openai` carries its vocabularies."""

import functools
from collections.abc import Sequence
from typing import Any

TOKENIZER = "o200k_base"
"""The vocabulary of gpt-4o, gpt-4.1 and gpt-5 models; for other models the count is an estimate."""

MESSAGE_OVERHEAD = 4
"""Special tokens around one chat message: start, role, separator, end."""

_PIECE = 50_000
"""Characters that cannot have more than 200,000 tokens: a character is at most four bytes, a token at least one."""


@functools.cache
def _encoding(name: str) -> Any:
    import bpe_openai  # reads its vocabularies at import, which takes half a second

    return bpe_openai.get_encoding(name)


def count_tokens(text: str, tokenizer: str = TOKENIZER) -> int:
    """Tokens of one text; words that look like special tokens are counted as the text they are.

    Longer texts are counted in pieces, because the tokenizer refuses to return more than 200,000 tokens; each cut adds
    at most one token.
    """
    encode = _encoding(tokenizer).encode_ordinary
    return sum(len(encode(text[start : start + _PIECE])) for start in range(0, len(text), _PIECE))


def exceeds(texts: Sequence[str], limit: int) -> bool:
    """Whether texts have more than `limit` tokens together; counted only where their bytes leave it open.

    A token is at least one byte of text, a character at most four.
    """
    if 4 * sum(map(len, texts)) + MESSAGE_OVERHEAD * len(texts) <= limit:
        return False
    if sum(len(text.encode()) for text in texts) + MESSAGE_OVERHEAD * len(texts) <= limit:
        return False
    return sum(count_tokens(text) + MESSAGE_OVERHEAD for text in texts) > limit
