"""Small files in the shapes of existing feedback systems, to copy a source's configuration from.

The rows come from a sample, so they are invented; they hold a few e-mail addresses and the like for redaction to find,
but nothing that looks like a key or a password.
"""

import csv
import json
import sqlite3
from contextlib import closing
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import polars as pl

from feedback_pipeline.sample.batches import generate
from feedback_pipeline.sample.identities import pools

ROWS = 30
_VOTES, _WEEKS, _SEED, _END = 1_200, 1, 4, date(2026, 11, 15)
_WRITTEN_BY_HAND = ("secret", "url")
"""Types of planted values that are kept out of the files."""

Record = dict[str, Any]


def write_examples(folder: Path) -> list[Path]:
    """Writes one small file for each shape into `folder` (created where missing) and gives back their paths.

    `content_votes.json` (votes on snapshots of content), `service_votes.jsonl` (±1 votes on queries), `ratings.sql`
    (1–5 ratings, for SQLite: see `create_ratings_database`), `message_votes.csv` (up or down on messages) and
    `request_feedback.jsonl` (explicit, implicit and outcome feedback by request). The files are always the same.
    """
    folder.mkdir(parents=True, exist_ok=True)
    votes, signals = _voted_answers()
    written = {
        "content_votes.json": json.dumps([_content_vote(vote) for vote in votes], ensure_ascii=False, indent=1) + "\n",
        "service_votes.jsonl": _lines([_service_vote(vote) for vote in votes]),
        "ratings.sql": _ratings_dump([_rating(vote) for vote in votes]),
        "request_feedback.jsonl": _lines([_request_feedback(event) for event in signals]),
    }
    for name, text in written.items():
        (folder / name).write_text(text, "utf-8")
    _write_message_votes(folder / "message_votes.csv", votes)
    return [folder / name for name in sorted([*written, "message_votes.csv"])]


def create_ratings_database(dump: Path, database: Path) -> None:
    """Makes the SQLite database that `ratings.sql` describes.

    Raises:
        FileExistsError: the database is there already.
    """
    if database.exists():
        raise FileExistsError(f"{database} exists already: remove it or name another file")
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(dump.read_text("utf-8"))


def _voted_answers() -> tuple[list[Record], list[Record]]:
    """Thumbs with their answers, and feedback of all kinds by request, in order of time."""
    batch = next(generate(_VOTES, _WEEKS, _SEED, _END))
    found = pools(_SEED)
    unwanted = [value for kind in _WRITTEN_BY_HAND for value in found[kind]]
    requests = batch.keys.filter(pl.col("kind") == "request").select(request_id="value", id="interaction_id")
    answers = batch.interactions.join(requests, on="id", how="left", maintain_order="left").filter(
        ~pl.concat_str("prompt", pl.col("messages").fill_null("")).str.contains_any(unwanted)
    )
    named = (
        batch.feedback.unique("id", keep="first", maintain_order=True)
        .filter(pl.col("kind").is_in(["explicit", "outcome", "implicit"]), ~pl.col("withdrawn"))
        .filter(~pl.col("comment").fill_null("").str.contains_any(unwanted), pl.col("user_key").is_not_null())
        .join(
            batch.keys.select(key_value="value", keyed_id="interaction_id"),
            on="key_value",
            how="left",
            maintain_order="left",
        )
        .with_columns(answer_id=pl.coalesce("interaction_id", "keyed_id"))
        .join(answers, left_on="answer_id", right_on="id", suffix="_answer", maintain_order="left")
        .sort("occurred_at", "id")
    )
    thumbs = named.filter(pl.col("thumb").is_not_null()).head(ROWS)
    other = named.filter(pl.col("kind") != "explicit").head(ROWS // 2)
    both = pl.concat([named.filter(pl.col("kind") == "explicit").head(ROWS - other.height), other])
    return thumbs.to_dicts(), both.sort("occurred_at", "id").to_dicts()


def _content_vote(vote: Record) -> Record:
    return {
        "content_type": vote["content_type"],
        "rating": vote["thumb"],
        "comment": vote["comment"] or "",
        "content_snapshot": {
            "content_type": vote["content_type"],
            "snapshot": {"summary": {"text": vote["output"]}, "health": {}, "ai": {"model": vote["model"]}},
        },
        "input_context": {"body": vote["prompt"]},
        "prompt_version": vote["prompt_version"],
        "pull_request": None,
        "daily_insight": None,
        "submitted_by": None,
        "user": vote["user_key"],
        "team": vote["tenant"],
        "created_at": vote["occurred_at"].isoformat(),
    }


def _service_vote(vote: Record) -> Record:
    return {
        "id": vote["id"],
        "query": vote["prompt"],
        "response": vote["output"],
        "model": vote["model"],
        "rating": 1 if vote["thumb"] else -1,
        "intent": vote["intent"],
        "project": vote["project"],
        "user_id": vote["user_key"],
        "session_id": vote["session_key"],
        "memory_used": vote["memory_used"],
        "tools_called": vote["tools_called"],
        "metadata": {"prompt_version": vote["prompt_version"], "language": vote["language"]},
        "created_at": vote["occurred_at"].isoformat(),
        "updated_at": vote["received_at"].isoformat(),
    }


def _rating(vote: Record) -> Record:
    context = {
        "framework": vote["framework"],
        "model": vote["model"],
        "confidence": None if vote["confidence"] is None else round(vote["confidence"], 3),
        "techniques": vote["techniques"],
        "execution_time": round(vote["latency_ms"] / 1000, 3),
    }
    return {
        "feedback_id": vote["id"],
        "timestamp": vote["occurred_at"].isoformat(),
        "prompt": vote["prompt"],
        "output": vote["output"],
        "rating": vote["stars"] or (5 if vote["thumb"] else 2),
        "thumbs_up": vote["thumb"],
        "tags": json.dumps(vote["tags"]),
        "context": json.dumps(context),
        "notes": vote["comment"],
    }


def _request_feedback(event: Record) -> Record:
    if event["kind"] == "explicit":
        given = {"rating": event["stars"] if event["thumb"] is None else ("up" if event["thumb"] else "down")}
        value = {**given, "comment": event["comment"]}
    else:
        value = json.loads(event["value"])
    return {
        "conversation_id": event["conversation_id"],
        "turn_id": event["turn"],
        "request_id": event["request_id"],
        "input_text": event["prompt"],
        "output_text": event["output"],
        "prompt_version": event["prompt_version"],
        "model": event["model"],
        "feedback_type": event["kind"],
        "feedback_value": value,
        "user_id": event["user_key"],
        "timestamp": event["occurred_at"].isoformat(),
    }


def _lines(records: list[Record]) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def _write_message_votes(path: Path, votes: list[Record]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ["user_id", "message_id", "feedback", "user_message", "assistant_response", "action_type", "action_data",
             "created_at", "updated_at"]
        )  # fmt: skip
        for vote in votes:
            writer.writerow(
                [
                    vote["user_key"],
                    vote["request_id"],
                    "up" if vote["thumb"] else "down",
                    vote["prompt"],
                    vote["output"],
                    vote["action_type"] or "answer",
                    json.dumps({"project": vote["project"], "tools": vote["tools_called"]}),
                    vote["occurred_at"].isoformat(),
                    vote["received_at"].isoformat(),
                ]
            )


def _ratings_dump(ratings: list[Record]) -> str:
    """The statements that make the ratings table, as SQLite itself writes them."""
    statements = files("feedback_pipeline.sample") / "sql"
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript((statements / "ratings_schema.sql").read_text("utf-8"))
        connection.executemany((statements / "ratings_insert.sql").read_text("utf-8"), ratings)
        connection.commit()
        return "\n".join(connection.iterdump()) + "\n"
