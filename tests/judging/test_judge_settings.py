"""How the model is asked is a setting, carried through to the judgement; and answers of a file can be judged."""

import json
import logging
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer import Typer
from typer.testing import CliRunner

from feedback_pipeline.cli import judging as commands
from feedback_pipeline.judging.answer_files import AnswerFileError, read_answers
from feedback_pipeline.judging.judgements import judge_answers, judge_pairs
from feedback_pipeline.judging.model_judge import configured_judge, judge_endpoint
from feedback_pipeline.llm.calls import CallLayer
from feedback_pipeline.llm.progress import EVERY_SECONDS, LoggedProgress
from feedback_pipeline.settings import Settings, SettingsError
from feedback_pipeline.store.database import Database
from tests.support.judge_server import Answer, OpenAITestServer, judged_content, serve, verdicts

ANSWERS = pl.DataFrame({"interaction_id": ["1", "2"], "prompt": ["a?", "b?"], "answer": ["A.", "B."]})


def environment(server: OpenAITestServer, folder: Path, **more: str) -> dict[str, str]:
    given = {
        "FEEDBACK_HOME": str(folder),
        "FEEDBACK_JUDGE_MODEL": "judge-1",
        "FEEDBACK_JUDGE_BASE_URL": server.base_url,
        "OPENAI_API_KEY": server.api_key,
    }
    return given | more


def judged_with(server: OpenAITestServer, folder: Path, answers: pl.DataFrame = ANSWERS, **more: str) -> pl.DataFrame:
    settings = Settings.from_environment(environment(server, folder, **more))
    return judge_answers(answers, configured_judge(settings, CallLayer(judge_endpoint(settings))))


def test_samples_are_asked_as_often_as_the_setting_says(tmp_path: Path) -> None:
    with serve() as server:
        judged = judged_with(server, tmp_path, FEEDBACK_JUDGE_SAMPLES="3")
        assert len(server.chats()) == 2 * 3
    # the spread over samples is only known where there are several
    assert judged["deviation"].to_list() == [0.0] * judged.height


def test_the_mode_decides_what_is_asked(tmp_path: Path) -> None:
    def likely(body: dict[str, Any]) -> Answer:
        return verdicts(body, "4", "A") if "response_format" in body else Answer("4", probabilities={"4": 1.0})

    paths = {}
    with serve(likely) as server:
        for mode in ("schema", "probabilities", "decisions"):
            server.journal.clear()
            judged = judged_with(server, tmp_path, FEEDBACK_JUDGE_MODE=mode)
            paths[mode] = (server.chats()[0].path, "logprobs" in server.chats()[0].body)
            assert judged["judge"].unique().to_list() == [f"judge-1/answer_quality-1.0/{mode}"]
    chat, decisions = "/v1/chat/completions", "/v1/decisions"
    assert paths == {"schema": (chat, False), "probabilities": (chat, True), "decisions": (decisions, False)}


def test_a_rubric_of_ones_own_is_judged_by(tmp_path: Path) -> None:
    rubric = tmp_path / "own.yaml"
    criterion = {"name": "wit", "question": "Funny?", "anchors": {"1": "no", "3": "somewhat", "5": "yes"}}
    # JSON is YAML
    rubric.write_text(json.dumps({"name": "own", "version": "2", "purpose": "x", "criteria": [criterion]}))
    with serve() as server:
        assert judged_with(server, tmp_path, FEEDBACK_JUDGE_RUBRIC=str(rubric))["criterion"].to_list() == ["wit"] * 2
        for bad in ("nothing", str(tmp_path / "absent.yaml"), str(tmp_path)):
            with pytest.raises(SettingsError, match="FEEDBACK_JUDGE_RUBRIC"):
                judged_with(server, tmp_path, FEEDBACK_JUDGE_RUBRIC=bad)


def test_limits_of_the_settings_reach_the_endpoint(tmp_path: Path) -> None:
    names = {"CONCURRENCY": "3", "REQUESTS_A_MINUTE": "60", "TOKENS_A_MINUTE": "90000"}
    with serve() as server:
        given = environment(server, tmp_path) | {f"FEEDBACK_JUDGE_{name}": value for name, value in names.items()}
        endpoint = judge_endpoint(Settings.from_environment(given))
    assert (endpoint.concurrency, endpoint.requests_per_minute, endpoint.tokens_per_minute) == (3, 60, 90_000)


@pytest.mark.parametrize("name", ["MODE", "SAMPLES", "CONCURRENCY", "REQUESTS_A_MINUTE", "NONCE"])
def test_a_setting_that_makes_no_sense_is_refused_by_name(name: str) -> None:
    with pytest.raises(SettingsError, match=f"FEEDBACK_JUDGE_{name}"):
        Settings.from_environment({f"FEEDBACK_JUDGE_{name}": "-1"})


def test_a_reference_answer_is_shown_to_the_judge_of_answers_and_of_pairs(tmp_path: Path) -> None:
    answers = ANSWERS.with_columns(reference=pl.Series(["What is right.", None]))
    pairs = answers.head(1).with_columns(other_interaction_id=pl.lit("3"), other_answer=pl.lit("C."))
    with serve() as server:
        judged_with(server, tmp_path, answers)
        shown = [judged_content(entry.body).get("reference answer") for entry in server.chats()]
        assert sorted(map(str, shown)) == ["None", "What is right."]
        server.journal.clear()
        settings = Settings.from_environment(environment(server, tmp_path))
        judge_pairs(pairs, configured_judge(settings, CallLayer(judge_endpoint(settings))))
        assert {judged_content(entry.body)["reference answer"] for entry in server.chats()} == {"What is right."}


def test_progress_is_logged_at_times_and_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    now = iter([0.0, 1.0, EVERY_SECONDS + 1, EVERY_SECONDS + 2, EVERY_SECONDS + 3, EVERY_SECONDS + 3])
    progress = LoggedProgress(lambda: next(now))
    for done in (1, 2, 3, 4):
        progress(done, 4)
    assert [record.getMessage() for record in caplog.records] == [
        "judging: 2 of 4 calls answered",
        "judging: 4 of 4 calls answered",
    ]


def write(folder: Path, rows: pl.DataFrame, kind: str) -> Path:
    path = folder / f"answers.{kind}"
    {"parquet": rows.write_parquet, "csv": rows.write_csv, "jsonl": rows.write_ndjson}[kind](path)
    return path


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_answers_of_a_file_are_redacted_before_they_leave(tmp_path: Path, kind: str) -> None:
    rows = pl.DataFrame({"prompt": ["Who?"], "answer": ["Write to jane.doe@example.org."]})
    read = read_answers(write(tmp_path, rows, kind))
    assert "jane.doe" not in read["answer"][0]
    assert read["interaction_id"].to_list() == ["row-1"]


def test_a_file_without_answers_is_refused_without_quoting_it(tmp_path: Path) -> None:
    with pytest.raises(AnswerFileError, match="no column answer"):
        read_answers(write(tmp_path, pl.DataFrame({"prompt": ["secret"]}), "csv"))
    broken = tmp_path / "broken.jsonl"
    broken.write_text("{secret")
    with pytest.raises(AnswerFileError) as refused:
        read_answers(broken)
    assert "secret" not in str(refused.value)
    with pytest.raises(AnswerFileError, match="none of"):
        read_answers(tmp_path / "answers.xlsx")


def run(monkeypatch: pytest.MonkeyPatch, given: dict[str, str], *arguments: str) -> Any:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    app = Typer()
    commands.mount(app)
    return CliRunner().invoke(app, ["evaluate", *arguments])


def test_evaluate_judges_a_file_once(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = ANSWERS.drop("interaction_id").with_columns(prompt_version=pl.Series(["v1", "v2"]))
    path = write(tmp_path, rows, "jsonl")

    def by_version(body: dict[str, Any]) -> Any:
        return verdicts(body, "5" if judged_content(body)["answer"] == "B." else "2", "A")

    with serve(by_version) as server:
        given = environment(server, tmp_path, FEEDBACK_DATABASE_URL=database.url)
        first = run(monkeypatch, given, "--answers", str(path))
        second = run(monkeypatch, given, "--answers", str(path))
        assert len(server.chats()) == 2
        sampled = run(monkeypatch, given, "--answers", str(path), "--samples", "3", "--mode", "decisions")
        assert [entry.path for entry in server.chats()[2:]] == ["/v1/decisions"] * 6
    assert (first.exit_code, second.exit_code, sampled.exit_code) == (0, 0, 0)
    assert "2 calls, 0 of 2 answered from the cache" in first.output
    assert "0 calls, 2 of 2 answered from the cache" in second.output
    line = next(line for line in first.output.splitlines() if "v2" in line and "satisfaction" in line)
    assert "5.00" in line


def test_evaluate_takes_labels_writes_verdicts_and_compares_versions(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # B.19
    count = 60
    rows = pl.DataFrame({
        "prompt": [f"q{n // 2}" for n in range(count)], "answer": ["B." if n % 2 else "A." for n in range(count)],
        "prompt_version": ["v2" if n % 2 else "v1" for n in range(count)],
        "label": [("up" if n % 2 else "down") if n % 9 else "up" for n in range(count)],
    })  # fmt: skip
    path, verdicts_file = write(tmp_path, rows, "jsonl"), tmp_path / "verdicts.csv"

    def by_answer(body: dict[str, Any]) -> Any:
        return verdicts(body, "5" if judged_content(body)["answer"] == "B." else "2", "A")

    with serve(by_answer) as server:
        given = environment(server, tmp_path, FEEDBACK_DATABASE_URL=database.url)
        done = run(monkeypatch, given, "--answers", str(path), "--output", str(verdicts_file))
    assert done.exit_code == 0, done.output
    written = pl.read_csv(verdicts_file)
    assert set(written["interaction_id"]) == {f"row-{n}" for n in range(1, count + 1)}
    assert {"judge", "criterion", "verdict", "rating"} <= set(written.columns)
    assert "v2 against v1, satisfaction" in done.output
    wrong = write(tmp_path, rows.with_columns(label=pl.lit("great")), "csv")
    assert "none of up, neutral, down" in run(monkeypatch, given, "--answers", str(wrong)).output
    odd = run(monkeypatch, given, "--answers", str(path), "--output", str(tmp_path / "verdicts.xlsx"))
    assert "not .xlsx" in odd.output


def test_evaluate_judges_pairs_of_a_file_in_both_orders(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = ANSWERS.drop("interaction_id").with_columns(other_answer=pl.lit("C."))
    with serve() as server:
        given = environment(server, tmp_path, FEEDBACK_DATABASE_URL=database.url)
        result = run(monkeypatch, given, "--answers", str(write(tmp_path, rows, "csv")))
        assert len(server.chats()) == 4
    assert result.exit_code == 0
    # the test server always prefers the first slot
    line = next(line for line in result.output.splitlines() if "satisfaction" in line)
    assert "100.0%" in line


def test_evaluate_needs_a_model_for_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FEEDBACK_JUDGE_MODEL", raising=False)
    result = run(monkeypatch, {"FEEDBACK_HOME": str(tmp_path)}, "--answers", str(write(tmp_path, ANSWERS, "csv")))
    assert result.exit_code != 0
    assert "FEEDBACK_JUDGE_MODEL" in f"{result.output}{result.exception}"
