"""LiteLLM itself, logged: every call once, streamed or not, and errors. Run by `make test-litellm`."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.capture.conftest import Running
from tests.support.llm_server import provider
from tests.support.serving import serve

PYTHON = os.environ.get("FEEDBACK_TEST_LITELLM")
pytestmark = pytest.mark.skipif(PYTHON is None, reason="run by make test-litellm, which installs LiteLLM")
SCRIPT = Path(__file__).parent / "with_litellm" / "calls.py"


def test_every_call_is_logged_once(service: Running) -> None:
    assert PYTHON is not None
    models, stop = serve(provider())
    given = json.dumps({"url": service.url, "key": service.key, "models": models})
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        ran = subprocess.run(
            [PYTHON, str(SCRIPT), given],
            capture_output=True, text=True, timeout=120, check=False, env=environment | {"PYTHONSAFEPATH": "1"},
        )  # fmt: skip
    finally:
        stop()
    assert ran.returncode == 0, ran.stderr[-2000:]
    got = json.loads(ran.stdout.splitlines()[-1])
    assert (got["plain"], got["stream"], got["later"]) == ("hello", "hi there you", ["hello", "hi there you"])
    assert got["failed"] == "BadRequestError"
    rows = service.rows(
        "SELECT k.value, i.output, i.prompt_version, i.user_key IS NOT NULL, i.finish_reason FROM interaction i"
        " JOIN interaction_key k ON k.interaction_id = i.id AND k.kind = 'request' WHERE i.tenant = %s ORDER BY 1"
    )
    assert rows == [
        ("call-async", "hello", "v7", True, "stop"),
        ("call-async-stream", "hi there you", "v7", True, "stop"),
        ("call-fail", None, "v7", True, "error"),
        ("call-plain", "hello", "v7", True, "stop"),
        ("call-stream", "hi there you", "v7", True, "stop"),
    ]
