"""The loop with its files in a bucket: computed, read, exported, traced, and a person forgotten."""

import io
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import httpx
import orjson
import polars as pl
import pytest
from s3fs import S3FileSystem
from upath import UPath

from feedback_pipeline.capture import key_store
from feedback_pipeline.capture.app import create_app
from feedback_pipeline.cli import summary
from feedback_pipeline.erasure.context import ErasureContext
from feedback_pipeline.erasure.erasure import forget
from feedback_pipeline.erasure.subjects import person
from feedback_pipeline.lineage.trace import why
from feedback_pipeline.lineage.tree import Node
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.reports.published import page_for, published
from feedback_pipeline.sample.load import load_sample
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import bulk
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from feedback_pipeline.tables.parquet import TEMPORARY, files_below
from feedback_pipeline.training.tables import SPLITS
from jobs import erasure, runs
from tests.support.serving import serve
from tests.support.store_rows import answers, votes

WEEK = date(2026, 11, 2)
NOW = datetime(2026, 11, 13, 12, tzinfo=UTC)
TEAPOT = "my grandmother's cobalt teapot was stolen in Trieste last winter"
HARBOUR = "you could describe the cobalt teapot to the harbour police in writing"
REMARK = "this told me exactly what to do about the theft of my teapot"


@pytest.fixture
def pipeline(tmp_path: Path, database: Database, bucket: str) -> Pipeline:
    """A week of sample votes, and Ada's, whose words nobody else uses."""
    given = {
        "FEEDBACK_HOME": str(tmp_path / "home"),
        "FEEDBACK_DATABASE_URL": database.url,
        "FEEDBACK_DATA_URL": f"{bucket}/loop",
        "FEEDBACK_START": WEEK.isoformat(),
        "FEEDBACK_TRAINING_FORMATS": "trl",
    }
    # one that hides what is replaced or deleted, as most are set up
    enabled = {"Bucket": bucket.removeprefix("s3://"), "VersioningConfiguration": {"Status": "Enabled"}}
    S3FileSystem().call_s3("put_bucket_versioning", **enabled)
    pipeline = Pipeline(Settings.from_environment(given), NOW)
    end = WEEK + timedelta(days=6)
    load_sample(
        database, pipeline.pseudonymiser, pipeline.settings.home, votes=150, weeks=1, seed=7, end=end
    )  # fmt: skip
    at = datetime(2026, 11, 3, 9, tzinfo=UTC)
    ada = pipeline.pseudonymiser.pseudonym("default", "ada")
    asked = {"name": "a1", "user_key": ada, "prompt": TEAPOT, "output": HARBOUR, "occurred_at": at, "context": "full"}
    voted = {"name": "v1", "on": "a1", "user_key": ada, "comment": REMARK, "occurred_at": at + timedelta(minutes=3)}
    bulk.file_batch(database, Batch(answers(asked), None, votes(voted), None))
    return pipeline


def everything(pipeline: Pipeline) -> dict[str, bytes]:
    """Every object below the prefix as text: Parquet decoded, the rest as it is."""
    found = {}
    for path in files_below(pipeline.frames.root):
        content = UPath(str(path)).read_bytes()
        if path.name.endswith(".parquet"):
            rows = pl.read_parquet(io.BytesIO(content)).to_dicts()
            content = orjson.dumps(rows, default=str)
        found[str(path).removeprefix(f"{pipeline.settings.data_url}/")] = content
    return found


def hidden_versions(bucket: str, words: str) -> list[str]:
    """Versions that are not the newest and hold these words."""
    fs, name = S3FileSystem(version_aware=True, use_listings_cache=False), bucket.removeprefix("s3://")
    found = []
    page = fs.call_s3("list_object_versions", Bucket=name)
    assert not page.get("IsTruncated")
    for one in page.get("Versions", ()):
        if one["IsLatest"]:
            continue
        content = fs.cat_file(f"{name}/{one['Key']}", version_id=one["VersionId"])
        if one["Key"].endswith(".parquet"):
            content = orjson.dumps(pl.read_parquet(io.BytesIO(content)).to_dicts(), default=str)
        if words.encode() in content:
            found.append(one["Key"])
    return found


def holding(pipeline: Pipeline, words: str) -> list[str]:
    return [name for name, content in everything(pipeline).items() if words.encode() in content]


def test_the_loop_lives_in_a_bucket_and_forgets_there(
    pipeline: Pipeline, bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        result = runs.compute(pipeline, instance)
        assert result.failed == ()
        assert (result.days, result.weeks) == (7, 1)
        written = everything(pipeline)
        assert {f"weekly_report/{WEEK}.html", f"training_files/{WEEK}/manifest.json"} <= written.keys()
        assert not [name for name in written if name.endswith(TEMPORARY)]
        assert not (pipeline.settings.home / "data").exists()

        # read: the report's page, the list of reports, the summary of the demo
        assert [each.period.start for each in published(pipeline.frames, "UTC")] == [WEEK]
        assert page_for(pipeline.frames, pipeline.settings, "weekly", WEEK, "default") is not None
        from rich.console import Console

        summary.show(pipeline, Console())
        assert "every event is accounted for: True" in capsys.readouterr().out

        # why: from a line of a training file to the answer it was made of
        place = next(  # in which split is drawn by the key of this home
            f"{split}.jsonl:{number}"
            for split in SPLITS
            for number, line in enumerate(
                written.get(f"training_files/{WEEK}/sft/trl/sft-{split}.jsonl", b"").splitlines(), 1
            )
            if b"cobalt teapot" in line
        )
        assert "answer" in {node.kind for node in walk(why(pipeline, f"{WEEK}/sft/trl/sft-{place}"))}

        # exported: of the sample's tenant, and of Ada's
        assert exported(pipeline, "acme").count(b"\n") > 10
        assert b"cobalt teapot" in exported(pipeline, "default")
        held = {name.split("/")[0] for name in holding(pipeline, "cobalt teapot")}
        assert held >= {"clean_interactions", "training_examples", "training_files", "exports"}

        # forgotten
        context = ErasureContext(
            database=pipeline.database, frames=pipeline.frames, home=pipeline.settings.home,
            pseudonymiser=pipeline.pseudonymiser, providers={},
            recompute=lambda weeks, months: erasure.recompute(pipeline, instance, weeks, months),
            now=pipeline.now, training_weeks=pipeline.settings.training_weeks,
            last_day=pipeline.today() - timedelta(days=1),
        )  # fmt: skip
        receipt = forget(context, person(pipeline.pseudonymiser, "default", "ada"))
    assert receipt["steps"]["versions"]["removed"] > 10
    assert hidden_versions(bucket, "cobalt teapot") == []
    assert "exports/acme/week.jsonl" in everything(pipeline), "of others nothing is lost"
    assert b"cobalt teapot" not in exported(pipeline, "default")
    for words in ("cobalt teapot", "theft of my teapot", pipeline.pseudonymiser.pseudonym("default", "ada")):
        left = holding(pipeline, words)
        assert left == [], f"{words} is still in {left}"


def exported(pipeline: Pipeline, tenant: str) -> bytes:
    """The object that an export over the HTTP API leaves under the prefix."""
    _, key = key_store.create(pipeline.database, "test", ("export",), tenant)
    url, stop = serve(create_app(pipeline.settings, address=pipeline.database.address()))
    try:
        body = {"output_path": "week.jsonl", "start_date": "2026-11-02T00:00:00Z", "end_date": "2026-11-09T00:00:00Z"}
        answer = httpx.post(
            f"{url}/v1/feedback/export/finetuning", json=body, headers={"Authorization": f"Bearer {key}"}, timeout=30
        )
    finally:
        stop()
    assert answer.status_code == 201, answer.text
    content = everything(pipeline)[f"exports/{tenant}/week.jsonl"]
    assert content.count(b"\n") == answer.json()["lines"]
    return content


def walk(node: Node) -> list[Node]:
    return [node, *(below for child in node.children for below in walk(child))]
