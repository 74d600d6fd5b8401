"""What the documentation names exists: commands with their options, settings, files; and what exists is named."""

import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from feedback_pipeline.settings import known_variables

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
_COMMAND = re.compile(r"(?:^|[`$\s(])(?:\.venv/bin/)?feedback ([a-z][^`\n#|]*)")
_NOT_COMMANDS = {"pipeline", "is", "and", "the", "that", "event", "events", "loop", "service"}


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    specification = importlib.util.spec_from_file_location("docs_hooks", ROOT / "docs" / "hooks.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def commands(hooks: ModuleType) -> dict[tuple[str, ...], Any]:
    return dict(hooks.every_command())


def _named(text: str, groups: set[str]) -> list[tuple[str, list[str]]]:
    """The commands in code of a page: its first word, and all words."""
    found = []
    fenced = re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)
    spans = re.findall(r"`(feedback [^`\n]+)`", text)
    indented = re.findall(r"^    (.*)$", text, re.MULTILINE)
    for code in (*fenced, *spans, *indented):
        for line in code.split("\n"):
            match = re.match(r"\s*(?:\$ )?(?:\.venv/bin/)?feedback ([a-z].*)", line)
            if match is None:
                continue
            words = shlex.split(match[1].split("#")[0].replace("…", "").replace("'", " "))
            if words and words[0].strip(",") not in _NOT_COMMANDS:
                found.append((words[0].strip(","), [word.strip(",") for word in words]))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_a_page_shows_exists_with_its_options(page: Path, commands: dict[tuple[str, ...], Any]) -> None:
    firsts = {path[0] for path in commands}
    for first, words in _named(page.read_text(), firsts):
        assert first in firsts, f"{page.name}: feedback {' '.join(words)}"
        path = tuple(words[:2]) if tuple(words[:2]) in commands else (first,)
        if path not in commands:
            continue  # a group, named as such
        options = {name for one in commands[path].params for name in (*one.opts, *one.secondary_opts)} | {"--help"}
        used = {word.split("=")[0] for word in words if word.startswith("--")}
        assert used <= options, f"{page.name}: feedback {' '.join(words)}: {used - options}"


def test_every_command_is_on_a_page_and_under_a_heading(
    commands: dict[tuple[str, ...], Any], hooks: ModuleType
) -> None:
    from feedback_pipeline.cli.groups import GROUPS

    reference = hooks.commands()
    for path, command in commands.items():
        assert f"## feedback {' '.join(path)}\n" in reference
        assert command.help, f"feedback {' '.join(path)} has no help"
    headed = {name for names in GROUPS.values() for name in names}
    assert {path[0] for path in commands} <= headed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_a_page_names_is_read(page: Path) -> None:
    named = set(re.findall(r"\bFEEDBACK_[A-Z_]+[A-Z]\b", page.read_text()))
    known = set(known_variables())
    assert {name for name in named if name not in known and name.removesuffix("_FILE") not in known} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_a_page_names_in_the_package_is_there(page: Path) -> None:
    for name in re.findall(r"`((?:feedback_pipeline|assets|jobs|deploy|examples|tests|docs|clients)/[\w./-]+\.\w+)`",
                           page.read_text()):  # fmt: skip
        assert (ROOT / name).exists(), f"{page.name} names {name}"


def test_the_page_of_assets_lists_every_check_as_the_code_describes_it(hooks: ModuleType) -> None:
    table = hooks.checks()
    assert "| `conservation` | `clean_feedback` | yes |" in table
    assert table in (ROOT / "docs" / "assets.md").read_text(), f"docs/assets.md has another table than:\n{table}"


def test_the_page_of_assets_lists_every_asset(hooks: ModuleType) -> None:
    table = hooks.groups()
    assert "`clean_feedback`" in table
    assert table in (ROOT / "docs" / "assets.md").read_text(), f"docs/assets.md has another table than:\n{table}"


def test_every_asset_check_table_and_verb_is_in_the_reference(hooks: ModuleType) -> None:
    import feedback_pipeline

    assets = hooks.assets()
    for name in ("clean_feedback", "weekly_report", "training_manifest", "conservation", "daily_loop"):
        assert f"`{name}`" in assets
    assert "| `weekly_report` |  |" not in assets  # each says what a row is
    assert "## clean_feedback" in hooks.tables()
    assert "`POST /v1/feedback`" in hooks.http()
    verbs = hooks.python()
    for name in feedback_pipeline.__all__:
        assert f"## {name}\n" in verbs or not callable(getattr(feedback_pipeline, name))
