"""Token counts without a network: `bpe-openai` carries its vocabularies."""

import functools
from collections.abc import Sequence
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import Any

TOKENIZER = "o200k_base"
"""The vocabulary of gpt-4o, gpt-4.1 and gpt-5 models; for other models the count is an estimate."""

MESSAGE_OVERHEAD = 4
"""Special tokens around one chat message: start, role, separator, end."""

_PIECE = 50_000
"""Characters that cannot have more than 200,000 tokens: a character is at most four bytes, a token at least one."""


@functools.cache
def _tokenizer(name: str) -> Any:
    """The package's own machinery, which holds its vocabularies: the package itself reads all of them once more at
    import, from text, which takes half a second."""
    package = find_spec("bpe_openai")
    places = package.submodule_search_locations if package else None
    found = PathFinder.find_spec("bpe_openai._bindings", places)
    if found is None or found.loader is None:
        raise ModuleNotFoundError("bpe_openai", name="bpe_openai")
    bindings = module_from_spec(found)
    found.loader.exec_module(bindings)
    return bindings.tokenizer_for_encoding(name)


def count_tokens(text: str, tokenizer: str = TOKENIZER) -> int:
    """Tokens of one text; words that look like special tokens are counted as the text they are.

    Longer texts are counted in pieces, as long as the tokenizer takes by itself; each cut adds at most one token. Half
    a pair of surrogates, which no encoding has, is counted as what stands for it.
    """
    count = _tokenizer(tokenizer).count
    if not text.isascii():
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return sum(count(text[start : start + _PIECE]) for start in range(0, len(text), _PIECE))


def exceeds(texts: Sequence[str], limit: int) -> bool:
    """Whether texts have more than `limit` tokens together; counted only where their bytes leave it open.

    A token is at least one byte of text, a character at most four.
    """
    if 4 * sum(map(len, texts)) + MESSAGE_OVERHEAD * len(texts) <= limit:
        return False
    if sum(len(text.encode()) for text in texts) + MESSAGE_OVERHEAD * len(texts) <= limit:
        return False
    return sum(count_tokens(text) + MESSAGE_OVERHEAD for text in texts) > limit
