"""Who may do what: keys, scopes, browser tokens, limits, and the second lock behind them."""

import itertools
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from feedback_pipeline.capture import key_store
from feedback_pipeline.capture.access import MissingSigningKeyError, Tokens, key_hash, signing_keys
from feedback_pipeline.capture.problems import ProblemError
from feedback_pipeline.settings import CaptureSettings, SettingsError

VOTE: dict[str, Any] = {"content_type": "qa_answer", "content_id": "7", "rating": True}
ORIGIN = "https://app.example"
SESSION = "browser-session-0001"


def token(api: httpx.Client, **changes: Any) -> str:
    wanted = {"content_type": "qa_answer", "content_id": "7", "origin": ORIGIN} | changes
    answer = api.post("/v1/tokens", json=wanted)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


def browser(service: Any, token: str, origin: str = ORIGIN, session: str = SESSION) -> httpx.Client:
    client: httpx.Client = service.client(token, Origin=origin, **{"X-Feedback-Session": session})
    return client


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer fbk_wrong"}, {"Authorization": "Basic eDp5"},
                                     {"X-API-Key": "nonsense"}])  # fmt: skip
def test_nobody_gets_in_without_a_key(service: Any, headers: dict[str, str]) -> None:
    for method, path in (("POST", "/v1/feedback"), ("GET", "/v1/feedback"), ("GET", "/api/feedback"),
                         ("POST", "/v1/tokens"), ("POST", "/v1/feedback/export/finetuning")):  # fmt: skip
        answer = httpx.request(method, service.url + path, headers=headers, json=VOTE if method == "POST" else None)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert "Bearer" in answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [("write", {"POST /v1/feedback"}), ("read", {"GET /v1/feedback"}),
     ("export", {"POST /v1/feedback/export/finetuning"}),
     ("admin", {"POST /v1/feedback", "GET /v1/feedback", "POST /v1/feedback/export/finetuning"})],
)  # fmt: skip
def test_a_key_does_what_its_scopes_say(service: Any, scope: str, allowed: set[str]) -> None:
    bodies = {"/v1/feedback": VOTE, "/v1/feedback/export/finetuning": {"output_path": "x.jsonl"}}
    with service.client(service.new_key(None, scope)) as client:
        for route in ("POST /v1/feedback", "GET /v1/feedback", "POST /v1/feedback/export/finetuning"):
            method, path = route.split()
            answer = client.request(method, path, json=bodies[path] if method == "POST" else None)
            assert (answer.status_code < 300) is (route in allowed), route


def test_only_a_hash_of_a_key_is_stored(service: Any) -> None:
    key = service.new_key()
    with psycopg.connect(service.database.url) as connection:
        assert key not in str(connection.execute("SELECT k::text FROM api_key k").fetchall())
        assert connection.execute("SELECT count(*) FROM api_key WHERE hash = %s", (key_hash(key),)).fetchone() == (1,)


def test_a_revoked_key_stops_within_two_seconds(service: Any) -> None:
    identity, key = key_store.create(service.database, "test", ("write",), service.tenant)
    with service.client(key) as client:
        assert client.post("/v1/feedback", json=VOTE).status_code == 201
        key_store.revoke(service.database, identity)
        time.sleep(2.1)  # keys are remembered for two seconds
        assert client.post("/v1/feedback", json=VOTE).status_code == 401


def test_a_rotated_key_works_on_for_its_grace(service: Any) -> None:
    identity, old = key_store.create(service.database, "test", ("read",), service.tenant)
    _, new = key_store.rotate(service.database, identity, timedelta(hours=1))
    for key in (old, new):
        with service.client(key) as client:
            assert client.get("/v1/feedback").status_code == 200
    with pytest.raises(key_store.KeyStoreError, match="in use"):
        key_store.rotate(service.database, identity, timedelta(0))


def test_an_expired_key_is_refused(service: Any) -> None:
    _, key = key_store.create(service.database, "test", ("read",), service.tenant, timedelta(seconds=-1))
    with service.client(key) as client:
        assert client.get("/v1/feedback").status_code == 401


def test_a_browser_votes_and_finds_its_vote_again(service: Any, api: httpx.Client) -> None:
    with browser(service, token(api, user_id="ada")) as client:
        assert client.post("/v1/feedback", json=VOTE).status_code == 201
    with browser(service, token(api, user_id="ada"), session="another-browser-0002") as client:
        (mine,) = client.get("/v1/feedback").json()["items"]
        assert (mine["thumb"], "metadata" in mine, "query" in mine) == (True, False, False)
    with browser(service, token(api, user_id="grace"), session="another-browser-0003") as client:
        assert client.get("/v1/feedback").json()["items"] == []


def test_what_a_browser_says_of_an_answer_is_marked_as_such(service: Any, api: httpx.Client) -> None:
    with browser(service, token(api)) as client:
        vote = {"kind": "explicit", "thumb": True, "content": {"type": "qa_answer", "id": "7"},
                "answer": {"content_snapshot": "shown", "prompt": "asked"}}  # fmt: skip
        identity = client.post("/v1/feedback", json=vote).json()["id"]
    assert api.get(f"/v1/feedback/{identity}").json()["provenance"] == "browser"


@pytest.mark.parametrize(
    ("vote", "status"),
    [
        (VOTE | {"content_id": "8"}, 403),  # other content
        (VOTE | {"content_type": "pr_summary"}, 403),
        ({"query": "q", "response": "r", "rating": 1}, 403),
        (VOTE | {"user_id": "eve"}, 422),  # the token says who
        ({"kind": "comment", "comment": "x", "content": {"type": "qa_answer", "id": "7"},
          "interaction_id": "018f0000-0000-7000-8000-000000000000"}, 403),
    ],
)  # fmt: skip
def test_a_token_is_good_for_its_content_and_person_only(
    service: Any, api: httpx.Client, vote: dict[str, Any], status: int
) -> None:
    with browser(service, token(api)) as client:
        assert client.post("/v1/feedback", json=vote).status_code == status
    assert api.get("/v1/feedback").json()["items"] == []


def test_a_token_shown_elsewhere_is_refused(service: Any, api: httpx.Client) -> None:
    mine = token(api)
    with browser(service, mine, origin="https://evil.example") as client:
        answer = client.post("/v1/feedback", json=VOTE)
        assert (answer.status_code, answer.json()["code"]) == (403, "wrong_origin")
    with browser(service, mine) as client:
        assert client.post("/v1/feedback", json=VOTE).status_code == 201
    with browser(service, mine, session="a-thief-s-browser-1") as client:
        answer = client.post("/v1/feedback", json=VOTE)
        assert (answer.status_code, answer.json()["code"]) == (401, "replayed_token")


def test_a_token_expires(service: Any, api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = token(api, seconds=10)
    later = time.time() + 11
    monkeypatch.setattr("feedback_pipeline.capture.access.time.time", lambda: later)
    with browser(service, mine) as client:
        answer = client.post("/v1/feedback", json=VOTE)
    assert (answer.status_code, answer.json()["code"]) == (401, "expired_token")


def test_a_forged_token_is_refused(service: Any, api: httpx.Client) -> None:
    payload, _, signature = token(api).partition(".")
    for forged in (f"{payload}A.{signature}", f"{payload}.{signature[:-2]}AA", "fbt_", "fbt_..", "fbt_ü.ü"):
        headers = {b"authorization": b"Bearer " + forged.encode(), b"origin": ORIGIN.encode()}
        answer = httpx.post(service.url + "/v1/feedback", json=VOTE, headers=headers)  # type: ignore[arg-type]
        assert answer.status_code == 401


def test_a_token_has_a_number_of_uses(start: Any) -> None:
    service = start(CaptureSettings(token_uses=2))
    with service.client() as api, browser(service, token(api)) as client:
        statuses = [client.post("/v1/feedback", json=VOTE).status_code for _ in range(3)]
    assert statuses == [201, 201, 401]


def test_a_browser_reads_no_figures_and_no_other_votes(service: Any, api: httpx.Client) -> None:
    other = api.post("/v1/feedback", json=VOTE | {"user_id": "grace"}).json()["id"]
    with browser(service, token(api, user_id="ada")) as client:
        for path in ("/v1/feedback/accuracy", "/v1/feedback/stats", "/v1/feedback/summary", "/api/feedback"):
            assert client.get(path).status_code == 403
        assert client.get(f"/v1/feedback/{other}").status_code == 404
        assert client.put(f"/v1/feedback/{other}", json={"rating": False}).status_code == 404
        assert client.delete(f"/v1/feedback/{other}").status_code == 404
        assert client.delete("/v1/feedback", params={"content_type": "qa", "content_id": "other"}).status_code == 403
        assert client.delete("/v1/feedback", params={"user_id": "grace"}).status_code == 422
        assert client.post("/v1/tokens", json={}).status_code == 403
    assert api.get(f"/v1/feedback/{other}").status_code == 200


def test_limits_hold_over_processes(start: Any) -> None:
    capture = CaptureSettings(key_requests=20)
    services = [start(capture), start(capture)]
    taken: Counter[int] = Counter()
    for number in itertools.count():  # on however slow a machine: what counts is a minute that is used up
        begun = int(time.time() // 60)
        with services[number % 2].client() as client:
            answer = client.get("/v1/feedback")
        if answer.status_code == 429:
            break
        if begun == int(time.time() // 60):  # else it may count to either
            taken[begun] += 1
    assert max(taken.values(), default=0) <= 20
    assert 1 <= int(answer.headers["retry-after"]) <= 60


def test_guessing_keys_is_limited_by_address(start: Any) -> None:
    service = start(CaptureSettings(address_requests=5, trusted_proxies=frozenset({"127.0.0.1"})))
    address = {"X-Forwarded-For": "203.0.113.7"}  # of this test alone (TEST-NET-3)
    statuses = [
        httpx.get(service.url + "/v1/feedback", headers={"X-API-Key": f"guess-{n}", **address}).status_code
        for n in range(8)
    ]
    assert statuses[:5] == [401] * 5
    assert 429 in statuses[5:]


def test_pages_of_configured_origins_may_ask(start: Any) -> None:
    service = start(CaptureSettings(origins=(ORIGIN,)))
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,x-feedback-session",
    }
    allowed = httpx.options(service.url + "/v1/feedback", headers=asked | {"Origin": ORIGIN})
    refused = httpx.options(service.url + "/v1/feedback", headers=asked | {"Origin": "https://evil.example"})
    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-origin" not in refused.headers


def test_htmx_may_post_a_vote_from_a_page_of_another_origin(start: Any) -> None:
    service = start(CaptureSettings(origins=(ORIGIN,)))
    added = "authorization,hx-current-url,hx-request,hx-target,hx-trigger"  # what a browser asks of htmx's hx-post
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": added}
    allowed = httpx.options(service.url + "/v1/feedback", headers=asked)
    assert allowed.status_code == 200
    named = {name.strip().lower() for name in allowed.headers["access-control-allow-headers"].split(",")}
    assert set(added.split(",")) <= named


def test_row_level_security_holds_where_a_query_forgets_the_tenant(service: Any, api: httpx.Client) -> None:
    api.post("/v1/feedback", json={"query": "q", "response": "r", "rating": 1})
    with psycopg.connect(service.database.url, autocommit=True) as connection:
        connection.execute("SET ROLE feedback_api")
        for tenant, expected in ((service.tenant, 1), ("nobody", 0), ("", 0)):
            connection.execute("SELECT set_config('feedback.tenant', %s, false)", (tenant,))
            for table in ("feedback", "interaction"):
                (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone() or (None,)
                assert count == expected
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(
                "INSERT INTO interaction (id, tenant, context, occurred_at, source, source_id, provenance)"
                " VALUES (gen_random_uuid(), %s, 'full', now(), 's', 's', 'server')", (service.tenant,)
            )  # fmt: skip
        for forbidden in ("SELECT * FROM api_key", "DELETE FROM feedback", "UPDATE feedback SET thumb = true"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(forbidden)


def test_production_starts_with_given_keys_only(tmp_path: Any) -> None:
    with pytest.raises(MissingSigningKeyError, match="FEEDBACK_TOKEN_KEY"):
        signing_keys(tmp_path, None, production=True)
    with pytest.raises(MissingSigningKeyError, match="too short"):
        signing_keys(tmp_path, "short", production=True)
    made = signing_keys(tmp_path / "home", None, production=False)
    assert signing_keys(tmp_path / "home", None, production=False) == made
    assert (tmp_path / "home" / "token.key").stat().st_mode & 0o077 == 0


def test_settings_that_are_wrong_are_named() -> None:
    with pytest.raises(SettingsError, match="FEEDBACK_CORS_ORIGINS"):
        CaptureSettings.from_environment({"FEEDBACK_CORS_ORIGINS": "https://app.example/path"})
    with pytest.raises(SettingsError, match="FEEDBACK_BODY_BYTES"):
        CaptureSettings.from_environment({"FEEDBACK_BODY_BYTES": "many"})


def test_a_token_key_is_rotated_without_refusing_anybody(tmp_path: Any) -> None:
    before = Tokens(signing_keys(tmp_path, "a" * 40, production=True))
    during = Tokens(signing_keys(tmp_path, f"{'b' * 40}, {'a' * 40}", production=True))
    after = Tokens(signing_keys(tmp_path, "b" * 40, production=True))
    old, new = (made.seal("browser", {"t": "x"}, 60) for made in (before, during))
    assert during.unseal("browser", old)["t"] == during.unseal("browser", new)["t"] == after.unseal("browser", new)["t"]
    for tokens, refused in ((after, old), (before, new)):
        with pytest.raises(ProblemError, match="not one of ours"):
            tokens.unseal("browser", refused)


@pytest.mark.parametrize("sealed", ["", ".", "a.b", "e30.\udcff", "e30", "\x00.\x00", "W10." + "A" * 43])
def test_what_was_never_sealed_is_refused(sealed: str) -> None:
    with pytest.raises(ProblemError, match="not one of ours"):
        Tokens([b"k" * 32]).unseal("browser", sealed)


def test_a_seal_is_good_for_its_purpose_and_time_only() -> None:
    tokens = Tokens([b"k" * 32])
    with pytest.raises(ProblemError, match="not one of ours"):
        tokens.unseal("console", tokens.seal("browser", {}, 60))
    with pytest.raises(ProblemError, match="expired"):
        tokens.unseal("browser", tokens.seal("browser", {}, -1))


@pytest.mark.parametrize("wrong", [timedelta(hours=2), timedelta(days=3), timedelta(days=-60), timedelta(days=-9000)])
def test_a_visitors_wrong_clock_costs_no_vote(service: Any, api: httpx.Client, wrong: timedelta) -> None:
    now = datetime.now(UTC)
    vote = VOTE | {"occurred_at": (now + wrong).isoformat()}
    with browser(service, token(api)) as client:
        assert client.post("/v1/feedback", json=vote).status_code == 201
        (mine,) = client.get("/v1/feedback").json()["items"]
    (held,) = service.rows("SELECT occurred_at FROM feedback WHERE tenant = %s")
    assert abs(held[0] - now) < timedelta(minutes=5)
    assert mine["thumb"] is True
    # one that waited for the network keeps its time; a server's impossible time is a fault that it hears of
    waited = now - timedelta(days=2)
    with browser(service, token(api, content_id="8")) as client:
        sent = client.post("/v1/feedback", json=VOTE | {"content_id": "8", "occurred_at": waited.isoformat()})
    assert sent.status_code == 201
    assert (waited,) in service.rows("SELECT occurred_at FROM feedback WHERE tenant = %s")
    if wrong == timedelta(days=3):
        assert api.post("/v1/feedback", json=vote).status_code == 422
