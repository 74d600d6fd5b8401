"""Who is in the console: keys open it for some hours, several of them for several teams at once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from feedback_pipeline.capture import bodies
from feedback_pipeline.capture.access import Principal, close_session, find_session, open_session
from feedback_pipeline.capture.problems import ProblemError
from feedback_pipeline.capture.service import Service, service_of
from feedback_pipeline.console import viewed
from feedback_pipeline.console.pages import page

router = APIRouter(include_in_schema=False)
COOKIE = "feedback_console"
SESSION = timedelta(hours=8)
MAX_TEAMS = 12
"""Sessions that one browser holds at once."""


@dataclass(frozen=True)
class Visitor:
    """Somebody in the console.

    Attributes:
        principal: the key that looks now.
        teams: the tenants of all keys that this browser opened the console with.
    """

    principal: Principal
    teams: tuple[str, ...]

    @property
    def tenant(self) -> str:
        return self.principal.tenant


@router.post("/console/login")
async def login(request: Request) -> Response:
    """A key with the scope read opens the console for some hours; several, one for each team, open it for all."""
    service = service_of(request)
    await service.limits.take("address", service.client_address(request), service.settings.capture.address_requests)
    form = bodies.parse(await bodies.read(request, 4000), request.headers.get("content-type", ""))
    given = form.get("key") if isinstance(form, dict) else None
    keys = re.split(r"[\s,]+", given.strip())[:MAX_TEAMS] if isinstance(given, str) and given.strip() else []
    opened: list[str] = []
    problem, status = ("Give an API key.", 401) if not keys else (None, 200)
    for key in keys:
        try:
            principal = await service.keys.find(key)
        except ProblemError as refused:
            if refused.status == 503:
                raise
            problem = f"The key {key[:8]}… is none of this service: it is unknown, has expired or was revoked."
            status = 401
            continue
        if not principal.scopes & {"read", "admin"}:
            problem = (
                f"The key {key[:8]}… is good, but lacks the scope read: it has {', '.join(sorted(principal.scopes))}."
            )
            status = 403
            continue
        opened.append(await open_session(service.store, principal, int(SESSION.total_seconds())))
    if not opened:
        return page("console_login.html", status=status, problem=problem, teams=())
    return _with_cookie(service, request, opened + _secrets(request))


@router.get("/console/login")
async def login_form(request: Request) -> Response:
    """The form for one more team."""
    found = await visitor(service_of(request), request)
    return page("console_login.html", problem=None, teams=found.teams if found else ())


@router.post("/console/team")
async def switch(request: Request) -> Response:
    """Looks at another team's feedback."""
    service = service_of(request)
    form = bodies.parse(await bodies.read(request, 2000), request.headers.get("content-type", ""))
    wanted = form.get("team") if isinstance(form, dict) else None
    secrets = _secrets(request)
    for secret in secrets:
        principal = await find_session(service.store, secret)
        if principal is not None and principal.tenant == wanted:
            return _with_cookie(service, request, [secret] + [one for one in secrets if one != secret])
    return RedirectResponse("/console", status_code=303)


@router.post("/console/logout")
async def logout(request: Request) -> Response:
    """Ends the sessions, for whoever else may hold their cookie as well."""
    for secret in _secrets(request):
        await close_session(service_of(request).store, secret)
    answer = RedirectResponse("/console", status_code=303)
    answer.delete_cookie(COOKIE, path="/console")
    return answer


async def visitor(service: Service, request: Request) -> Visitor | None:
    """Who looks, at which team; None where no session that may read is open. The look is noted in the audit log."""
    found = [await find_session(service.store, secret) for secret in _secrets(request)]
    readers = [one for one in found if one is not None and one.scopes & {"read", "admin"}]
    if not readers:
        return None
    await service.limits.take("key", str(readers[0].key_id), service.settings.capture.key_requests)
    await viewed.note(service, request, readers[0])
    return Visitor(readers[0], tuple(sorted({one.tenant for one in readers})))


class SignedOutError(Exception):
    """No session that may read is open: the answer is the login page."""


async def visit(request: Request) -> tuple[Service, Visitor]:
    """The service, and who looks at a page.

    Raises:
        SignedOutError: nobody who may.
    """
    service = service_of(request)
    found = await visitor(service, request)
    if found is None:
        raise SignedOutError
    return service, found


def login_page(request: Request, _: Exception) -> Response:
    """What somebody without a session sees instead of a page; to a form it says that nothing was done."""
    return page("console_login.html", status=200 if request.method == "GET" else 401, problem=None, teams=())


def sealed_form(service: Service, visitor: Visitor, purpose: str, **claims: str) -> str:
    """A token for a form of a page, good for this session's key alone."""
    return service.tokens.seal(purpose, {"k": str(visitor.principal.key_id), **claims}, int(SESSION.total_seconds()))


async def posted(request: Request) -> dict[str, Any]:
    """The fields of a form; none where the body is no form."""
    form = bodies.parse(await bodies.read(request, 4000), request.headers.get("content-type", ""))
    return form if isinstance(form, dict) else {}


def claims_of(service: Service, visitor: Visitor, purpose: str, form: Mapping[str, Any]) -> dict[str, Any]:
    """What the token of a form says.

    Raises:
        ProblemError: it is none of ours, too old, or of another session.
    """
    sealed = form.get("form")
    claims = service.tokens.unseal(purpose, sealed if isinstance(sealed, str) else "")
    if claims["k"] != str(visitor.principal.key_id):
        raise ProblemError(403, "wrong_session", "the form belongs to another session: open the page again")
    return claims


def _secrets(request: Request) -> list[str]:
    """Of the sessions that a browser holds, the one that looks first."""
    return [secret for secret in request.cookies.get(COOKIE, "").split(".") if secret][:MAX_TEAMS]


def _with_cookie(service: Service, request: Request, secrets: list[str]) -> Response:
    answer = RedirectResponse("/console", status_code=303)
    answer.set_cookie(
        COOKIE, ".".join(secrets[:MAX_TEAMS]), max_age=int(SESSION.total_seconds()), httponly=True, samesite="strict",
        path="/console", secure=service.scheme(request) == "https",
    )  # fmt: skip
    return answer
