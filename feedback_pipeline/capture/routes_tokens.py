"""Tokens for browsers."""

from fastapi import APIRouter
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from feedback_pipeline.capture import bodies
from feedback_pipeline.capture.problems import ProblemError
from feedback_pipeline.capture.responses import json_response, parsed
from feedback_pipeline.capture.service import service_of
from feedback_pipeline.capture.shapes import TokenRequest, TokensRequest

router = APIRouter()


@router.post("/v1/tokens", status_code=201)
async def mint_token(request: Request) -> Response:
    """Make a short-lived token for one browser: for one piece of content, on pages of one origin; or, with `contents`,
    one for each of a page's."""
    service = service_of(request)
    principal = await service.authenticate(request, "write")
    if principal.browser:
        raise ProblemError(403, "missing_scope", "tokens are made with an API key")
    value = bodies.parse(await bodies.read(request, 60_000), request.headers.get("content-type", ""))
    many = isinstance(value, dict) and "contents" in value
    wanted: TokenRequest | TokensRequest = parsed(TypeAdapter(TokensRequest if many else TokenRequest), value)
    user = service.intake.pseudonym(principal.tenant, wanted.user_id)
    tokens = [
        service.tokens.mint(principal.tenant, (one.content_type, one.content_id), wanted.origin, user, wanted.seconds)
        for one in (wanted.contents if isinstance(wanted, TokensRequest) else [wanted])
    ]
    found = {"tokens": tokens} if many else {"token": tokens[0]}
    return json_response({**found, "expires_in": wanted.seconds}, 201, {"Cache-Control": "no-store"})
