"""The OpenAI-compatible server that suggestions are asked of."""

from types import ModuleType

import pytest

from tests.support import judge_server


@pytest.fixture(scope="session")
def openai_server() -> ModuleType:
    return judge_server
