"""What a person is called in the data: a keyed hash of tenant and user id.

Without the key nobody can go from a pseudonym to the person or test a guess; with it, everything about one person can
be found and erased. An unkeyed hash would protect nothing: all e-mail addresses or ten million customer numbers are
hashed in seconds (EDPB Guidelines 01/2025 on pseudonymisation). A pseudonym is still personal data.

The keys live in `keys.json`, apart from the data:

    {"current": "k2", "keys": {"k1": "<64 hexadecimal digits>", "k2": "…"}}

The current key makes new pseudonyms; older ones are kept so that data written under them can still be found. Whoever
has a consent written under an older pseudonym and none under the current one (see `consent`) stays called by it: a
rotation must not make anybody collected who refused, or anybody known again who was forgotten.
"""

import hmac
import json
import re
import secrets
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from feedback_pipeline.privacy import key_files

KEY_FILE = "keys.json"
_FORM = '{"current": "k1", "keys": {"k1": "…"}}'
_KEY_BYTES = 32
_PSEUDONYM_DIGITS = 32
_VERSION = re.compile(r"k([1-9][0-9]{0,5})")
_FINGERPRINT_BYTES = 8


class MissingKeyError(RuntimeError):
    """There is no key file, and this is not a place to make one up."""


class InvalidKeyError(RuntimeError):
    """The key file cannot be used as it is; the message says why and never quotes it."""


class WrongKeyError(RuntimeError):
    """The key is not the one the stored pseudonyms were made with."""


@dataclass(frozen=True)
class Pseudonymiser:
    """Makes pseudonyms with one set of keys.

    `keys` are by version (`k1`, `k2` …); `current` is the version that new pseudonyms get. `kept` are pseudonyms of any
    version that somebody is to go on being called by.
    """

    current: str
    keys: Mapping[str, bytes] = field(repr=False)
    kept: frozenset[str] = field(default=frozenset(), repr=False, compare=False)

    @classmethod
    def open(cls, folder: Path, *, production: bool) -> "Pseudonymiser":
        """The keys in `folder / "keys.json"`. In development they are created if missing, readable by the owner only.

        Raises:
            MissingKeyError: there are none, in production.
            InvalidKeyError: the file is malformed, or others may change it.
        """
        path = folder / KEY_FILE
        if not path.exists():
            if production:
                raise MissingKeyError(
                    f"no pseudonym keys at {path}: put the file there that the existing pseudonyms were made with, "
                    f"or for a new installation create it: {_FORM}, the key being the output of `openssl rand -hex 32`"
                )
            key_files.create(path, _content(cls("k1", {"k1": secrets.token_bytes(_KEY_BYTES)})))
        return _read(path)

    def rotate(self, folder: Path) -> "Pseudonymiser":
        """Add a new current key to `folder / "keys.json"` and keep the others.

        Pseudonyms made from now on differ from the earlier ones of the same person.

        Raises:
            WrongKeyError: the file holds other keys than these.
        """
        path = folder / KEY_FILE
        with key_files.alone(path):
            if _read(path) != self:
                raise WrongKeyError(f"{path} has changed since it was read: open it again before rotating")
            version = f"k{max(map(_number, self.keys)) + 1}"
            rotated = Pseudonymiser(version, {**self.keys, version: secrets.token_bytes(_KEY_BYTES)})
            key_files.replace(path, _content(rotated))
        return rotated

    def keeping(self, pseudonyms: Iterable[str]) -> "Pseudonymiser":
        """The same keys, and these pseudonyms of theirs stay in use after a rotation."""
        return replace(self, kept=frozenset(pseudonyms) if len(self.keys) > 1 else frozenset())

    def pseudonym(self, tenant: str, user_id: str) -> str:
        """What the person is called: the key's version and 32 hexadecimal digits, such as `k1:9f86d08…`.

        The same id in another tenant is another person. Spellings that differ only in Unicode composition are one.

        Raises:
            ValueError: the user id is empty.
        """
        current = self._pseudonym(self.current, tenant, user_id)
        return self._kept(tenant, user_id) or current if self.kept else current

    def _kept(self, tenant: str, user_id: str) -> str | None:
        """The newest pseudonym of the person that is to stay in use."""
        return next((name for name in self.all_versions(tenant, user_id) if name in self.kept), None)

    def oldest(self, tenant: str, user_id: str) -> str:
        """The pseudonym under the first key: the same for ever, whichever key is current."""
        return self._pseudonym(min(self.keys, key=_number), tenant, user_id)

    def all_versions(self, tenant: str, user_id: str) -> list[str]:
        """Every pseudonym the person may have in the data, the current one first, then the newest.

        Raises:
            ValueError: the user id is empty.
        """
        older = sorted(self.keys.keys() - {self.current}, key=_number, reverse=True)
        return [self._pseudonym(version, tenant, user_id) for version in (self.current, *older)]

    def pseudonyms(self, tenants: pl.Series, users: pl.Series) -> pl.Series:
        """The pseudonym of every row; null where the user id is missing or empty (an anonymous row).

        Raises:
            ValueError: a row with a user id has no tenant, or the columns differ in length.
        """
        if tenants.len() != users.len():
            raise ValueError(f"{tenants.len()} tenants for {users.len()} user ids")
        rows = pl.DataFrame({"tenant": tenants.cast(pl.String), "user": users.cast(pl.String)})
        people = rows.unique().filter(pl.col("user") != "")
        if nameless := people["tenant"].null_count():
            raise ValueError(f"{nameless} user ids have no tenant")
        keys = {tenant: self._tenant_key(self.current, tenant) for tenant in people["tenant"].unique()}
        named = list(zip(people["tenant"].to_list(), people["user"].to_list(), strict=True))
        made = [f"{self.current}:{_hash(keys[tenant], user)}" for tenant, user in named]
        if self.kept:
            made = [self._kept(*person) or name for person, name in zip(named, made, strict=True)]
        people = people.with_columns(pseudonym=pl.Series(made, dtype=pl.String))
        return rows.join(people, on=("tenant", "user"), how="left", maintain_order="left")["pseudonym"]

    def fingerprints(self) -> dict[str, str]:
        """A mark of each key by version, safe to store beside the data: it shows later whether the key is the same."""
        return {
            version: hmac.digest(key, b"feedback-pipeline key fingerprint", "sha256")[:_FINGERPRINT_BYTES].hex()
            for version, key in self.keys.items()
        }

    def verify(self, stored: Mapping[str, str]) -> None:
        """Compare the keys with the fingerprints stored beside the data.

        Raises:
            WrongKeyError: a key is missing or different, so that people could no longer be found.
        """
        fingerprints = self.fingerprints()
        lost = sorted(version for version, mark in stored.items() if fingerprints.get(version) != mark)
        if lost:
            raise WrongKeyError(
                f"the data was written with another key {', '.join(lost)} than the one in {KEY_FILE}: restore the file "
                "that belongs to this database"
            )

    def _pseudonym(self, version: str, tenant: str, user_id: str) -> str:
        if not user_id:
            raise ValueError("an empty user id has no pseudonym")
        return f"{version}:{_hash(self._tenant_key(version, tenant), user_id)}"

    def _tenant_key(self, version: str, tenant: str) -> bytes:
        return hmac.digest(self.keys[version], _utf8(tenant), "sha256")


def _hash(key: bytes, user_id: str) -> str:
    """HMAC-SHA256 (RFC 2104), cut to the length of a pseudonym."""
    return hmac.digest(key, _utf8(user_id), "sha256").hex()[:_PSEUDONYM_DIGITS]


def _number(version: str) -> int:
    return int(version.removeprefix("k"))


def _utf8(text: str) -> bytes:
    """The text in composed form, so that two spellings of one id are one; lone surrogates are kept apart."""
    return unicodedata.normalize("NFC", text).encode(errors="surrogatepass")


def _read(path: Path) -> Pseudonymiser:
    if key_files.writable_by_others(path):
        raise InvalidKeyError(f"{path} can be changed by others: chmod 600 it")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        keys = {version: bytes.fromhex(key) for version, key in content["keys"].items()}
        current = content["current"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidKeyError(f"{path} is not of the form {_FORM}") from error
    if strange := [version for version in keys if not _VERSION.fullmatch(version)]:
        raise InvalidKeyError(f"{path} has {len(strange)} key versions not named k1, k2, …")
    if current not in keys:
        raise InvalidKeyError(f"{path} has no key for its current version")
    if short := [version for version, key in keys.items() if len(key) < _KEY_BYTES]:
        raise InvalidKeyError(f"{path}: {', '.join(short)} shorter than {_KEY_BYTES} bytes; use `openssl rand -hex 32`")
    return Pseudonymiser(current, keys)


def _content(pseudonymiser: Pseudonymiser) -> bytes:
    keys = {name: key.hex() for name, key in pseudonymiser.keys.items()}
    return json.dumps({"current": pseudonymiser.current, "keys": keys}, indent=2).encode()
