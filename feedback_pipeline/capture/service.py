"""What the routes share: the parts of the service, and who is asking."""

import asyncio
import contextlib
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_network
from typing import cast
from urllib.parse import urlsplit

from starlette.requests import Request

from feedback_pipeline.capture import webhooks
from feedback_pipeline.capture.access import (
    TOKEN_PREFIX,
    TOKEN_PREFIXES,
    Keys,
    Principal,
    Tokens,
    claim_token,
    read_local_token,
    signing_keys,
    unauthorized,
)
from feedback_pipeline.capture.analytics import Analytics, open_posthog
from feedback_pipeline.capture.connections import Address, Store
from feedback_pipeline.capture.decisions import Decisions
from feedback_pipeline.capture.intake import Intake
from feedback_pipeline.capture.limits import Limits
from feedback_pipeline.capture.maintenance import maintain
from feedback_pipeline.capture.metrics import Metrics
from feedback_pipeline.capture.problems import ProblemError, invalid
from feedback_pipeline.capture.votes import Person
from feedback_pipeline.capture.writer import Writer
from feedback_pipeline.privacy.pseudonyms import Pseudonymiser
from feedback_pipeline.settings import Settings

SESSION_HEADER = "x-feedback-session"
DISTINCT_ID_HEADER = "x-posthog-distinct-id"
MAX_DISTINCT_ID = 200


@dataclass
class Service:
    """One process of the API."""

    settings: Settings
    address: Address
    store: Store
    intake: Intake
    writer: Writer
    keys: Keys
    tokens: Tokens
    limits: Limits
    analytics: Analytics
    metrics: Metrics
    decisions: Decisions
    _running: list[asyncio.Task[None]] = field(default_factory=list, repr=False)

    @classmethod
    def open(cls, settings: Settings, address: Address, pseudonymiser: Pseudonymiser | None = None) -> "Service":
        """The service on a database address; connects to nothing yet.

        Args:
            settings: how it behaves.
            address: where its database is now.
            pseudonymiser: keys that were compared with the database; opened here and not compared if not given.

        Raises:
            MissingKeyError: production without pseudonym keys.
            MissingSigningKeyError: production without a key for browser tokens.
        """
        capture, production = settings.capture, settings.environment == "production"
        signing = signing_keys(settings.home, capture.token_key, production=production)
        pseudonymiser = pseudonymiser or Pseudonymiser.open(settings.home, production=production)
        store = Store(address, capture.connections)
        intake = Intake(pseudonymiser, settings.keep_raw)
        return cls(
            settings=settings,
            address=address,
            store=store,
            intake=intake,
            writer=Writer(store, intake),
            keys=Keys(store),
            tokens=Tokens(signing),
            limits=Limits(store, signing[0]),
            analytics=Analytics(open_posthog(capture.posthog_key, capture.posthog_host)),
            metrics=Metrics(),
            decisions=Decisions(store),
        )

    def start(self) -> None:
        self._running = [asyncio.create_task(work(self.address)) for work in (maintain, webhooks.tell)]

    async def stop(self) -> None:
        await self.writer.drain()
        for task in self._running:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self.analytics.close()
        await self.store.close()

    async def authenticate(self, request: Request, scope: str) -> Principal:
        """Who is asking, allowed to do what `scope` names and within their limits.

        Raises:
            ProblemError: 401, 403 or 429.
        """
        shown = _credentials(request)
        capture = self.settings.capture
        if shown is None:
            await self.limits.take("address", self.client_address(request), capture.address_requests)
            raise unauthorized("missing_key", "send an API key: Authorization: Bearer …")
        if shown.startswith(TOKEN_PREFIXES):
            await self.limits.take("address", self.client_address(request), capture.address_requests)
            return await self.browser(request, shown)
        try:
            principal = await self.keys.find(shown)
        except ProblemError as problem:
            if problem.status == 401:
                await self.limits.take("address", self.client_address(request), capture.address_requests)
            raise
        principal.require(scope)
        await self.limits.take("key", str(principal.key_id), capture.key_requests)
        return principal

    async def browser(self, request: Request, token: str) -> Principal:
        """The browser behind a token that a page of its origin shows.

        Raises:
            ProblemError: 401, forged, malformed or expired; 403, shown by a page of another origin.
        """
        return await self.token_bearer(token, request.headers.get("origin") or self._same_origin(request))

    async def token_bearer(self, token: str, origin: str | None) -> Principal:
        """The browser behind a token shown by a page of `origin`; raises as `browser` does."""
        if not token.startswith(TOKEN_PREFIXES):
            raise unauthorized("invalid_token", "the token is not one of ours")
        if token.startswith(TOKEN_PREFIX):
            return self.tokens.read(token, origin)
        browser, user = await read_local_token(self.store, token, origin)
        return replace(browser, user_key=self.intake.pseudonym(browser.tenant, user))

    def _same_origin(self, request: Request) -> str | None:
        """Browsers send no Origin when they read from the page's own server; Sec-Fetch-Site says that it is one."""
        if request.headers.get("sec-fetch-site") == "same-origin":
            return f"{self.scheme(request)}://{request.headers.get('host', '')}"
        return None

    async def person(
        self, request: Request, principal: Principal, user_id: str | None, session_id: str | None, *, writes: bool
    ) -> Person:
        """The person acting: of a browser, whom the token and the browser's session say; of a server, whom it names."""
        if not principal.browser:
            pseudonym, tenant = self.intake.pseudonym, principal.tenant
            return Person(pseudonym(tenant, user_id), pseudonym(tenant, session_id), "server")
        if user_id is not None or session_id is not None:
            raise invalid("user_id" if user_id is not None else "session_id", "is set by the token, not by the page")
        session = request.headers.get(SESSION_HEADER, "")
        if not 16 <= len(session) <= 100 or not session.isascii():
            raise invalid("X-Feedback-Session", "must be 16 to 100 ASCII characters made up by the browser")
        if writes:
            await claim_token(self.store, principal, session, self.settings.capture.token_uses)
        return Person(principal.user_key, self.intake.pseudonym(principal.tenant, session), "browser")

    def analysed(self, person: Person, named: str | None, request: Request | None = None) -> str | None:
        """Whom an analytics event is of: a pseudonym of ours, or (POSTHOG_DISTINCT_ID=user) the person as PostHog and
        the application know them."""
        if self.settings.capture.posthog_distinct_id == "pseudonym":
            return person.voter
        header = "" if request is None else request.headers.get(DISTINCT_ID_HEADER, "")
        return header[:MAX_DISTINCT_ID] or named or person.voter

    def client_address(self, request: Request) -> str:
        """Where a request comes from: the last address on its way here that no trusted proxy has."""
        address = request.client.host if request.client else "unknown"
        hops = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
        while self._trusted(address) and hops and (hop := hops.pop().strip()):
            address = hop
        return address

    def scheme(self, request: Request) -> str:
        """`http` or `https`, as the browser sees it."""
        forwarded = request.headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower()
        peer = request.client.host if request.client else "unknown"
        return forwarded if forwarded in {"http", "https"} and self._trusted(peer) else str(request.url.scheme)

    def from_this_machine(self, request: Request) -> bool:
        """Whether a request was made on this machine: its address is a loopback one, and no proxy that we do not know
        stands between."""
        peer = request.client.host if request.client else "unknown"
        passed_on = any(name in request.headers for name in ("x-forwarded-for", "forwarded", "x-real-ip"))
        return is_loopback(self.client_address(request)) and (not passed_on or self._trusted(peer))

    def _trusted(self, address: str) -> bool:
        proxies = self.settings.capture.trusted_proxies
        return address in proxies or any("/" in proxy and _within(address, proxy) for proxy in proxies)


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own."""
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def host_name(request: Request) -> str:
    """The host that a request names, without its port."""
    return urlsplit(f"//{request.headers.get('host', '')}").hostname or ""


def _within(address: str, network: str) -> bool:
    try:
        return ip_address(address) in ip_network(network, strict=False)
    except ValueError:
        return False


def service_of(request: Request) -> Service:
    return cast(Service, request.app.state.service)


def _credentials(request: Request) -> str | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    return request.headers.get("x-api-key") or None
