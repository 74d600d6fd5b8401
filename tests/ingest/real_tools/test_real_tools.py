"""The tools themselves, in environments of their own: written by their clients, imported, compared.

`make test-importers` makes the environments under .feedback/importers and names the folder in FEEDBACK_TEST_TOOLS.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from feedback_pipeline.ingest.sources import with_tools
from feedback_pipeline.ingest.summary import SourceSummary
from feedback_pipeline.store import embedded
from feedback_pipeline.store.database import Database
from tests.support.ingesting import bring_in, only, query

HERE = Path(__file__).parent
VOTES = """
    SELECT f.thumb, f.correction, i.prompt, i.output, jsonb_array_length(i.messages::jsonb)
    FROM feedback f JOIN interaction i ON i.id = f.interaction_id
    WHERE f.source = '{}' AND f.superseded_by IS NULL ORDER BY i.prompt, f.thumb"""
EXPECTED = [
    (True, None, "Do you open on Sunday?", "At nine.", 2),
    (True, None, "When do you open?", "At nine.", 2),
    (False, None, "Where is my key?", "In the box.", 2),
]


def python_of(tool: str) -> Path:
    given = os.environ.get("FEEDBACK_TEST_TOOLS")
    program = Path(given or "nowhere") / tool / "bin" / "python"
    if not program.exists():
        pytest.skip(f"{tool} is not installed (make test-importers)")
    return program


def write(tool: str, *arguments: str) -> str:
    command = [str(python_of(tool)), str(HERE / f"write_{tool}.py"), *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip().rpartition("\n")[2]


def brought(database: Database, folder: Path, tool: str, place: str) -> SourceSummary:
    sources = with_tools(folder / "none.yaml", (tool,), {}, place)
    return only(bring_in(database, sources, folder / "home"))


def test_mlflow(database: Database, tmp_path: Path) -> None:
    place = f"sqlite:///{tmp_path}/mlflow.db"
    print(f"\nMLflow {write('mlflow', place)}")
    found = brought(database, tmp_path, "mlflow", place)
    assert (found.events, found.refused, found.problems) == (4, (), ())
    expectation = (None, 'On the "top" shelf.', "Where is my key?", "In the box.", 2)
    assert query(database, VOTES.format("mlflow")) == [*EXPECTED, expectation]
    assert brought(database, tmp_path, "mlflow", place).known == 4


@pytest.fixture
def phoenix(tmp_path: Path) -> Iterator[str]:
    port, other = embedded.free_port(), embedded.free_port()
    own = {"PHOENIX_WORKING_DIR": str(tmp_path / "phoenix"), "PHOENIX_PORT": str(port), "PHOENIX_HOST": "127.0.0.1",
           "PHOENIX_GRPC_PORT": str(other), "PHOENIX_TELEMETRY_ENABLED": "false"}  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | own
    program = python_of("phoenix").with_name("phoenix")
    log = (tmp_path / "log").open("w")
    server = subprocess.Popen([str(program), "serve"], env=environment, stdout=log, stderr=log)
    url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 900
    try:
        while not _answers(f"{url}/healthz"):
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.5)
        yield url
    finally:
        server.terminate()
        server.wait(60)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def test_phoenix_over_http_and_in_its_database(database: Database, tmp_path: Path, phoenix: str) -> None:
    print(f"\nPhoenix {write('phoenix', phoenix)}")
    found = brought(database, tmp_path, "phoenix", phoenix)
    assert (found.events, found.refused, found.problems) == (3, (), ())
    assert query(database, VOTES.format("phoenix")) == EXPECTED
    (tmp_path / "sources.yaml").write_text(
        f"sources:\n  beside: {{preset: phoenix, url: 'sqlite:///{tmp_path}/phoenix/phoenix.db'}}\n"
    )
    again = only(bring_in(database, with_tools(tmp_path / "sources.yaml", (), {}), tmp_path / "home"))
    assert (again.events, again.refused, again.problems) == (3, (), ())
    assert query(database, VOTES.format("beside")) == EXPECTED
