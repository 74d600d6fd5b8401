"""The page "Python" of the documentation: every verb has an example, and every example runs as it is printed."""

import doctest
from pathlib import Path

import pytest
from feedback_client.verbs import set_default_client

import feedback_pipeline
from feedback_pipeline.store.database import Database

PAGE = Path(__file__).parent.parent / "docs" / "python.md"
ELSEWHERE = {"FeedbackClient", "AsyncFeedbackClient", "FeedbackMiddleware", "FeedbackLoop", "Experiments",
             "log_openai", "log_anthropic", "log_litellm", "call_context"}  # fmt: skip
"""What docs/capture.md, experiments.md and own-project.md show."""


def test_the_examples_print_what_the_page_says(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_HOME", str(tmp_path))
    monkeypatch.setenv("FEEDBACK_DATABASE_URL", database.url)
    for name in ("FEEDBACK_API_URL", "FEEDBACK_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    set_default_client(None)
    # Markdown's fences are no output
    text = PAGE.read_text(encoding="utf-8").replace("```python\n", "").replace("```\n", "")
    page = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    assert len(page.examples) > 40
    told: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(page, out=told.append)
    set_default_client(None)
    assert not told, "".join(told)


def test_every_verb_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    verbs = [name for name in feedback_pipeline.__all__ if name[0].islower() and name not in ELSEWHERE]
    assert [name for name in verbs if f"import {name}" not in page and f", {name}" not in page] == []
