"""Signatures of texts: what duplicates are found by, day by day, without keeping or rereading text."""

from hashlib import blake2b

import numpy as np
import polars as pl

from feedback_pipeline.cleaning.minhash import sketches_with
from feedback_pipeline.cleaning.tables import TEXT_SIGNATURES

_INVISIBLE = r"[\u{00AD}\u{200B}-\u{200F}\u{202A}-\u{202E}\u{2060}-\u{2064}\u{2066}-\u{2069}\u{FEFF}]"
"""Zero-width and bidirectional controls and soft hyphens: what makes the same words other bytes unseen."""


_WHITE_SPACE = r"\s{2,}|[^\S ]"
"""Every stretch of white space but a single space: matching those as well takes five times as long."""
_LINE_OR_TAB = r"[\t-\r]"
_COMPOSED = (
    r"\x00-\x7f¡-§©«¬®°±¶·»¿-ıĴ-ľŁ-ňŊ-žА-яЁёא-ת\u{2010}\u{2012}-\u{2015}‘-”†-•€、。「-】ぁ-ゖァ-ヺー一-\u{9fff}가-힣"
    r"\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6d7}"
)
"""Characters that are what they are in NFKC, whichever of them stand beside them, and neither invisible nor, beyond
ASCII, white space: most of most texts."""
_OTHER = f"[^{_COMPOSED}]"
_BETWEEN = b"\x1f"


def text_signatures(clean_interactions: pl.DataFrame, key: bytes = b"") -> pl.DataFrame:
    """The answers of a day (CLEAN_INTERACTIONS) as TEXT_SIGNATURES.

    Args:
        clean_interactions: at least interaction_id, day, conversation_id, prompt and answer.
        key: of the sketches (see `minhash.sketches`); one key for all days, for ever.
    """
    prompt, answer = normalise(clean_interactions["prompt"]), normalise(clean_interactions["answer"])
    prompt_hash, pair_hash = _hash_both(prompt, answer)
    prompt_bands, pair_bands = sketches_with(prompt, answer, key)
    signed = clean_interactions.with_columns(
        prompt_hash=prompt_hash, pair_hash=pair_hash, prompt_bands=prompt_bands, pair_bands=pair_bands
    )
    return TEXT_SIGNATURES.conform(signed)


def normalise(texts: pl.Series) -> pl.Series:
    """Texts in compatibility form (NFKC) and lower case, without invisible characters, white space collapsed; empty
    ones are null."""
    foreign = (texts.str.len_bytes() != texts.str.len_chars()).arg_true()
    other = foreign.filter(texts.gather(foreign).str.contains(_OTHER))
    composed = texts.gather(other).str.normalize("NFKC").str.replace_all(_INVISIBLE, "")
    plain = texts.clone().scatter(other, composed).str.to_lowercase()
    spaced = plain.str.contains("  ", literal=True) | plain.str.contains(_LINE_OR_TAB)
    rows = pl.concat([spaced.arg_true(), other]).unique()
    plain = plain.scatter(rows, plain.gather(rows).str.replace_all(_WHITE_SPACE, " ")).str.strip_chars()
    return plain.replace({"": None})


def hash_texts(texts: pl.Series) -> pl.Series:
    """BLAKE2b-64 of each text (UInt64): stable over versions and machines, and not to be collided by a stranger."""
    known = texts.drop_nulls()
    said = known.cast(pl.Binary).to_list()
    return _placed(texts.is_not_null(), [blake2b(text, digest_size=8).digest() for text in said]).alias(texts.name)


def _hash_both(texts: pl.Series, others: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The hash of each text, and of the text, U+001F and the other one of its row; null where one is missing."""
    known, both = texts.is_not_null(), texts.is_not_null() & others.is_not_null()
    said = zip(texts.filter(known).cast(pl.Binary), others.filter(known).cast(pl.Binary), strict=True)
    alone, together = list[bytes](), list[bytes]()
    for text, other in said:
        state = blake2b(text, digest_size=8)
        alone.append(state.digest())
        if other is not None:
            state.update(_BETWEEN + other)
            together.append(state.digest())
    return _placed(known, alone).alias(texts.name), _placed(both, together).alias(others.name)


def _placed(known: pl.Series, digests: list[bytes]) -> pl.Series:
    """Digests of eight bytes as numbers, in the places that are known."""
    hashes = pl.Series(np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64))
    return pl.repeat(None, len(known), dtype=pl.UInt64, eager=True).scatter(known.arg_true(), hashes)
