"""Our training files before the trainers' own validators: `python tests/training/trainers/run.py FOLDER`.

FOLDER keeps the environments between runs (some 600 MB). Installing needs the network, the checks do not. Prints one
line a file and validator, and fails if one of them says no.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from test_training_files import world_of_everything, written  # noqa: E402
from training_world import many  # noqa: E402

PACKAGES = {"together": ["together==2.14.0"], "datasets": ["datasets>=5.2"], "mistral": ["mistral-common>=1.13"]}


def main(folder: Path) -> int:
    data = folder / "data"
    world = world_of_everything()
    many(world, 200, start=1000)
    curated, _, _ = written(world, data)
    results = [
        *python_check(folder, "together", sorted((data / "openai").glob("*.jsonl"))),
        *python_check(folder, "datasets", [data / "trl"]),
        *python_check(folder, "mistral", sorted((data / "trl").glob("sft-*.jsonl"))),
        *promptfoo(folder, data, curated.examples),
    ]
    for validator, result in results:
        print(f"{validator:<12}{result['file']:<32}{'passed' if result['passed'] else 'FAILED'}  {result['detail']}")
    return 0 if results and all(result["passed"] for _, result in results) else 1


def python_check(folder: Path, name: str, paths: Iterable[Path]) -> list[tuple[str, dict[str, object]]]:
    """Runs `check_NAME.py` in an environment of its own."""
    environment = folder / name
    python = environment / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES[name]], check=True)
    quiet = {**os.environ, "TOGETHER_DISABLE_TQDM": "1", "HF_HOME": str(folder / "hub"), "HF_HUB_OFFLINE": "1"}
    ran = subprocess.run(
        [python, HERE / f"check_{name}.py", *paths], env=quiet, capture_output=True, text=True, check=False
    )
    found = [(name, json.loads(line)) for line in ran.stdout.splitlines() if line.startswith("{")]
    if ran.returncode:
        found.append((name, {"file": "", "passed": False, "detail": ran.stderr[-2_000:]}))
    return found


def promptfoo(folder: Path, data: Path, examples: object) -> list[tuple[str, dict[str, object]]]:
    """promptfoo itself on the exported tests: prompts come out of its templating as they went in, nothing of the
    environment with them, and a model that repeats the rejected answers fails each of their tests."""
    place = folder / "promptfoo"
    place.mkdir(parents=True, exist_ok=True)
    if not (place / "node_modules").exists():
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "promptfoo"],
                       cwd=place, check=True)  # fmt: skip
    asked = {row["example_id"]: row for row in examples.to_dicts()}  # type: ignore[attr-defined]
    rejected = [[_question(row), row["completion"]] for row in asked.values() if not row["label"]]
    (place / "rejected.json").write_text(json.dumps(rejected))
    results: list[tuple[str, dict[str, object]]] = []
    for suffix in ("jsonl", "yaml"):
        rows = _evaluated(place, "echo", data / "promptfoo" / f"tests.{suffix}")
        same = all(row["response"]["output"] == _question(asked[_example(row)]) for row in rows)
        leaked = "LEAKED" in json.dumps([row.get("response") for row in rows])
        results.append(("promptfoo", {"file": f"tests.{suffix}", "passed": same and not leaked,
                                      "detail": f"{len(rows)} prompts rendered as written"}))  # fmt: skip
    repeated = _evaluated(place, f"file://{HERE / 'repeat_failure.js'}", data / "promptfoo" / "tests.jsonl")
    caught = [not row["success"] for row in repeated if not asked[_example(row)]["label"]]
    results.append(("promptfoo", {"file": "tests.jsonl", "passed": all(caught) and bool(caught),
                                  "detail": f"{sum(caught)} of {len(caught)} repeated failures caught"}))  # fmt: skip
    return results


def _evaluated(place: Path, provider: str, tests: Path) -> list[dict[str, object]]:
    output = place / "results.json"
    output.unlink(missing_ok=True)
    environment = {**os.environ, "PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1",
                   "PROMPTFOO_CONFIG_DIR": str(place / "config"), "OPENAI_API_KEY": "LEAKED",
                   "REJECTED_ANSWERS": str(place / "rejected.json")}  # fmt: skip
    # Its exit code says that some tests failed, which is what some are for.
    subprocess.run(
        ["node_modules/.bin/promptfoo", "eval", "-p", "{{prompt}}", "-r", provider, "-t", tests, "--no-cache",
         "--no-table", "-o", output],
        cwd=place, env=environment, capture_output=True, check=False,
    )  # fmt: skip
    rows: list[dict[str, object]] = json.loads(output.read_text())["results"]["results"]
    return rows


def _example(row: dict[str, object]) -> str:
    return str(row["testCase"]["metadata"]["example_id"])  # type: ignore[index]


def _question(row: dict[str, object]) -> str:
    return str(next(m["content"] for m in reversed(json.loads(str(row["messages"]))) if m["role"] == "user"))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute()))
