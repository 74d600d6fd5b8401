"""The TypeScript client, run by Node against a real service: the verbs of the Python client, and as small."""

import gzip
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pytest
from feedback_client.assignment import Arm, Context, Decision, Held, decide, route_to_variant
from feedback_client.configuration import content_of

from feedback_pipeline.experiments import registry
from tests.capture.conftest import Running
from tests.capture.test_experiments_client import NOW
from tests.experiments.test_assignment import CHOICES, CONDITIONS, HASHES, RANGES, experiment
from tests.support.llm_server import MODEL, provider
from tests.support.serving import serve

HERE = Path(__file__).parent / "typescript"
CLIENT = Path(__file__).parents[2] / "clients" / "typescript"
NOWHERE = "http://127.0.0.1:9"  # the discard port: nobody listens
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
TOOLS = os.environ.get("FEEDBACK_TEST_TYPESCRIPT")
needs_tools = pytest.mark.skipif(TOOLS is None, reason="run by make test-typescript, which installs the compiler")


@pytest.fixture(scope="module")
def models() -> Iterator[str]:
    url, stop = serve(provider())
    yield url
    stop()


def run(script: Path, **given: str) -> dict[str, Any]:
    ran = subprocess.run(
        ["node", str(script), json.dumps(given)], capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


@needs_node
def test_every_verb_works_and_says_what_was_wrong(service: Running) -> None:
    said = run(HERE / "verbs.mjs", url=service.url, key=service.key, nowhere=NOWHERE)
    assert said["read"] == 1
    assert said["changed"] == [False, "good", 2], "a change keeps what it does not name"
    assert said["gone"] == [True, 404, "not_found"]
    assert said["refused"] == [422, "rating"]
    assert said["many"] == [201, 422], "one bad vote takes none along"
    assert said["twice"][0] == said["twice"][1], "one key, one vote"
    assert said["state"] == [True]
    assert list(said["alike"]) == ["code-review"] or said["alike"] == {}
    assert said["queued"] == [True] * 5
    assert said["flushed"] is True
    assert said["metrics"] == {"delivered": 4, "refused": 1, "dropped": 0}
    assert said["browser"] == "string"
    assert said["asked"] == 1, "a token is asked for once"
    assert said["elsewhere"] == 403
    assert said["unreached"] == [0, True]
    assert said["dropped"] is True
    pairs = (("abcd", "bcde"), ("", ""), ("gleich", "gleich"), ("the answer", "the better answer"))
    as_python_has_it = [1 - SequenceMatcher(None, shown, kept, autojunk=False).ratio() for shown, kept in pairs]
    assert said["distance"] == pytest.approx(as_python_has_it)


@needs_node
def test_model_calls_are_logged_as_far_as_they_came(service: Running, models: str) -> None:
    got = run(HERE / "logging.mjs", url=service.url, key=service.key, models=models)
    assert got == {
        "whole": "hello", "stream": True, "failed": 404, "unreached": "TypeError", "other": 404,
    }  # fmt: skip
    rows = service.rows(
        "SELECT k.value, i.output, i.model, i.finish_reason, i.input_tokens, i.prompt_version, i.user_key IS NOT NULL"
        " FROM interaction i JOIN interaction_key k ON k.interaction_id = i.id AND k.kind = 'request'"
        " WHERE i.tenant = %s ORDER BY 1"
    )
    assert [row[0] for row in rows] == ["failed", "left", "stream", "unreached", "whole"], "every model call, once"
    found = {row[0]: row[1:] for row in rows}
    assert found["whole"] == ("hello", MODEL, "stop", 1000, "v7", True)
    assert found["stream"] == ("hi there you", MODEL, "stop", 1000, "v7", True)
    assert found["failed"][2] == found["unreached"][2] == "error"
    left = found["left"][0]
    assert left is None or "hi there you".startswith(left), "as far as it was read"


PEOPLE = [(f"user-{n}@example", {"plan": "pro" if n % 3 else "free", "age": n % 90}) for n in range(300)]
EXPERIMENTS = [
    experiment(condition={"plan": "pro"}),
    experiment(coverage=0.3, holdout=0.1, seed="näher 🙂"),
    experiment(layer="prompts", layer_range=(0.2, 0.7), condition={"age": {"$gte": 18, "$lt": "65"}}),
    experiment(contexts=(Context(0, {"plan": "pro"}, (0.1, 0.9)), Context(1, {"age": {"$in": [3]}}, (0.9, 0.1)))),
    experiment(arms=(Arm("v1", 0.2), Arm("v2", 0.3), Arm("v3", 0.5, {"text": "x"})), version=7),
    experiment(running=False),
]
ODD = [None, "", True, 1.5, ["ada"], "x" * 1_001, 7, "7"]


def short(found: Decision) -> list[Any]:
    return [found.variant, found.reason, found.propensity, found.leaf, found.version]


@needs_node
def test_experiments_are_decided_as_in_python(service: Running, tmp_path: Path) -> None:
    ours = experiment(condition={"plan": "pro"})
    registry.create(service.database, ours, now=NOW, tenant=service.tenant)
    registry.start(service.database, "tone", now=NOW, tenant=service.tenant)
    given = {
        "hashes": HASHES, "ranged": RANGES, "choices": CHOICES, "conditions": CONDITIONS, "people": PEOPLE, "odd": ODD,
        "experiments": [content_of(one) for one in EXPERIMENTS],
    }  # fmt: skip
    (tmp_path / "given.json").write_text(json.dumps(given))
    said = run(
        HERE / "experiments.mjs", given=str(tmp_path / "given.json"), url=service.url, key=service.key, nowhere=NOWHERE
    )
    assert said["hashes"] == [expected for *_, expected in HASHES]
    assert said["choices"] == [expected for *_, expected in CHOICES]
    assert said["conditions"] == [expected for *_, expected in CONDITIONS]
    for (*_, expected), found in zip(RANGES, said["ranges"], strict=True):
        assert [pytest.approx(pair) for pair in expected] == found
    for one, found in zip(EXPERIMENTS, said["decisions"], strict=True):
        assert found == [short(decide(one, unit, about)) for unit, about in PEOPLE], one
    held = Held("v2", 0.5)
    assert said["sticky"] == [short(decide(one, "ada", {"plan": "pro"}, held)) for one in EXPERIMENTS]
    assert said["odd"] == [short(decide(EXPERIMENTS[0], unit)) for unit in ODD]  # type: ignore[arg-type]
    weights = {"v1": 0.8, "v2": 0.2}
    assert said["routed"][0] == [route_to_variant(unit, weights, experiment="tone") for unit, _ in PEOPLE]
    assert said["routed"][1] == ["v9", "v1", "default"]
    assert (said["before"]["variant"], said["before"]["reason"], said["gone"]) == ("mine", "unavailable", "unavailable")
    as_python = [decide(ours, unit, about).variant for unit, about in PEOPLE]
    assert said["live"] == said["away"] == as_python
    assert said["exposed"] == [True, False]
    assert said["metrics"] == {"delivered": 1, "refused": 0, "dropped": 0}
    assert "401" in said["refused"]
    assert said["microseconds"] < 50
    assert service.rows("SELECT variant, propensity FROM exposure WHERE tenant = %s") == [
        (decide(ours, PEOPLE[0][0], {"plan": "pro"}).variant, 0.5)
    ]


@needs_node
def test_what_could_not_be_sent_is_kept_and_sent_later(service: Running) -> None:
    other = service.new_key(f"{service.tenant}-rivals")
    said = run(HERE / "spool.mjs", url=service.url, key=service.key, other=other, nowhere=NOWHERE)
    assert said["first"] == [{"delivered": 0, "refused": 0, "dropped": 0}, 1]
    assert said["flushed"] is True
    assert said["second"] == [{"delivered": 4, "refused": 0, "dropped": 0}, 0]
    # what waits for one team is left by another's client, and delivered by its own
    assert said["apart"] == [{"delivered": 1, "refused": 0, "dropped": 0}, 1]
    assert said["theirs"] == [{"delivered": 1, "refused": 0, "dropped": 0}, 0]
    # so does a page's that has the same content under another team's token
    assert said["page"] == [{"delivered": 1, "refused": 0, "dropped": 0}, 1]
    assert len(service.rows("SELECT 1 FROM feedback WHERE tenant = %s")) == 5
    # without a spool what waits is bounded, and counted when the process ends
    assert said["bound"] == [10_000, 50, 10_050]


@needs_node
def test_a_vote_put_while_a_delivery_ends_is_sent() -> None:
    assert run(HERE / "moments.mjs") == {"lost": []}


@needs_node
def test_what_json_cannot_hold_is_dropped_and_holds_nothing_up() -> None:
    found = run(HERE / "unsendable.mjs")
    assert (found["taken"], found["sent"], found["requests"]) == ([True, False, False, True], [1, 4], 1)
    assert found["told"] == "TypeError"
    assert (found["metrics"]["dropped"], found["metrics"]["delivered"]) == (2, 2)


@pytest.mark.parametrize("name", ["index.js", "tokens.js", "experiments.js", "logging.js"])
def test_it_is_small_and_needs_nothing(name: str) -> None:
    size = len(gzip.compress((CLIENT / name).read_bytes(), 9, mtime=0))
    assert size < 5_000, f"{size} bytes"
    package = json.loads((CLIENT / "package.json").read_text())
    assert "dependencies" not in package
    assert name in package["files"]
    assert not re.search(r"^import |\brequire\(|import\((?!\")", (CLIENT / name).read_text(), re.MULTILINE)


@needs_node
@needs_tools
def test_its_types_hold() -> None:
    assert TOOLS is not None
    compiler = Path(TOOLS) / "node_modules" / ".bin" / "tsc"
    ran = subprocess.run([compiler, "--project", CLIENT], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


@needs_node
@needs_tools
def test_the_real_sdks_get_what_they_got_and_are_logged(service: Running, models: str) -> None:
    assert TOOLS is not None
    script = Path(TOOLS) / "sdks.mjs"
    script.write_text((HERE / "sdks.mjs").read_text().replace("CLIENT", str(CLIENT)))
    got = run(script, url=service.url, key=service.key, models=models)
    assert [got[name] for name in ("chat", "stream", "message", "messages")] == [
        "hello",
        "hi there you",
        "hello",
        "hello",
    ]
    assert json.loads(got["response"]) == {"city": "Bonn"}
    rows = service.rows(
        "SELECT output, model, tools_called FROM interaction WHERE tenant = %s ORDER BY received_at, id"
    )
    assert sorted(rows) == sorted([
        ("hello", MODEL, []), ("hi there you", MODEL, []), ('{"city": "Bonn"}', MODEL, []),
        ("hello", "claude-x", ["look_up"]), ("hello", "claude-x", ["look_up"]),
    ])  # fmt: skip
