"""`feedback source guess`: the entry is right, or one line away, for tables as people have them."""

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from feedback_pipeline.cli.main import app
from feedback_pipeline.ingest.guessed_entry import Guessed, guess_entry
from feedback_pipeline.ingest.readers.chunks import UnreadableError
from feedback_pipeline.ingest.sources import load_sources

NOW = datetime(2026, 11, 29, tzinfo=UTC)
AT = datetime(2026, 11, 12, 9, tzinfo=UTC)


def guessed(folder: Path, name: str, rows: Any) -> Guessed:
    path = folder / name
    if isinstance(rows, pl.DataFrame):
        rows.write_parquet(path)
    elif isinstance(rows, str):
        path.write_text(rows)
    elif name.endswith(".jsonl"):
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        path.write_text(json.dumps(rows))
    found = guess_entry(str(path), now=NOW)
    (folder / "sources.yaml").write_text(found.text)
    load_sources(folder / "sources.yaml", {})  # what is written can be read
    assert yaml.safe_load(found.text)["sources"][found.name]["kind"] == found.guess.entry["kind"]
    return found


def mapping(found: Guessed) -> dict[str, Any]:
    held: dict[str, Any] = found.guess.entry["mapping"]
    return held


def test_a_survey_whose_headers_are_questions(tmp_path: Path) -> None:
    rows = "".join(
        f"resp-{n},2026-11-10 09:0{n}:00,{'Thumbs up' if n % 2 else 'Thumbs down'},{'' if n % 2 else 'too short'},"
        f"How do I rotate key {n}?,Open Settings and choose key {n}.\n"
        for n in range(8)
    )
    header = (
        "Respondent ID,Submitted at (UTC),1. Was this answer helpful?,2. What was wrong?,Question shown,Answer shown"
    )
    found = guessed(tmp_path, "survey.csv", f"{header}\n{rows}")
    assert mapping(found) == {
        "user": "Respondent ID", "occurred_at": "Submitted at (UTC)", "thumb": "1. Was this answer helpful?",
        "comment": "2. What was wrong?", "prompt": "Question shown", "output": "Answer shown",
    }  # fmt: skip
    assert found.trial.votes == {"up": 4, "down": 4, "comment": 4}


def test_words_of_ones_own_are_written_out(tmp_path: Path) -> None:
    rows = "id;when;verdict;question;answer\n1;12.11.2026 09:00;gut;Wo?;Da.\n2;13.11.2026 09:05;schlecht;Wann?;Nie.\n"
    found = guessed(tmp_path, "votes.csv", rows)
    assert found.guess.entry["delimiter"] == ";"
    assert found.guess.entry["time_format"] == "%d.%m.%Y %H:%M"
    assert found.guess.entry["values"] == {"thumb": {"gut": "up", "schlecht": "down"}}
    assert found.trial.votes == {"up": 1, "down": 1}


def test_conversations_whose_answer_is_the_last_message(tmp_path: Path) -> None:
    rows = [
        {"id": f"n{n}", "at": AT.isoformat(), "label": n % 2 == 0, "messages": [
            {"role": "system", "content": "Be kind."}, {"role": "user", "content": f"What is {n}+{n}?"},
            {"role": "assistant", "content": f"{n} and {n} are {n + n}."}]}
        for n in range(4)
    ]  # fmt: skip
    found = guessed(tmp_path, "chats.jsonl", rows)
    assert mapping(found)["output"] == "messages[last].content"
    assert mapping(found)["prompt"] == "messages[last role=user].content"
    assert found.trial.votes == {"up": 2, "down": 2}


def test_conversations_under_other_names(tmp_path: Path) -> None:
    rows = [{"conversations": [{"from": "human", "value": "Hi there."}, {"from": "gpt", "value": "Good day."}],
             "rating": n + 3, "created": AT.isoformat()} for n in range(3)]  # fmt: skip
    found = guessed(tmp_path, "sharegpt.json", rows)
    assert mapping(found)["prompt"] == "conversations[last from=human].value"
    assert found.trial.votes == {"stars": 3}


def test_pairs(tmp_path: Path) -> None:
    rows = [{"id": f"p{n}", "at": AT.isoformat(), "user": f"u{n}",
             "messages": [{"role": "user", "content": f"Reset {n}?"}],
             "a": f"Press reset on {n}.", "b": "Ask somebody else.", "w": "ab"[n % 2]} for n in range(4)]  # fmt: skip
    found = guessed(tmp_path, "pairs.jsonl", rows)
    assert found.guess.entry["pairwise"] == {"left": {"output": "a"}, "right": {"output": "b"}, "winner": "w"}
    assert found.trial.votes == {"left": 2, "right": 2}


def test_chosen_and_rejected(tmp_path: Path) -> None:
    def chat(answer: str) -> list[dict[str, str]]:
        return [{"role": "user", "content": "Name a tree."}, {"role": "assistant", "content": answer}]

    rows = [{"prompt": "Name a tree.", "chosen": chat(f"An oak, {n}."), "rejected": chat("A car.")} for n in range(3)]
    found = guessed(tmp_path, "ultra.jsonl", rows)
    assert found.guess.entry["pairwise"]["winner"] == {"always": "left"}
    assert found.guess.entry["pairwise"]["left"]["output"] == "chosen[last].content"
    assert found.guess.entry["spread"] == {"start": "2026-09-28", "weeks": 8}  # it has no times
    assert found.trial.votes == {"left": 3}


def test_a_column_an_outcome(tmp_path: Path) -> None:
    rows = "id,model_a,model_b,prompt,response_a,response_b,winner_model_a,winner_model_b,winner_tie\n" + "".join(
        f"{n},north,south,Name city {n}.,It is {n}.,No idea {n}.,{int(n == 0)},{int(n == 1)},{int(n == 2)}\n"
        for n in range(3)
    )
    found = guessed(tmp_path, "train.csv", rows)
    assert found.guess.entry["pairwise"]["winner"] == {
        "left": "winner_model_a", "right": "winner_model_b", "tie": ["winner_tie"],
    }  # fmt: skip
    assert found.guess.entry["pairwise"]["left"] == {"output": "response_a", "model": "model_a"}
    assert found.trial.votes == {"left": 1, "right": 1, "tie": 1}


def test_parquet_with_every_type(tmp_path: Path) -> None:
    frame = pl.DataFrame({
        "id": [f"p-{n}" for n in range(4)],
        "who": pl.Series(["ann", "bo", "ann", "cy"], dtype=pl.Categorical),
        "day": [AT.date()] * 4,
        "at_ns": pl.Series([AT + timedelta(minutes=n) for n in range(4)], dtype=pl.Datetime("ns", "America/New_York")),
        "thumb_i8": pl.Series([1, 0, 1, None], dtype=pl.Int8),
        "ctx": [{"model": "north-7b", "cost": Decimal("0.001")}] * 4,
        "msgs": [[{"role": "user", "content": f"How many rows has table {n}?"}] for n in range(4)],
        "q": [f"How many rows has table {n}?" for n in range(4)],
        "a": [f"It has {n} rows." for n in range(4)],
        "raw": [bytes([n, 255]) for n in range(4)],
        "lat": [timedelta(milliseconds=200 + n) for n in range(4)],
    })  # fmt: skip
    found = guessed(tmp_path, "types.parquet", frame)
    wanted = {"id": "id", "user": "who", "occurred_at": "at_ns", "thumb": "thumb_i8", "messages": "msgs", "prompt": "q",
              "output": "a", "model": "ctx.model", "latency_ms": "lat"}  # fmt: skip
    assert {name: mapping(found)[name] for name in wanted} == wanted
    assert found.trial.votes == {"up": 2, "down": 1}


def test_rows_in_an_envelope_with_a_list_to_take_apart(tmp_path: Path) -> None:
    document = {"page": 1, "data": {"items": [
        {"question": f"What is shelf {n}?", "answer": f"It is number {n}.", "created_at": AT.isoformat(),
         "votes": [{"id": f"{n}-{m}", "by": f"u{m}", "rating": "up" if m else "down"} for m in range(2)]}
        for n in range(3)]}}  # fmt: skip
    found = guessed(tmp_path, "answers.json", document)
    assert (found.guess.entry["rows"], found.guess.entry["explode"]) == ("data.items", "votes")
    assert mapping(found) | {"id": "votes.id", "user": "votes.by", "thumb": "votes.rating"} == mapping(found)
    assert found.trial.votes == {"up": 3, "down": 3}


def test_a_scale_says_where_up_and_down_were_taken_to_start(tmp_path: Path) -> None:
    rows = [{"id": n, "ts": AT.timestamp() + n, "score": n / 10, "query": f"Is {n} even?", "response": f"See {n}."}
            for n in range(11)]  # fmt: skip
    found = guessed(tmp_path, "scores.jsonl", rows)
    assert found.guess.entry["values"]["thumb"] == {">= 0.7": "up", "< 0.5": "down", "0.5..0.7": None}
    assert found.trial.votes == {"up": 4, "down": 5}


def test_a_table_of_a_database(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "app.db") as connection:
        connection.executescript("""
            CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);
            CREATE TABLE answer_feedback (id INTEGER PRIMARY KEY, user_id TEXT, created_at TEXT, stars INT,
                                          question TEXT, answer TEXT);
            INSERT INTO answer_feedback VALUES (1, 'u', '2026-11-12 09:00:00', 5, 'Where to?', 'To the left.'),
                                               (2, 'v', '2026-11-12 09:01:00', 2, 'How far?', 'Two miles.');""")
    found = guess_entry(f"sqlite:///{tmp_path / 'app.db'}")
    assert found.guess.entry["table"] == "answer_feedback"
    assert found.trial.votes == {"stars": 2}


def test_without_a_verdict_it_says_which_line_is_missing(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("id,at,question,answer\n1,2026-11-12,Where is it?,It is there.\n")
    done = CliRunner().invoke(app, ["source", "guess", str(tmp_path / "log.csv")])
    assert done.exit_code == 1
    assert "# TO DO: no column looks like a verdict: add `thumb: COLUMN`" in done.stdout


@pytest.mark.parametrize("content", ["", "one column\nonly\n", '{"a": 1', "PAR1 is no Parquet"])
def test_what_holds_no_rows_is_refused_in_a_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "odd").write_text(content)
    with pytest.raises(UnreadableError):
        guess_entry(str(tmp_path / "odd"))


GERMAN = "ticket;kunde;zeitpunkt;urteil;frage;antwort;bemerkung\n" + "".join(
    f"T{n};k{n};{1 + n % 28:02}.11.2024 08:{n:02};{('hilfreich', 'nicht hilfreich', 'utile', 'geht so')[n % 4]};"
    f"Wie setze ich Passwort {n} zurück?;Öffnen Sie Einstellungen {n}.;{'zu lang' if n % 4 == 1 else ''}\n"
    for n in range(24)
)


def test_headers_and_words_of_other_languages(tmp_path: Path) -> None:
    found = guessed(tmp_path, "stimmen.csv", GERMAN)
    assert mapping(found) == {
        "user": "kunde", "occurred_at": "zeitpunkt", "thumb": "urteil", "prompt": "frage", "output": "antwort",
        "comment": "bemerkung",
    }  # fmt: skip
    assert found.trial.votes == {"up": 12, "down": 6, "comment": 6}
    assert "# not used: ticket\n" in found.text


def test_times_are_known_by_their_values_whatever_the_column_is_called(tmp_path: Path) -> None:
    rows = [
        {"quand_cela": f"2026-11-{n + 10} 09:00", "vote": "up" if n % 2 else "down", "request_id": f"r{n}"}
        for n in range(9)
    ]
    found = guessed(tmp_path, "votes.json", rows)
    assert mapping(found) == {"occurred_at": "quand_cela", "thumb": "vote", "request_id": "request_id"}
    assert "spread" not in found.guess.entry


def test_thumbs_and_stars_in_one_column(tmp_path: Path) -> None:
    given = ["👍", "👎", "5", "1", "3", "4", "2", "👍"]
    rows = [
        {"rating": word, "created_at": f"2026-11-{n + 10}T09:00:00Z", "request_id": f"r{n}"}
        for n, word in enumerate(given)
    ]
    found = guessed(tmp_path, "mixed.json", rows)
    assert found.trial.votes == {"up": 4, "down": 3}


def test_a_likely_verdict_that_cannot_be_read_is_pointed_out(tmp_path: Path) -> None:
    rows = [
        {
            "rating": ("prima", "naja")[n % 2],
            "comment": f"too long by {n} words",
            "created_at": f"2026-11-{n + 10}",
            "request_id": f"r{n}",
        }
        for n in range(9)
    ]
    found = guessed(tmp_path, "odd.json", rows)
    assert any(line.startswith("rating (prima 5, naja 4) may be the verdict") for line in found.guess.missing)


def test_a_column_that_is_called_what_it_is_may_hold_mistakes(tmp_path: Path) -> None:
    header = "id,question,answer,stars,thumb,time,user"
    rows = [
        "1,How do I cancel?,In the settings.,5,up,2026-11-25T10:00:00Z,a",
        "2,How do I pay?,By card.,banana,down,2026-11-25T11:00:00Z,b",
        "3,Where is it?,There.,9,maybe,2026-11-25T12:00:00Z,c",
        "4,Who?,Me.,2,down,not a time,d",
        "5,What?,That.,4,up,2026-11-26T12:00:00Z,e",
    ]
    found = guessed(tmp_path, "votes.csv", "\n".join([header, *rows]) + "\n")
    assert mapping(found) == {
        "id": "id", "user": "user", "occurred_at": "time", "thumb": "thumb", "stars": "stars", "prompt": "question",
        "output": "answer",
    }  # fmt: skip
    assert found.guess.entry["values"] == {"thumb": {"maybe": None}}
    assert found.trial.refused == {
        ("not_a_number", "stars"): 1, ("out_of_range", "stars"): 1, ("unreadable_time", "occurred_at"): 1,
    }  # fmt: skip
    assert "4 of 5 rows (1 holds something else)" in found.text


@pytest.mark.parametrize("name", ["id", "row", "number"])
def test_numbers_of_rows_are_no_stars(tmp_path: Path, name: str) -> None:
    rows = [{name: n, "question": f"How do I do {n}?", "answer": f"Like this {n}."} for n in range(1, 6)]
    found = guessed(tmp_path, "rows.json", rows)
    assert "stars" not in mapping(found)
    assert found.guess.missing


def test_a_scale_of_ten_is_no_stars_with_mistakes(tmp_path: Path) -> None:
    rows = [{"rating": n % 10 + 1, "question": f"How do I do {n}?", "answer": f"Like this {n}."} for n in range(40)]
    found = guessed(tmp_path, "rated.json", rows)
    assert "stars" not in mapping(found)
    assert mapping(found)["thumb"] == "rating"


def test_a_message_may_say_sender_and_body(tmp_path: Path) -> None:
    rows = [
        {
            "id": f"c{n}",
            "created_at": 1_763_000_000 + n,
            "parts": [
                {"sender": "visitor", "body": f"Where is order {n}?"},
                {"sender": "bot", "body": f"On its way {n}."},
            ],
            "conversation_rating": {"rating": n % 5 + 1},
        }
        for n in range(10)
    ]
    found = guessed(tmp_path, "helpdesk.jsonl", rows)
    assert found.trial.votes == {"stars": 10}
    assert mapping(found)["output"] == "parts[last].body"
    assert mapping(found)["prompt"] == "parts[last sender=visitor].body"


def test_a_word_beside_those_of_a_verdict_is_none(tmp_path: Path) -> None:
    rows = [{"satisfaction_rating": ["good", "bad", "offered"][n % 3], "question": f"How do I reset {n}?",
             "reply": f"Press the button {n}.", "requester": f"u{n % 2}"} for n in range(9)]  # fmt: skip
    found = guessed(tmp_path, "tickets.json", rows)
    assert found.trial.votes == {"up": 3, "down": 3}
    assert mapping(found)["user"] == "requester"


def test_numbers_with_a_decimal_comma_are_a_scale(tmp_path: Path) -> None:
    rows = "".join(f'2026/11/{n + 10},ask {n} now,answer {n} now,"{n * 11},5"\n' for n in range(9))
    found = guessed(tmp_path, "percent.csv", f"when,prompt,response,score\n{rows}")
    assert found.guess.entry["values"]["thumb"] == {">= 70": "up", "< 50": "down", "50..70": None}
    assert found.trial.votes == {"up": 2, "down": 5}  # 77,5 and 88,5; 0,5 to 44,5
    assert found.guess.entry["time_format"] == "%Y/%m/%d"


def test_a_database_in_a_file_is_read_as_one(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "app.db") as connection:
        connection.execute("CREATE TABLE users (id INTEGER)")
        connection.execute("CREATE TABLE feedback (id INTEGER, helpful INTEGER, asked TEXT, answered TEXT, at INTEGER)")
        connection.executemany("INSERT INTO feedback VALUES (?, ?, ?, ?, ?)", [
            (n, n % 2, f"how {n} works", f"it works {n} so", 1_763_000_000_000 + n) for n in range(9)])  # fmt: skip
    found = guess_entry(str(tmp_path / "app.db"), now=NOW)
    assert (found.guess.entry["kind"], found.guess.entry["table"]) == ("sql", "feedback")
    assert found.trial.votes == {"up": 4, "down": 5}


def test_what_excel_calls_unicode_text(tmp_path: Path) -> None:
    rows = "".join(f"How do I do {n}?\tLike this {n}.\t{'Да' if n % 2 else 'Нет'}\n" for n in range(8))
    (tmp_path / "sheet.txt").write_text(f"question\tanswer\tthumb\n{rows}", encoding="utf-16")
    found = guess_entry(str(tmp_path / "sheet.txt"), now=NOW)
    assert found.guess.entry["encoding"] == "utf-16"
    assert mapping(found)["output"] == "answer"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("book.xlsx", b"PK\x03\x04" + bytes(100), "save its table as CSV"),
        ("picture.png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "neither text nor Parquet nor SQLite"),
        ("broken.db", b"SQLite format 3\x00" + bytes(50), "cannot be read"),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_a_sentence(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    done = CliRunner().invoke(app, ["source", "guess", str(tmp_path / name)])
    assert done.exit_code == 2
    assert done.exception is None or isinstance(done.exception, SystemExit)
    with pytest.raises(UnreadableError, match=says):
        guess_entry(str(tmp_path / name), now=NOW)
