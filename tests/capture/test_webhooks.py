"""Events told to others: signed, in order, again after a failure, of one team, and without anybody's words."""

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import asyncpg
import httpx
import psycopg
import pytest
from standardwebhooks import Webhook
from typer.testing import CliRunner

from feedback_pipeline.capture import webhooks
from feedback_pipeline.cli.main import app
from tests.capture.conftest import Running


@dataclass
class Receiver:
    """What was posted; `answers` are given in turn, then 200."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.bodies.append(self.rfile.read(int(self.headers["content-length"])))
            found.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(found.answers.pop(0) if found.answers else 200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    yield found
    server.shutdown()


PARK = "UPDATE webhook SET next_at = now() + interval '1 hour' WHERE tenant = $1"


def told(service: Running) -> int:
    """Lets the events be told that wait; how many were taken. The running service sees nothing of it: for it the
    webhook's next turn is always in an hour."""

    async def run() -> int:
        connection = await asyncpg.connect(
            service.database.address(), server_settings={"application_name": "feedback-webhooks"}
        )
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client, connection.transaction():
            await connection.execute("UPDATE webhook SET next_at = now() WHERE tenant = $1", service.tenant)
            taken = await webhooks.tell_one(connection, client)
            waits = await connection.fetchval(
                "SELECT EXTRACT(EPOCH FROM next_at - now()) FROM webhook WHERE tenant = $1", service.tenant
            )
            await connection.execute(PARK, service.tenant)
        await connection.close()
        last_wait.clear()
        last_wait.append(float(waits))
        return taken

    return asyncio.run(run())


last_wait: list[float] = []
"""Seconds until the next attempt, after `told`."""


def own(service: Running) -> dict[str, Any]:
    (found,) = [one for one in webhooks.listed(service.database) if one["tenant"] == service.tenant]
    return found


def add(service: Running, receiver: Receiver, **options: Any) -> str:
    """A webhook that only this test tells: the running service finds nothing due."""
    identity, secret = webhooks.add(service.database, service.tenant, receiver.url, **options)
    with psycopg.connect(service.database.url) as connection:
        connection.execute("UPDATE webhook SET next_at = now() + interval '1 hour' WHERE id = %s", (identity,))
    return secret


VOTE = {"query": "my question", "response": "the answer", "rating": -1, "comment": "it is wrong", "user_id": "ada"}


def test_each_event_is_told_once_signed_and_in_order(service: Running, api: httpx.Client, receiver: Receiver) -> None:
    api.post("/v1/feedback", json={"query": "before", "response": "x", "rating": 1})
    secret = add(service, receiver)
    identity = api.post("/v1/feedback", json=VOTE).json()["id"]
    api.put(f"/v1/feedback/{identity}", json={"rating": 1})
    api.delete(f"/v1/feedback/{identity}")
    assert told(service) == 3
    assert told(service) == 0
    assert [event["type"] for event in receiver.events] == [
        "feedback.created",
        "feedback.changed",
        "feedback.withdrawn",
    ]
    for body, headers in zip(receiver.bodies, receiver.headers, strict=True):
        assert Webhook(secret).verify(body, headers)
    assert len({headers["webhook-id"] for headers in receiver.headers}) == 3
    first = receiver.events[0]["data"]
    assert (first["thumb"], first["has_comment"]) == (False, True)
    everything = b"".join(receiver.bodies)
    for words in (b"my question", b"the answer", b"it is wrong"):
        assert words not in everything, "an erasure cannot reach what was sent"


def test_words_go_along_where_a_team_wants_them(service: Running, api: httpx.Client, receiver: Receiver) -> None:
    add(service, receiver, with_texts=True)
    api.post("/v1/feedback", json=VOTE | {"comment": "write to ada@example.org"})
    assert told(service) == 1
    data = receiver.events[0]["data"]
    assert (data["query"], data["response"]) == ("my question", "the answer")
    assert "ada@example.org" not in data["comment"], "what is stored is redacted"


def test_a_failure_is_tried_again_later_and_keeps_the_order(
    service: Running, api: httpx.Client, receiver: Receiver
) -> None:
    add(service, receiver)
    for number in range(3):
        api.post("/v1/feedback", json=VOTE | {"query": f"q{number}", "user_id": f"u{number}"})
    receiver.answers = [200, 500]
    assert told(service) == 1
    assert own(service)["problem"] == "status 500"
    assert last_wait == [webhooks.WAITS[0]]
    assert told(service) == 2
    ids = [headers["webhook-id"] for headers in receiver.headers]
    assert ids[1] == ids[2], "the same event under the same id"
    assert len(set(ids)) == 3
    assert own(service)["problem"] is None


def test_whoever_is_gone_is_not_asked_again(service: Running, api: httpx.Client, receiver: Receiver) -> None:
    add(service, receiver)
    api.post("/v1/feedback", json=VOTE)
    receiver.answers = [410]
    assert told(service) == 0
    assert own(service)["ended_at"] is not None
    assert told(service) == 0
    assert len(receiver.bodies) == 1


def test_after_the_last_attempt_a_webhook_ends(service: Running, api: httpx.Client, receiver: Receiver) -> None:
    add(service, receiver)
    api.post("/v1/feedback", json=VOTE)
    attempts = len(webhooks.WAITS) + 1
    receiver.answers = [503] * attempts
    for _ in range(attempts + 2):
        told(service)
    assert len(receiver.bodies) == attempts
    assert own(service)["ended_at"] is not None


def test_an_event_of_an_open_transaction_is_waited_for(service: Running, api: httpx.Client, receiver: Receiver) -> None:
    """A vote that is committed late, with an earlier time, is not passed over."""
    add(service, receiver)
    with psycopg.connect(service.database.url) as slow:
        slow.execute("SELECT now()")
        api.post("/v1/feedback", json=VOTE)
        assert told(service) == 0
    assert told(service) == 1


def test_maintenance_under_way_holds_no_event_up(service: Running, api: httpx.Client, receiver: Receiver) -> None:
    add(service, receiver)
    with psycopg.connect(service.database.url, application_name="feedback-maintenance") as slow:
        slow.execute("SELECT fold_counts()")
        api.post("/v1/feedback", json=VOTE)
        assert told(service) == 1


def test_no_other_teams_events_are_told(service: Running, api: httpx.Client, receiver: Receiver) -> None:
    add(service, receiver)
    with service.client(service.new_key(service.tenant + "-rivals")) as rivals:
        assert rivals.post("/v1/feedback", json=VOTE).status_code == 201
    assert told(service) == 0
    assert receiver.bodies == []


def test_the_service_tells_by_itself(service: Running, api: httpx.Client, receiver: Receiver) -> None:
    done = threading.Event()
    webhooks.add(service.database, service.tenant, receiver.url)
    api.post("/v1/feedback", json=VOTE)
    for _ in range(200):
        if receiver.bodies:
            break
        done.wait(0.1)
    assert [event["type"] for event in receiver.events] == ["feedback.created"]


def test_the_api_cannot_read_the_secrets(service: Running) -> None:
    with psycopg.connect(service.database.url) as connection:
        connection.execute("SET ROLE feedback_api")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT secret FROM webhook")


def test_webhooks_are_made_and_ended_by_command(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEEDBACK_DATABASE_URL", service.database.url)
    monkeypatch.setenv("COLUMNS", "120")
    runner = CliRunner()
    made = runner.invoke(app, ["webhooks", "add", "https://hooks.example/x", "--tenant", service.tenant])
    assert made.exit_code == 0, made.output
    secret, identity = made.output.split()[-1], str(own(service)["id"])
    assert secret.startswith("whsec_")
    listing = runner.invoke(app, ["webhooks", "list"]).output
    assert identity in listing
    assert secret not in listing
    assert runner.invoke(app, ["webhooks", "remove", identity]).exit_code == 0
    assert runner.invoke(app, ["webhooks", "remove", identity]).exit_code == 2
    assert runner.invoke(app, ["webhooks", "add", "ftp://x", "--tenant", service.tenant]).exit_code == 2
    assert runner.invoke(app, ["webhooks", "add", "https://x", "--tenant", "nobody"]).exit_code == 2
