"""The snippets of docs/capture.md, as they stand there, in pages of another origin than the API's."""

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

expect = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed").expect

from tests.browser.conftest import Site  # noqa: E402 - after the skip

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTED = (ROOT / "docs" / "capture.md").read_text()


def snippet(start: str) -> str:
    """The indented block of the page that starts so."""
    match = re.search(rf"^    {re.escape(start)}.*(?:\n(?:    .*)?)*", DOCUMENTED, re.MULTILINE)
    assert match, f"docs/capture.md has no snippet that starts with {start}"
    return re.sub("^    ", "", match.group(), flags=re.MULTILINE).split("\n\n\n")[0]


class Pages:
    """A product's own server."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        pages = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = pages.found.get(self.path)
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write((body or "").encode())

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def pages() -> Iterator[Pages]:
    pages = Pages()
    yield pages
    pages.stop()


@pytest.fixture
def api_site(settings: Any, database: Any, pages: Pages) -> Iterator[Site]:
    site = Site(replace(settings, capture=replace(settings.capture, origins=(pages.origin,))), database)
    yield site
    site.stop()


@pytest.fixture
def filled(api_site: Site, pages: Pages) -> Callable[[str], str]:
    """Puts the API's address and a real token where a snippet has examples of them."""

    def fill(text: str) -> str:
        wanted = {"content_type": "qa_answer", "content_id": "42", "origin": pages.origin, "user_id": "ada"}
        answer = httpx.post(
            f"{api_site.url}/v1/tokens", json=wanted, headers={"Authorization": f"Bearer {api_site.key}"}
        )
        return text.replace("https://feedback.example", api_site.url).replace("fbt_…", answer.json()["token"])

    return fill


def votes_and_finds_the_vote_again(page: Any, address: str) -> None:
    page.goto(address)
    with page.expect_response(
        lambda answer: answer.url.endswith("/v1/feedback") and answer.request.method == "POST"
    ) as answer:
        page.locator("llm-feedback .up").click()
    assert answer.value.status == 201
    page.reload()
    expect(page.locator("llm-feedback .up")).to_have_attribute("aria-pressed", "true")
    assert page.crashes == []


def test_plain_html(page: Any, pages: Pages, filled: Callable[[str], str]) -> None:  # A5
    pages.found["/"] = f"<!doctype html><title>App</title>{filled(snippet('<script src='))}"
    votes_and_finds_the_vote_again(page, f"{pages.origin}/")


def test_htmx(page: Any, pages: Pages, api_site: Site, filled: Callable[[str], str]) -> None:  # A5
    element = filled(snippet("<script src=").partition("\n")[2])
    script = f'<script src="{api_site.url}/static/llm-feedback.js" defer></script>'
    htmx = f'<script src="{api_site.url}/static/htmx.min.js"></script>'
    pages.found["/"] = f"<!doctype html><title>App</title>{script}{htmx}{snippet('<div hx-get=')}"
    pages.found["/answers/42"] = f"<p>The answer as shown.</p>{element}"
    votes_and_finds_the_vote_again(page, f"{pages.origin}/")
