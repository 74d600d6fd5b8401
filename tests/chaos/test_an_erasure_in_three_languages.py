"""A person who wrote Russian, Japanese and German, exported and quoted, is forgotten by an erasure that is killed again
and again; then everything is searched by a script of its own that knows nothing of the register."""

import asyncio
import gzip
import json
import os
import random
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import dagster as dg
import psycopg
import pytest
import typer
from typer.testing import CliRunner

from feedback_pipeline.capture import export
from feedback_pipeline.capture.connections import Store
from feedback_pipeline.cli import training
from feedback_pipeline.erasure import erasure
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store import bulk
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from feedback_pipeline.tables.parquet import location
from jobs import runs
from tests.support.erasure_world import NOW, ada, context, fill, key, pipeline_at
from tests.support.own_search import places_with
from tests.support.store_rows import MONDAY, answer_id, answers, later, vote_id, votes

KILLED = Path(__file__).parents[1] / "erasure" / "killed_erasure.py"
SEED = int(os.environ.get("FEEDBACK_CHAOS_SEED", "1"))
KILLS = int(os.environ.get("FEEDBACK_CHAOS_KILLS", "2"))
"""In CI two; `make test-chaos` takes five."""
MOMENTS = ("opened", "store", "exports", "computing", "searching")
SAID = {
    "russian": (
        "МОЮ БАБУШКУ ЗВАЛИ Ёлкина Аграфена, и чайник у неё был кобальтовый",
        "Её звали Аграфена. Чайник найти нельзя.",
    ),
    "japanese": ("祖母の青い急須が去年の冬に盗まれました。", "警察に届け出てください。急須の特徴も。"),
    "german": (
        "MEINE GROẞMUTTER ÜBERLIEß MIR DIE ÄLTESTE TEEKANNE DER STRAßE",
        "Melden Sie den Diebstahl der Teekanne bei der Wache.",
    ),
}
REMARKS = ("Ужасно, чайник!", "急須が戻らない", "Völlig daneben, Müßiggang")


def fill_in_three_languages(pipeline: Pipeline) -> None:
    name = key(pipeline, "ada")
    asked, voted = [], []
    for number, ((language, (prompt, answer)), remark) in enumerate(zip(SAID.items(), REMARKS, strict=True)):
        moment = later(minutes=10 + number)
        asked.append({"name": language, "user_key": name, "prompt": prompt, "output": answer, "occurred_at": moment})
        voted.append({"name": f"v-{language}", "on": language, "user_key": name, "thumb": False,
                      "occurred_at": moment + timedelta(minutes=1)})  # fmt: skip
        voted.append({"name": f"r-{language}", "on": language, "user_key": name, "kind": "comment", "comment": remark,
                      "occurred_at": moment + timedelta(minutes=2)})  # fmt: skip
    bulk.file_batch(pipeline.database, Batch(answers(*asked), None, votes(*voted)))


def exported_and_quoted(pipeline: Pipeline, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Her words in an export over HTTP, in one by the command, in a reply that quotes her, in files of no form."""
    monkeypatch.setenv("FEEDBACK_HOME", str(pipeline.settings.home))
    monkeypatch.setenv("FEEDBACK_DATABASE_URL", pipeline.database.url)
    monkeypatch.setenv("FEEDBACK_START", "2026-08-31")
    day = MONDAY.date().isoformat()
    app = typer.Typer()
    training.mount(app)
    result = CliRunner().invoke(app, ["export", str(elsewhere), "--from", day, "--to", day, "--format", "jsonl"])
    assert result.exit_code == 0, result.output
    assert SAID["japanese"][0] in elsewhere.read_text()
    target = location(pipeline.settings.data_url) / "exports" / "default" / "week.jsonl"
    asyncio.run(_export(pipeline, target))
    assert json.dumps(SAID["german"][0], ensure_ascii=False)[1:-1] in Path(target.path).read_text()
    exports = Path(target.path).parent
    (exports / "old.jsonl.gz").write_bytes(gzip.compress(json.dumps({"text": SAID["russian"][0]}).encode()))
    torn = Path(pipeline.settings.data_url) / "clean_feedback" / ".2026-09-07.parquet.999999.0123abcd.partial"
    torn.parent.mkdir(parents=True, exist_ok=True)
    torn.write_bytes(b"PAR1" + SAID["russian"][1].encode())
    with psycopg.connect(pipeline.database.address()) as connection:
        for number, (prompt, answer) in enumerate(SAID.values()):
            reply = json.dumps({"rationale": f"They say: {prompt.lower()} … {answer}"}).encode()
            connection.execute("INSERT INTO judge_reply (key, reply) VALUES (%s, %s)", (f"q{number}", reply))


async def _export(pipeline: Pipeline, target: object) -> None:
    store = Store(pipeline.database.address(), 1)
    try:
        await export.write(store, "default", target, MONDAY - timedelta(days=1), NOW, "key of a test")  # type: ignore[arg-type]
    finally:
        await store.close()


def test_nothing_is_left_however_often_it_is_killed(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = pipeline_at(tmp_path / "home", database)
    fill(pipeline)
    fill_in_three_languages(pipeline)
    with dg.DagsterInstance.ephemeral() as instance:
        assert runs.compute(pipeline, instance).failed == ()
        exported_and_quoted(pipeline, tmp_path / "mine.jsonl", monkeypatch)
        words = [*(text for pair in SAID.values() for text in pair), *REMARKS]
        urls = [database.address()]
        before = places_with(words, tmp_path, urls, leave_out=())
        assert {
            "mine.jsonl",
            "home/data/exports/default/week.jsonl",
            "home/data/exports/default/old.jsonl.gz",
        } <= before
        assert len(before) >= 8, before
        moments = random.Random(SEED).sample(MOMENTS, min(KILLS, len(MOMENTS)))
        for moment in sorted(moments, key=MOMENTS.index):
            arguments = [str(pipeline.settings.home), database.url, moment]
            died = subprocess.run(
                [sys.executable, str(KILLED), *arguments], capture_output=True, text=True, check=False
            )
            assert died.returncode == -signal.SIGKILL, f"{moment}: {died.stderr[-3000:]}"
        receipt = erasure.forget(context(pipeline, instance), ada(pipeline))
    assert places_with(words, tmp_path, urls, leave_out=()) == set()
    # the tombstones: in the store, and beside the backups that are older than the erasure
    tombstones = {f"{urls[0].rsplit('/', 1)[-1]}.consent", "home/erasures/erasures.jsonl"}
    assert places_with([key(pipeline, "ada")], tmp_path, urls, leave_out=()) == tombstones
    assert receipt["steps"]["verification"]["found"] == 0
    # killed before it was noted, the step counts only what the next run removed
    assert not (tmp_path / "mine.jsonl").exists()
    with psycopg.connect(database.address()) as connection:
        left = connection.execute("SELECT source_id FROM interaction ORDER BY 1").fetchall()
        votes_left = connection.execute("SELECT source_id FROM feedback ORDER BY 1").fetchall()
    assert (left, votes_left) == ([("b1",)], [("w1",), ("w2",)])
    assert answer_id("russian") not in json.dumps(receipt)
    assert vote_id("v-german") not in json.dumps(receipt)
