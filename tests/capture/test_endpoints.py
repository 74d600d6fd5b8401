"""What is told about the API, forms of every kind, tags, and the commands that file feedback."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from feedback_client import NoServiceError
from feedback_client.verbs import set_default_client
from typer.testing import CliRunner

from feedback_pipeline import capture_feedback, collect_explicit_feedback, insert_feedback, log_ab_test, log_llm_request
from feedback_pipeline.capture.verbs import default_client
from feedback_pipeline.cleaning.tags import look_alikes, normalised_tags
from feedback_pipeline.cli import capture as commands
from feedback_pipeline.settings import Settings
from tests.capture.conftest import Running

app = typer.Typer()
commands.mount(app)
THUMB = {"content_type": "qa_answer", "content_id": "7", "rating": "true"}


def test_the_endpoints_are_listed_and_described_offline(service: Running) -> None:
    found = httpx.get(service.url).json()
    assert any(item["path"] == "/v1/feedback" and item["does"] for item in found["endpoints"])
    page = httpx.get(service.url + "/docs")
    assert page.status_code == 200
    assert "/v1/feedback/batch" in page.text
    assert "https://" not in page.text.replace("https://app.example", "")  # nothing is fetched from elsewhere
    assert httpx.get(service.url + "/static/docs.css").status_code == 200


def test_forms_of_both_kinds_are_votes(api: httpx.Client) -> None:
    comment = {"comment": "größer\nals"}
    urlencoded = api.post("/v1/feedback", data=THUMB | comment)
    multipart = api.post("/v1/feedback", files={name: (None, text) for name, text in (THUMB | comment).items()})
    for answer in (urlencoded, multipart):
        assert answer.status_code == 201, answer.text
        found = api.get(f"/v1/feedback/{answer.json()['id']}").json()
        assert (found["thumb"], found["comment"]) == (True, "größer\nals")
    upload = api.post("/v1/feedback", files={"rating": ("a.txt", b"true")})
    assert upload.status_code == 400
    broken = api.post("/v1/feedback", content=b"x", headers={"Content-Type": "multipart/form-data; boundary=y"})
    assert broken.status_code == 400


def test_the_old_name_of_the_endpoint_takes_votes(api: httpx.Client) -> None:  # D
    answer = api.post("/api/feedback", json={"message_id": "m-1", "feedback": "up", "user_id": "ada"})
    assert answer.status_code == 201
    (recent,) = api.get("/api/feedback").json()["feedback"]
    assert recent["feedback"] == "up"


def test_the_envelopes_prompt_version_counts(api: httpx.Client) -> None:  # A2
    envelope = {
        "content_type": "pr_summary",
        "snapshot": {"summary": "s"},
        "input": {"pr_id": 1},
        "prompt_version": "5.0.0",
    }
    body = {"content_type": "pr_summary", "content_id": "1", "rating": True, "content_snapshot": envelope}
    found = api.get(f"/v1/feedback/{api.post('/v1/feedback', json=body).json()['id']}").json()
    assert (found["prompt_version"], found["content_snapshot"]) == ("5.0.0", {"summary": "s"})


@pytest.mark.parametrize("tag", ["Code_Review", "code review", " CODE-REVIEW ", "code/review", "ｃｏｄｅ_review"])
def test_a_tag_is_written_one_way(tag: str) -> None:
    assert normalised_tags([tag, "", " "]) == ["code-review"]


def test_tags_that_look_alike_are_pointed_out(api: httpx.Client) -> None:
    def vote(*tags: str) -> dict[str, Any]:
        body = {"kind": "explicit", "thumb": True, "answer": {"prompt": "p", "output": "o", "tags": tags}}
        return dict(api.post("/v1/feedback", json=body).json())

    assert "look_alikes" not in vote("Code_Review", "v1")
    assert vote("code-reviews", "v2")["look_alikes"] == {"code-reviews": ["code-review"]}
    found = api.get("/v1/tags").json()
    assert found["tags"] == ["code-review", "code-reviews", "v1", "v2"]
    assert look_alikes(["data-quality"], ["quality-data", "data-qualty", "billing"]) == {
        "data-quality": ["quality-data", "data-qualty"]
    }


@pytest.fixture
def alone(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with a store and no service."""
    monkeypatch.setenv("FEEDBACK_HOME", str(settings.home))
    monkeypatch.setenv("FEEDBACK_DATABASE_URL", str(settings.database_url))
    for name in ("FEEDBACK_API_URL", "FEEDBACK_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    set_default_client(None)
    yield
    set_default_client(None)


def test_the_verbs_of_the_designs_work_on_a_machine_with_a_store(alone: None) -> None:
    @log_llm_request(prompt_version="v1")
    def answer(prompt: str) -> str:
        return f"you said {prompt}"

    first = capture_feedback("p", "o", 5, True, ["Data Quality"], {"model": "m-1", "execution_time": 1.5}, "fine")
    second = collect_explicit_feedback("r-1", "up", "good")
    third = insert_feedback("c", 1, "r-1", "q", "a", "v1", "m-1", "outcome", {"task_succeeded": True})
    fourth = log_ab_test("r-1", "ada", "v2", {"task_succeeded": True})
    assert answer("hello") == "you said hello"
    store = default_client()
    found = [store.get(str(identity)) for identity in (first, second, third, fourth)]
    assert (found[0]["stars"], found[0]["tags"], found[0]["comment"]) == (5, ["data-quality"], "fine")
    assert (found[1]["thumb"], found[2]["value"]) == (True, {"task_succeeded": True})
    assert found[3]["value"] == {"task_succeeded": True, "variant": "v2"}


def test_the_commands_file_ratings(alone: None) -> None:  # C1
    runner = CliRunner()
    made = runner.invoke(app, ["init"])
    assert made.exit_code == 0, made.output
    assert "fbk_" in made.output
    assert "fbk_" not in runner.invoke(app, ["init"]).output
    given = ["capture", "--prompt", "p", "--output", "o", "--rating", "4", "--thumbs-down", "--framework", "cot",
             "--model", "m-1", "--notes", "n"]  # fmt: skip
    first = runner.invoke(app, [*given, "--tags", "Code_Review,b"])
    assert first.exit_code == 0, first.output
    found = default_client().get(first.output.split()[0])
    assert (found["stars"], found["thumb"], found["tags"], found["framework"]) == (
        4,
        False,
        ["b", "code-review"],
        "cot",
    )
    assert (
        "the tag code-reviews looks like code-review" in runner.invoke(app, [*given, "--tags", "code reviews"]).output
    )
    assert runner.invoke(app, ["capture", "--prompt", "p", "--output", "o"]).exit_code == 2


def test_without_service_and_store_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEEDBACK_HOME", str(tmp_path / "nothing"))
    for name in ("FEEDBACK_DATABASE_URL", "FEEDBACK_API_URL", "FEEDBACK_API_KEY", "POSTGRES_HOST"):
        monkeypatch.delenv(name, raising=False)
    set_default_client(None)
    with pytest.raises(NoServiceError, match=r"FEEDBACK_API_URL.*feedback init"):
        capture_feedback("p", "o", 5)
    monkeypatch.setenv("FEEDBACK_API_URL", "http://127.0.0.1:9")
    with pytest.raises(NoServiceError, match="FEEDBACK_API_KEY is not set"):
        capture_feedback("p", "o", 5)
