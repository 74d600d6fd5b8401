"""Identifiers and invented personal data, checked by libraries that know their rules; and the example files."""

import csv
import json
import sqlite3
import uuid
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import iban, isbn, luhn
from stdnum.es import dni
from stdnum.us import ssn

from feedback_pipeline.sample import write_examples
from feedback_pipeline.sample.examples import create_ratings_database
from feedback_pipeline.sample.identities import LOOK_ALIKE_TYPES, PERSONAL_TYPES, pools
from feedback_pipeline.sample.uuids import time_ordered_uuids

EXAMPLES = Path(__file__).parents[2] / "examples" / "data"


@given(st.lists(st.integers(0, 2**47), min_size=1, max_size=30))
def test_uuids_are_version_7_and_carry_their_moment(milliseconds):
    moments = np.array(milliseconds, dtype=np.int64) * 1000
    for text, millisecond in zip(time_ordered_uuids(moments, np.random.default_rng(1)), milliseconds, strict=True):
        value = uuid.UUID(text)
        assert str(value) == text
        assert (value.version, value.variant) == (7, uuid.RFC_4122)
        assert value.int >> 80 == millisecond


@pytest.mark.parametrize("seed", [1, 2])
def test_invented_numbers_have_correct_check_digits(seed):
    found = pools(seed)
    assert all(luhn.is_valid(number.replace(" ", "")) for number in found["card"])
    assert all(iban.is_valid(number) for number in found["iban"])
    assert all(dni.is_valid(number) for number in found["national_id"])
    assert all(ssn.is_valid(number) for number in found["ssn"])
    assert all(isbn.is_valid(number) for number in found["isbn"])
    assert not any(luhn.is_valid(number) for number in found["not_a_card"])
    assert set(found) == {*PERSONAL_TYPES, *LOOK_ALIKE_TYPES}


def test_examples_are_small_and_match_what_is_in_the_repository(tmp_path):
    written = write_examples(tmp_path)
    assert len(written) == 5
    for path in written:
        assert path.stat().st_size < 30_000
        assert path.read_bytes() == (EXAMPLES / path.name).read_bytes()


def test_each_example_has_the_fields_of_its_system(tmp_path):
    write_examples(tmp_path)
    content = json.loads((tmp_path / "content_votes.json").read_text("utf-8"))
    assert {"content_type", "rating", "comment", "content_snapshot", "input_context", "prompt_version"} <= set(
        content[0]
    )
    service = [json.loads(line) for line in (tmp_path / "service_votes.jsonl").read_text("utf-8").splitlines()]
    assert {row["rating"] for row in service} == {1, -1}
    with (tmp_path / "message_votes.csv").open(encoding="utf-8", newline="") as file:
        messages = list(csv.DictReader(file))
    assert {row["feedback"] for row in messages} == {"up", "down"}
    requests = [json.loads(line) for line in (tmp_path / "request_feedback.jsonl").read_text("utf-8").splitlines()]
    assert {row["feedback_type"] for row in requests} == {"explicit", "implicit", "outcome"}
    for rows in (content, service, messages, requests):
        assert 20 <= len(rows) <= 40


def test_the_ratings_dump_makes_a_database_once(tmp_path):
    write_examples(tmp_path)
    database = tmp_path / "ratings.sqlite"
    create_ratings_database(tmp_path / "ratings.sql", database)
    with sqlite3.connect(database) as connection:
        count, low, high = connection.execute("SELECT count(*), min(rating), max(rating) FROM feedback").fetchone()
    assert (count, low >= 1, high <= 5) == (30, True, True)
    with pytest.raises(FileExistsError, match="remove it or name another"):
        create_ratings_database(tmp_path / "ratings.sql", database)
