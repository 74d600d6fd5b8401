"""The guard before the Dagster UI: other people's pages can neither ask nor frame it."""

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from jobs.webserver import Guard

MUTATION = "/graphql?query=mutation{wipeAssets}"
FOREIGN = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
OURS = {"Origin": "http://127.0.0.1:3000", "Sec-Fetch-Site": "same-origin"}


async def page(_: Any) -> PlainTextResponse:
    return PlainTextResponse("the UI", headers={"X-Frame-Options": "SAMEORIGIN"})


async def socket(websocket: WebSocket) -> None:
    await websocket.accept("graphql-ws")
    await websocket.close()


def ui(host: str = "127.0.0.1:3000") -> TestClient:
    routes = [Route("/{path:path}", page, methods=["GET", "POST"]), WebSocketRoute("/graphql", socket)]
    return TestClient(Guard(Starlette(routes=routes), {"dagster.example"}), base_url=f"http://{host}")


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/assets", {}, 200),
        ("GET", "/assets", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200),  # a link in a mail
        ("POST", "/graphql", OURS, 200),
        ("POST", "/graphql", {}, 200),  # no browser
        ("GET", MUTATION, {}, 403),
        ("GET", MUTATION, {"Sec-Fetch-Site": "cross-site"}, 403),  # an image on a page
        ("HEAD", MUTATION, {}, 403),
        ("GET", "/graphql", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("POST", "/graphql", FOREIGN, 403),
        ("POST", "/graphql", {"Origin": "null"}, 403),
        ("POST", "/graphql", {"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-site"}, 403),
        ("POST", "/report_asset_materialization/a", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("GET", "/assets", {"Origin": "https://evil.example"}, 403),
    ],
)
def test_only_the_uis_own_pages_ask(method: str, path: str, headers: dict[str, str], status: int) -> None:
    assert ui().request(method, path, headers=headers).status_code == status


@pytest.mark.parametrize(("host", "status"), [
    ("localhost:3000", 200), ("[::1]:3000", 200), ("dagster.example", 200), ("evil.example:3000", 403),
    ("127.0.0.1.evil.example", 403), ("10.0.0.5:3000", 403),
])  # fmt: skip
def test_only_known_names_are_served(host: str, status: int) -> None:
    assert ui(host).get("/assets").status_code == status


def test_nobody_frames_the_ui() -> None:
    headers = ui().get("/assets").headers
    assert headers.get_list("x-frame-options") == ["DENY"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_websockets_of_other_origins_are_refused() -> None:
    with ui().websocket_connect("/graphql", headers={"Origin": "http://127.0.0.1:3000", "Host": "127.0.0.1:3000"}):
        pass
    with pytest.raises(WebSocketDisconnect), ui().websocket_connect("/graphql", headers=FOREIGN):
        pass
