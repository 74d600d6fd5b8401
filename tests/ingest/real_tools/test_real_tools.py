"""The tools themselves, in environments of their own: written by their clients, imported, compared.

`make test-importers` makes the environments under .feedback/importers and names the folder in FEEDBACK_TEST_TOOLS.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from feedback_pipeline.ingest.summary import SourceSummary
from feedback_pipeline.ingest.tool_sources import with_tools
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
    command = [str(python_of(tool)), str(HERE / f"write_{tool.replace('-', '_')}.py"), *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with TemporaryDirectory() as folder:  # MLflow keeps files where it runs
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=folder)
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


@contextmanager
def serving(tool: str, arguments: list[str], own: dict[str, str], health: str, folder: Path) -> Iterator[None]:
    """A tool's own server, until `health` answers; ended whatever happens."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | own
    with (folder / f"{tool}.log").open("w") as log:
        program = str(python_of(tool).with_name(tool))
        server = subprocess.Popen([program, *arguments], env=environment, stdout=log, stderr=log, cwd=folder)
        deadline = time.monotonic() + 900
        try:
            while not _answers(health):
                assert server.poll() is None, (folder / f"{tool}.log").read_text()[-2000:]
                assert time.monotonic() < deadline
                time.sleep(0.5)
            yield
        finally:
            server.terminate()
            server.wait(60)


@pytest.fixture
def phoenix(tmp_path: Path) -> Iterator[str]:
    port, other = embedded.lasting_port(), embedded.free_port()
    own = {"PHOENIX_WORKING_DIR": str(tmp_path / "phoenix"), "PHOENIX_PORT": str(port), "PHOENIX_HOST": "127.0.0.1",
           "PHOENIX_GRPC_PORT": str(other), "PHOENIX_TELEMETRY_ENABLED": "false"}  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with serving("phoenix", ["serve"], own, f"{url}/healthz", tmp_path):
        yield url


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


LEGACY = "0123456789abcdef0123456789abcdef01234567"


def test_label_studio_over_http_by_a_token_of_either_kind(database: Database, tmp_path: Path) -> None:
    port = embedded.lasting_port()
    arguments = ["start", "--no-browser", "--port", str(port), "--internal-host", "127.0.0.1",
                 "--data-dir", str(tmp_path / "studio"), "--username", "ann@example.org",
                 "--password", "a-long-password", "--user-token", LEGACY, "--enable-legacy-api-token"]  # fmt: skip
    own = {"COLLECT_ANALYTICS": "false", "SENTRY_DSN": "", "LATEST_VERSION_CHECK": "false"}
    url = f"http://127.0.0.1:{port}"
    with serving("label-studio", arguments, own, f"{url}/health", tmp_path):
        project, pairs, token, version = write("label-studio", url, LEGACY).split()
        print(f"\nLabel Studio {version}")
        (tmp_path / "sources.yaml").write_text(f"""
sources:
  studio: {{preset: label-studio, kind: api, url: '{url}', key: '{token}', tool_project: '{project}'}}
  pairs: {{preset: label-studio-pairs, kind: api, url: '{url}', key: {LEGACY}, tool_project: '{pairs}'}}
""")
        sources = with_tools(tmp_path / "sources.yaml", (), {})
        found = {one.name: one for one in bring_in(database, sources, tmp_path / "home", now=None).sources}
    assert [(one.refused, one.problems) for one in found.values()] == [((), ()), ((), ())]
    assert (found["studio"].events, found["pairs"].events) == (2, 1)
    said = """
        SELECT f.thumb, f.stars, f.comment, i.prompt, i.output, i.model
        FROM feedback f JOIN interaction i ON i.id = f.interaction_id WHERE f.source = 'studio' ORDER BY i.prompt"""
    assert query(database, said) == [
        (True, 4, "Right.", "When do you open?", "At nine.", "north-7b"),
        (False, None, None, "Where is my key?", "In the box.", "north-7b"),
    ]
    chosen = """
        SELECT f.preference, i.output, o.output FROM feedback f JOIN interaction i ON i.id = f.interaction_id
        JOIN interaction o ON o.id = f.other_interaction_id WHERE f.source = 'pairs'"""
    assert query(database, chosen) == [("this", "The top one.", "No idea.")]


def test_open_webui_over_http_and_in_its_database(database: Database, tmp_path: Path) -> None:
    port = embedded.lasting_port()
    own = {"DATA_DIR": str(tmp_path / "webui"), "WEBUI_SECRET_KEY": "a-secret", "OFFLINE_MODE": "true",
           "HF_HUB_OFFLINE": "1", "ENABLE_OLLAMA_API": "false", "ENABLE_OPENAI_API": "false", "RAG_EMBEDDING_MODEL": "",
           "ANONYMIZED_TELEMETRY": "false"}  # fmt: skip
    (tmp_path / "webui").mkdir()
    url = f"http://127.0.0.1:{port}"
    with serving("open-webui", ["serve", "--host", "127.0.0.1", "--port", str(port)], own, f"{url}/health", tmp_path):
        token, version = write("open-webui", url).split()
        print(f"\nOpen WebUI {version}")
        sources = with_tools(tmp_path / "none.yaml", ("open-webui",), {"OPEN_WEBUI_API_KEY": token}, url)
        found = only(bring_in(database, sources, tmp_path / "home", now=None))
    assert (found.events, found.refused, found.problems) == (3, (), ())
    said = """
        SELECT f.thumb, f.stars, f.comment, f.reasons, i.prompt, i.output, i.model,
            jsonb_array_length(i.messages::jsonb)
        FROM feedback f JOIN interaction i ON i.id = f.interaction_id
        WHERE f.source = '{}' AND f.superseded_by IS NULL ORDER BY i.output"""
    expected = [
        (True, 4, "Right.", ["accurate_information"], "When do you open?", "At nine.", "north-7b", 1),
        (False, None, None, [], "And on Sunday?", "At ten.", "north-7b", 3),
        (False, None, None, [], "When do you open?", "Never.", "north-7b", 1),
    ]
    assert query(database, said.format("open-webui")) == expected
    (tmp_path / "sources.yaml").write_text(
        f"sources:\n  beside: {{preset: open-webui, kind: sql, table: feedback, "
        f"url: 'sqlite:///{tmp_path}/webui/webui.db'}}\n"
    )
    again = only(bring_in(database, with_tools(tmp_path / "sources.yaml", (), {}), tmp_path / "home", now=None))
    assert (again.events, again.refused, again.problems) == (3, (), ())
    assert query(database, said.format("beside")) == expected
