"""A provider's webhook over HTTP: it makes a job due, once, and only where it holds the secret."""

import base64
import datetime as dt
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import replace

import httpx
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_pipeline.capture.webhook_signatures import WebhookRefusedError, verified
from feedback_pipeline.console.app import create_app
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.tuning import tuning
from feedback_pipeline.tuning.configured import open_provider
from feedback_pipeline.tuning.following import follow
from feedback_pipeline.tuning.runs import LOOK_EVERY, Ledger
from tests.support.provider_server import ProviderServer
from tests.support.serving import serve
from tests.support.tuning_world import NOW

SECRET = "whsec_" + base64.b64encode(b"thirty-two bytes, more or less, ").decode()


def delivery(body: bytes, identity: str = "evt_1", *, secret: str = SECRET, at: float | None = None) -> dict[str, str]:
    """The headers that a sender adds."""
    moment = str(int(time.time() if at is None else at))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = hmac.new(key, f"{identity}.{moment}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": identity, "webhook-timestamp": moment,
        "webhook-signature": f"v1,{base64.b64encode(b'x' * 32).decode()} v1,{base64.b64encode(signature).decode()}",
    }  # fmt: skip


def event(job: str, kind: str = "fine_tuning.job.succeeded") -> bytes:
    return json.dumps({"id": "evt_1", "object": "event", "created_at": 1, "type": kind, "data": {"id": job}}).encode()


@pytest.fixture
def running(tuned: Pipeline, provider: ProviderServer) -> Iterator[tuple[httpx.Client, str]]:
    """The capture API, and the provider's id of a job that is followed and was looked at just now."""
    run, _ = tuning.start(tuned)
    assert run is not None
    run = tuning.submit(tuned, run, open_provider(tuned.settings))
    follow(tuned)
    settings = replace(tuned.settings, tuning_webhook_secret=SECRET)
    url, stop = serve(create_app(settings, address=tuned.database.address()))
    with httpx.Client(base_url=url, timeout=20) as client:
        yield client, run.entry.job_id or ""
    stop()


def announced(pipeline: Pipeline) -> bool:
    [run] = Ledger(pipeline.database).runs()
    return run.announced


def send(client: httpx.Client, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    answer = client.post("/v1/provider/events", content=body, headers=headers | {"content-type": "application/json"})
    told = answer.json()
    return answer.status_code, told.get("event") or told["code"]


def test_an_announced_job_is_looked_at_at_once_and_only_once(
    running: tuple[httpx.Client, str], tuned: Pipeline, provider: ProviderServer
) -> None:
    client, job = running
    provider.state.statuses = ["queued", "running"]
    polls = f"GET /v1/fine_tuning/jobs/{job}"
    before = provider.state.requests.count(polls)
    assert follow(tuned, due_only=True) == []  # looked at a moment ago
    body = event(job)
    headers = delivery(body)
    assert send(client, body, headers) == (202, "noted")
    assert announced(tuned)
    [looked] = follow(tuned, due_only=True)
    assert looked.run.entry.reported == "running"
    assert not announced(tuned)
    assert send(client, body, headers) == (202, "repeated")
    assert follow(tuned, due_only=True) == []
    assert provider.state.requests.count(polls) == before + 1
    # without any webhook it is looked at when its time has come
    assert len(follow(Pipeline(tuned.settings, NOW + LOOK_EVERY), due_only=True)) == 1
    # a look that lies in the future was noted by a clock that was wrong
    assert len(follow(Pipeline(tuned.settings, NOW - dt.timedelta(days=1)), due_only=True)) == 1


def test_what_the_provider_did_not_sign_or_signed_long_ago_is_refused(
    running: tuple[httpx.Client, str], tuned: Pipeline
) -> None:
    client, job = running
    body = event(job)
    other = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    for sent, headers in (
        (body, delivery(body, secret=other)),
        (event("job-9"), delivery(body)),
        (body, delivery(body) | {"webhook-id": "evt_2"}),
        (body, delivery(body, at=time.time() - 301)),
        (body, delivery(body, at=time.time() + 400)),
        (body, {name: value for name, value in delivery(body).items() if name != "webhook-signature"}),
        (body, {}),
    ):
        assert send(client, sent, headers) == (401, "wrong_signature")
    assert not announced(tuned)


def test_signed_news_of_other_things_is_taken_and_changes_nothing(
    running: tuple[httpx.Client, str], tuned: Pipeline
) -> None:
    client, _ = running
    for number, (body, said) in enumerate((
        (event("job-of-somebody-else"), "unknown"),
        (event("batch-1", "batch.completed"), "ignored"),
        (b'{"type":"fine_tuning.job.failed","data":[]}', "ignored"),
        (b'["fine_tuning.job.failed"]', "ignored"),
    )):  # fmt: skip
        assert send(client, body, delivery(body, f"evt_{number}")) == (202, said)
    assert not announced(tuned)


def test_without_a_secret_nothing_is_taken(tuned: Pipeline) -> None:
    url, stop = serve(create_app(tuned.settings, address=tuned.database.address()))
    try:
        answer = httpx.post(f"{url}/v1/provider/events", content=event("job-0"), headers=delivery(event("job-0")))
        assert answer.status_code == 404
    finally:
        stop()


CLIENT = openai.OpenAI(api_key="none")


@settings(deadline=None)  # the first example imports both
@given(
    body=st.text(max_size=30).map(str.encode),
    identity=st.text(alphabet="abc.123_", min_size=1),
    drift=st.integers(-400, 400),
    secret=st.binary(min_size=1).map(lambda key: "whsec_" + base64.b64encode(key).decode()),
)
def test_signatures_are_judged_as_the_openai_client_judges_them(
    body: bytes, identity: str, drift: int, secret: str
) -> None:
    headers = delivery(body, identity, secret=secret, at=time.time() + drift)
    for shown in (body, body + b"x"):
        try:
            CLIENT.webhooks.verify_signature(shown, headers, secret=secret)
            theirs = True
        except openai.InvalidWebhookSignatureError:
            theirs = False
        try:
            ours = verified(secret, headers, shown) == identity
        except WebhookRefusedError:
            ours = False
        # at the edge of the tolerance the two clocks may read different seconds
        assert ours == theirs or abs(abs(drift) - 300) <= 1


@pytest.mark.parametrize("signature", ["", "v1", "v1,", "v1,!!!", "v1,a v2", "\xff"])
def test_a_signature_that_cannot_be_read_is_refused(signature: str) -> None:
    headers = delivery(b"{}", "evt_1", secret="whsec_c2VjcmV0") | {"webhook-signature": signature}
    with pytest.raises(WebhookRefusedError):
        verified("whsec_c2VjcmV0", headers, b"{}")
    with pytest.raises(WebhookRefusedError, match="cannot be read"):
        verified("whsec_c2VjcmV0", delivery(b"{}", "evt_1", secret="whsec_c2VjcmV0"), b"\xff\xfe")
