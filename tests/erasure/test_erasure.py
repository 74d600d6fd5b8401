"""Forgetting: everything of one person goes, nothing of another, and what is left behind is noticed."""

import json
import signal
import subprocess
import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import orjson
import psycopg
import pytest

from feedback_pipeline.erasure import erasure, receipts, subjects
from feedback_pipeline.erasure.context import ErasureError
from feedback_pipeline.erasure.preview import preview
from feedback_pipeline.erasure.register import folders
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store import bulk, changes
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database, create_missing_databases
from feedback_pipeline.store.locks import Lock
from feedback_pipeline.training import archive
from feedback_pipeline.tuning.providers.protocol import ProviderError
from jobs import runs
from tests.support.erasure_world import (
    ADA,
    ANSWER,
    BEN,
    COMMON,
    REFUSED,
    REMARK,
    SECRET,
    WEEK_ENDED,
    Uploads,
    ada,
    context,
    dataset_made_of,
    fill,
    key,
    pipeline_at,
)
from tests.support.store_rows import MONDAY, answer_id, answers, later, vote_id, votes

DAY = MONDAY.date()
KILLED = Path(__file__).parent / "killed_erasure.py"


@pytest.fixture
def pipeline(database: Database, tmp_path: Path) -> Pipeline:
    opened = pipeline_at(tmp_path / "home", database)
    fill(opened)
    return opened


def rows(database: Database, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(database.address()) as connection:
        return connection.execute(statement, parameters).fetchall()


def everything_on_disk(pipeline: Pipeline) -> bytes:
    home = pipeline.settings.home
    return b"".join(
        path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file() and "sample" not in str(path)
    )


def test_a_person_is_gone_everywhere_and_others_are_not(
    database: Database, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    pipeline = pipeline_at(tmp_path / "home", database, WEEK_ENDED)
    fill(pipeline)
    assert runs.compute(pipeline, instance).failed == ()
    before = pipeline.frames.root / "clean_interactions" / f"{DAY}.parquet"
    assert SECRET.encode() in _text_of(before)  # it is there to be found
    receipt = erasure.forget(context(pipeline, instance), ada(pipeline))

    # Ada's two answers and the nameless later turn of her conversation; Ben's stays
    assert rows(database, "SELECT source_id FROM interaction") == [("b1",)]
    # her votes, her nameless session's vote; Ben's two stay, one now about an unknown answer
    assert rows(database, "SELECT source_id FROM feedback ORDER BY 1") == [("w1",), ("w2",)]
    assert rows(database, "SELECT place FROM refusal") == [("votes.csv:8",)]
    assert rows(database, "SELECT person FROM person_seen") == [(key(pipeline, BEN),)]
    assert rows(database, "SELECT collect, use_for_training FROM consent WHERE user_key = %s", key(pipeline, ADA)) == [
        (False, False)
    ]
    rejects = (pipeline.settings.home / "rejects" / "votes-abc.jsonl").read_text()
    assert [json.loads(line)["row"] for line in rejects.splitlines()] == [8]

    for path in pipeline.frames.root.rglob("*"):
        if path.is_file():
            content = _text_of(path)
            for said in (SECRET, ANSWER, REMARK, REFUSED, key(pipeline, ADA)):
                assert said.encode() not in content, path
    assert COMMON.encode() in _text_of(pipeline.frames.root / "clean_interactions" / f"{DAY.replace(day=8)}.parquet")

    steps = receipt["steps"]
    assert (steps["store"]["interaction"], steps["store"]["feedback"], steps["store"]["votes_of_others"]) == (3, 4, 1)
    assert steps["verification"]["found"] == 0
    assert steps["verification"]["texts_others_share"] >= 1  # COMMON is Ben's as well
    kept = pipeline.settings.home / "erasures"
    assert {path.name for path in kept.iterdir()} == {f"{receipt['erasure']}.receipt.json", "erasures.jsonl"}
    tombstones = [orjson.loads(line) for line in (kept / "erasures.jsonl").read_bytes().splitlines()]
    assert [one["pseudonyms"] for one in tombstones] == [[key(pipeline, ADA)]]  # for restored backups
    assert tombstones[0].keys() == {"kind", "tenant", "pseudonyms", "interaction", "mark", "finished_at"}
    assert SECRET not in json.dumps(receipt)
    assert ADA not in json.dumps(receipt).split()


def _text_of(path: Any) -> bytes:
    """The bytes of a file, Parquet decoded."""
    if path.suffix != ".parquet":
        return bytes(path.read_bytes())
    import polars as pl

    return (
        pl.read_parquet(str(path)).select(pl.all().map_elements(str, pl.String, skip_nulls=True)).write_csv().encode()
    )


def test_what_is_imported_again_is_not_taken_in(pipeline: Pipeline, instance: dg.DagsterInstance) -> None:
    erasure.forget(context(pipeline, instance), ada(pipeline))
    ada_key = key(pipeline, ADA)
    again = answers({"name": "a1", "user_key": ada_key, "prompt": SECRET})
    bulk.file_batch(pipeline.database, Batch(again, None, votes({"name": "v1", "on": "a1", "user_key": ada_key})))
    assert rows(pipeline.database, "SELECT 1 FROM interaction WHERE source_id = 'a1'") == []
    assert rows(pipeline.database, "SELECT category FROM refusal WHERE id = %s", vote_id("v1")) == [("opted_out",)]


def test_a_dry_run_counts_and_changes_nothing(pipeline: Pipeline, instance: dg.DagsterInstance) -> None:
    counts = (
        "SELECT (SELECT count(*) FROM feedback), (SELECT count(*) FROM interaction), (SELECT count(*) FROM erasure)"
    )
    before = rows(pipeline.database, counts)
    foreseen = preview(context(pipeline, instance), ada(pipeline))
    assert (foreseen.interactions, foreseen.feedback, foreseen.refusals, foreseen.days) == (3, 4, 1, 2)
    assert (foreseen.votes_of_others, foreseen.unknown, foreseen.earlier) == (1, False, None)
    assert rows(pipeline.database, counts) == before
    assert not (pipeline.settings.home / "erasures").exists()


def test_an_unknown_person_gets_a_clear_answer(pipeline: Pipeline, instance: dg.DagsterInstance) -> None:
    nobody = subjects.person(pipeline.pseudonymiser, "default", "adah")
    assert preview(context(pipeline, instance), nobody).unknown
    with pytest.raises(ErasureError, match="nothing is known of this person in the tenant default"):
        erasure.forget(context(pipeline, instance), nobody)
    elsewhere = subjects.person(pipeline.pseudonymiser, "other", ADA)
    with pytest.raises(ErasureError, match="tenant other"):
        erasure.forget(context(pipeline, instance), elsewhere)
    assert rows(pipeline.database, "SELECT 1 FROM erasure") == []
    assert rows(pipeline.database, "SELECT 1 FROM consent") == []


def test_older_pseudonyms_are_found_after_a_rotation(pipeline: Pipeline, instance: dg.DagsterInstance) -> None:
    home = pipeline.settings.home
    pipeline.pseudonymiser.rotate(home)
    rotated = pipeline_at(home, pipeline.database)
    newer = rotated.pseudonymiser.pseudonym("default", ADA)
    assert newer.startswith("k2:")
    bulk.file_batch(rotated.database, Batch(answers({"name": "a9", "user_key": newer, "prompt": SECRET})))
    receipt = erasure.forget(context(rotated, instance), ada(rotated))
    assert receipt["steps"]["store"]["interaction"] == 4
    assert rows(rotated.database, "SELECT count(*) FROM consent") == [(2,)]


def test_one_answer_goes_with_every_vote_on_it(pipeline: Pipeline, instance: dg.DagsterInstance) -> None:
    from uuid import UUID

    subject = subjects.answer(pipeline.pseudonymiser, UUID(answer_id("b1")))
    receipt = erasure.forget(context(pipeline, instance), subject)
    assert (receipt["steps"]["store"]["interaction"], receipt["steps"]["store"]["feedback"]) == (1, 2)
    assert rows(pipeline.database, "SELECT 1 FROM consent") == []


def test_a_tenant_goes_as_a_whole(pipeline: Pipeline, instance: dg.DagsterInstance) -> None:
    other = answers({"name": "x", "tenant": "other", "prompt": "a question of the other tenant, which stays here"})
    bulk.file_batch(pipeline.database, Batch(other))
    receipt = erasure.forget(context(pipeline, instance), subjects.whole_tenant(pipeline.pseudonymiser, "default"))
    assert receipt["steps"]["store"]["interaction"] == 4
    assert rows(pipeline.database, "SELECT tenant FROM interaction") == [("other",)]
    assert rows(pipeline.database, "SELECT 1 FROM feedback UNION ALL SELECT 1 FROM refusal") == []


def test_datasets_and_models_are_marked_with_the_share(pipeline: Pipeline, instance: dg.DagsterInstance) -> None:
    with psycopg.connect(pipeline.database.address()) as connection:
        connection.execute("INSERT INTO dataset (id, week, manifest) VALUES ('d1', '2026-09-07', '{}')")
        # one row made of Ada's answer, one of her vote on Ben's, one of Ben's alone: (1 + 2) of 4
        made = [("r1", [answer_id("a1")], [vote_id("w2")], 1.0), ("r2", [answer_id("b1")], [vote_id("v2")], 2.0),
                ("r3", [answer_id("b1")], [vote_id("w1")], 1.0)]  # fmt: skip
        for row, interaction, feedback, weight in made:
            connection.execute(
                "INSERT INTO dataset_row VALUES ('d1', %s, %s::uuid[], %s::uuid[], %s, 1)",
                (row, interaction, feedback, weight),
            )
        for name, state in (("candidate", "candidate"), ("serving", "promoted"), ("other", "candidate")):
            connection.execute("INSERT INTO model (name, state) VALUES (%s, %s)", (name, state))
        for name, dataset in (("candidate", "d1"), ("serving", "d1"), ("other", "d0")):
            connection.execute(
                "INSERT INTO fine_tune_job (id, dataset_id, provider, base_model, state, provider_file, result_model,"
                " week, method, request, examples, since)"
                " VALUES (%s, %s, 'openai', 'base', 'succeeded', %s, %s, '2026-09-07', 'supervised', '{}', 3, now())",
                (name, dataset, f"file-{name}", name),
            )
    receipt = erasure.forget(context(pipeline, instance), ada(pipeline))
    assert rows(pipeline.database, "SELECT tainted_share FROM dataset") == [(0.75,)]
    assert rows(pipeline.database, "SELECT name, state, tainted_share FROM model ORDER BY name") == [
        ("candidate", "tainted", 0.75),
        ("other", "candidate", None),
        ("serving", "promoted", 0.75),
    ]
    left = rows(pipeline.database, "SELECT interaction_ids || feedback_ids FROM dataset_row WHERE row_id = 'r1'")
    assert [str(one) for one in left[0][0]] == [vote_id("w2")]
    by_hand = receipt["steps"]["provider_files"]["to_delete_by_hand"]
    assert by_hand == ["openai: file-candidate", "openai: file-serving"]
    assert any("file-candidate" in line for line in receipt["remains"])


class _Provider:
    """A provider that cannot be reached the first time."""

    def __init__(self) -> None:
        self.deleted: list[str] = []
        self.reachable = False

    def uploads_of(self, sha256s: Collection[str]) -> tuple[str, ...]:
        return ()

    def delete(self, file_id: str) -> None:
        if not self.reachable:
            raise ProviderError("openai", "delete a file", "503")
        self.deleted.append(file_id)


def test_a_provider_that_is_away_keeps_the_erasure_open_until_it_is_back(
    pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    dataset_made_of(pipeline, answer_id("a1"))
    provider = _Provider()
    where = replace(context(pipeline, instance), providers={"openai": provider})
    with pytest.raises(ErasureError, match="everything else is erased"):
        erasure.forget(where, ada(pipeline))
    assert rows(pipeline.database, "SELECT count(*) FROM interaction") == [(1,)]
    assert rows(pipeline.database, "SELECT finished_at FROM erasure") == [(None,)]
    provider.reachable = True
    receipt = erasure.forget(where, ada(pipeline))
    assert provider.deleted == ["file-train", "file-validate"]
    assert receipt["steps"]["provider_files"]["deleted"] == ["openai: file-train", "openai: file-validate"]
    assert receipt["steps"]["datasets"]["tainted"] == {"d1": 1.0}


def test_what_is_left_behind_is_found_and_said_loudly(pipeline: Pipeline, instance: dg.DagsterInstance) -> None:
    database = pipeline.database
    dagster = database.dagster_url.rsplit("/", 1)[1]
    create_missing_databases(database)
    try:
        with psycopg.connect(database.address(database=dagster)) as connection:
            connection.execute("CREATE TABLE event_logs (id int, event text)")
            connection.execute("INSERT INTO event_logs VALUES (1, %s)", (f'{{"message": "{SECRET.upper()}"}}',))
        stray = pipeline.frames.root / "notebook" / "mine.html"
        stray.parent.mkdir(parents=True)
        stray.write_text(f"<p>{REMARK}</p>")
        named = pipeline.settings.home / "rejects" / "old.jsonl.log"
        named.write_text(key(pipeline, ADA))
        with pytest.raises(ErasureError) as raised:
            erasure.forget(context(pipeline, instance), ada(pipeline))
        said = str(raised.value)
        assert "dagster.event_logs" in said
        assert "data/notebook/mine.html" in said
        assert "1 texts with a pseudonym in home/rejects/old.jsonl.log" in said
        assert "teapot" not in said
        stray.unlink()
        named.unlink()
        with psycopg.connect(database.address(database=dagster)) as connection:
            connection.execute("DELETE FROM event_logs")
        assert erasure.forget(context(pipeline, instance), ada(pipeline))["steps"]["verification"]["found"] == 0
    finally:
        with psycopg.connect(database.address(database="postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {dagster} WITH (FORCE)")


def test_a_receipt_that_was_changed_is_not_genuine(pipeline: Pipeline, instance: dg.DagsterInstance) -> None:
    erasure.forget(context(pipeline, instance), ada(pipeline))
    path = next((pipeline.settings.home / "erasures").glob("*.receipt.json"))
    receipt = orjson.loads(path.read_bytes())
    assert receipts.is_genuine(pipeline.pseudonymiser, receipt)
    receipt["steps"]["store"]["feedback"] += 1
    assert not receipts.is_genuine(pipeline.pseudonymiser, receipt)
    with pytest.raises(ErasureError, match="erased before, finished 20"):
        erasure.forget(context(pipeline, instance), ada(pipeline))
    assert preview(context(pipeline, instance), ada(pipeline)).earlier is not None


def test_killed_at_any_moment_it_goes_on_where_it_was(pipeline: Pipeline, instance: dg.DagsterInstance) -> None:
    runs.compute(pipeline, instance)
    dataset_made_of(pipeline, answer_id("a1"))
    moments = ("opened", "datasets", "store", "files", "computing", "recompute", "deleting", "searching")
    for moment in moments:
        # each time a step further, in a process that has to find out where the one before was
        assert _killed(pipeline, moment) == -signal.SIGKILL
        assert rows(pipeline.database, "SELECT count(*) FROM erasure WHERE finished_at IS NULL") == [(1,)]
    uploads = Uploads(pipeline.settings.home / "uploads.log")
    receipt = erasure.forget(replace(context(pipeline, instance), providers={"openai": uploads}), ada(pipeline))
    steps = receipt["steps"]
    assert set(uploads.deleted()) == {"file-train", "file-validate"}
    assert steps["provider_files"] == {"deleted": ["openai: file-train", "openai: file-validate"],
                                       "to_delete_by_hand": []}  # fmt: skip
    assert (steps["verification"]["found"], steps["store"]["interaction"]) == (0, 3)
    assert changes.due(pipeline.database) == []  # computed by one of those that died
    # the words were still known, and looked for, after eight deaths
    assert steps["verification"]["stretches_sought"] >= 4
    assert rows(pipeline.database, "SELECT count(*) FROM erasure") == [(1,)]
    assert SECRET.encode() not in everything_on_disk(pipeline)


def _killed(pipeline: Pipeline, moment: str) -> int:
    arguments = [str(pipeline.settings.home), pipeline.database.url, moment]
    died = subprocess.run([sys.executable, str(KILLED), *arguments], capture_output=True, text=True, check=False)
    assert died.returncode < 0, died.stderr
    return died.returncode


def test_killed_with_its_last_breath_it_leaves_no_words_behind_once_asked_again(
    pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    assert _killed(pipeline, "finishing") == -signal.SIGKILL
    folder = pipeline.settings.home / "erasures"
    assert len(list(folder.glob("*.working.json"))) == 1  # it holds Ada's words
    with pytest.raises(ErasureError, match="erased before"):
        erasure.forget(context(pipeline, instance), ada(pipeline))
    assert sorted(path.suffixes for path in folder.iterdir()) == [[".jsonl"], [".receipt", ".json"]]
    assert SECRET.encode() not in everything_on_disk(pipeline)


def test_folders_named_after_weeks_are_the_trainings_own() -> None:
    assert {archive.CORRECTIONS} <= set(folders("week", "removed"))


def test_every_table_that_can_hold_a_person_is_known_to_the_erasure(database: Database) -> None:
    held = rows(
        database,
        "SELECT DISTINCT table_name::text FROM information_schema.columns JOIN information_schema.tables"
        " USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        " AND column_name IN ('user_key', 'session_key', 'person', 'voter', 'unit', 'interaction_id', 'feedback_id',"
        " 'interaction_ids', 'feedback_ids')",
    )
    reached = {
        "consent",  # the tombstone
        "interaction", "interaction_key", "feedback", "shadow_run", "judgement", "idempotency", "vote_unmatched",
        "person_seen", "assignment", "exposure", "ask", "dataset_row", "audit_item",
        "experiment_event",  # names who decided about an experiment
        "audit_label",  # with its audit_item
        "review",  # with its vote
        "model_event",  # names who decided about a model
    }  # fmt: skip
    assert {name for (name,) in held} == reached


def test_two_erasures_at_once_wait_for_each_other(pipeline: Pipeline, instance: dg.DagsterInstance) -> None:
    with psycopg.connect(pipeline.database.address()) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (int(Lock.ERASURE),))
        with pytest.raises(ErasureError, match="another erasure is under way"):
            erasure.forget(context(pipeline, instance), ada(pipeline))


def test_rows_that_come_in_while_an_erasure_is_interrupted_are_erased_too(
    pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    subject = ada(pipeline)
    stray = pipeline.frames.root / "stray.txt"
    stray.parent.mkdir(parents=True, exist_ok=True)
    stray.write_text(SECRET)
    with pytest.raises(ErasureError, match="still there"):
        erasure.forget(context(pipeline, instance), subject)
    stray.unlink()
    with psycopg.connect(pipeline.database.address()) as connection:
        connection.execute("DELETE FROM consent")
    late = answers({"name": "late", "user_key": key(pipeline, ADA), "prompt": SECRET, "occurred_at": later(days=2)})
    bulk.file_batch(pipeline.database, Batch(late))
    erasure.forget(context(pipeline, instance), subject)
    assert rows(pipeline.database, "SELECT source_id FROM interaction") == [("b1",)]
