"""Hashes of texts: the same for what people would call the same prompt, stable for ever."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

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
