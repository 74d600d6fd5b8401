"""Our training files before the trainers' own validators: `make test-validators`.

`python tests/training/trainers/run.py FOLDER [VALIDATOR …]` makes an environment a validator below FOLDER, which it
keeps (3 GB with PyTorch for processors alone: `pip` must be configured to find it), and runs all of them, or those
named. Installing needs the network, the checks do not. Prints one line a file and validator, and fails if one of them
says no.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[2])]

from test_training_files import world_of_everything, written  # noqa: E402

from tests.support.training_world import many  # noqa: E402

LLAMA_FACTORY = ["datasets>=5.2", "transformers>=5", "peft", "accelerate"]
"""What LLaMA-Factory's converters import."""

Steps = list[list[str]]
Results = list[tuple[str, dict[str, object]]]

PACKAGES: dict[str, Steps] = {
    # later ones only look whether each line is an object
    "together": [["together==2.14.0"]],
    "datasets": [["datasets>=5.2"]],
    "mistral": [["mistral-common>=1.13"]],
    # PyTorch first, so that a configured build for processors is taken before another package asks for any
    "trl": [["torch==2.13.0"], ["trl>=1.16", "datasets>=5.2"]],
    # its pins contradict those of everything current; the converters need little
    "llama_factory": [["torch==2.13.0"], ["--no-deps", "llamafactory==0.9.5"], LLAMA_FACTORY],
}


def main(folder: Path, wanted: list[str]) -> int:
    data = folder / "data"
    world = world_of_everything()
    many(world, 200, start=1000)
    curated, _, _ = written(world, data)
    checks: dict[str, Callable[[], Results]] = {
        "together": lambda: python_check(folder, "together", sorted((data / "together").glob("*.jsonl"))),
        "datasets": lambda: python_check(folder, "datasets", [data / "trl"]),
        "mistral": lambda: python_check(folder, "mistral", sorted((data / "trl").glob("sft-*.jsonl"))),
        "trl": lambda: python_check(folder, "trl", sorted((data / "trl").glob("*.jsonl"))),
        "llama_factory": lambda: python_check(folder, "llama_factory", [data / "llama_factory"]),
        "promptfoo": lambda: promptfoo(folder, data, curated.examples),
    }
    passed = True
    for name, check in checks.items():
        if wanted and name not in wanted:
            continue
        for validator, result in check():
            passed = passed and bool(result["passed"])
            verdict = "passed" if result["passed"] else "FAILED"
            print(f"{validator:<14}{result['file']:<32}{verdict}  {result['detail']}", flush=True)
    return 0 if passed else 1


def python_check(folder: Path, name: str, paths: Iterable[Path]) -> Results:
    """Runs `check_NAME.py` in an environment of its own."""
    environment = folder / name
    python, ready = environment / "bin" / "python", environment / ".ready"
    if not ready.exists():
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        for step in PACKAGES[name]:
            subprocess.run([python, "-m", "pip", "install", "--quiet", *step], check=True)
        ready.touch()
    quiet = {**os.environ, "TOGETHER_DISABLE_TQDM": "1", "HF_HOME": str(folder / "hub"), "HF_HUB_OFFLINE": "1"}
    ran = subprocess.run(
        [python, HERE / f"check_{name}.py", *paths], env=quiet, capture_output=True, text=True, check=False
    )
    found: Results = [(name, json.loads(line)) for line in ran.stdout.splitlines() if line.startswith('{"file"')]
    if ran.returncode:
        found.append((name, {"file": "", "passed": False, "detail": ran.stderr[-2_000:]}))
    return found


def promptfoo(folder: Path, data: Path, examples: object) -> Results:
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
    results: Results = []
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
    sys.exit(main(Path(sys.argv[1]).absolute(), sys.argv[2:]))
