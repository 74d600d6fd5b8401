"""A real Chromium against a real service; skipped with the reason where no browser can be started."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from feedback_pipeline.capture import key_store
from feedback_pipeline.capture.access import SCOPES
from feedback_pipeline.console.app import create_app
from tests.support.serving import serve

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    path = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium chromium-driver)")
    with sync_api.sync_playwright() as playwright:
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
    context.set_default_timeout(10_000)
    yield context
    context.close()


@pytest.fixture
def page(context: Any) -> Any:
    page = context.new_page()
    page.crashes = []
    page.on("pageerror", lambda error: page.crashes.append(str(error)))
    return page
