"""A person's words are planted in every place the pipeline may have put them, and are in none of them afterwards."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import dagster as dg
import orjson
import polars as pl
import psycopg
import pytest

from feedback_pipeline.analysis.reports import generate_report
from feedback_pipeline.erasure import erasure
from feedback_pipeline.erasure.context import ErasureError
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store.database import Database
from jobs import runs
from tests.support.erasure_world import (
    ADA,
    ANSWER,
    BEN,
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
from tests.support.store_rows import MONDAY, answer_id, vote_id

DAY = MONDAY.date()
WEEK, MONTH = DAY, date(2026, 9, 1)
WORDS = (SECRET, ANSWER, REMARK, REFUSED)

FILES = (
    f"weekly_report/{WEEK}.html",
    f"weekly_report/{WEEK}.json",
    f"weekly_report/{WEEK}.md",
    f"monthly_report/{MONTH}.html",
    f"monthly_report/{MONTH}.json",
    f"training_files/{WEEK}/openai/train.jsonl",
    f"training_files/{WEEK}/promptfoo/tests.yaml",
)
"""Reports with their examples; training files that are still open; the regression suite."""
TABLES = (
    f"term_counts/{DAY}",
    f"term_findings/{WEEK}",
    f"failure_topics/{WEEK}",
    f"judgements/{WEEK}",
    f"training_examples/{WEEK}",
    f"training_corrections/{WEEK}",
    f"preference_pairs/{WEEK}",
)
"""Tables with terms, topics, rationales and training data, where the words may be in any column."""


def plant(pipeline: Pipeline) -> None:
    """Ada's words wherever something that was computed or kept may hold them."""
    root = Path(pipeline.settings.data_url)
    for name in FILES:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'{{"example": "{SECRET}"}}\n')
    for name in TABLES:
        file = root / f"{name}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        held = {"term": [SECRET], "interaction_id": [answer_id("a1")], "content_hash": ["sent-of-a1"]}
        pl.DataFrame(held).write_parquet(file)
    _spool(pipeline)
    with psycopg.connect(pipeline.database.address()) as connection:
        connection.execute(
            "UPDATE interaction SET raw = %s, metadata = %s, content_snapshot = %s WHERE id = %s",
            (SECRET, f'{{"note": "{SECRET}"}}', f'{{"shown": "{SECRET}"}}', answer_id("a1")),
        )
        connection.execute(
            "UPDATE feedback SET correction = %s, raw = %s WHERE id = %s", (ANSWER, SECRET, vote_id("v1"))
        )
        # one found by the hash of what was sent, one (of a re-judged answer) only by what it says
        for name, content in (("k1", "sent-of-a1"), ("k2", "sent-of-something-else")):
            reply = orjson.dumps({"rationale": f"They ask: {SECRET}", "content_hash": content})
            connection.execute(
                "INSERT INTO judge_reply (key, reply, content_hash) VALUES (%s, %s, %s)", (name, reply, content)
            )
        connection.execute(
            "INSERT INTO judge_reply (key, reply) VALUES ('k3', '{\"rationale\": \"of somebody else\"}')"
        )
        connection.execute(
            "INSERT INTO judgement (content_hash, fingerprint, interaction_id, criterion, result)"
            " VALUES ('c', 'f', %s, 'satisfaction', %s)",
            (answer_id("a1"), f'{{"rationale": "{SECRET}"}}'),
        )
        connection.execute(
            "INSERT INTO audit_item (interaction_id, week, day, stratum, place, inclusion_probability)"
            " VALUES (%s, %s, %s, 'down', 0, 0.5) ON CONFLICT DO NOTHING",
            (answer_id("a1"), WEEK, DAY),
        )
    dataset_made_of(pipeline, answer_id("a1"))


def _spool(pipeline: Pipeline) -> None:
    """What an application could not deliver: a request of Ada's alone, and one with a vote of Ben's in it."""
    hers, his = {"user_id": ADA, "comment": SECRET}, {"user_id": BEN, "comment": "fine"}
    folder = pipeline.settings.home / "spool" / "web"
    folder.mkdir(parents=True)
    for name, items in (("1", [hers]), ("2", [hers, his])):
        request = {"path": "/v1/feedback/batch", "body": {"items": items}, "key": name}
        (folder / f"{name}.json").write_bytes(orjson.dumps(request))
    (folder / "3.json").write_text("not JSON")


def places_that_hold(pipeline: Pipeline, words: tuple[str, ...]) -> set[str]:
    """Tables and files with any of the words, found the slow way: every row and every file as text."""
    found = set()
    with psycopg.connect(pipeline.database.address()) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            for (row,) in connection.execute(f"SELECT t::text FROM {table} t").fetchall():
                text = row + _decoded(row)
                found |= {f"store.{table}" for word in words if word in text}
    home = pipeline.settings.home
    for path in sorted(home.rglob("*")):
        if path.is_file():
            text = _written(path)
            found |= {str(path.relative_to(home)) for word in words if word in text}
    return found


def _decoded(row: str) -> str:
    """The bytes in a row of text, which PostgreSQL shows as hexadecimal digits."""
    parts = [part.strip('"').split("\\x")[-1] for part in row.strip("()").split(",") if "\\x" in part]
    return " ".join(bytes.fromhex(part).decode(errors="replace") for part in parts)


def _written(path: Path) -> str:
    if path.suffix != ".parquet":
        return path.read_text(errors="replace")
    rows = pl.read_parquet(path).select(pl.all().map_elements(str, pl.String, skip_nulls=True))
    return rows.write_csv(quote_style="never")


def test_words_planted_everywhere_are_gone_from_everywhere(
    database: Database, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    pipeline = pipeline_at(tmp_path / "home", database, WEEK_ENDED)
    fill(pipeline)
    assert runs.compute(pipeline, instance).failed == ()
    report = tmp_path / "for-the-meeting.md"
    generate_report(output_file=report, settings=pipeline.settings)
    assert report.exists()
    plant(pipeline)
    signed = pl.read_parquet(Path(pipeline.settings.data_url) / "text_signatures" / f"{DAY}.parquet")
    assert answer_id("a1") in signed["interaction_id"].to_list()

    names = (*WORDS, key(pipeline, ADA))
    before = places_that_hold(pipeline, names)
    expected = {f"data/{name}" for name in FILES} | {f"data/{name}.parquet" for name in TABLES}
    expected |= {f"store.{name}" for name in ("interaction", "feedback", "refusal", "judge_reply", "judgement")}
    expected |= {"spool/web/1.json", "spool/web/2.json", "rejects/votes-abc.jsonl"}
    expected |= {
        f"data/{name}/{DAY}.parquet" for name in ("clean_interactions", "clean_feedback", "quarantined_feedback")
    }
    assert expected <= before, expected - before

    uploads = Uploads(tmp_path / "uploads.log")
    receipt = erasure.forget(replace(context(pipeline, instance), providers={"openai": uploads}), ada(pipeline))

    # the week's report that somebody took along, where it was written
    assert not report.exists()
    # the tombstone holds the pseudonym, and nothing else of hers
    assert places_that_hold(pipeline, names) == {"store.consent", "erasures/erasures.jsonl"}
    assert places_that_hold(pipeline, WORDS) == set()
    assert places_that_hold(pipeline, (vote_id("v1"), vote_id("r1"))) == set()
    # Ben's vote stays, about an answer that is unknown
    answers = places_that_hold(pipeline, (answer_id("a1"), answer_id("a2")))
    assert answers == {"store.feedback", "store.vote_unmatched"}
    assert uploads.deleted() == ["file-train", "file-validate"]
    with psycopg.connect(database.address()) as connection:
        assert connection.execute("SELECT key FROM judge_reply").fetchall() == [("k3",)]
        drawn = connection.execute("SELECT interaction_id::text FROM audit_item").fetchall()
        assert set(drawn) <= {(answer_id("b1"),)}
    left = orjson.loads((pipeline.settings.home / "spool" / "web" / "2.json").read_bytes())
    assert left["body"]["items"] == [{"user_id": BEN, "comment": "fine"}]
    counted = receipt["steps"]
    assert (counted["files"]["spooled"], counted["files"]["reject_lines"]) == (2, 1)
    assert (counted["store"]["judge_reply"], counted["store"]["judgement"]) == (2, 1)
    assert counted["store"]["audit_item"] >= 1  # the week's audit may have drawn more of her answers
    # the week has ended and is computed anew; the month has not: its report is gone until it has
    assert (counted["recompute"]["weeks"], counted["recompute"]["months"]) == (1, 0)
    assert (Path(pipeline.settings.data_url) / "weekly_report" / f"{WEEK}.html").exists()
    assert not list((Path(pipeline.settings.data_url) / "monthly_report").glob("*"))


@pytest.mark.parametrize("name", ["spool/web/broken.broken", "notes", "rejects/old.jsonl.1"])
def test_whatever_a_file_is_called_it_is_searched(
    database: Database, tmp_path: Path, instance: dg.DagsterInstance, name: str
) -> None:
    pipeline = pipeline_at(tmp_path / "home", database)
    fill(pipeline)
    stray = pipeline.settings.home / name
    stray.parent.mkdir(parents=True, exist_ok=True)
    stray.write_bytes(b"\x00\xff" + SECRET.encode() + b"\x00")
    with pytest.raises(ErasureError, match=f"3 stretches of the subject's texts in home/{name}"):
        erasure.forget(context(pipeline, instance), ada(pipeline))


def test_words_in_any_script_are_found_in_what_models_replied(
    database: Database, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    pipeline = pipeline_at(tmp_path / "home", database)
    fill(pipeline)
    said = "меня зовут так же как мою бабушку и живём мы у самого моря"
    with psycopg.connect(database.address()) as connection:
        connection.execute("UPDATE feedback SET comment = %s WHERE id = %s", (said, vote_id("r1")))
        connection.execute("CREATE TABLE stray (reply bytea)")
        connection.execute("INSERT INTO stray VALUES (%s)", (said.encode(),))
    with pytest.raises(ErasureError, match=r"stretches of the subject's texts in store\.stray"):
        erasure.forget(context(pipeline, instance), ada(pipeline))
