"""The Django snippet of docs/capture.md in Django itself. Run by `make test-frameworks`."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from feedback_pipeline.store.embedded import lasting_port
from tests.browser.conftest import Site
from tests.browser.test_snippets import DOCUMENTED, votes_and_finds_the_vote_again

PYTHON = os.environ.get("FEEDBACK_TEST_DJANGO")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(PYTHON is None, reason="run by make test-frameworks, which installs Django"),
]
APP = Path(__file__).parent / "with_django" / "app.py"


def documented(start: str, end: str) -> str:
    """The lines of the page from one to the next, without their indentation."""
    block = DOCUMENTED.partition(start)[2].partition(end)[0]
    assert block, f"docs/capture.md has no {start}"
    return "\n".join(line.removeprefix("    ") for line in block.splitlines())


@pytest.fixture
def application(settings: Any, database: Any) -> Iterator[tuple[Site, str]]:
    assert PYTHON is not None
    port = lasting_port()
    origin = f"http://127.0.0.1:{port}"
    site = Site(replace(settings, capture=replace(settings.capture, origins=(origin,))), database)
    view = documented("# views.py", "{# answer.html #}")
    template = documented("{# answer.html #}", "\n## ")
    given = json.dumps({"url": site.url, "key": site.key, "port": port, "view": view, "template": template})
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with subprocess.Popen(
        [PYTHON, str(APP), given], stdout=subprocess.PIPE, text=True, env=environment | {"PYTHONSAFEPATH": "1"}
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        yield site, origin
        server.terminate()
    site.stop()


def test_a_vote_on_a_page_of_django(application: tuple[Site, str], page: Any) -> None:
    site, origin = application
    votes_and_finds_the_vote_again(page, f"{origin}/answers/42")
    found = httpx.get(f"{site.url}/v1/feedback", headers={"Authorization": f"Bearer {site.key}"}).json()["items"]
    (vote,) = found
    # the token was made without a request, for the person that Django knows; the text is as the page shows it
    assert (vote["content_id"], vote["thumb"]) == ("42", True)
    assert vote["user_id"] is not None
    shown = vote["content_snapshot"] or vote["response"]
    assert shown == 'An answer with "quotes", <b>marks</b> & an ampersand.'
