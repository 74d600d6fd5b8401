"""Votes without a script: a form that the page's server made, and a picture. The token is a field, not a header.

Whoever votes so is the person that the token names, else the token itself: a second click changes the first.
"""

from base64 import b64decode
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from feedback_pipeline.capture import bodies
from feedback_pipeline.capture.access import Principal, claim_token
from feedback_pipeline.capture.problems import invalid
from feedback_pipeline.capture.routes_votes import file_content_vote
from feedback_pipeline.capture.service import Service, service_of
from feedback_pipeline.capture.votes import Person

router = APIRouter()
GIF = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
WORDS = {"up": True, "true": True, "1": True, "down": False, "false": False, "-1": False}
_FIELDS = ("token", "rating", "comment")


@router.post("/v1/feedback/form", status_code=303)
async def vote_by_form(request: Request) -> Response:
    """A vote from a plain form: `token`, `rating` (up or down), `comment`; leads back to the page it came from."""
    service = service_of(request)
    await service.limits.take("address", service.client_address(request), service.settings.capture.address_requests)
    body = await bodies.read(request, service.settings.capture.body_bytes)
    form = bodies.parse(body, request.headers.get("content-type", ""))
    fields = form if isinstance(form, dict) else {}
    page = request.headers.get("origin") or _page_of(request)
    principal = await _file(service, request, page, {name: fields.get(name) for name in _FIELDS})
    back = request.headers.get("referer", "")
    if urlsplit(back).netloc and back.startswith(f"{principal.origin}/"):
        return RedirectResponse(back, status_code=303)
    return PlainTextResponse("Thank you.\n")


@router.get("/v1/feedback/pixel")
async def vote_by_picture(request: Request) -> Response:
    """A vote by loading a picture: `token` and `rating` stand in the address."""
    service = service_of(request)
    await service.limits.take("address", service.client_address(request), service.settings.capture.address_requests)
    await _file(service, request, _page_of(request), {name: request.query_params.get(name) for name in _FIELDS[:2]})
    return Response(GIF, media_type="image/gif", headers={"Cache-Control": "no-store"})


async def _file(service: Service, request: Request, page: str | None, fields: dict[str, Any]) -> Principal:
    token, rating, comment = fields.get("token"), fields.get("rating"), fields.get("comment")
    if not isinstance(token, str):
        raise invalid("token", "is missing")
    if not isinstance(rating, str) or rating.lower() not in WORDS:
        raise invalid("rating", "must be up or down")
    principal = await service.token_bearer(token, page)
    session = f"token {principal.token_id}"
    await claim_token(service.store, principal, session, service.settings.capture.token_uses)
    person = Person(principal.user_key, service.intake.pseudonym(principal.tenant, session), "browser")
    given = {"rating": WORDS[rating.lower()]} | ({"comment": comment} if comment else {})
    await file_content_vote(service, principal, person, given, request)
    return principal


def _page_of(request: Request) -> str | None:
    """The origin of the page that asks, as its address says it."""
    page = urlsplit(request.headers.get("referer", ""))
    return f"{page.scheme}://{page.netloc}" if page.netloc else None
