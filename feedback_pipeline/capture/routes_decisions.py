"""Decisions for any feature-flag client: OFREP 0.3 (the remote evaluation protocol), one flag or all."""

import hashlib
from typing import Any

import orjson
from fastapi import APIRouter
from feedback_client.assignment import Decision, unit_of
from feedback_client.configuration import content_of, growthbook_feature
from starlette.requests import Request
from starlette.responses import Response

from feedback_pipeline.capture import bodies
from feedback_pipeline.capture.access import Principal
from feedback_pipeline.capture.problems import ProblemError
from feedback_pipeline.capture.responses import json_response
from feedback_pipeline.capture.service import Service, service_of
from feedback_pipeline.experiments.registry import Registered

router = APIRouter()
CONTEXT_BYTES = 50_000
_REASONS = {"assigned": "SPLIT", "sticky": "CACHED", "not_running": "DISABLED"}
"""Reasons as OpenFeature names them; everybody else got the default."""


@router.post("/ofrep/v1/evaluate/flags/{key}")
async def evaluate_flag(request: Request, key: str) -> Response:
    """The value of one flag: the arm of an experiment for `context.targetingKey`."""
    service = service_of(request)
    principal = await service.authenticate(request, "read")
    try:
        context = await _context(request)
    except ProblemError as problem:
        return _failed(key, "PARSE_ERROR", problem.detail, 400)
    found = (await service.decisions.experiments(principal.tenant)).get(key)
    if found is None:
        return _failed(key, "FLAG_NOT_FOUND", "there is no experiment of this name", 404)
    refused = _refused(context)
    if refused is not None:
        return _failed(key, *refused, 400)
    return json_response(await _evaluated(service, principal, found, context))


@router.post("/ofrep/v1/evaluate/flags")
async def evaluate_flags(request: Request) -> Response:
    """The values of all flags for one context; `If-None-Match` saves what did not change."""
    service = service_of(request)
    principal = await service.authenticate(request, "read")
    try:
        context = await _context(request)
    except ProblemError as problem:
        return json_response({"errorCode": "PARSE_ERROR", "errorDetails": problem.detail}, 400)
    refused = _refused(context)
    if refused is not None:
        return json_response({"errorCode": refused[0], "errorDetails": refused[1]}, 400)
    every = (await service.decisions.experiments(principal.tenant)).values()
    body = {"flags": [await _evaluated(service, principal, found, context) for found in every]}
    for flag in body["flags"]:
        # how it came about changes from one call to the next, the value does not
        if flag["reason"] == "CACHED":
            flag["reason"], flag["metadata"]["why"] = "SPLIT", "assigned"
    tag = f'"{hashlib.sha256(orjson.dumps(body)).hexdigest()[:32]}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    return json_response(body, 200, {"ETag": tag})


@router.get("/v1/experiments/configuration")
async def configuration(request: Request) -> Response:
    """What an application needs to decide in its own process, and the same as features for GrowthBook's SDKs."""
    service = service_of(request)
    principal = await service.authenticate(request, "read")
    if principal.browser:
        raise ProblemError(403, "missing_scope", "the configuration is for servers: ask for a key with the scope read")
    experiments = [
        experiment.experiment for experiment in (await service.decisions.experiments(principal.tenant)).values()
    ]
    shared = [experiment for experiment in experiments if experiment.layer is None and not experiment.holdout]
    body = {
        "format": 1,
        "experiments": [content_of(experiment) for experiment in experiments],
        "features": {experiment.name: growthbook_feature(experiment) for experiment in shared},
    }
    tag = f'"{hashlib.sha256(orjson.dumps(body)).hexdigest()[:32]}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    return json_response(body, 200, {"ETag": tag})


async def _context(request: Request) -> dict[str, Any]:
    body = await bodies.read(request, CONTEXT_BYTES)
    value = bodies.parse(body, request.headers.get("content-type", "")) if body else {}
    context = value.get("context") if isinstance(value, dict) else None
    if context is None:
        return {}
    if not isinstance(context, dict):
        raise ProblemError(400, "malformed", "context is an object")
    return context


def _refused(context: dict[str, Any]) -> tuple[str, str] | None:
    _, reason = unit_of(context.get("targetingKey"))
    if reason == "unit_too_long":
        return "INVALID_CONTEXT", "targetingKey is too long for an id"
    return None if reason is None else ("TARGETING_KEY_MISSING", "context.targetingKey names the person")


async def _evaluated(
    service: Service, principal: Principal, found: Registered, context: dict[str, Any]
) -> dict[str, Any]:
    unit = str(context["targetingKey"])
    pseudonym = unit
    if found.experiment.unit != "conversation":
        pseudonym = service.intake.pseudonym(principal.tenant, unit) or ""
    # a page may ask for anybody's arm; only its own person's is remembered
    remembered = not principal.browser or pseudonym == principal.user_key
    attributes = {name: value for name, value in context.items() if name != "targetingKey"}
    decision = await service.decisions.decide(
        principal.tenant, found, unit, pseudonym if remembered else None, attributes
    )
    return _flag(found.experiment.name, decision)


def _flag(key: str, decision: Decision) -> dict[str, Any]:
    metadata: dict[str, Any] = {"version": decision.version, "why": decision.reason, "takesPart": decision.takes_part}
    if decision.propensity is not None:
        metadata["propensity"] = decision.propensity
    if decision.leaf is not None:
        metadata["leaf"] = decision.leaf
    return {
        "key": key, "value": decision.variant if decision.payload is None else decision.payload,
        "variant": decision.variant, "reason": _REASONS.get(decision.reason, "DEFAULT"), "metadata": metadata,
    }  # fmt: skip


def _failed(key: str, code: str, details: str, status: int) -> Response:
    return json_response({"key": key, "errorCode": code, "errorDetails": details}, status)
