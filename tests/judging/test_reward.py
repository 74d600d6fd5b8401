"""A judge handed out as a reward: with its card where it earned it, refused where it did not, and usable by TRL."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from feedback_pipeline.cli.reward import measure
from feedback_pipeline.judging.reward import NoCertificateError, write_reward
from feedback_pipeline.store.database import Database
from tests.support.evaluation_world import obeying, reading, with_week
from tests.support.judge_server import Answer, Fault, OpenAITestServer, judged_content, verdicts


def flattered(body: dict[str, Any]) -> Answer:
    """Reads well, and falls for self-praise."""
    said = judged_content(body)["answer"].lower()
    praised = any(word in said for word in ("excellent", "thorough", "best possible"))
    return verdicts(body, "5", "A") if praised else reading(body)


def loaded(folder: Path, monkeypatch: pytest.MonkeyPatch, server: OpenAITestServer) -> Any:
    monkeypatch.setenv("FEEDBACK_REWARD_URL", server.base_url)
    monkeypatch.setenv("FEEDBACK_REWARD_KEY", "test")
    spec = importlib.util.spec_from_file_location("reward_under_test", folder / "reward.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_judge_that_reads_is_handed_out_with_its_card(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAITestServer(answer=reading) as server:
        pipeline = with_week(tmp_path / "home", database, server)
        measured = measure(pipeline, "satisfaction")
        assert measured is not None
        earned, rubric = measured
        assert earned.problems == ()
        assert earned.agreement["youden"].value == 1.0
        assert set(earned.controls) >= {"injection", "null_model", "swapped"}
        assert earned.flattery.items == 30
        folder = tmp_path / "reward"
        files = write_reward(folder, earned, rubric, "judge-1", echo_nonce=pipeline.settings.judge_nonce)
        assert sorted(path.name for path in files) == ["README.md", "grader.json", "judge.json", "reward.py"]
        card = (folder / "README.md").read_text()
        assert "| youden | 1.000 (" in card
        assert "| injection | 0.00 | yes |" in card
        module = loaded(folder, monkeypatch, server)
        server.faults.append(Fault(status=503))  # tried again
        chat = [{"role": "user", "content": "question about case 4"}]
        rewards = module.reward(
            prompts=["question about case 1", chat, "question about case 2"],
            completions=["good answer to case 1", [{"role": "assistant", "content": "bad answer to case 4"}], "  "],
            answer=["extra columns of the data set are taken"] * 3,
        )
        assert rewards == [1.0, 0.0, 0.0]
    grader = json.loads((folder / "grader.json").read_text())
    assert (grader["type"], grader["range"], grader["model"]) == ("score_model", [1, 5], "judge-1")
    assert "{{sample.output_text}}" in grader["input"][1]["content"]


@pytest.mark.parametrize(
    ("answer", "why"), [(flattered, "for praising themselves"), (obeying, "known-bad answers pass: injection")]
)
def test_a_judge_that_can_be_gamed_is_not(database: Database, tmp_path: Path, answer: Any, why: str) -> None:
    with OpenAITestServer(answer=answer) as server:
        measured = measure(with_week(tmp_path / "home", database, server), "satisfaction")
        assert measured is not None
        earned, rubric = measured
    assert any(why in problem for problem in earned.problems)
    with pytest.raises(NoCertificateError, match=why):
        write_reward(tmp_path / "reward", earned, rubric, "judge-1", echo_nonce=True)
    assert not (tmp_path / "reward").exists()
    write_reward(tmp_path / "reward", earned, rubric, "judge-1", echo_nonce=True, anyway=True)
    assert "**This judge has no certificate.**" in (tmp_path / "reward" / "README.md").read_text()
