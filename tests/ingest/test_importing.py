"""The import: idempotent, resumable, private; what is refused is kept with its reason, the rest goes on."""

import csv
import json
import os
import signal
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from feedback_pipeline.ingest.importing import ImportStoppedError
from feedback_pipeline.ingest.sources import load_sources
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.rows import derived_id
from tests.support.ingesting import (
    NOW,
    VOTE,
    VOTES,
    bring_in,
    json_lines,
    only,
    query,
    reasons,
    rejected,
    votes_source,
    written,
)

HERE = Path(__file__).parent


def votes(count: int) -> list[dict[str, object]]:
    return [{**VOTE, "id": f"v{i}", "user": f"u{i % 97}", "answer": f"Answer number {i}."} for i in range(count)]


# What comes in


def test_a_vote_with_its_answer(tmp_path: Path, database: Database) -> None:
    json_lines(tmp_path / "votes.jsonl", [VOTE])
    summary = only(bring_in(database, votes_source(tmp_path, "jsonl", "votes.jsonl"), tmp_path))
    assert (summary.rows, summary.interactions, summary.events, summary.refused) == (1, 1, 1, ())
    ((vote_id, interaction, kind, thumb, source_id),) = query(
        database, "SELECT id::text, interaction_id::text, kind, thumb, source_id FROM feedback"
    )
    assert (vote_id, kind, thumb, source_id) == (derived_id("default", "votes", "v1"), "explicit", True, "v1")
    assert query(database, "SELECT id::text, prompt, output, provenance, context, occurred_at FROM interaction") == [
        (interaction, VOTE["question"], VOTE["answer"], "import", "full", datetime(2026, 11, 2, 10, tzinfo=UTC))
    ]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "json", "parquet", "sql"])
def test_the_same_votes_in_every_kind_of_file_are_the_same_rows(tmp_path: Path, database: Database, kind: str) -> None:
    import sqlite3

    rows = votes(30)
    frame = pl.DataFrame(rows)
    frame.write_csv(tmp_path / "votes.csv")
    frame.write_parquet(tmp_path / "votes.parquet")
    json_lines(tmp_path / "votes.jsonl", rows)
    (tmp_path / "votes.json").write_text(json.dumps(rows))
    with sqlite3.connect(tmp_path / "votes.db") as connection:
        connection.execute("CREATE TABLE votes (id TEXT PRIMARY KEY, user, at, rating, question, answer)")
        connection.executemany("INSERT INTO votes VALUES (?, ?, ?, ?, ?, ?)", [tuple(row.values()) for row in rows])
    where = f"url: sqlite:///{tmp_path}/votes.db\n    table: votes" if kind == "sql" else f"path: votes.{kind}"
    sources = written(tmp_path, f"sources:\n  votes:\n    kind: {kind}\n    {where}{VOTES}")
    assert only(bring_in(database, sources, tmp_path)).events == 30
    found = query(database, "SELECT source_id, thumb, f.occurred_at::text FROM feedback f ORDER BY source_id")
    assert found == sorted((str(row["id"]), True, "2026-11-02 10:00:00+00") for row in rows)
    assert len(query(database, "SELECT 1 FROM interaction")) == 30


def test_the_examples_come_in_whole(tmp_path: Path, database: Database) -> None:
    example = load_sources(HERE.parents[1] / "examples" / "sources.yaml", {})
    summary = bring_in(database, example, tmp_path)
    assert [(source.name, source.events) for source in summary.sources] == [
        ("service-votes", 30), ("message-votes", 30), ("content-votes", 30), ("request-feedback", 30),
    ]  # fmt: skip
    assert (summary.refused, summary.problems) == (0, ())
    kinds = dict(query(database, "SELECT kind, count(*) FROM feedback WHERE source = 'request-feedback' GROUP BY 1"))
    assert kinds == {"explicit": 15, "implicit": 9, "outcome": 6}  # counted in the file
    tenants = query(database, "SELECT DISTINCT tenant FROM interaction WHERE source = 'content-votes' ORDER BY 1")
    assert tenants == [("acme",), ("globex",), ("initech",)]


def test_the_example_table_of_ratings_comes_in(tmp_path: Path, database: Database) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "ratings.db") as connection:
        connection.executescript((HERE.parents[1] / "examples" / "data" / "ratings.sql").read_text())
    text = f"sources:\n  ratings:\n    kind: sql\n    url: sqlite:///{tmp_path}/ratings.db\n    table: feedback\n"
    sources = written(tmp_path, text + "    preset: prompt-learning\n")
    assert only(bring_in(database, sources, tmp_path)).events == 30
    again = only(bring_in(database, sources, tmp_path))
    assert (again.rows, again.events, again.known) == (30, 0, 30)
    ((latency, framework, techniques),) = query(
        database,
        "SELECT latency_ms, framework, techniques FROM interaction WHERE latency_ms > 820 AND latency_ms < 830",
    )
    assert (round(latency), framework, techniques) == (829, "plain", [])


def test_a_correction_is_an_event_of_its_own_beside_the_thumb(tmp_path: Path, database: Database) -> None:
    json_lines(tmp_path / "votes.jsonl", [{**VOTE, "rating": "down", "better": "Under Account.", "note": "wrong page"}])
    sources = votes_source(tmp_path, "jsonl", "votes.jsonl")
    text = (
        (tmp_path / "sources.yaml")
        .read_text()
        .replace("thumb: rating,", "thumb: rating, correction: better, comment: note,")
    )
    assert only(bring_in(database, written(tmp_path, text), tmp_path)).events == 2
    found = query(database, "SELECT kind, thumb, comment, correction, source_id FROM feedback ORDER BY kind")
    assert found == [
        ("correction", None, None, "Under Account.", "v1#correction"),
        ("explicit", False, "wrong page", None, "v1"),
    ]
    assert sources.entries[0].name == "votes"


def test_a_vote_on_an_answer_that_is_not_there_yet_waits_for_it(tmp_path: Path, database: Database) -> None:
    json_lines(tmp_path / "votes.jsonl", [{"id": 1, "at": VOTE["at"], "rating": 1, "request": "r-9"}])
    json_lines(tmp_path / "log.jsonl", [{"request": "r-9", "at": VOTE["at"], "said": "Hello."}])
    text = """sources:
  votes:
    kind: jsonl
    path: votes.jsonl
    mapping: {id: id, occurred_at: at, thumb: rating, request_id: request}
  log:
    kind: jsonl
    path: log.jsonl
    mapping: {id: request, request_id: request, answered_at: at, output: said}
"""
    sources = written(tmp_path, text)
    summary = only(bring_in(database, sources, tmp_path, names=("votes",)))
    assert (summary.events, summary.refused) == (1, ())
    assert query(database, "SELECT interaction_id, key_kind, key_value FROM feedback") == [(None, "request", "r-9")]
    assert only(bring_in(database, sources, tmp_path, names=("log",))).interactions == 1
    assert query(database, "SELECT f.interaction_id = i.id FROM feedback f, interaction i") == [(True,)]


def test_a_changed_row_of_a_table_with_versions_is_a_new_vote_that_follows_the_old(
    tmp_path: Path, database: Database
) -> None:
    text = "sources:\n  votes:\n    kind: jsonl\n    path: votes.jsonl\n    preset: query-response\n"
    row = {
        "id": "1",
        "query": "q",
        "response": "r",
        "model": "m",
        "rating": 1,
        "user_id": "u",
        "created_at": VOTE["at"],
    }
    for rating, updated in ((1, "2026-11-02T10:00:01Z"), (-1, "2026-11-03T09:00:00Z")):
        json_lines(tmp_path / "votes.jsonl", [{**row, "rating": rating, "updated_at": updated}])
        assert only(bring_in(database, written(tmp_path, text), tmp_path)).events == 1
    assert query(database, "SELECT thumb, superseded_by IS NULL FROM feedback ORDER BY occurred_at") == [
        (True, False), (False, True),
    ]  # fmt: skip
    assert query(database, "SELECT count(*) FROM interaction") == [(1,)]


def test_pairs_with_their_words_are_preferences_between_two_answers(tmp_path: Path, database: Database) -> None:
    pair = {"n": 1, "q": "Hi", "m1": "a", "t1": "Hello", "m2": "b", "t2": "Hey", "w": "B", "by": "rater"}
    tie, same, unknown = {"w": "tie", "by": "other"}, {"m2": "a", "t2": "Hello"}, {"w": "C"}
    rows = [pair, *({**pair, "n": n, **more} for n, more in enumerate((tie, same, unknown), start=2))]
    json_lines(tmp_path / "pairs.jsonl", rows)
    text = """sources:
  pairs:
    kind: jsonl
    path: pairs.jsonl
    mapping: {id: n, prompt: q, user: by}
    spread: {start: 2026-09-07}
    pairwise:
      left: {model: m1, output: t1}
      right: {model: m2, output: t2}
      winner: w
"""
    summary = only(bring_in(database, written(tmp_path, text), tmp_path))
    assert (summary.interactions, summary.events) == (2, 2)
    assert reasons(summary) == {("same_answer", "right.id"): 1, ("unknown_value", "w"): 1}
    assert any("spread over 8 weeks from 2026-09-07" in note for note in summary.notes)
    found = query(
        database,
        "SELECT f.preference, i.model, o.model, f.kind FROM feedback f JOIN interaction i ON i.id = f.interaction_id "
        "JOIN interaction o ON o.id = f.other_interaction_id ORDER BY f.source_id",
    )
    assert found == [("other", "a", "b", "preference"), ("tie", "a", "b", "preference")]


# What does not come in


def test_bad_rows_are_kept_with_file_row_field_and_reason_and_the_good_go_on(
    tmp_path: Path, database: Database
) -> None:
    bad = [
        {**VOTE, "id": "a", "rating": "meh"},
        {**VOTE, "id": "b", "at": "1970-01-01T00:00:00Z"},
        {**VOTE, "id": "c", "at": "2199-01-01T00:00:00Z"},
        {**VOTE, "id": "d", "at": None},
        {**VOTE, "id": None},
        {**VOTE, "id": "f", "answer": True},
        {**VOTE, "id": "g", "answer": None},
    ]
    json_lines(tmp_path / "votes.jsonl", [VOTE, *bad, {**VOTE, "id": "v2"}, VOTE])
    with (tmp_path / "votes.jsonl").open("a") as file:
        file.write('{"id": "cut", "us')
    summary = only(bring_in(database, votes_source(tmp_path, "jsonl", "votes.jsonl"), tmp_path))
    assert (summary.rows, summary.events) == (11, 2)
    assert reasons(summary) == {
        ("unknown_value", "thumb"): 1, ("out_of_range", "occurred_at"): 2, ("missing", "occurred_at"): 1,
        ("missing", "id"): 1, ("not_text", "answer"): 1, ("missing", "output"): 1, ("delivered_twice", "id"): 1,
        ("cut_off", None): 1,
    }  # fmt: skip
    lines = rejected(summary)
    assert [(line["file"], line["row"]) for line in lines] == [
        ("votes.jsonl", row) for row in (2, 3, 4, 5, 6, 7, 8, 10, 11)
    ]
    assert json.loads(lines[0]["payload"])["rating"] == "meh"
    stored = query(database, 'SELECT category, place, reason FROM refusal ORDER BY place COLLATE "C"')
    assert len(stored) == 9
    assert ("duplicate", "votes.jsonl:10", "delivered_twice") in stored
    assert ("quarantined", "votes.jsonl:2", "unknown_value") in stored
    days = dict(query(database, "SELECT reason, day::text FROM refusal"))
    assert days["unknown_value"] == "2026-11-02"  # of the vote, where it can be read
    assert days["cut_off"] == "2026-11-21"  # else of its arrival


def test_importing_again_changes_nothing(tmp_path: Path, database: Database) -> None:
    file = tmp_path / "votes.jsonl"
    json_lines(file, [*votes(50), {**VOTE, "rating": "meh"}])
    sources = votes_source(tmp_path, "jsonl", "votes.jsonl")
    first = only(bring_in(database, sources, tmp_path))
    before = query(database, "SELECT id, superseded_by FROM feedback ORDER BY id")
    assert only(bring_in(database, sources, tmp_path)).unchanged == ("votes.jsonl",)
    os.utime(file, (1, 1))  # touched, so it is read again
    again = only(bring_in(database, sources, tmp_path))
    assert (again.rows, again.events, again.interactions, again.known) == (51, 0, 0, 50)
    assert query(database, "SELECT id, superseded_by FROM feedback ORDER BY id") == before
    assert query(database, "SELECT count(*) FROM refusal") == [(1,)]
    assert [line["row"] for line in rejected(first)] == [51]


def test_a_dry_run_tells_the_same_and_writes_nothing(tmp_path: Path, database: Database) -> None:
    json_lines(tmp_path / "votes.jsonl", [*votes(20), {**VOTE, "rating": "meh"}])
    sources = votes_source(tmp_path, "jsonl", "votes.jsonl")
    home = tmp_path / "home"
    dry = only(bring_in(database, sources, home, dry_run=True))
    for table in ("interaction", "feedback", "refusal", "import_progress"):
        assert query(database, f"SELECT count(*) FROM {table}") == [(0,)]
    assert not (home / "rejects").exists()
    without_store = only(bring_in(None, sources, home, dry_run=True))
    real = only(bring_in(database, sources, home))
    for summary in (dry, without_store):
        assert (summary.rows, summary.events, summary.interactions) == (real.rows, real.events, real.interactions)
        assert summary.refused == real.refused
    json_lines(tmp_path / "votes.jsonl", votes(25))
    more = only(bring_in(database, sources, home, dry_run=True))
    assert (more.events, more.known) == (5, 20)


def test_only_a_dry_run_can_do_without_a_database(tmp_path: Path) -> None:
    json_lines(tmp_path / "votes.jsonl", [VOTE])
    with pytest.raises(ValueError, match="needs a database"):
        bring_in(None, votes_source(tmp_path, "jsonl", "votes.jsonl"), tmp_path)


def test_files_that_cannot_be_read_are_problems_and_the_others_come_in(tmp_path: Path, database: Database) -> None:
    folder = tmp_path / "votes"
    folder.mkdir()
    with (folder / "good.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, VOTE)
        writer.writeheader()
        writer.writerow(VOTE)
    (folder / "empty.csv").write_text("")
    (folder / "other.csv").write_text("id,user\n1,2\n")
    (folder / "header.csv").write_text(",".join(VOTE) + "\n")
    summary = only(bring_in(database, votes_source(tmp_path, "csv", "votes/*.csv"), tmp_path))
    assert summary.events == 1
    assert {(problem.place, problem.reason) for problem in summary.problems} == {
        ("empty.csv", "empty"), ("other.csv", "missing_column"),
    }  # fmt: skip
    for path, reason in (("votes", "is_a_folder"), ("nothing-*.csv", "no_such_file"), ("nothing.csv", "no_such_file")):
        (problem,) = only(bring_in(database, votes_source(tmp_path, "csv", path), tmp_path)).problems
        assert problem.reason == reason


def test_a_reject_file_that_cannot_be_written_stops_the_import_and_says_what_to_do(
    tmp_path: Path, database: Database
) -> None:
    json_lines(tmp_path / "votes.jsonl", [VOTE, {**VOTE, "rating": "meh"}])
    sources, home = votes_source(tmp_path, "jsonl", "votes.jsonl"), tmp_path / "home"
    home.mkdir()
    (home / "rejects").write_text("in the way")
    with pytest.raises(ImportStoppedError, match=r"rejects cannot be written .*: make room, then import again"):
        bring_in(database, sources, home)
    assert query(database, "SELECT count(*) FROM feedback") == [(0,)]
    (home / "rejects").unlink()
    assert only(bring_in(database, sources, home)).events == 1


def test_a_field_of_50_mb_is_refused_and_memory_stays_bounded(tmp_path: Path) -> None:
    header, row = "id,user,at,rating,question,answer\n", f"v,u,{VOTE['at']},up,q,"
    with (tmp_path / "votes.csv").open("w") as file:
        file.write(header + row + "short\n" + row.replace("v,", "w,") + '"' + "x" * 50_000_000 + '"\n')
        file.write(row.replace("v,", "x,") + "short\n")
    votes_source(tmp_path, "csv", "votes.csv")
    code = (
        "import re, sys; sys.path.insert(0, sys.argv[2]); from pathlib import Path;"
        "from tests.support.ingesting import bring_in, only, reasons;"
        "from feedback_pipeline.ingest.sources import load_sources;"
        "home = Path(sys.argv[1]); sources = load_sources(home / 'sources.yaml', {});"
        "s = only(bring_in(None, sources, home, dry_run=True));"
        "peak = re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1];"  # getrusage has its parent's
        "print(s.events, reasons(s), int(peak) // 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), str(HERE.parents[1])], capture_output=True, text=True, check=True
    )
    shown, _, megabytes = done.stdout.strip().rpartition(" ")
    assert shown == "2 {('too_large', 'output'): 1}"
    assert int(megabytes) < 1024  # the libraries alone take 200; the parser's two blocks of 128 the most of the rest


# A kill


def _import_in_a_process(database: Database, folder: Path, home: Path) -> "subprocess.Popen[str]":
    arguments = [sys.executable, str(HERE / "killed_import.py"), database.url, str(folder / "sources.yaml"), str(home)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def test_an_import_that_is_killed_goes_on_where_it_stopped(tmp_path: Path, database: Database) -> None:
    rows = votes(6_000)
    for position in range(0, 6_000, 100):
        rows[position]["rating"] = "meh"  # 60 refused
    rows += rows[1:4]  # 3 delivered twice, far from the first
    json_lines(tmp_path / "votes.jsonl", rows)
    sources = votes_source(tmp_path, "jsonl", "votes.jsonl")
    home = tmp_path / "home"
    killed = _import_in_a_process(database, tmp_path, home)
    assert killed.stdout is not None
    for line in killed.stdout:
        if int(line) >= 2_000:
            break
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    ((done, finished),) = query(database, "SELECT rows_done, finished FROM import_progress")
    assert 0 < done < 6_003
    assert not finished
    # Every row up to there is filed, and no other.
    accounted = "SELECT (SELECT count(*) FROM feedback) + (SELECT count(*) FROM refusal)"
    assert query(database, accounted) == [(done,)]
    with next((home / "rejects").iterdir()).open("a") as file:
        file.write('{"file": "votes.jsonl", "row": 5')  # a line cut by the kill
    summary = only(bring_in(database, sources, home, batch_rows=500))
    assert query(database, accounted) == [(6_003,)]
    assert query(database, "SELECT category, count(*) FROM refusal GROUP BY 1 ORDER BY 1") == [
        ("duplicate", 3), ("quarantined", 60),
    ]  # fmt: skip
    lines = [line["row"] for line in rejected(summary)]
    assert lines == [*range(1, 6_000, 100), 6_001, 6_002, 6_003]
    assert query(database, "SELECT rows_done, finished FROM import_progress") == [(6_003, True)]


# Privacy


def test_no_identifier_and_no_user_id_passes_the_door(tmp_path: Path, database: Database) -> None:
    user, mail = "anna.raw@corp.example", "secret.person@mail.example"
    row = {**VOTE, "user": user, "question": f"Write to {mail}", "answer": f"I wrote to {mail}.", "note": f"{mail}!"}
    row["extra"] = {"contact": mail}
    json_lines(
        tmp_path / "votes.jsonl",
        [row, {**row, "id": "v2", "rating": "meh"}, {**row, "id": "v3", "answer": 7}, {**row, "id": ["x"], "at": "?"}],
    )
    (tmp_path / "votes.jsonl").open("a").write(json.dumps(row)[:-3])
    votes_source(tmp_path, "jsonl", "votes.jsonl")
    text = (tmp_path / "sources.yaml").read_text().replace("id: id,", "id: [id, user], comment: note, metadata: extra,")
    summary = only(bring_in(database, written(tmp_path, text), tmp_path / "home"))
    assert (summary.events, summary.refused_rows) == (1, 4)
    assert summary.redactions["EMAIL"] == 4
    kept = "".join(
        str(query(database, f"SELECT row_to_json(t)::text FROM {table} t"))
        for table in ("interaction", "feedback", "refusal", "interaction_key", "tenant")
    )
    kept += "".join(file.read_text() for file in (tmp_path / "home" / "rejects").iterdir())
    for secret in (user, mail):
        assert secret not in kept
    assert "[EMAIL_1]" in kept
    ((voter, source_id),) = query(database, "SELECT user_key, source_id FROM feedback")
    assert source_id == f"v1/{voter}"
    # A person's refused rows can be found by the pseudonym; one that could not be taken apart shows nothing.
    payloads = [line["payload"] for line in rejected(summary)]
    assert [voter in payload for payload in payloads[:3]] == [True] * 3
    assert payloads[3] is None


def test_reject_files_are_their_owners_only(tmp_path: Path, database: Database) -> None:
    json_lines(tmp_path / "votes.jsonl", [{**VOTE, "rating": "meh"}])
    home = tmp_path / "home"
    summary = only(bring_in(database, votes_source(tmp_path, "jsonl", "votes.jsonl"), home))
    assert stat.S_IMODE(Path(summary.reject_files[0]).stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "rejects").stat().st_mode) == 0o700


def test_people_who_refused_collection_are_counted_and_not_kept(tmp_path: Path, database: Database) -> None:
    from tests.support.ingesting import privacy

    voter = privacy(tmp_path).pseudonyms(pl.Series(["default"]), pl.Series(["anna"]))[0]
    query(database, f"INSERT INTO consent (tenant, user_key, collect) VALUES ('default', '{voter}', false) RETURNING 1")
    json_lines(
        tmp_path / "votes.jsonl", [VOTE, {**VOTE, "id": "v2", "rating": "meh"}, {**VOTE, "id": "v3", "user": "bert"}]
    )
    summary = only(bring_in(database, votes_source(tmp_path, "jsonl", "votes.jsonl"), tmp_path))
    assert (summary.events, summary.opted_out, summary.known) == (1, 1, 0)
    assert [line["payload"] for line in rejected(summary)] == [None]


def test_hostile_text_stays_text(tmp_path: Path, database: Database) -> None:
    hostile = '{0}\'); DROP TABLE feedback; -- \\", "rating": "down" \x00 %s ${HOME} \u202e'
    json_lines(tmp_path / "votes.jsonl", [{**VOTE, "answer": hostile, "extra": {'k\\"': hostile}}])
    votes_source(tmp_path, "jsonl", "votes.jsonl")
    text = (tmp_path / "sources.yaml").read_text().replace("thumb: rating,", "thumb: rating, metadata: extra,")
    assert only(bring_in(database, written(tmp_path, text), tmp_path)).events == 1
    ((output, metadata),) = query(database, "SELECT output, metadata FROM interaction")
    assert output == hostile.replace("\x00", "\ufffd")  # PostgreSQL holds no NUL
    assert json.loads(metadata) == {'k\\"': hostile}


def test_progress_is_told(tmp_path: Path, database: Database) -> None:
    json_lines(tmp_path / "votes.jsonl", votes(1_000))
    told: list[tuple[int, float | None]] = []
    bring_in(
        database, votes_source(tmp_path, "jsonl", "votes.jsonl"), tmp_path, batch_rows=300,
        on_progress=lambda progress: told.append((progress.rows, progress.share)),
    )  # fmt: skip
    assert [rows for rows, _ in told] == [300, 600, 900, 1000]
    assert told[-1][1] == 1.0
    assert NOW.year == 2026


def test_signals_that_mean_nothing_are_kept_and_said_once(tmp_path: Path, database: Database) -> None:  # C.20
    rows = [{**VOTE, "id": f"v{n}", "user": f"u{n}", "said": "implicit", "value": f'{{"signal": "{name}"}}'}
            for n, name in enumerate(("copy", "blinked", "blinked"))]  # fmt: skip
    json_lines(tmp_path / "votes.jsonl", rows)
    mapping = "{id: id, user: user, occurred_at: at, kind: said, value: value, prompt: question, output: answer}"
    source = f"sources:\n  votes:\n    kind: jsonl\n    path: votes.jsonl\n    mapping: {mapping}\n"
    summary = only(bring_in(database, written(tmp_path, source), tmp_path))
    assert summary.events == 3
    [note] = [note for note in summary.notes if "mean nothing" in note]
    assert note.startswith("2 implicit signals or outcomes")
