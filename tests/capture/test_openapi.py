"""The OpenAPI page against the running service: whatever schemathesis makes up, no 500, and answers as described."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


SHAPES = {
    "ContentVote": {"content_type", "content_id", "rating", "comment", "content_snapshot", "input_context",
                    "prompt_version", "pull_request", "daily_insight", "submitted_by"},  # A1, A2
    "AnswerVote": {"query", "response", "model", "rating", "intent", "project", "user_id", "session_id", "memory_used",
                   "tools_called", "metadata"},  # B1
    "MessageVote": {"user_id", "message_id", "feedback", "user_message", "assistant_response", "action_type",
                    "action_data"},  # D1
    "SignalVote": {"conversation_id", "turn_id", "request_id", "input_text", "output_text", "prompt_version", "model",
                   "feedback_type", "feedback_value"},  # E2
}  # fmt: skip


def test_the_page_describes_every_shape_of_a_vote_with_its_fields(service: Any) -> None:
    page = httpx.get(f"{service.url}/openapi.json").json()
    content = page["paths"]["/v1/feedback"]["post"]["requestBody"]["content"]
    named = {one["$ref"].rpartition("/")[2] for one in content["application/json"]["schema"]["oneOf"]}
    assert named == {*SHAPES, "StoreVote"}
    for name, fields in SHAPES.items():
        assert fields <= page["components"]["schemas"][name]["properties"].keys()
    assert content["application/x-www-form-urlencoded"]["schema"]["properties"].keys() >= {"content_type", "content_id"}
    reading = page["paths"]["/v1/feedback"]["get"]["parameters"]  # A4: what did I vote on this content
    assert {"content_type", "content_id", "user_id", "session_id"} <= {one["name"] for one in reading}


def test_what_schemathesis_makes_up_breaks_nothing(service: Any) -> None:
    program = Path(sys.executable).with_name("schemathesis")
    if not program.exists():
        pytest.skip("schemathesis is not installed")
    command = [str(program), "run", f"{service.url}/openapi.json", "--checks", CHECKS, "--max-examples", "10"]
    command += [
        "--phases",
        "fuzzing",
        "--seed",
        "7",
        "--header",
        f"Authorization: Bearer {service.key}",
    ]
    command += ["--suppress-health-check", "all", "--generation-database", "none", "--no-color"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=service.settings.home)
    assert done.returncode == 0, done.stdout[-6000:]
