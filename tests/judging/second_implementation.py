"""Judging against an implementation of the API by somebody else (npm @copilotkit/aimock), over the real client.

    python second_implementation.py FOLDER

Installs it into the folder, then judges forty answers and eight pairs: plain verdicts, a 429 and a 500 that pass,
broken JSON, a verdict off the menu, chatter. What each should become is known; a difference ends it with status 1.
"""

import json
import subprocess
import sys
from pathlib import Path

import polars as pl

from feedback_pipeline.judging.backends.model import ModelJudge
from feedback_pipeline.judging.backends.questions import question_nonce
from feedback_pipeline.judging.judgements import judge_answers, judge_pairs
from feedback_pipeline.judging.rubrics import read_rubric
from feedback_pipeline.llm.calls import CallLayer
from feedback_pipeline.llm.endpoint import Endpoint
from feedback_pipeline.llm.endpoint_refusal import EndpointRefusedError

PACKAGE = "@copilotkit/aimock@1.43.0"
SERVER = Path(__file__).with_name("second_implementation.mjs")
ANSWERS, PAIRS = 40, 8
RUBRIC = read_rubric().only("satisfaction")
EXPECTED = {0: "off_menu", 1: "parse_error", 2: "parse_error"}
"""Status by the answer's number modulo 8; `ok` for the others."""


def install(folder: Path) -> None:
    if not (folder / "node_modules").exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), PACKAGE], check=True)


def answers() -> pl.DataFrame:
    numbers = pl.DataFrame({"number": range(ANSWERS)})
    return numbers.select(
        pl.format("answer-{}", "number").alias("interaction_id"),
        pl.lit("Q?").alias("prompt"),
        pl.format("A {}.", "number").alias("answer"),
    )


def pairs() -> pl.DataFrame:
    rows = answers().head(PAIRS).with_columns(pl.lit("Other.").alias("other_answer"))
    return rows.with_columns(pl.format("other-{}", "interaction_id").alias("other_interaction_id"))


def fixtures() -> list[dict[str, object]]:
    """What the server shall say, by the nonce that each request carries."""
    said: list[dict[str, object]] = [{"match": {"model": "no-such-model"}, "response": failed(404)}]
    for number, row in enumerate(answers().to_dicts()):
        nonce = question_nonce(row)
        contents = {0: verdict(nonce, "9"), 1: "{not json", 2: "I would say it is a good answer."}
        match: dict[str, object] = {"userMessage": f"Nonce: {nonce}"}
        if number % 8 in (3, 4):
            failure = {"response": failed(429 if number % 8 == 3 else 500)}
            said.append({"match": match | {"sequenceIndex": 0}} | failure)
        said.append({"match": match, "response": {"content": contents.get(number % 8, verdict(nonce, "4"))}})
    # what cannot be read is asked again in a message without the nonce
    said.append({"match": {"userMessage": "Return only the JSON"}, "response": {"content": "still no JSON"}})
    for row in pairs().to_dicts():
        nonce = question_nonce(row)
        said.append({"match": {"userMessage": f"Nonce: {nonce}"}, "response": {"content": verdict(nonce, "A")}})
    return said


def verdict(nonce: str, value: str) -> str:
    return json.dumps({"nonce": nonce, "reasons": "as told", "verdicts": {"satisfaction": value}})


def failed(status: int) -> dict[str, object]:
    return {"error": {"message": "as told", "type": "test_error"}, "status": status}


def main(folder: Path) -> int:
    install(folder)
    command = ["node", str(SERVER), str(folder.absolute())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps(fixtures()) + "\n")
        server.stdin.flush()
        url = server.stdout.readline().strip()
        try:
            return judge(url)
        finally:
            server.terminate()


def judge(url: str) -> int:
    endpoint = Endpoint(url, "judge-1", "test", backoff_seconds=0.01)
    layer = CallLayer(endpoint)
    judged = judge_answers(answers(), ModelJudge(layer, RUBRIC))
    again = CallLayer(endpoint, cache=layer.cache)
    judge_answers(answers(), ModelJudge(again, RUBRIC))
    compared = judge_pairs(pairs(), ModelJudge(CallLayer(endpoint), RUBRIC))
    number = pl.col("interaction_id").str.strip_prefix("answer-").cast(pl.Int64) % 8
    expected = number.replace_strict(EXPECTED, default="ok", return_dtype=pl.String)
    different = judged.filter(expected != pl.col("status"))
    print(f"{layer.statistics.asked} answers, {layer.statistics.attempts} requests")
    print(dict(judged.group_by("status").len().sort("status").iter_rows()))
    print(f"pairs, always the first slot: {dict(compared['verdict'].value_counts().iter_rows())}")
    print(f"second run: {again.statistics.cached} of {again.statistics.asked} replies from the cache")
    try:
        judge_answers(answers().head(1), ModelJudge(CallLayer(Endpoint(url, "no-such-model", "test")), RUBRIC))
        print("an unknown model was not refused")
        return 1
    except EndpointRefusedError as refusal:
        print(refusal)
    right = different.is_empty() and compared["verdict"].unique().to_list() == ["tie"]
    print("as expected" if right else f"not as expected: {different.select('interaction_id', 'status').rows()}")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
