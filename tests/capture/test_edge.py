"""The edge: what strangers can reach, with what they can say about themselves."""

import socket
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from feedback_pipeline.capture import key_store, server
from feedback_pipeline.settings import CaptureSettings
from tests.capture.conftest import Running

VOTE: dict[str, Any] = {"content_type": "qa_answer", "content_id": "7", "rating": True}
ORIGIN = "https://app.example"
SESSION = "browser-session-0001"
OWN = {
    "id", "event_id", "kind", "rating", "feedback", "thumb", "stars", "value", "comment", "correction", "reasons",
    "preference", "content_type", "content_id", "created_at", "updated_at", "history",
}  # fmt: skip


def page(service: Running, api: httpx.Client, content_id: str, user: str = "ada") -> httpx.Client:
    wanted = {"content_type": "qa_answer", "content_id": content_id, "origin": ORIGIN, "user_id": user}
    token = api.post("/v1/tokens", json=wanted).json()["token"]
    return service.client(token, Origin=ORIGIN, **{"X-Feedback-Session": SESSION})


def test_a_browser_reads_what_it_gave_and_nothing_else(service: Running, api: httpx.Client) -> None:
    secret = {"internal_note": "margin 3 %"}
    api.post("/v1/interactions", json={
        "content_type": "qa_answer", "content_id": "7", "prompt": "SYSTEM PROMPT", "output": "a", "metadata": secret,
    })  # fmt: skip
    with page(service, api, "7") as browser:
        identity = browser.post("/v1/feedback", json=VOTE).json()["id"]
        answers = [
            browser.get("/v1/feedback"),
            browser.get("/v1/feedback", params={"content_type": "qa_answer", "content_id": "7"}),
            browser.post("/v1/feedback/state", json={"content_type": "qa_answer", "content_id": "7"}),
            browser.get(f"/v1/feedback/{identity}", params={"history": True}),
            browser.put(f"/v1/feedback/{identity}", json={"rating": False}),
        ]
    for answer in answers:
        assert answer.status_code == 200, answer.text
        assert "margin" not in answer.text
        assert "SYSTEM" not in answer.text
        found = answer.json()
        for item in found.get("items", [found]):
            assert item.keys() <= OWN
    assert api.get(f"/v1/feedback/{identity}").json()["metadata"] == secret  # the server's key reads it


def test_a_token_for_one_content_reaches_no_vote_on_another(service: Running, api: httpx.Client) -> None:
    with page(service, api, "7") as seven:
        identity = seven.post("/v1/feedback", json=VOTE | {"comment": "mine"}).json()["id"]
    with page(service, api, "8") as eight:  # the same person, the same browser
        assert eight.get(f"/v1/feedback/{identity}").status_code == 404
        assert eight.put(f"/v1/feedback/{identity}", json={"rating": False}).status_code == 404
        assert eight.delete(f"/v1/feedback/{identity}").status_code == 404
        other = {"content_type": "qa_answer", "content_id": "7"}
        assert eight.get("/v1/feedback", params=other).status_code == 403
        assert eight.post("/v1/feedback/state", json=other).status_code == 403
    assert api.get(f"/v1/feedback/{identity}").json()["thumb"] is True


@pytest.mark.parametrize("forged", ["X-Forwarded-For", "X-Real-IP", "Forwarded"])
def test_nobody_gets_a_limit_of_their_own_by_a_header(start: Callable[..., Running], forged: str) -> None:
    service = start(CaptureSettings(address_requests=5))
    for path in ("/v1/feedback", "/console/login"):
        statuses = [
            httpx.post(service.url + path, data={"key": "wrong"}, headers={forged: f"198.51.100.{number}"}).status_code
            for number in range(8)
        ]
        assert 429 in statuses


def test_a_trusted_proxy_says_who_asks_and_cannot_be_forged_through(start: Callable[..., Running]) -> None:
    service = start(CaptureSettings(address_requests=3, trusted_proxies=frozenset({"127.0.0.0/8", "10.0.0.1"})))

    def ask(address: str) -> int:
        return httpx.get(service.url + "/v1/feedback", headers={"X-Forwarded-For": address}).status_code

    # of this test alone: what an address may ask for is counted in the store, for all services of a minute
    assert [ask("203.0.113.17, 10.0.0.1") for _ in range(5)].count(429) == 2
    assert ask("203.0.113.18, 10.0.0.1") == 401
    # what the client wrote itself stands left of what the proxy saw
    assert [ask(f"198.51.100.{number}, 203.0.113.19") for number in range(5)].count(429) == 2


def test_metrics_are_for_this_machine_and_for_keys(service: Running, api: httpx.Client) -> None:
    assert httpx.get(service.url + "/metrics").status_code == 200
    passed_on = {"X-Forwarded-For": "127.0.0.1"}  # a proxy that nobody told us of
    assert httpx.get(service.url + "/metrics", headers=passed_on).status_code == 401
    assert api.get("/metrics", headers=passed_on).status_code == 200
    with service.client(service.new_key(None, "write"), **passed_on) as writer:
        assert writer.get("/metrics").status_code == 403


@pytest.mark.parametrize(("host", "status"), [("localhost", 200), ("[::1]:8787", 200), ("evil.example", 404),
                                              ("127.0.0.1.evil.example", 404)])  # fmt: skip
def test_the_demo_page_is_for_this_machine(service: Running, host: str, status: int) -> None:
    assert httpx.get(service.url + "/demo", headers={"Host": host}).status_code == status


def test_a_session_of_the_console_ends_where_it_is_ended(service: Running) -> None:
    key_id, key = key_store.create(service.database, "console", ("read",), service.tenant)
    with httpx.Client(base_url=service.url) as browser, httpx.Client(base_url=service.url) as copy:
        for client in (browser, copy):
            assert client.post("/console/login", data={"key": key}).status_code == 303
        stolen = httpx.Client(base_url=service.url, cookies=dict(browser.cookies))
        assert "/console/logout" in stolen.get("/console").text
        browser.post("/console/logout")
        assert "/console/logout" not in stolen.get("/console").text
        assert "/console/logout" in copy.get("/console").text
        assert key_store.end_sessions(service.database, key_id) == 1
        assert "/console/logout" not in copy.get("/console").text
        writer = service.new_key(None, "write")
        assert "lacks the scope read" in copy.post("/console/login", data={"key": writer}).text


def test_a_key_can_be_ended_while_another_takes_its_place(service: Running) -> None:
    identity, key = key_store.create(service.database, "old", ("read",), service.tenant)
    key_store.rotate(service.database, identity, timedelta(hours=24))
    key_store.revoke(service.database, identity)
    deadline = time.monotonic() + 60
    with service.client(key) as old:
        while old.get("/v1/feedback").status_code != 401:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    with pytest.raises(key_store.KeyStoreError, match="in use"):
        key_store.revoke(service.database, identity)


@pytest.mark.parametrize("name", ["", " ", "\t"])
def test_a_tenant_has_a_name(service: Running, name: str) -> None:
    with pytest.raises(key_store.KeyStoreError, match="name"):
        key_store.create(service.database, "k", ("read",), name)


def test_general_feedback_is_always_taken(start: Callable[..., Running]) -> None:
    service = start(CaptureSettings(content_types=frozenset({"qa_answer"})))
    with service.client() as api:
        body = {"kind": "comment", "content": {"type": "general", "id": "page"}, "comment": "hello"}
        assert api.post("/v1/feedback", json=body).status_code == 201
        assert api.post("/v1/feedback", json=VOTE | {"content_type": "other"}).status_code == 422


def half_sent(url: str, text: bytes) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    connection.sendall(text)
    return connection


def test_requests_that_never_end_do_not_stop_the_others(
    start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.GuardedProtocol, "limit", 60)
    service = start()
    slow = [half_sent(service.url, b"POST /v1/feedback HTTP/1.1\r\nHost: x\r\nX-A: ") for _ in range(300)]
    try:
        with service.client() as api:
            assert api.post("/v1/feedback", json=VOTE).status_code == 201
    finally:
        for connection in slow:
            connection.close()


@pytest.mark.parametrize("text", [
    b"", b"POST /v1/feedback HTTP/1.1\r\nHost: x\r\n",
    b"GET /v1/feedback HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab",
], ids=["nothing", "half a head", "half a body"])  # fmt: skip
def test_a_request_has_its_time(start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(server, "BODY_SECONDS", 0.3)
    connection = half_sent(start().url, text)
    connection.settimeout(60)
    ended = False
    try:
        while not ended:
            ended = connection.recv(4096) == b""
    except ConnectionResetError:
        ended = True
    assert ended
    connection.close()


def test_a_later_request_of_a_connection_has_its_time_as_well(
    start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 1.0)
    connection = half_sent(start().url, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    connection.settimeout(60)
    assert b"200" in connection.recv(4096)
    time.sleep(1.5)  # idle between two requests: that is what connections are kept for
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
    with pytest.raises((ConnectionResetError, AssertionError)):
        assert connection.recv(4096) != b""
    connection.close()
