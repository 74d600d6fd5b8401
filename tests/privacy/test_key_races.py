"""Processes that open an empty home, or different homes on one empty store, in the same moment: one key wins."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.privacy.pseudonyms import MissingKeyError, Pseudonymiser, WrongKeyError
from feedback_pipeline.settings import Settings
from feedback_pipeline.store.database import Database, key_fingerprints

PROCESSES, ROUNDS = 4, 6


class Racer:
    """A process that opens what it is told to, on a signal."""

    def __init__(self) -> None:
        program = Path(__file__).parent / "opened_together.py"
        self._process = subprocess.Popen(
            [sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def says(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def told(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def end(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def racers() -> Iterator[list[Racer]]:
    started = [Racer() for _ in range(PROCESSES)]
    assert [racer.says() for racer in started] == ["ready"] * PROCESSES
    yield started
    for racer in started:
        racer.end()


def race(racers: list[Racer], homes: list[Path], database: Database) -> list[str]:
    for racer, home in zip(racers, homes, strict=True):
        racer.told(f"{home} {database.url}")
    assert [racer.says() for racer in racers] == ["at the line"] * len(racers)
    for racer in racers:
        racer.told("go")
    return [racer.says() for racer in racers]


def forget_keys(database: Database) -> None:
    with psycopg.connect(database.url) as connection:
        connection.execute("DELETE FROM setting WHERE starts_with(name, 'pseudonym_key/')")


def test_processes_that_open_an_empty_home_together_have_one_key(
    racers: list[Racer], database: Database, tmp_path: Path
) -> None:
    for number in range(ROUNDS):
        home = tmp_path / f"home-{number}"
        marks = race(racers, [home] * PROCESSES, database)
        assert set(marks) == {key_fingerprints(database)["k1"]}
        assert [path.name for path in home.iterdir()] == ["keys.json"]
        forget_keys(database)


def test_of_homes_on_one_store_the_first_wins_and_the_others_are_refused(
    racers: list[Racer], database: Database, tmp_path: Path
) -> None:
    for number in range(ROUNDS):
        homes = [tmp_path / f"{number}-{racer}" for racer in range(PROCESSES)]
        for home in homes:
            Pseudonymiser.open(home, production=False)
        marks = race(racers, homes, database)
        assert marks.count("refused") == PROCESSES - 1
        assert set(marks) == {key_fingerprints(database)["k1"], "refused"}
        forget_keys(database)


def pipeline(home: Path, database: Database) -> Pipeline:
    return Pipeline(Settings.from_environment({"FEEDBACK_HOME": str(home), "FEEDBACK_DATABASE_URL": database.url}))


def test_a_wrong_key_file_leaves_no_mark_in_the_store(database: Database, tmp_path: Path) -> None:
    assert pipeline(tmp_path / "first", database).pseudonymiser
    before = key_fingerprints(database)
    Pseudonymiser.open(tmp_path / "second", production=False).rotate(tmp_path / "second")
    with pytest.raises(WrongKeyError, match="another key k1"):
        pipeline(tmp_path / "second", database).pseudonymiser  # noqa: B018
    assert key_fingerprints(database) == before  # nor its second key's


def test_beside_a_store_that_has_pseudonyms_no_key_is_made_up(database: Database, tmp_path: Path) -> None:
    assert pipeline(tmp_path / "first", database).pseudonymiser
    with pytest.raises(MissingKeyError, match="put the file there that the existing pseudonyms were made with"):
        pipeline(tmp_path / "second", database).pseudonymiser  # noqa: B018
    assert not (tmp_path / "second").exists()


def test_of_two_rotations_at_once_none_loses_the_other_ones_key(tmp_path: Path) -> None:
    first = Pseudonymiser.open(tmp_path, production=False)
    again = Pseudonymiser.open(tmp_path, production=False)
    rotated = first.rotate(tmp_path)
    with pytest.raises(WrongKeyError, match="open it again before rotating"):
        again.rotate(tmp_path)
    assert Pseudonymiser.open(tmp_path, production=True) == rotated
