"""The commands about people: what is asked for is done, shown first, and said plainly where it cannot be."""

import json
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import typer
from typer.testing import CliRunner

from feedback_pipeline.cli import privacy as commands
from feedback_pipeline.ingest.importing import import_sources
from feedback_pipeline.ingest.intake import PrivacyRules
from feedback_pipeline.ingest.sources import load_sources
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.privacy.redaction import redact_frame
from feedback_pipeline.store.database import Database
from tests.support.erasure_world import ADA, BEN, REFUSED, SECRET, fill, key, pipeline_at
from tests.support.store_rows import answer_id

ESCAPE = "\x1b]0;owned\x07"
SOURCES = """
sources:
  votes:
    kind: csv
    path: votes.csv
    mapping: {id: id, user: who, occurred_at: at, stars: stars, comment: words, output: answer}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def app(database: Database, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    """The command line on a store with Ada's and Ben's rows; every command opens it anew, as a process does."""
    fill(pipeline_at(home, database))
    monkeypatch.setattr(commands, "open_pipeline", lambda: pipeline_at(home, database))
    # what an instance of Dagster leaves in the environment is gone after the test
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    for name in ("DAGSTER_POSTGRES_URL", "DAGSTER_DG_UPDATE_CHECK_ENABLED"):
        monkeypatch.setenv(name, "")
    made = typer.Typer()
    commands.mount(made)
    return made


def said(app: typer.Typer, *arguments: str, code: int = 0, answer: str | None = None) -> str:
    result = CliRunner().invoke(app, arguments, input=answer)
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


def rows(database: Database, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database.address()) as connection:
        return connection.execute(statement).fetchall()


def imported(pipeline: Pipeline, folder: Path, *lines: str) -> None:
    """Deliveries through the privacy of an import."""
    (folder / "sources.yaml").write_text(SOURCES)
    (folder / "votes.csv").write_text("\n".join(["id,who,at,stars,words,answer", *lines]) + "\n")
    privacy = PrivacyRules(redact_frame, pipeline.pseudonymiser.pseudonyms)
    sources = load_sources(folder / "sources.yaml")
    import_sources(pipeline.database, sources, privacy, pipeline.settings.home, now=datetime(2026, 9, 12, tzinfo=UTC))


def test_a_wish_is_shown_changed_and_obeyed(app: typer.Typer, database: Database, home: Path, tmp_path: Path) -> None:
    assert "collection yes, analysis yes, training yes" in said(app, "consent", "--user", ADA)
    assert "collection yes, analysis yes, training no" in said(app, "consent", "--user", ADA, "--no-training")
    refused = said(app, "consent", "--user", ADA, "--no-collect")
    assert "collection no, analysis no, training no" in refused
    assert "2 answers and 3 events from before are kept: feedback forget" in refused
    imported(pipeline_at(home, database), tmp_path, "1,ada,2026-09-07T10:00:00Z,5,hello,A.")
    counted = rows(database, "SELECT category, payload FROM refusal WHERE source = 'votes' AND place = 'withheld'")
    assert counted == [("opted_out", None)]
    assert "collection yes, analysis yes" in said(app, "consent", "--user", ADA, "--collect", "--analysis")


def test_a_wish_of_somebody_never_seen_and_of_an_unknown_tenant(app: typer.Typer) -> None:
    assert "The store holds no row of this person" in said(app, "consent", "--user", "cleo", "--no-collect")
    unknown = said(app, "consent", "--user", ADA, "--tenant", "acme", "--no-collect", code=1)
    assert "there is no tenant 'acme'; there are: default" in unknown
    assert "empty user id" in said(app, "consent", "--user", "", code=1)


def test_whoever_refused_stays_refused_after_the_key_was_rotated(
    app: typer.Typer, database: Database, home: Path, tmp_path: Path
) -> None:
    before = key(pipeline_at(home, database), ADA), key(pipeline_at(home, database), BEN)
    said(app, "consent", "--user", ADA, "--no-collect")
    assert "a new person" in said(app, "pseudonyms", "rotate", code=1, answer="n\n")
    assert len(pipeline_at(home, database).pseudonymiser.keys) == 1
    assert "made under k2" in said(app, "pseudonyms", "rotate", "--yes")
    shown = said(app, "pseudonyms", "show")
    assert "k2" in shown
    assert "finds earlier ones" in shown
    assert json.loads((home / "keys.json").read_text())["keys"]["k1"] not in shown

    rotated = pipeline_at(home, database)
    assert key(rotated, ADA) == before[0]  # she goes on being called what her consent is written under
    assert key(rotated, BEN).startswith("k2:")
    lines = [f"{number},{who},2026-09-07T1{number}:00:00Z,5,,A." for number, who in enumerate((ADA, BEN, "cleo"))]
    imported(rotated, tmp_path, *lines)
    filed = rows(database, "SELECT user_key FROM feedback WHERE source = 'votes' AND source_id IN ('0', '1', '2')")
    assert {(key(rotated, BEN),), (key(rotated, "cleo"),)} == set(filed)
    # a consent given now is written under both names, and one that is taken back holds for both
    said(app, "consent", "--user", ADA, "--collect")
    assert rows(database, "SELECT collect FROM consent") == [(True,), (True,)]
    assert key(pipeline_at(home, database), ADA).startswith("k2:")


def test_a_person_forgotten_before_a_rotation_is_not_known_again_after_it(
    app: typer.Typer, database: Database, home: Path, tmp_path: Path
) -> None:
    said(app, "forget", "--user", ADA, "--yes")
    said(app, "pseudonyms", "rotate", "--yes")
    imported(pipeline_at(home, database), tmp_path, "1,ada,2026-09-07T10:00:00Z,5,hello,A.")
    assert rows(database, "SELECT count(*) FROM feedback WHERE source = 'votes' AND source_id = '1'") == [(0,)]
    assert rows(database, "SELECT count(*) FROM interaction WHERE prompt IS NULL AND user_key IS NOT NULL") == [(0,)]
    assert "erased before" in said(app, "forget", "--user", ADA, "--yes", code=1)


def test_forget_shows_asks_does_and_remembers(app: typer.Typer, database: Database, home: Path) -> None:
    held = "SELECT (SELECT count(*) FROM interaction), (SELECT count(*) FROM feedback), (SELECT count(*) FROM erasure)"
    preview = "3 answers, 4 events and 1 refused rows on 2 days"
    assert preview in said(app, "forget", "--user", ADA, "--dry-run")
    assert "1 votes of other people lose their answer" in said(app, "forget", "--user", ADA, code=1, answer="n\n")
    assert rows(database, held) == [(4, 6, 0)]

    done = said(app, "forget", "--user", ADA, code=0, answer="y\n")
    assert preview in done
    for step in ("withhold", "datasets", "store", "files", "recompute", "provider files", "verification"):
        assert step in done
    assert "tables and files searched: none left" in done
    assert "remains: tombstone" in done
    assert SECRET not in done
    assert rows(database, held) == [(1, 2, 1)]

    path = next((home / "erasures").glob("*.receipt.json"))
    assert "genuine: user erased, finished" in said(app, "receipt", str(path))
    again = said(app, "forget", "--user", ADA, "--yes", code=1)
    assert "Forgotten before" in again
    assert "nothing has come in since" in again
    receipt = json.loads(path.read_text())
    receipt["finished_at"] = "2020-01-01T00:00:00+00:00"
    path.write_text(json.dumps(receipt))
    assert "was not signed with a key of this installation, or was changed" in said(app, "receipt", str(path), code=1)
    path.write_text("no JSON")
    assert "is not a receipt" in said(app, "receipt", str(path), code=1)


def test_forget_of_an_answer_and_of_a_tenant(app: typer.Typer, database: Database) -> None:
    assert "1 answers, 2 events" in said(app, "forget", "--interaction", answer_id("b1"), "--yes")
    assert rows(database, "SELECT count(*) FROM interaction") == [(3,)]
    assert "3 answers, 4 events" in said(app, "forget", "--tenant-all", "default", "--yes")
    assert rows(database, "SELECT count(*) FROM interaction") == [(0,)]
    assert rows(database, "SELECT use_for_analysis FROM tenant WHERE name = 'default'") == [(False,)]


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (("--user", "adah"), "nothing is known of this person in the tenant default"),
        (("--user", ADA, "--tenant", "acme"), "nothing is known of this person in the tenant acme"),
        (("--interaction", "0192f000-0000-7000-8000-000000000000"), "there is no answer 0192f000"),
        (("--tenant-all", "acme"), "the tenant acme has no rows"),
        (("--interaction", "4711"), "--interaction takes an id (UUID)"),
        (("--user", ""), "and --user one that is not empty"),
        ((), "give exactly one of --user, --interaction, --tenant-all"),
        (("--user", ADA, "--tenant-all", "default"), "give exactly one of"),
    ],
)
@pytest.mark.parametrize("how", ["--dry-run", "--yes"])
def test_forget_of_the_unknown_gets_a_clear_answer(
    app: typer.Typer, database: Database, arguments: tuple[str, ...], answer: str, how: str
) -> None:
    code = 2 if answer.startswith(("--", "and --", "give")) else 1  # used wrongly, or nobody there
    assert answer in said(app, "forget", *arguments, how, code=code)
    assert rows(database, "SELECT (SELECT count(*) FROM erasure), (SELECT count(*) FROM consent)") == [(0, 0)]


def test_refused_rows_are_listed_shown_corrected_and_given_up(
    app: typer.Typer, database: Database, home: Path, tmp_path: Path
) -> None:
    imported(
        pipeline_at(home, database), tmp_path,
        "1,ada,2026-09-07T10:00:00Z,9,write to ada@example.org,A.", f"2,eve,never,3,{ESCAPE}[bold]words[/],A.",
    )  # fmt: skip
    ids = dict(
        rows(database, "SELECT place, id::text FROM refusal WHERE source = 'votes' AND place LIKE 'votes.csv:%'")
    )
    listed = said(app, "quarantine", "list", "--reason", "out_of_range")
    assert ids["votes.csv:2"] in listed
    assert "stars" in listed
    assert ids["votes.csv:3"] not in listed
    shown = said(app, "quarantine", "show", ids["votes.csv:2"])
    assert "write to [EMAIL_1]" in shown
    assert "example.org" not in shown
    # a stranger's words do not speak to the terminal
    assert "\x1b" not in said(app, "quarantine", "show", ids["votes.csv:3"])

    sources = ("--sources", str(tmp_path / "sources.yaml"))
    row = ids["votes.csv:2"]
    assert "still refused: stars" in said(app, "quarantine", "readmit", row, "--set", "stars=7", *sources, code=1)
    assert "takes COLUMN=VALUE" in said(app, "quarantine", "readmit", row, "--set", "stars", *sources, code=2)
    done = said(app, "quarantine", "readmit", row, "--set", "stars=5", *sources)
    assert "re-admitted: 1 events, 1 answers" in done
    assert rows(database, "SELECT stars FROM feedback WHERE source = 'votes' AND source_id = '1'") == [(5,)]
    assert "readmitted already" in said(app, "quarantine", "readmit", row, *sources, code=1)
    assert "1 rows discarded" in said(app, "quarantine", "discard", ids["votes.csv:3"])
    assert row in said(app, "quarantine", "list", "--state", "all")
    assert "nothing is in quarantine" in said(app, "quarantine", "list", "--source", "elsewhere")
    assert "--state takes" in said(app, "quarantine", "list", "--state", "lost", code=2)
    assert "there is no refused row" in said(app, "quarantine", "show", answer_id("a1"), code=1)
    assert REFUSED not in said(app, "quarantine", "list", "--state", "all")


def test_retention_says_how_long_what_is_kept_and_applies_it(app: typer.Typer) -> None:
    shown = said(app, "retention")
    for held in ("raw text", "90", "396", "for ever", "replies of judging models"):
        assert held in shown
    # without an answer nothing is removed
    assert "Aborted" in said(app, "retention", "--apply", code=1)
    assert "0 days sealed" in said(app, "retention", "--apply", "--yes")
    assert "0 days sealed" in said(app, "retention", "--apply", answer="y\n")
