"""Who may do what: API keys of servers, and short-lived tokens of browsers.

A key is shown once; the store has its SHA-256 only, which is enough for 256 random bits. A token is signed, carries no
secret of the server, and is good for one tenant, one piece of content, one origin, one browser and a short time.
"""

import hashlib
import hmac
import secrets
import time
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from feedback_client import tokens
from itsdangerous import BadData, Serializer, URLSafeSerializer
from itsdangerous.encoding import base64_encode

from feedback_pipeline.capture.connections import Store
from feedback_pipeline.capture.identifiers import new_id
from feedback_pipeline.capture.problems import ProblemError
from feedback_pipeline.privacy import key_files
from feedback_pipeline.privacy.pseudonyms import MissingKeyError

SCOPES = ("write", "read", "export", "admin")
KEY_PREFIX = "fbk_"
TOKEN_PREFIX = "fbt_"  # noqa: S105 - a name, no secret
TOKEN_PREFIXES = (TOKEN_PREFIX, tokens.PREFIX)
"""Of tokens that this service made, and of those that clients made with their keys."""
REMEMBERED_SECONDS = 2.0
SIGNING_KEY_FILE = "token.key"
_SIGNING_BYTES = 32


class MissingSigningKeyError(MissingKeyError):
    """There is no key to sign browser tokens with, and this is not a place to make one up."""


@dataclass(frozen=True)
class Principal:
    """Who asks: a key, or a browser with a token (then `content`, `voter` and `origin` say what it is bound to)."""

    tenant: str
    scopes: frozenset[str]
    key_id: UUID | None = None
    token_id: UUID | None = None
    content: tuple[str, str] | None = None
    user_key: str | None = None
    origin: str | None = None
    expires_at: int = 0

    @property
    def browser(self) -> bool:
        return self.token_id is not None

    def require(self, scope: str) -> None:
        """Raises:
        ProblemError: 403, the key lacks the scope.
        """
        if scope not in self.scopes and "admin" not in self.scopes:
            raise ProblemError(403, "missing_scope", f"this needs a key with the scope {scope}")


def new_key() -> tuple[str, bytes]:
    """A key as it is shown once, and the hash that is kept."""
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    return key, key_hash(key)


def key_hash(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()


def unauthorized(code: str, detail: str) -> ProblemError:
    return ProblemError(401, code, detail, headers={"WWW-Authenticate": 'Bearer realm="feedback"'})


def signing_keys(folder: Path, given: str | None, *, production: bool) -> tuple[bytes, ...]:
    """The keys that browser tokens are signed with, the one for new tokens first.

    They are those given, separated by commas (a new key is put in front, the old one taken away when its tokens have
    expired), else the one in `folder / "token.key"`, made in development.

    Raises:
        MissingSigningKeyError: production, and none is given or there; or a given one is too short.
    """
    if given is not None:
        texts = [text.strip() for text in given.split(",")]
        if min(map(len, texts)) < _SIGNING_BYTES:
            raise MissingSigningKeyError("FEEDBACK_TOKEN_KEY is too short: use the output of `openssl rand -hex 32`")
        return tuple(hashlib.sha256(text.encode()).digest() for text in texts)
    path = folder / SIGNING_KEY_FILE
    if not path.exists():
        if production:
            raise MissingSigningKeyError(
                f"no key to sign browser tokens with: set FEEDBACK_TOKEN_KEY or put 32 random bytes into {path}"
            )
        key_files.create(path, secrets.token_bytes(_SIGNING_BYTES))
    return (path.read_bytes(),)


class Tokens:
    """Makes and reads what the service signs: tokens of browsers."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = list(reversed(keys))  # itsdangerous signs with the last and reads all

    def mint(self, tenant: str, content: tuple[str, str], origin: str, user_key: str | None, seconds: int) -> str:
        """A browser's token."""
        claims = {"t": tenant, "c": list(content), "o": origin, "u": user_key, "i": str(new_id())}
        return TOKEN_PREFIX + self.seal("browser", claims, seconds)

    def read(self, token: str, origin: str | None) -> Principal:
        """The browser behind a token.

        Raises:
            ProblemError: 401, forged, malformed or expired; 403, shown by a page of another origin.
        """
        claims = self.unseal("browser", token.removeprefix(TOKEN_PREFIX))
        if origin != claims["o"]:
            raise ProblemError(403, "wrong_origin", "the token belongs to pages of another origin")
        return Principal(
            tenant=claims["t"],
            scopes=frozenset({"write_own"}),
            token_id=UUID(claims["i"]),
            content=(claims["c"][0], claims["c"][1]),
            user_key=claims["u"],
            origin=claims["o"],
            expires_at=claims["e"],
        )

    def seal(self, purpose: str, claims: dict[str, Any], seconds: int) -> str:
        """Claims that nobody can alter, for a purpose and a time."""
        sealed: str = self._serializer(purpose).dumps(claims | {"e": int(time.time()) + seconds})
        return sealed

    def unseal(self, purpose: str, sealed: str) -> dict[str, Any]:
        """The claims.

        Raises:
            ProblemError: 401, forged, made for another purpose, or expired.
        """
        try:
            claims: dict[str, Any] = self._serializer(purpose).loads(sealed.encode(errors="replace"))
        except BadData:
            raise unauthorized("invalid_token", "the token is not one of ours") from None
        if claims["e"] < time.time():
            raise unauthorized("expired_token", "the token has expired; ask for a new one")
        return claims

    def _serializer(self, purpose: str) -> URLSafeSerializer:
        options = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
        return _Readable(self._keys, salt=purpose, signer_kwargs=options)


class _Readable(URLSafeSerializer):
    """Claims as plain JSON in base64, never compressed: a page reads whose token it holds, to tell two teams apart."""

    def dump_payload(self, obj: Any) -> bytes:
        return base64_encode(Serializer.dump_payload(self, obj))


class Keys:
    """Finds API keys; what was found is remembered for two seconds, so a revoked key works no longer than that."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._remembered: dict[bytes, tuple[float, Principal | None]] = {}

    async def find(self, key: str) -> Principal:
        """Raises:
        ProblemError: 401, unknown, expired or revoked.
        """
        return await self.find_hash(key_hash(key))

    async def find_hash(self, mark: bytes) -> Principal:
        """The key of a hash; raises as `find` does."""
        now = time.monotonic()
        at, principal = self._remembered.get(mark, (float("-inf"), None))
        if now - at > REMEMBERED_SECONDS:
            row = await self._store.row("SELECT id, tenant, scopes FROM find_api_key($1)", mark)
            principal = None if row is None else Principal(row["tenant"], frozenset(row["scopes"]), key_id=row["id"])
            if len(self._remembered) > 10_000:
                self._remembered.clear()
            self._remembered[mark] = (now, principal)
        if principal is None:
            raise unauthorized("invalid_key", "the key is unknown, expired or revoked")
        return principal


def session_mark(secret: str) -> bytes:
    """What is stored of a console session's secret."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()


async def open_session(store: Store, principal: Principal, seconds: int) -> str:
    """Opens a session of the console for whoever has a key; returns the secret that its browser keeps."""
    secret = secrets.token_urlsafe(32)
    await store.value("SELECT open_session($1, $2, $3)", session_mark(secret), principal.key_id, seconds)
    return secret


async def close_session(store: Store, secret: str) -> None:
    """Ends a session, wherever its secret is kept."""
    await store.value("SELECT close_session($1)", session_mark(secret))


async def find_session(store: Store, secret: str) -> Principal | None:
    """Whose session it is; None where it was closed or has expired, or its key is no longer good."""
    row = await store.row("SELECT id, tenant, scopes FROM find_session($1)", session_mark(secret))
    return None if row is None else Principal(row["tenant"], frozenset(row["scopes"]), key_id=row["id"])


async def read_local_token(store: Store, token: str, origin: str | None) -> tuple[Principal, str | None]:
    """The browser behind a token that a client made with its key (see `feedback_client.local_token`), and its user as
    the client names them.

    Raises:
        ProblemError: 401, forged, malformed, expired or of a key that is; 403, shown by a page of another origin, or of
            a key without the scope `write`.
    """
    payload, _, mark = token.removeprefix(tokens.PREFIX).partition(".")
    try:
        claims = orjson.loads(_decoded(payload))
        handle, content, user = _decoded(claims["h"]), (claims["c"][0], claims["c"][1]), claims["u"]
        token_id, ends, page = UUID(claims["i"]), int(claims["e"]), claims["o"]
        signed = _decoded(mark)
    except (ValueError, TypeError, KeyError, IndexError):
        raise unauthorized("invalid_token", "the token is not one of ours") from None
    row = await store.row("SELECT id, tenant, scopes, hash FROM find_token_key($1)", handle)
    if row is None or not hmac.compare_digest(tokens.signature(row["hash"], payload), signed):
        raise unauthorized("invalid_token", "the token is not one of ours, or its key is no longer good")
    if not time.time() <= ends <= time.time() + tokens.MAX_SECONDS + 60:
        raise unauthorized("expired_token", "the token has expired; ask for a new one")
    Principal(row["tenant"], frozenset(row["scopes"])).require("write")
    if origin != page:
        raise ProblemError(403, "wrong_origin", "the token belongs to pages of another origin")
    browser = Principal(
        row["tenant"], frozenset({"write_own"}), token_id=token_id, content=content, origin=page, expires_at=ends
    )
    return browser, user if isinstance(user, str) else None


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))


async def claim_token(store: Store, principal: Principal, session: str, uses: int) -> None:
    """Counts one use of a token by the browser that first showed it.

    Raises:
        ProblemError: 401, another browser showed it first, or it was used too often.
    """
    state = await store.value(
        "SELECT use_token($1, $2, $3, $4)",
        principal.token_id,
        hashlib.sha256(session.encode()).digest()[:16],
        datetime.fromtimestamp(principal.expires_at, UTC),
        uses,
    )
    if state == "elsewhere":
        raise unauthorized("replayed_token", "the token was used by another browser")
    if state == "used_up":
        raise unauthorized("replayed_token", "the token was used too often; ask the page's server for a new one")
