"""The audit from the queue to the corrected rate, at the terminal, and the anchors it leaves behind."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
import typer
from typer.testing import CliRunner, Result

from assets import evaluation
from feedback_pipeline import evaluate_prompt_version
from feedback_pipeline.cli import judging as commands
from feedback_pipeline.judging import tables
from feedback_pipeline.judging.backends.recorded import RecordedJudge
from feedback_pipeline.judging.rubrics import RUBRIC_FOLDER
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import audits
from feedback_pipeline.store.database import Database
from tests.assets.test_evaluation_model import by_model, check, quality
from tests.support.evaluation_world import (
    BAD_EVERY,
    WEEK,
    compute,
    compute_clean,
    file_answers,
    judge_week,
    reading,
    with_week,
)
from tests.support.judge_server import OpenAITestServer, judged_content, serve, verdicts
from tests.support.store_rows import answer_id
from tests.support.world import NOW

NEXT = WEEK + timedelta(weeks=1)
FOLLOWING = WEEK + timedelta(weeks=2)

Terminal = Callable[..., Result]


@pytest.fixture
def terminal(database: Database, tmp_path: Path) -> Terminal:
    """`feedback` with the judging commands, on the test's own store and folder."""
    app = typer.Typer()
    commands.mount(app)
    environment = {"FEEDBACK_HOME": str(tmp_path / "home"), "FEEDBACK_DATABASE_URL": database.url}

    def run(*arguments: str, keys: str = "", **more: str) -> Result:
        return CliRunner(env=environment | more).invoke(app, list(arguments), input=keys, catch_exceptions=False)

    return run


def label_everything(database: Database, auditor: str = "me", only: int | None = None) -> None:
    """Somebody who can tell good answers from bad labels what is queued."""
    bad = {answer_id(f"{prefix}{n}") for prefix in ("", "next-") for n in range(0, 80, BAD_EVERY)}
    for identity in audits.read_items(database)["interaction_id"].head(only or 10_000):
        audits.add_label(database, identity, tables.OVERALL, auditor, "down" if identity in bad else "up")


def test_a_week_that_has_not_ended_is_not_drawn_and_one_that_has_is_drawn_once(
    database: Database, tmp_path: Path
) -> None:
    pipeline = with_week(tmp_path / "home", database, FEEDBACK_AUDIT_SAMPLE="30")
    judge_week(pipeline)
    running = Pipeline(pipeline.settings, NOW - timedelta(days=7))
    assert compute(evaluation.audit_queue, running, WEEK).numbers == {"queued": 0, "labelled": 0}
    for _ in range(2):
        assert compute(evaluation.audit_queue, pipeline, WEEK).numbers == {"queued": 30, "labelled": 0}
    assert audits.read_items(database)["interaction_id"].n_unique() == 30


def test_people_judge_at_the_terminal_without_seeing_anybodys_verdict(
    database: Database, tmp_path: Path, terminal: Terminal
) -> None:
    pipeline = with_week(tmp_path / "home", database)
    judge_week(pipeline)
    compute(evaluation.audit_queue, pipeline, WEEK)
    first = terminal("audit", "--name", "Ada", "--count", "3", keys="u\nx\nd\nc\n")
    assert first.exit_code == 0
    assert "3 answers judged" in first.output
    assert first.output.count("answer to case") == 3
    given = audits.read_labels(database)
    assert sorted(given["verdict"]) == ["cannot_say", "down", "up"]
    assert given["voter"].unique().to_list() == ["Ada"]
    # nothing a judge, a voter or the stratum says is shown, nor which model wrote it
    shown = first.output.lower()
    for hidden in ("local", "m1", "judged_up", "other", "thumb", "score", "v1"):
        assert hidden not in shown
    stopped = terminal("audit", "--name", "Ada", keys="q\n")
    assert "0 answers judged" in stopped.output
    assert audits.read_labels(database).height == 3


def test_a_strangers_text_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    commands._show("answered", "\x1b[2J\x9b31m[red]bold[/red]\u202egnp.exe\r\nnext")
    printed = capsys.readouterr().out
    assert not {"\x1b", "\x9b", "\u202e", "\r"} & set(printed)
    assert "[red]bold[/red]" in printed


def test_nobody_is_asked_where_nothing_was_drawn(terminal: Terminal) -> None:
    assert "Nothing is left for you to judge" in terminal("audit", "--name", "Ada").output
    assert terminal("audit", "--name", "Ada", "--criterion", "nonsense").exit_code == 2


def test_with_twenty_audited_answers_the_audit_corrects_the_judge_in_place_of_the_votes(
    database: Database, tmp_path: Path
) -> None:
    with serve(reading) as server:
        pipeline = with_week(tmp_path / "home", database, server)
        judge_week(pipeline)
        compute(evaluation.audit_queue, pipeline, WEEK)
        label_everything(database, only=10)
        assert quality(pipeline)["labels_from"] == "votes"
        label_everything(database)
        figures = quality(pipeline)
    assert figures["labels_from"] == "audit"
    assert figures["labelled"] == 80
    # every fourth answer is bad; the whole week was audited
    assert figures["corrected_rate"] == pytest.approx(1 - 1 / BAD_EVERY)
    assert figures["people_rate"] == pytest.approx(1 - 1 / BAD_EVERY)


def test_labelled_prompts_are_kept_from_training(database: Database, tmp_path: Path) -> None:
    pipeline = with_week(tmp_path / "home", database)
    judge_week(pipeline)
    compute(evaluation.audit_queue, pipeline, WEEK)
    assert evaluation.audited_prompts(pipeline).to_list() == []
    label_everything(database, only=7)
    assert evaluation.audited_prompts(pipeline).len() == 7


def _with_anchors(database: Database, home: Path, server: OpenAITestServer) -> Pipeline:
    """A week of which everything is audited, and the anchors judged in the week after."""
    pipeline = with_week(home, database, server)
    judge_week(pipeline)
    compute(evaluation.audit_queue, pipeline, WEEK)
    label_everything(database)
    compute(evaluation.judge_anchors, pipeline, NEXT)
    return pipeline


def test_anchors_are_judged_anew_each_week_and_a_steady_judge_passes(database: Database, tmp_path: Path) -> None:
    with serve(reading) as server:
        pipeline = _with_anchors(database, tmp_path / "home", server)
        asked = len(server.chats())
        steady = check(compute(evaluation.judge_anchors, pipeline, FOLLOWING), "judge_steady")
        # fifty anchors, past the cache of the week before; the same week again is free
        assert len(server.chats()) == asked + 50
        compute(evaluation.judge_anchors, pipeline, FOLLOWING)
        assert len(server.chats()) == asked + 50
    assert steady.passed
    assert steady.numbers[f"{tables.OVERALL}/shift"] == 0


def test_a_judge_that_grew_milder_under_its_name_fails_the_check(database: Database, tmp_path: Path) -> None:
    with serve(reading) as server:
        pipeline = _with_anchors(database, tmp_path / "home", server)
        server.answer = lambda body: verdicts(body, "4" if "bad" in judged_content(body)["answer"] else "5", "A")
        drifted = check(compute(evaluation.judge_anchors, pipeline, FOLLOWING), "judge_steady")
    assert not drifted.passed
    # one in four goes from 1 to 4 of 5, which is 0.75 of the scale
    assert drifted.numbers[f"{tables.OVERALL}/shift"] == pytest.approx(0.75 / BAD_EVERY, abs=0.08)


def test_the_week_is_read_at_the_terminal_version_by_version(
    database: Database, tmp_path: Path, terminal: Terminal
) -> None:
    assert terminal("evaluate").exit_code == 1
    with serve(reading) as server:
        pipeline = with_week(tmp_path / "home", database, server)
        judge_week(pipeline)
        quality(pipeline)
        compute(evaluation.version_comparison, pipeline, WEEK)
    shown = terminal("evaluate", "--week", str(WEEK), COLUMNS="200")
    assert shown.exit_code == 0
    assert all(word in shown.output for word in ("v1", "v2", "clarity", "satisfaction"))
    # all bad answers were given by v1, half of its answers
    assert "v2 against v1, satisfaction (up_rate, judge-1/answer_quality-1.0/schema): +0.500" in shown.output


def test_a_rubric_is_tested_on_the_audits_labels(database: Database, tmp_path: Path, terminal: Terminal) -> None:
    candidate = tmp_path / "candidate.yaml"
    text = (RUBRIC_FOLDER / "answer_quality.yaml").read_text()
    candidate.write_text(text.replace("all things considered", "whatever it costs"))
    with serve() as server:
        pipeline = with_week(tmp_path / "home", database, server)
        judge_week(pipeline)
        compute(evaluation.audit_queue, pipeline, WEEK)
        environment = {
            "FEEDBACK_JUDGE_MODEL": "judge-1",
            "FEEDBACK_JUDGE_BASE_URL": server.base_url,
            "OPENAI_API_KEY": "test",
            "COLUMNS": "200",
        }
        few = terminal("evaluate", "--rubric", str(candidate), **environment)
        assert few.exit_code == 1
        assert "not enough labels" in few.output
        label_everything(database)

        def better(body: dict[str, object]) -> object:
            new = "whatever it costs" in str(body["messages"])
            return reading(body) if new else verdicts(body, "5", "A")

        server.answer = better  # type: ignore[assignment]
        accepted = terminal("evaluate", "--rubric", str(candidate), **environment)
    assert accepted.exit_code == 0
    # the rubric in use takes every bad answer for a good one
    assert "agrees with people on 100.0% of 80 answers, the rubric in use on 75.0%" in accepted.output


def test_the_public_verb_takes_any_frame_and_gives_the_same_kind_back(tmp_path: Path) -> None:
    names = [f"i{n}" for n in range(30)]
    versions = ["v1", "v2"] * 15
    logged = pl.DataFrame({"interaction_id": names, "prompt": names, "answer": names, "prompt_version": versions})
    said = pl.DataFrame({"interaction_id": names, "verdict": ["up" if one == "v2" else "down" for one in versions]})
    judge = RecordedJudge("r", said)
    for given in (logged, logged.to_pandas(), logged.to_arrow()):
        found = evaluate_prompt_version(given, judge)
        assert type(found) is type(given)
        rates = pl.DataFrame(found) if not isinstance(found, pd.DataFrame) else pl.from_pandas(found)
        assert dict(rates.select("slice", "raw_rate").iter_rows()) == {"v1": 0.0, "v2": 1.0}
    with pytest.raises(ValueError, match="FEEDBACK_JUDGE_MODEL"):
        evaluate_prompt_version(logged, settings=Settings.from_environment({"FEEDBACK_HOME": str(tmp_path)}))


def test_a_second_week_is_drawn_beside_the_first(database: Database, tmp_path: Path) -> None:
    pipeline = with_week(tmp_path / "home", database, FEEDBACK_AUDIT_SAMPLE="10")
    later = Pipeline(pipeline.settings, NOW + timedelta(days=7))
    file_answers(database, NEXT, "next-")
    compute_clean(later, NEXT)
    for week in (WEEK, NEXT):
        judge_week(later, week)
        compute(evaluation.audit_queue, later, week)
    assert audits.read_items(database).group_by("week").len().sort("week")["len"].to_list() == [10, 10]
    assert by_model(later).is_empty()
