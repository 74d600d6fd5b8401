"""The OpenAI-compatible server of the judging tests, under a name of its own (other folders have one, too)."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def _load() -> ModuleType:
    path = Path(__file__).resolve().parent.parent / "judging" / "judge_server.py"
    spec = importlib.util.spec_from_file_location("suggestions_openai_server", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def openai_server() -> ModuleType:
    return _load()
