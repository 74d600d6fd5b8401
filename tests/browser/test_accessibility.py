"""axe-core finds nothing on any page, light and dark, on a screen and on a phone. Run by `make test-accessibility`."""

import os
from pathlib import Path
from typing import Any

import httpx
import pytest

AXE = os.environ.get("FEEDBACK_TEST_AXE")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(AXE is None, reason="run by make test-accessibility, which installs axe-core"),
]
NAMES = ("", "/answers", "/prompts", "/experiments", "/audit", "/reports", "/exports", "/login")


def faults(page: Any) -> list[str]:
    """Rules that fail on a page, each with the first element it fails on."""
    assert AXE is not None
    page.evaluate(Path(AXE).read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in found["violations"]]


@pytest.fixture(params=["light", "dark"])
def themed(request: Any, chromium: Any) -> Any:
    context = chromium.new_context(color_scheme=request.param)
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


def fill(site: Any) -> dict[str, str]:
    """Some answers and votes; addresses of one of each."""
    with httpx.Client(base_url=site.url, headers={"Authorization": f"Bearer {site.key}"}) as api:
        answer = {"prompt": "Where?", "output": "In Lyon. " * 200, "request_id": "r-1", "conversation_id": "c-1",
                  "prompt_version": "2.0", "model": "m-1", "tools_called": ["track"], "cost_usd": 0.1}  # fmt: skip
        logged = api.post("/v1/interactions", json=answer).json()["interaction_ids"][0]
        vote = {"kind": "explicit", "request_id": "r-1", "thumb": False, "comment": "late", "reasons": ["wrong"]}
        given = api.post("/v1/feedback", json=vote | {"user_id": "ada"}).json()["id"]
        api.post("/v1/feedback/export/finetuning", json={"output_path": "a.jsonl"})
    return {"answer": f"/answers/{logged}", "vote": f"/feedback/{given}", "conversation": "/conversation?id=c-1"}


def test_every_page_of_the_console(site: Any, themed: Any) -> None:
    addresses = fill(site)
    themed.goto(f"{site.url}/console")
    found = {"login": faults(themed)}
    themed.goto(f"{site.url}/console#{site.key}")
    themed.wait_for_selector("h1:has-text('Votes')")
    for name in (*NAMES, *addresses.values()):
        themed.goto(f"{site.url}/console{name}")
        found[name] = faults(themed)
    themed.set_viewport_size({"width": 360, "height": 740})
    for name in ("", "/answers", *addresses.values()):
        themed.goto(f"{site.url}/console{name}")
        found[f"phone {name}"] = faults(themed)
        assert themed.evaluate("document.documentElement.scrollWidth") <= 360, name
    assert {name: rules for name, rules in found.items() if rules} == {}


def test_an_empty_console(site: Any, themed: Any) -> None:
    themed.goto(f"{site.url}/console#{site.key}")
    themed.wait_for_selector("h1:has-text('Votes')")
    found = {}
    for name in NAMES:
        themed.goto(f"{site.url}/console{name}")
        found[name] = faults(themed)
    assert {name: rules for name, rules in found.items() if rules} == {}


def test_the_element_in_all_its_states(site: Any, themed: Any) -> None:
    themed.goto(f"{site.url}/demo")
    themed.wait_for_selector("llm-feedback >> button")
    found = {"at rest": faults(themed)}
    themed.locator("llm-feedback >> button.down").first.click()
    themed.wait_for_selector("llm-feedback >> textarea")
    found["thumb down, comment open"] = faults(themed)
    themed.locator("llm-feedback >> button.general").click()
    found["floating form open"] = faults(themed)
    themed.goto(f"{site.url}/docs")
    found["reference"] = faults(themed)
    assert {name: rules for name, rules in found.items() if rules} == {}
