"""Uploads whose answer was lost are nobody's and are deleted all the same (A.3)."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from feedback_pipeline.tuning.providers.openai_wire import OpenAIWire
from feedback_pipeline.tuning.providers.protocol import TrainingFile
from tests.support.openai_server import Server


@pytest.fixture
def server() -> Iterator[Server]:
    opened = Server()
    yield opened
    opened.close()


def made(path: Path, content: bytes) -> TrainingFile:
    path.write_bytes(content)
    return TrainingFile(path, hashlib.sha256(content).hexdigest())


def test_every_upload_of_a_file_is_found_by_its_hash_and_deleted(server: Server, tmp_path: Path) -> None:
    provider = OpenAIWire(openai.OpenAI(base_url=server.url, api_key="k", max_retries=2))
    training, validation, other = (made(tmp_path / name, name.encode()) for name in ("train", "validate", "other"))
    # the server takes the file and the answer is lost: the client sends it again
    server.state.faults[("POST", "/v1/files")] = "lose"
    noted = [provider.upload(file) for file in (training, validation, other)]
    assert len(server.state.files) == 4
    found = provider.uploads_of([training.sha256, validation.sha256])
    assert len(found) == 3
    assert set(noted[:2]) < set(found)
    for file in found:
        provider.delete(file)
    assert [file["filename"] for file in server.state.files.values()] == [f"{other.sha256}.jsonl"]
    assert provider.uploads_of([training.sha256]) == ()
