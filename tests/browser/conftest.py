"""A real Chromium against a real service; skipped with the reason where no browser can be started."""

import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from feedback_pipeline.capture import key_store
from feedback_pipeline.capture.access import SCOPES
from feedback_pipeline.console.app import create_app
from feedback_pipeline.reports.page import render_html
from feedback_pipeline.reports.published import note_tenants
from feedback_pipeline.tables.parquet import ParquetFolder
from tests.support.report_samples import WEEK, full_report
from tests.support.serving import serve

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 30_000.0
"""Milliseconds that something may take: the machine may be busy."""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    path = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium chromium-driver)")
    with sync_api.sync_playwright() as playwright:
        sync_api.expect.set_options(timeout=PATIENCE)
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Site:
    """The service with its demo page."""

    def __init__(self, settings: Any, database: Any) -> None:
        self.settings, self.database = settings, database
        self.app = create_app(settings, address=database.address())
        self.url, self.stop = serve(self.app)
        self.key = key_store.create(database, "test", SCOPES)[1]


@pytest.fixture
def site(settings: Any, database: Any) -> Iterator[Site]:
    site = Site(settings, database)
    yield site
    site.stop()


@pytest.fixture
def context(chromium: Any) -> Iterator[Any]:
    context = chromium.new_context()
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


@pytest.fixture
def page(context: Any) -> Any:
    page = context.new_page()
    page.crashes = []
    page.on("pageerror", lambda error: page.crashes.append(str(error)))
    return page


class Host:
    """A web application of another origin than the API's: its pages, its policy, its address that mints tokens."""

    def __init__(self) -> None:
        self.html, self.policy, self.mints, self.seconds = "", "", [], 3600
        self.scripts: dict[str, str] = {}
        self.site: Any = None
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def token(self, content: str, seconds: int | None = None) -> str:
        body = {"content_type": "qa", "content_id": content, "origin": self.url, "seconds": seconds or self.seconds}
        headers = {"Authorization": f"Bearer {self.site.key}"}
        answer = httpx.post(f"{self.site.url}/v1/tokens", json=body, headers=headers)
        return str(answer.json()["token"])

    def show(self, page: Any, *elements: str) -> None:
        script = f'<script src="{self.site.url}/static/llm-feedback.js"></script>'
        self.html = f'<!doctype html><html lang="en"><head>{script}</head><body>{"".join(elements)}</body></html>'
        page.goto(self.url)

    def element(self, content: str, more: str = "", token: bool = True) -> str:
        given = f'token="{self.token(content)}"' if token else ""
        return (f'<llm-feedback id="{content}" api="{self.site.url}" content-type="qa" content-id="{content}" '
                f'snapshot="the answer {content}" {given} {more}></llm-feedback>')  # fmt: skip

    def votes(self, kind: str = "explicit") -> list[dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.site.key}"}
        found = httpx.get(f"{self.site.url}/v1/feedback", params={"kind": kind}, headers=headers).json()["items"]
        return list(found)


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, host: Host, *arguments: Any) -> None:
        self.host = host
        super().__init__(*arguments)

    def do_GET(self) -> None:
        script = self.host.scripts.get(self.path)
        if script is not None:
            self._answer("text/javascript; charset=utf-8", script.encode())
        else:
            self._answer("text/html; charset=utf-8", self.host.html.encode())

    def do_POST(self) -> None:
        wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["contents"]
        self.host.mints.append(wanted)
        headers = {"Authorization": f"Bearer {self.host.site.key}"}
        body = {"contents": wanted, "origin": self.host.url}
        self._answer(
            "application/json", httpx.post(f"{self.host.site.url}/v1/tokens", json=body, headers=headers).content
        )

    def _answer(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.host.policy:
            self.send_header("Content-Security-Policy", self.host.policy)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing is written."""


@pytest.fixture
def host(settings: Any, database: Any) -> Iterator[Host]:
    host = Host()
    capture = replace(settings.capture, origins=(host.url,))
    host.site = Site(replace(settings, capture=capture), database)
    yield host
    host.server.shutdown()
    host.server.server_close()
    host.site.stop()


def filed(page: Any) -> Any:
    return page.expect_response(lambda answer: answer.url.endswith("/v1/feedback") and answer.request.method == "POST")


def settled(page: Any, host: Host, expected: list[Any], field: str = "thumb") -> None:
    """Waits until the store says what is expected: writes are in order, so the last one wins."""
    for _ in range(400):
        if [vote[field] for vote in host.votes()] == expected:
            return
        page.wait_for_timeout(50)
    assert [vote[field] for vote in host.votes()] == expected


def publish(site: Any) -> str:
    """A report with every section, on the shelf; its address."""
    frames = ParquetFolder(site.settings.data_url)
    page = render_html(full_report()).encode()
    note_tenants(frames, WEEK, page, ["default"])
    (frames.root / "weekly_report" / f"{WEEK.start}.html").write_bytes(page)
    return f"/reports/weekly/{WEEK.start}"
