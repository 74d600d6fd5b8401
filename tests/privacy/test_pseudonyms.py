"""Pseudonyms: keyed, per tenant, versioned; a missing or wrong key gets a clear answer."""

import hmac
import json
import stat
import unicodedata
from multiprocessing.pool import ThreadPool
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.privacy.pseudonyms import (
    KEY_FILE,
    InvalidKeyError,
    MissingKeyError,
    Pseudonymiser,
    WrongKeyError,
)

KEYS = Pseudonymiser("k2", {"k1": bytes(range(32)), "k2": bytes(range(1, 33)), "k10": bytes(range(2, 34))})
ids = st.text(min_size=1)


def _write(folder: Path, content: object) -> None:
    path = folder / KEY_FILE
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(0o600)


def test_production_demands_a_key_and_writes_none(tmp_path: Path) -> None:
    with pytest.raises(MissingKeyError, match=KEY_FILE):
        Pseudonymiser.open(tmp_path, production=True)
    assert list(tmp_path.iterdir()) == []


def test_development_creates_a_key_once_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    first = Pseudonymiser.open(folder, production=False)
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert Pseudonymiser.open(folder, production=True) == first
    assert [path.name for path in folder.iterdir()] == [KEY_FILE]


def test_processes_that_start_together_agree_on_the_key(tmp_path: Path) -> None:
    with ThreadPool(8) as pool:
        opened = pool.map(lambda _: Pseudonymiser.open(tmp_path, production=False), range(32))
    assert all(each == opened[0] for each in opened)


@pytest.mark.parametrize(
    "content",
    [
        "not json",
        "[]",
        {"keys": {}},
        {"current": "k1", "keys": {}},
        {"current": "k1", "keys": {"k1": "zz"}},
        {"current": "k1", "keys": {"k1": "00ff"}},
        {"current": "main", "keys": {"main": "00" * 32}},
        {"current": "k1", "keys": {"k1": 7}},
    ],
)
def test_an_unusable_key_file_is_refused_without_quoting_it(tmp_path: Path, content: object) -> None:
    _write(tmp_path, content)
    with pytest.raises(InvalidKeyError) as refused:
        Pseudonymiser.open(tmp_path, production=True)
    assert "00ff" not in str(refused.value)
    assert "zz" not in str(refused.value)


def test_a_key_file_that_others_may_change_is_refused(tmp_path: Path) -> None:
    Pseudonymiser.open(tmp_path, production=False)
    (tmp_path / KEY_FILE).chmod(0o620)
    with pytest.raises(InvalidKeyError, match="chmod 600"):
        Pseudonymiser.open(tmp_path, production=False)


def test_keys_are_not_shown() -> None:
    assert "keys" not in repr(KEYS)


@given(ids, ids)
def test_a_pseudonym_is_the_hmac_of_the_user_under_the_hmac_of_the_tenant(tenant: str, user: str) -> None:
    """Oracle: the standard library's HMAC."""
    tenant_bytes, user_bytes = (
        unicodedata.normalize("NFC", text).encode(errors="surrogatepass") for text in (tenant, user)
    )
    tenant_key = hmac.digest(KEYS.keys["k2"], tenant_bytes, "sha256")
    assert KEYS.pseudonym(tenant, user) == f"k2:{hmac.digest(tenant_key, user_bytes, 'sha256').hex()[:32]}"


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.one_of(st.none(), st.text(max_size=3))), max_size=12))
def test_a_column_and_single_ids_get_the_same_pseudonyms(rows: list[tuple[str, str | None]]) -> None:
    tenants = pl.Series([tenant for tenant, _ in rows], dtype=pl.String)
    users = pl.Series([user for _, user in rows], dtype=pl.String)
    expected = [KEYS.pseudonym(tenant, user) if user else None for tenant, user in rows]
    assert KEYS.pseudonyms(tenants, users).to_list() == expected


def test_one_person_in_two_tenants_is_two() -> None:
    assert KEYS.pseudonym("acme", "bob") != KEYS.pseudonym("beta", "bob")


def test_tenant_and_user_cannot_run_into_each_other() -> None:
    assert KEYS.pseudonym("ab", "c") != KEYS.pseudonym("a", "bc")


def test_composed_and_decomposed_spellings_are_one_person() -> None:
    composed, decomposed = "zo\u00eb", "zoe\u0308"
    assert KEYS.pseudonym("t", composed) == KEYS.pseudonym("t", decomposed)
    assert KEYS.pseudonyms(pl.Series(["t", "t"]), pl.Series([composed, decomposed])).n_unique() == 1


def test_an_empty_id_is_nobody() -> None:
    with pytest.raises(ValueError, match="empty user id"):
        KEYS.pseudonym("t", "")
    assert KEYS.pseudonyms(pl.Series(["t", "t"]), pl.Series(["", None])).to_list() == [None, None]


def test_a_user_without_a_tenant_is_refused() -> None:
    with pytest.raises(ValueError, match="1 user ids have no tenant"):
        KEYS.pseudonyms(pl.Series([None, None], dtype=pl.String), pl.Series(["bob", None]))


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="1 tenants for 2 user ids"):
        KEYS.pseudonyms(pl.Series(["t"]), pl.Series(["a", "b"]))


def test_rotation_gives_new_pseudonyms_and_finds_the_old(tmp_path: Path) -> None:
    before = Pseudonymiser.open(tmp_path, production=False)
    after = before.rotate(tmp_path)
    assert after.current == "k2"
    assert after.all_versions("t", "bob") == [after.pseudonym("t", "bob"), before.pseudonym("t", "bob")]
    assert Pseudonymiser.open(tmp_path, production=True) == after
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600


def test_versions_are_ordered_by_number_not_by_letters() -> None:
    assert [each.split(":")[0] for each in KEYS.all_versions("t", "bob")] == ["k2", "k10", "k1"]


def test_rotating_keys_that_were_changed_meanwhile_is_refused(tmp_path: Path) -> None:
    """Two rotations at once would otherwise lose one of the keys, and with it everyone named under it."""
    first = Pseudonymiser.open(tmp_path, production=False)
    first.rotate(tmp_path)
    with pytest.raises(WrongKeyError, match="open it again"):
        first.rotate(tmp_path)


def test_a_wrong_or_missing_key_is_noticed_by_its_fingerprint() -> None:
    stored = KEYS.fingerprints()
    KEYS.verify(stored)
    KEYS.verify({"k1": stored["k1"]})
    for wrong in ({"k2": KEYS.keys["k2"]}, {**KEYS.keys, "k1": bytes(32)}):
        with pytest.raises(WrongKeyError, match="another key k1"):
            Pseudonymiser("k2", wrong).verify(stored)


def test_a_fingerprint_does_not_give_the_key_away() -> None:
    assert all(
        KEYS.keys[version].hex() not in mark and len(mark) == 16 for version, mark in KEYS.fingerprints().items()
    )


def test_who_is_kept_under_an_earlier_name_goes_on_being_called_by_it() -> None:
    earlier = Pseudonymiser("k1", KEYS.keys).pseudonym("t", "ada")
    keeping = KEYS.keeping([earlier, "k1:of somebody else"])
    assert keeping.pseudonym("t", "ada") == earlier
    assert keeping.pseudonym("other tenant", "ada") == KEYS.pseudonym("other tenant", "ada")
    assert keeping.pseudonym("t", "ben") == KEYS.pseudonym("t", "ben")
    # named under both, the current one is used; and all of them are still found
    assert KEYS.keeping([earlier, KEYS.pseudonym("t", "ada")]).pseudonym("t", "ada") == KEYS.pseudonym("t", "ada")
    assert keeping.all_versions("t", "ada") == KEYS.all_versions("t", "ada")


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.text(max_size=2)), max_size=12), st.data())
def test_a_column_keeps_the_same_names_as_single_ids(rows: list[tuple[str, str]], data: st.DataObject) -> None:
    names = [name for tenant, user in rows if user for name in KEYS.all_versions(tenant, user)]
    keeping = KEYS.keeping(data.draw(st.sets(st.sampled_from(names))) if names else [])
    tenants, users = (pl.Series([row[side] for row in rows], dtype=pl.String) for side in (0, 1))
    expected = [keeping.pseudonym(tenant, user) if user else None for tenant, user in rows]
    assert keeping.pseudonyms(tenants, users).to_list() == expected


def test_the_oldest_name_does_not_depend_on_which_key_is_current() -> None:
    assert {Pseudonymiser(version, KEYS.keys).oldest("t", "ada") for version in KEYS.keys} == {
        Pseudonymiser("k1", KEYS.keys).pseudonym("t", "ada")
    }
