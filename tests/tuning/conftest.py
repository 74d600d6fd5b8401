"""The provider over loopback, as good as new for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store.database import Database
from feedback_pipeline.tuning import approvals
from tests.support.provider_server import ProviderServer
from tests.support.tuning_world import pipeline_for, with_dataset


@pytest.fixture(scope="session")
def _provider() -> Iterator[ProviderServer]:
    server = ProviderServer()
    yield server
    server.close()


@pytest.fixture
def provider(_provider: ProviderServer) -> ProviderServer:
    _provider.reset()
    return _provider


@pytest.fixture
def tuned(provider: ProviderServer, database: Database, tmp_path: Path) -> Pipeline:
    """A pipeline with a provider, a budget, a dataset of the newest closed week and a person's approval of it."""
    pipeline = pipeline_for(tmp_path / "home", database, provider.url)
    dataset = with_dataset(pipeline)
    approvals.record(pipeline, approvals.DATASET, dataset, "approved", approver="ada")
    return pipeline
