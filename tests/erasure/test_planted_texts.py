"""Whatever somebody wrote is found wherever it may stand, in twelve scripts, from 3 to 10,000 characters.

Oracle: the texts themselves, planted in every kind of place the register names and in every form files take.
"""

import csv
import gzip
import html
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import polars as pl
import psycopg
import pytest
from upath import UPath

from feedback_pipeline.erasure.register import DATA, HOME, REGISTER, Place, registered
from feedback_pipeline.erasure.search import Found, Sought, search_database, search_files
from feedback_pipeline.erasure.stretches import MIN_LETTERS, wording
from feedback_pipeline.erasure.subjects import Scope, Subject
from feedback_pipeline.erasure.verification import verify
from feedback_pipeline.store.database import Database
from feedback_pipeline.tables.parquet import ParquetFolder
from tests.support.scripts import WORDS, text, texts

PLANTED = texts()
SUBJECT = Subject("user", "default", ("k1:" + "ab" * 16,), None, "mark", "Björn.Æsir")


def sought(planted: dict[str, str]) -> Sought:
    said = wording(planted.values())
    return Sought(said.stretches, said.short)


def as_jsonl(text: str) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": text}], "weight": 1.0}).encode()


def as_json_in_json(text: str) -> bytes:
    return json.dumps({"body": json.dumps({"comment": text})}).encode()


def as_csv(text: str) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerow(["id-1", text, "down"])
    return file.getvalue().encode()


def as_html(text: str) -> bytes:
    return f"<tr><td>1</td><td><q>{html.escape(text)}</q></td></tr>".encode()


def as_entities(text: str) -> bytes:
    return f"<p>{''.join(f'&#{ord(one)};' for one in text)}</p>".encode()


def as_yaml(text: str) -> bytes:
    return f"- vars:\n    prompt: {json.dumps(text, ensure_ascii=False)}\n".encode()


def as_zip(text: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", f"<si><t>{html.escape(text)}</t></si>")
    return file.getvalue()


def as_parquet(text: str) -> bytes:
    file = io.BytesIO()
    pl.DataFrame({"n": [1], "nested": [[{"role": "user", "content": text}]]}).write_parquet(file, compression="zstd")
    return file.getvalue()


FORMS: dict[str, Callable[[str], bytes]] = {
    "plain": lambda text: text.encode(),
    "log line": lambda text: f"2026-09-07 12:00:00 - {json.dumps(text, ensure_ascii=False)}\n".encode(),
    "JSON lines with escapes": as_jsonl,
    "JSON within JSON": as_json_in_json,
    "CSV": as_csv,
    "HTML": as_html,
    "HTML entities": as_entities,
    "YAML": as_yaml,
    "gzip": lambda text: gzip.compress(as_jsonl(text)),
    "zip": as_zip,
    "Parquet": as_parquet,
    "UTF-16": lambda text: f'"{text}"'.encode("utf-16"),
    "URL": lambda text: f'"{quote(text)}"'.encode(),
    "capitals": lambda text: f'"{text.upper()}"'.encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_text_is_found_in_a_file_of_any_form(tmp_path: Path, form: str) -> None:
    for number, said in enumerate(PLANTED.values()):
        (tmp_path / f"{number}.bin").write_bytes(FORMS[form](said))
    found = Found(sought(PLANTED))
    search_files(tmp_path, "home", found)
    for number, (name, said) in enumerate(PLANTED.items()):
        place, wanted = f"home/{number}.bin", wording([said])
        hits = found.stretches.get(place, set()) | found.short.get(place, set())
        assert hits & {*wanted.stretches, *wanted.short}, (form, name)


def test_a_quote_from_the_middle_is_found(tmp_path: Path) -> None:
    """Whoever quotes twice the length of a stretch quotes one."""
    for name, said in PLANTED.items():
        if name.endswith("10000"):
            (tmp_path / f"{name}.txt").write_text(f"They say that {said[4321:4441]}, and so on.")
    found = Found(sought(PLANTED))
    search_files(tmp_path, "home", found)
    assert len(found.stretches) == 12


def test_what_others_wrote_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "others.txt").write_text("Wie bestelle ich das ab?\nКак отменить подписку?\n解約したいです。\n" * 50)
    found = Found(sought(PLANTED))
    search_files(tmp_path, "home", found)
    assert (found.stretches, found.short) == ({}, {})


def test_every_text_is_found_in_every_column_of_the_databases(database: Database) -> None:
    with psycopg.connect(database.address()) as connection:
        connection.execute("CREATE TABLE stray (a text, b jsonb, c text[], d bytea)")
        for said in PLANTED.values():
            written = json.dumps({"x": said})
            for row in ((said, None, None, None), (None, written, None, None), (None, None, [said], None),
                        (None, None, None, said.encode())):  # fmt: skip
                connection.execute("INSERT INTO stray VALUES (%s, %s, %s, %s)", row)
    columns = {"a": 0, "b": 0, "c": 0, "d": 0}
    for column in columns:
        with psycopg.connect(database.address()) as connection:
            connection.execute("DROP TABLE IF EXISTS only_one")
            connection.execute(f"CREATE TABLE only_one AS SELECT {column} FROM stray WHERE {column} IS NOT NULL")
        found = Found(sought(PLANTED))
        search_database(database.address(), "store", found, leave_out=lambda place: place != "store.only_one")
        hits = found.stretches.get("store.only_one", set()) | found.short.get("store.only_one", set())
        for name, said in PLANTED.items():
            wanted = wording([said])
            assert hits & {*wanted.stretches, *wanted.short}, (column, name)


def file_in(place: Place) -> str:
    """A file that this entry covers, in a form of its own."""
    return place.name.partition("/")[2].replace("*", "2026-09-07.jsonl", 1).replace("*", "x")


def searched_files() -> list[Place]:
    return [place for place in (*DATA, *HOME) if not place.unsearched]


def test_a_text_in_every_registered_file_is_reported_or_read_as_what_everybody_may_have(
    database: Database, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    frames = ParquetFolder(str(home / "data"))
    scripts = list(WORDS)
    places = searched_files()
    planted = {place.name: text(scripts[number % 12], 200 + number) for number, place in enumerate(places)}
    assert len(planted) > 30
    for place in places:
        root = home / "data" if place.name.startswith("data/") else home
        path = root / file_in(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_jsonl(planted[place.name]))
    said = wording(planted.values())
    result = verify(database, frames, home, SUBJECT, Scope(stretches=said.stretches, short=said.short))
    for place in places:
        where = f"{place.name.split('/')[0]}/{file_in(place)}"
        assert registered(where) is not None
        others = place.others  # a row there that is not the subject's is somebody else's
        assert others or any(where in line for line in result.left), place.name


def test_a_text_in_every_registered_table_is_reported(database: Database, tmp_path: Path) -> None:
    """Tables as they are, with one row more that somebody forgot to register the erasure of."""
    written = PLANTED["Japanese 40"]
    said = wording([written])
    with psycopg.connect(database.address()) as connection:
        connection.execute("INSERT INTO action (recommendation_id, kind, statement, first_week, last_week)"
                           " VALUES ('r', 'k', %s, '2026-09-07', '2026-09-07')", (written,))  # fmt: skip
        connection.execute("INSERT INTO judge_reply (key, reply) VALUES ('k', %s)", (as_jsonl(written),))
        connection.execute("INSERT INTO refusal (id, tenant, day, category, source, place, reason, payload)"
                           " VALUES (gen_random_uuid(), 'default', '2026-09-07', 'quarantined', 's', 'p', 'r', %s)",
                           (json.dumps({"comment": written}),))  # fmt: skip
    result = verify(database, ParquetFolder(str(tmp_path / "data")), tmp_path, SUBJECT, Scope(stretches=said.stretches))
    for table in ("action", "judge_reply", "refusal"):
        assert any(line.endswith(f"in store.{table}") for line in result.left), result.left


def test_a_short_text_is_not_mistaken_for_a_part_of_other_words(database: Database, tmp_path: Path) -> None:
    (tmp_path / "rejects").mkdir()
    (tmp_path / "rejects" / "a.jsonl").write_text('{"comment": "Dankeschön an alle"}\n')
    said = wording(["Danke"])
    result = verify(database, ParquetFolder(str(tmp_path / "data")), tmp_path, SUBJECT, Scope(short=said.short))
    assert result.left == ()
    (tmp_path / "rejects" / "a.jsonl").write_text('{"comment": "DANKE!"}\n')
    result = verify(database, ParquetFolder(str(tmp_path / "data")), tmp_path, SUBJECT, Scope(short=said.short))
    assert result.left == ("1 short texts of the subject in home/rejects/a.jsonl",)


def test_what_cannot_be_read_is_said(database: Database, tmp_path: Path) -> None:
    """A Parquet file that a crash left without its end holds compressed words."""
    whole = as_parquet(PLANTED["Cyrillic 400"])
    torn = tmp_path / "data" / "clean_feedback" / ".2026-09-07.parquet.1.00ff00ff.partial"
    torn.parent.mkdir(parents=True)
    torn.write_bytes(whole[:-40])
    (tmp_path / "notes.7z").write_bytes(b"7z\xbc\xaf\x27\x1c and so on")
    result = verify(database, ParquetFolder(str(tmp_path / "data")), tmp_path, SUBJECT, Scope())
    assert [line.split(",")[0] for line in result.left] == [
        "data/clean_feedback/.2026-09-07.parquet.1.00ff00ff.partial", "home/notes.7z",
    ]  # fmt: skip
    assert set(result.unsearched) == {line.split(",")[0] for line in result.left}


def test_the_persons_own_id_is_searched_and_reported(database: Database, tmp_path: Path) -> None:
    (tmp_path / "rejects").mkdir()
    (tmp_path / "rejects" / "a.jsonl").write_text(json.dumps({"comment": "ask BJÖRN.ÆSIR about it"}) + "\n")
    with psycopg.connect(database.address()) as connection:
        connection.execute(
            "INSERT INTO interaction_key VALUES ('default', 'content', 'profile:björn.æsir', %s)", (str(uuid4()),)
        )
    frames = ParquetFolder(str(tmp_path / "data"))
    result = verify(database, frames, tmp_path, SUBJECT, Scope())
    assert result.left == ()
    assert dict(result.mentions) == {"home/rejects/a.jsonl": 1, "store.interaction_key": 1}
    assert [*result.mentioned_in] == ["interaction_key"]
    nobody = verify(database, frames, tmp_path, replace(SUBJECT, user_id="Æsir"), Scope())
    assert dict(nobody.mentions) == {"home/rejects/a.jsonl": 1, "store.interaction_key": 1}  # a word of it
    part = verify(database, frames, tmp_path, replace(SUBJECT, user_id="jörn"), Scope())
    assert dict(part.mentions) == {}


def test_a_text_without_letters_is_counted_as_not_sought() -> None:
    assert (wording(["ok", "👍👍👍", "うん", "はい。"]).unsearched, MIN_LETTERS) == (3, 3)


def test_files_in_a_bucket_are_searched(tmp_path: Path) -> None:
    root = UPath("memory://planted")
    (root / "weekly_report").mkdir(parents=True)
    (root / "weekly_report" / "2026-09-07.html").write_bytes(as_html(PLANTED["Thai 40"]))
    found = Found(sought(PLANTED))
    search_files(root, "data", found)
    assert [*found.stretches] == ["data/weekly_report/2026-09-07.html"]


def test_the_register_has_one_entry_for_each_name() -> None:
    names = [place.name for place in REGISTER]
    assert len(names) == len(set(names))
