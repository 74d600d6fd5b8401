"""What `import feedback_pipeline` gives: every verb, lazily, and the same to a type checker."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import feedback_pipeline

PACKAGE = Path(feedback_pipeline.__file__).parent
EXPORTS: dict[str, str] = feedback_pipeline._EXPORTS  # type: ignore[attr-defined]


def stub_exports() -> dict[str, str]:
    """By name the module that the stub takes it from; only `as`-imports are exports of a stub."""
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text())
    return {
        name.asname: node.module or ""
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
        if name.asname == name.name
    }


def test_the_stub_says_what_the_module_exports() -> None:
    assert stub_exports() == EXPORTS
    assert (PACKAGE / "py.typed").exists()


@pytest.mark.parametrize("name", sorted(EXPORTS))
def test_every_export_is_there_and_documented(name: str) -> None:
    exported = getattr(feedback_pipeline, name)
    assert exported is getattr(import_module(EXPORTS[name]), name)
    assert exported.__doc__, name


def test_a_name_that_is_not_exported_is_an_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'analyse_patterns'"):
        feedback_pipeline.analyse_patterns  # type: ignore[attr-defined]  # noqa: B018
    assert set(dir(feedback_pipeline)) >= EXPORTS.keys()


def test_importing_it_loads_nothing_else() -> None:
    code = (
        "import sys, importlib; before = set(sys.modules); import feedback_pipeline; print(set(sys.modules) - before)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "{'feedback_pipeline'}"


def test_a_type_checker_flags_a_typo(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import feedback_pipeline\nfeedback_pipeline.analyze_patterns\nfeedback_pipeline.analyse_patterns\n"
    )
    # what the exports themselves import is not followed: that takes a minute, and the names are in the stub
    command = [sys.executable, "-m", "mypy", "--config-file=", "--follow-imports=skip", "--cache-dir", str(tmp_path),
               str(program), str(PACKAGE / "__init__.pyi")]  # fmt: skip
    checked = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PACKAGE.parent)
    assert checked.returncode == 1
    (error,) = [line for line in checked.stdout.splitlines() if "error:" in line]
    assert 'program.py:3: error: Module has no attribute "analyse_patterns"' in error
