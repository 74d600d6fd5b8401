"""Hashes of texts: the same for what people would call the same prompt, stable for ever."""

import sys
import unicodedata
from datetime import date

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.cleaning import signatures
from feedback_pipeline.cleaning.signatures import hash_texts, normalise


def hashes(*texts: str | None) -> list[int | None]:
    return hash_texts(normalise(pl.Series(texts, dtype=pl.String))).to_list()


def test_case_white_space_and_compatibility_forms_do_not_matter() -> None:
    one, *others = hashes("How do I cancel?", "  how do\ti\n CANCEL?", "How do I cancel\uff1f")
    assert others == [one, one]


def test_characters_nobody_sees_do_not_matter() -> None:
    plain, zero_width, reversed_again, soft = hashes(
        "cancel my order", "can\u200bcel my\ufeff order", "\u202dcancel my order\u202c", "can\u00adcel my order"
    )
    assert {zero_width, reversed_again, soft} == {plain}


def test_composed_characters_are_what_they_are_whatever_stands_beside_them() -> None:
    """What the short way takes for granted (Unicode's quick check of normalisation), as Python's tables have it."""
    every = pl.Series([chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000])
    composed = "".join(every.filter(~every.str.contains(signatures._OTHER)))
    assert len(composed) > 30_000
    assert unicodedata.is_normalized("NFKC", composed)
    assert unicodedata.is_normalized("NFKC", composed[::-1])
    assert not any(unicodedata.combining(one) for one in composed)
    assert not any(one.isspace() for one in composed if one > "\x7f")
    assert pl.Series([composed]).str.contains(signatures._INVISIBLE).to_list() == [False]
    # those that another one could compose with: Hangul's second and third parts, and marks
    bases = "".join(one for one in composed if unicodedata.normalize("NFKD", one) == one)
    assert all(unicodedata.is_normalized("NFKC", base + one) for one in bases for base in "aeさハ가e\u0410")


MIXED = st.one_of(st.characters(codec="utf-8"), st.sampled_from("aé \t\n\xa0\u2028\u200bßİか\u3099가\u11a8１＠"))


@given(st.text(alphabet=MIXED))
def test_the_short_way_gives_what_the_long_one_gives(text: str) -> None:
    long = pl.Series([text]).str.normalize("NFKC").str.replace_all(signatures._INVISIBLE, "")
    lower = long.str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars().item()
    assert normalise(pl.Series([text])).item() == (lower or None)


@given(st.lists(st.tuples(st.none() | st.text(), st.none() | st.text()), max_size=9))
def test_a_pair_is_hashed_as_its_texts_joined(pairs: list[tuple[str | None, str | None]]) -> None:
    rows = pl.DataFrame(pairs, schema={"prompt": pl.String, "answer": pl.String}, orient="row")
    rows = rows.with_columns(pl.lit("i").alias("interaction_id"), day=date(2026, 1, 1), conversation_id=None)
    signed = signatures.text_signatures(rows)
    said = pl.DataFrame({name: normalise(rows[name]) for name in ("prompt", "answer")})
    joined = said.select(pl.concat_str("prompt", "answer", separator="\x1f")).to_series()
    assert signed["prompt_hash"].to_list() == hash_texts(said["prompt"]).to_list()
    assert signed["pair_hash"].to_list() == hash_texts(joined).to_list()


def test_letters_that_compatibility_forms_bring_are_lower_case_too() -> None:
    assert len(set(hashes("㎒", "MHz", "mhz"))) == 1


def test_other_words_are_another_prompt() -> None:
    assert len(set(hashes("cancel", "cancel it", "Cancel!"))) == 3


def test_no_text_and_white_space_have_no_hash() -> None:
    assert hashes(None, "", " \n") == [None, None, None]


def test_hashes_are_persisted_so_they_never_change() -> None:
    # computed once with hashlib.blake2b(b"refund", digest_size=8), little-endian
    assert hashes("Refund") == [int.from_bytes(bytes.fromhex("726cfc538cb9add9"), "little")]


@given(st.lists(st.one_of(st.none(), st.text()), max_size=20))
def test_a_column_is_hashed_as_each_text_by_itself(texts: list[str | None]) -> None:
    assert hashes(*texts) == [hashes(text)[0] for text in texts]
