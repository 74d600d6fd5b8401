"""Where a fine-tuning provider tells that a job has ended. The delivery is a reason to look, never the news itself."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from feedback_pipeline.capture import bodies
from feedback_pipeline.capture.problems import ProblemError, not_found
from feedback_pipeline.capture.responses import json_response
from feedback_pipeline.capture.service import service_of
from feedback_pipeline.capture.webhook_signatures import WebhookRefusedError, verified

router = APIRouter()

BODY_BYTES = 65_536
MAX_NAME = 200
KIND = "fine_tuning.job."


@router.post("/v1/provider/events", status_code=202, include_in_schema=False)
async def provider_event(request: Request) -> Response:
    """Marks the job that a signed delivery speaks of, so that the next look of the sensor polls it; answers `noted`,
    `repeated`, `unknown` (no open run has this job) or `ignored` (it is about something else)."""
    service = service_of(request)
    secret = service.settings.tuning_webhook_secret
    if secret is None:
        raise not_found("endpoint: set FEEDBACK_TUNING_WEBHOOK_SECRET")
    address = service.client_address(request)
    await service.limits.take("address", address, service.settings.capture.address_requests)
    body = await bodies.read(request, BODY_BYTES)
    try:
        identity = verified(secret, request.headers, body)
    except WebhookRefusedError as error:
        raise ProblemError(401, "wrong_signature", str(error)) from None
    event = bodies.parse_json(body)
    job = _job(event)
    if job is None or len(identity) > MAX_NAME:
        return json_response({"event": "ignored"}, 202)
    return json_response({"event": await service.store.value("SELECT announce_job($1, $2)", identity, job)}, 202)


def _job(event: object) -> str | None:
    if not isinstance(event, dict) or not str(event.get("type")).startswith(KIND):
        return None
    data = event.get("data")
    job = data.get("id") if isinstance(data, dict) else None
    return job if isinstance(job, str) and 0 < len(job) <= MAX_NAME else None
