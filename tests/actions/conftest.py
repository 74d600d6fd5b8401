"""The OpenAI-compatible server that suggestions are asked of."""

from types import ModuleType

import pytest

from tests.support import judge_server
from tests.support.planted_votes import make_facts, week

__all__ = ["make_facts", "openai_server", "week"]


@pytest.fixture(scope="session")
def openai_server() -> ModuleType:
    return judge_server
