"""Help comes at once: the commands are listed without their modules, in the words that the commands themselves use."""

import os
import subprocess
import sys

import pytest
import typer

from feedback_pipeline.cli.groups import GROUPS, HIDDEN
from feedback_pipeline.cli.main import app

LINES = {name: line for commands in GROUPS.values() for name, (_, line) in commands.items()}
HEAVY = {"polars", "pandas", "pyarrow", "scipy", "sqlalchemy", "psycopg", "dagster", "fastapi"}
"""Each takes a tenth of a second or more to import."""

RUN = """
import sys
from feedback_pipeline.cli.main import main
sys.argv = ["feedback", *sys.argv[1:]]
try:
    main()
finally:
    print(*sorted(name for name in sys.modules if "." not in name), file=sys.stderr)
"""


def loaded_by(*words: str, **environment: str) -> tuple[str, set[str]]:
    """What the command prints, and the modules it has loaded when it ends."""
    whole = {**os.environ, **environment}
    done = subprocess.run([sys.executable, "-c", RUN, *words], capture_output=True, text=True, check=True, env=whole)
    return done.stdout, set(done.stderr.split())


def test_help_loads_no_data_frames_and_no_drivers() -> None:
    shown, modules = loaded_by("--help")
    assert "materialize" in shown
    assert "typer" in modules
    assert modules & HEAVY == set()


def test_completing_a_command_loads_none() -> None:
    shown, modules = loaded_by(_FEEDBACK_COMPLETE="complete_bash", COMP_WORDS="feedback re", COMP_CWORD="1")
    assert set(shown.split()) == {name for name in LINES if name.startswith("re")}
    assert modules & HEAVY == set()


@pytest.mark.parametrize("name", LINES)
def test_the_line_in_the_help_is_the_beginning_of_the_commands_own(name: str) -> None:
    command = typer.main.get_group(app).commands[name]
    assert command.name == name
    assert not command.hidden
    assert LINES[name] == command.get_short_help_str(60)


def test_every_command_of_a_module_is_listed() -> None:
    listed = {**{name: module for commands in GROUPS.values() for name, (module, _) in commands.items()}, **HIDDEN}
    group = typer.main.get_group(app)
    loaded = dict(group.commands.items())  # each module is imported with all of its commands
    assert set(loaded) == set(listed)
    assert {name for name, command in loaded.items() if command.hidden} == set(HIDDEN)
