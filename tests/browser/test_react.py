"""The element in React 18 and 19 under StrictMode, as an application has it. Run by `make test-frameworks`.

A token that comes late, text that comes in pieces, properties that are switched, a part of the page that
goes and comes.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Host, filed, settled

expect = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed").expect

REACT = os.environ.get("FEEDBACK_TEST_REACT")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(REACT is None, reason="run by make test-frameworks, which installs React"),
]
PARTS = {
    "18": {"react": "react/cjs/react.development.js", "scheduler": "scheduler/cjs/scheduler.development.js",
           "react-dom": "react-dom/cjs/react-dom.development.js", "react-dom/client": "react-dom/client.js"},
    "19": {"react": "react/cjs/react.development.js", "scheduler": "scheduler/cjs/scheduler.development.js",
           "react-dom": "react-dom/cjs/react-dom.development.js",
           "react-dom/client": "react-dom/cjs/react-dom-client.development.js"},
}  # fmt: skip
"""StrictMode mounts twice in React's development builds alone."""
APPLICATION = """
const { StrictMode, createElement: h, useEffect, useState } = require("react");
const { createRoot } = require("react-dom/client");
const pieces = "the answer a".split(" ");
window.effects = 0;

function Answer({ stars, suggest, labels }) {
  const [token, setToken] = useState(null);
  const [shown, setShown] = useState(1);
  useEffect(() => {
    window.effects += 1;
    let here = true;
    fetch("/tokens", { method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ contents: [{ content_type: "qa", content_id: "a" }] }) })
      .then((answer) => answer.json())
      .then(({ tokens }) => setTimeout(() => here && setToken(tokens[0]), window.lateness));
    const timer = setInterval(() => setShown((before) => Math.min(before + 1, pieces.length)), 250);
    return () => { here = false; clearInterval(timer); };
  }, []);
  const text = pieces.slice(0, shown).join(" ");
  return h("article", null, h("p", null, text), h("llm-feedback", { id: "a", api: window.api, "content-type": "qa",
    "content-id": "a", token, snapshot: text, stars, suggest, labels }));
}

function App() {
  const [given, setGiven] = useState({ stars: false, suggest: false });
  const [there, setThere] = useState(true);
  Object.assign(window, { setGiven, setThere });
  return there ? h(Answer, given) : null;
}

createRoot(document.getElementById("root")).render(h(StrictMode, null, h(App)));
"""


@pytest.fixture(params=["18", "19"])
def show(request: Any, host: Host, page: Any) -> Any:
    """Shows the application, with tokens that are some milliseconds late."""
    assert REACT is not None
    folder = Path(REACT) / f"react{request.param}" / "node_modules"
    modules = "".join(
        f"files[{name!r}] = (module, exports, require) => {{{(folder / file).read_text(encoding='utf-8')}\n}};\n"
        for name, file in PARTS[request.param].items()
    )
    script = f"""const process = {{ env: {{ NODE_ENV: "development" }} }}; const files = {{}}; const known = {{}};
    function require(name) {{
      if (!known[name]) {{ known[name] = {{ exports: {{}} }}; files[name](known[name], known[name].exports, require); }}
      return known[name].exports;
    }}
    {modules}{APPLICATION}"""
    assert "</script" not in script

    def shown(lateness: int = 300) -> None:
        page.complaints = []
        page.on("console", lambda message: page.complaints.append(message.text) if message.type == "error" else None)
        start = f"window.api = {host.site.url!r}; window.lateness = {lateness};"
        host.show(page, f'<div id="root"></div><script>{start}{script}</script>')
        expect(page.locator("#a .up")).to_be_visible()

    return shown


def test_a_late_token_and_text_in_pieces_restore_the_vote_and_file_one(show: Any, host: Host, page: Any) -> None:
    show()
    page.locator("#a .up").click()  # before there is a token, while the text still comes
    settled(page, host, [True])
    assert page.evaluate("window.effects") == 2  # StrictMode did mount twice
    show()
    expect(page.locator("#a .up")).to_have_attribute("aria-pressed", "true")
    with filed(page):
        page.locator("#a .down").click()
    settled(page, host, [False])
    (vote,) = host.votes()
    assert (vote["response"] or vote["content_snapshot"], page.crashes, page.complaints) == ("the answer a", [], [])


def test_a_token_that_is_there_before_the_text_restores_the_vote_all_the_same(show: Any, host: Host, page: Any) -> None:
    show()
    expect(page.locator("article p")).to_have_text("the answer a")
    with filed(page):
        page.locator("#a .up").click()
    show(lateness=0)  # the first pieces are not what was voted on
    expect(page.locator("#a .up")).to_have_attribute("aria-pressed", "true")
    settled(page, host, [True])


def test_what_is_false_is_off_and_what_is_true_is_on(show: Any, host: Host, page: Any) -> None:
    show()
    expect(page.locator("#a .star")).to_have_count(0)
    expect(page.locator("#a .better")).to_have_count(0)
    page.evaluate("setGiven({ stars: true, suggest: true })")
    expect(page.locator("#a .star")).to_have_count(5)
    page.locator("#a .better").click()
    page.locator("#a textarea").fill("a better one")
    with filed(page):
        page.locator("#a .submit").click()
    with filed(page):
        page.locator("#a .star").nth(3).click()
    settled(page, host, [4], "stars")
    page.evaluate("setGiven({ stars: false, suggest: false, labels: JSON.stringify({ up: 'Right' }) })")
    expect(page.locator("#a .star")).to_have_count(0)
    expect(page.locator("#a .up")).to_have_attribute("aria-label", "Right")
    assert [vote["correction"] for vote in host.votes("correction")] == ["a better one"]
    assert (page.crashes, page.complaints) == ([], [])


def test_taken_away_and_put_back_it_shows_what_was_said(show: Any, host: Host, page: Any) -> None:
    show()
    with filed(page):
        page.locator("#a .down").click()
    page.locator("#a textarea").fill("half a sente")
    page.evaluate("setThere(false)")
    expect(page.locator("#a")).to_have_count(0)
    page.evaluate("setThere(true)")
    expect(page.locator("#a .down")).to_have_attribute("aria-pressed", "true")
    page.locator("#a .undo").click()
    settled(page, host, [])
    assert (page.crashes, page.complaints) == ([], [])
