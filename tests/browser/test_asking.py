"""The element asks about a random share of answers, in a real browser."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from tests.browser.conftest import Site

expect = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed").expect

pytestmark = pytest.mark.browser

ASKED = "llm-feedback .asked:not([hidden])"


@pytest.fixture
def asking(settings: Any, database: Any) -> Iterator[Site]:
    site = Site(replace(settings, capture=replace(settings.capture, ask_share=1.0)), database)
    yield site
    site.stop()


def test_one_answer_of_a_page_is_asked_about_quietly(asking: Any, page: Any) -> None:  # G1
    with page.expect_response("**/v1/feedback/states"):
        page.goto(f"{asking.url}/demo")
    question = page.locator(ASKED)
    expect(question).to_have_count(1)
    expect(question).to_have_text("Did this answer help?")
    assert page.evaluate("document.activeElement.tagName") == "BODY"
    with psycopg.connect(asking.database.address()) as connection:
        rows = connection.execute("SELECT asked, probability FROM ask ORDER BY decided_at").fetchall()
    # with a share of 1 the first of the session is asked, and the others could not have been
    assert rows == [(True, 1.0), (False, 0.0), (False, 0.0)]
    # another load of the page in this session asks about nothing else
    with page.expect_response("**/v1/feedback/states"):
        page.reload()
    expect(question).to_have_count(1)
    with page.expect_response(lambda one: one.url.endswith("/v1/feedback") and one.request.method == "POST"):
        page.locator("#demo-1 llm-feedback .up").click()
    expect(question).to_have_count(0)
    assert page.crashes == []


def test_nobody_is_asked_unless_a_share_is_set(site: Any, page: Any) -> None:
    with page.expect_response("**/v1/feedback/states"):
        page.goto(f"{site.url}/demo")
    expect(page.locator(ASKED)).to_have_count(0)
