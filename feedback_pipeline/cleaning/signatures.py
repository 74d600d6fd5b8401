"""Signatures of texts: what duplicates are found by, day by day, without keeping or rereading text."""

import hashlib

import polars as pl

from feedback_pipeline.cleaning.minhash import sketches_with
from feedback_pipeline.cleaning.tables import TEXT_SIGNATURES

_INVISIBLE = r"[\u{00AD}\u{200B}-\u{200F}\u{202A}-\u{202E}\u{2060}-\u{2064}\u{2066}-\u{2069}\u{FEFF}]"
"""Zero-width and bidirectional controls and soft hyphens: what makes the same words other bytes unseen."""


_WHITE_SPACE = r"\s{2,}|[^\S ]"
"""Every stretch of white space but a single space: matching those as well takes five times as long."""


def text_signatures(clean_interactions: pl.DataFrame, key: bytes = b"") -> pl.DataFrame:
    """The answers of a day (CLEAN_INTERACTIONS) as TEXT_SIGNATURES.

    Args:
        clean_interactions: at least interaction_id, day, conversation_id, prompt and answer.
        key: of the sketches (see `minhash.sketches`); one key for all days, for ever.
    """
    prompt, answer = normalise(clean_interactions["prompt"]), normalise(clean_interactions["answer"])
    pair = pl.select(pl.concat_str([prompt, answer], separator="\x1f", ignore_nulls=False)).to_series()
    prompt_bands, pair_bands = sketches_with(prompt, answer, key)
    signed = clean_interactions.with_columns(
        prompt_hash=hash_texts(prompt), pair_hash=hash_texts(pair), prompt_bands=prompt_bands, pair_bands=pair_bands
    )
    return TEXT_SIGNATURES.conform(signed)


def normalise(texts: pl.Series) -> pl.Series:
    """Texts in compatibility form (NFKC) and lower case, without invisible characters, white space collapsed; empty
    ones are null."""
    plain = texts
    foreign = (texts.str.len_bytes() != texts.str.len_chars()).fill_null(value=False)
    if foreign.any():
        composed = texts.filter(foreign).str.normalize("NFKC").str.replace_all(_INVISIBLE, "")
        plain = texts.scatter(foreign.arg_true(), composed)
    plain = plain.str.to_lowercase().str.replace_all(_WHITE_SPACE, " ").str.strip_chars()
    return plain.replace({"": None})


def hash_texts(texts: pl.Series) -> pl.Series:
    """BLAKE2b-64 of each text (UInt64): stable over versions and machines, and not to be collided by a stranger."""
    blake2b, convert = hashlib.blake2b, int.from_bytes
    hashes = [
        None if text is None else convert(blake2b(text.encode(), digest_size=8).digest(), "little")
        for text in texts.to_list()
    ]
    return pl.Series(texts.name, hashes, dtype=pl.UInt64)
