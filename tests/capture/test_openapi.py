"""The OpenAPI page against the running service: whatever schemathesis makes up, no 500, and answers as described."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


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
