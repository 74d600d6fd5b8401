"""A real language model as a judge, opt-in: `make test-llm`. It is a bad judge, and calibration has to say so.

SmolLM2-135M answers over the same HTTP, client, prompts and readers as any other model. What people would say is
known, because the answers are the sample's.
"""

import datetime as dt
import os
import subprocess
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import polars as pl
import pytest

from feedback_pipeline.judging.backends.model import Mode, ModelJudge
from feedback_pipeline.judging.calibration import calibrate
from feedback_pipeline.judging.controls import judge_controls
from feedback_pipeline.judging.judgements import judge_answers, judge_pairs
from feedback_pipeline.judging.quality import judged_quality
from feedback_pipeline.judging.rubrics import read_rubric
from feedback_pipeline.judging.tables import JUDGEMENTS, STATUSES
from feedback_pipeline.llm.calls import CallLayer
from feedback_pipeline.llm.endpoint import Endpoint
from feedback_pipeline.sample import answer_labels, generate
from tests.support.attacks import ATTACKS, Outcome, attack_table

FOLDER = os.environ.get("FEEDBACK_TEST_LLM")
SERVER = Path(__file__).with_name("small_model_server.py")
SAMPLE = (2_000, 1, 7, dt.date(2026, 11, 15))
"""Votes, weeks, seed and end of the sample whose answers are judged."""

POINTWISE, ONE_TOKEN, PAIRS = 40, 12, 12
"""Answers rated in writing, answers rated by one token, pairs."""

REFUSALS = ("judge_no_better_than_chance", "not_enough_labels", "labels_of_one_class_only", "nothing_judged")

pytestmark = pytest.mark.skipif(not FOLDER, reason="opt-in: make test-llm")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    folder = Path(str(FOLDER)).absolute()
    [weights] = folder.glob("*.gguf")
    command = [str(folder / "bin" / "python"), str(SERVER), str(weights)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        assert server.stdout is not None
        url = next(line for line in iter(server.stdout.readline, b"") if line.startswith(b"http")).decode().strip()
        body = {"temperature": 0}
        yield Endpoint(
            url, "smollm2-135m", "none", concurrency=2, attempt_seconds=300, token_limit_field="max_tokens", body=body
        )
        server.terminate()


@pytest.fixture(scope="module")
def answers() -> pl.DataFrame:
    """Sampled answers with what people would say of them, as many good ones as bad."""
    batches = pl.concat([batch.interactions for batch in islice(generate(*SAMPLE), 3)])
    truth = pl.concat(list(answer_labels(*SAMPLE))).select("interaction_id", "good")
    rows = batches.select(interaction_id="id", prompt="prompt", answer="output").join(truth, on="interaction_id")
    rows = rows.filter(pl.col("answer").is_not_null()).unique("interaction_id").sort("interaction_id")
    return pl.concat([rows.filter("good").head(POINTWISE // 2), rows.filter(~pl.col("good")).head(POINTWISE // 2)])


def people(answers: pl.DataFrame) -> pl.DataFrame:
    up = pl.when("good").then(pl.lit("up")).otherwise(pl.lit("down"))
    length = pl.col("answer").str.len_chars().alias("answer_chars")
    return answers.select("interaction_id", length, voter=pl.lit("truth"), verdict=up)


def judge(endpoint: Endpoint, mode: Mode) -> ModelJudge:
    return ModelJudge(CallLayer(endpoint), read_rubric().only("satisfaction"), mode=mode, echo_nonce=False)


def test_a_small_model_is_found_to_be_no_judge(endpoint: Endpoint, answers: pl.DataFrame) -> None:
    small = judge(endpoint, "schema")
    judged = judge_answers(answers, small)
    assert JUDGEMENTS.problems(judged) == []
    assert judged.height == POINTWISE
    controls = judge_controls(small, answers.head(1), "week")
    quality = _quality(answers, judged)
    for column in ("status", "verdict"):
        print(dict(judged[column].value_counts(sort=True).iter_rows()))
    print(judged.select("rating").describe())
    print(calibrate(judged, people(answers)).select("statistic", "value", "low", "high", "items", "reason"))
    print(f"raw {quality['raw_rate']}, corrected {quality['corrected_rate']}, because {quality['reason']}")
    print(controls.select("kind", "criterion", "answered", "scored", "highest", "passed"))
    assert quality["corrected_rate"] is None
    assert quality["reason"] in REFUSALS


def test_a_token_that_is_no_rating_is_unscored_with_the_reason(endpoint: Endpoint, answers: pl.DataFrame) -> None:
    judged = judge_answers(answers.head(ONE_TOKEN), judge(endpoint, "probabilities"))
    print(f"\n{judged.select('status', 'reason').group_by(pl.all()).len().sort('len')}")
    assert judged.height == ONE_TOKEN
    assert judged.filter(pl.col("status") != "ok")["reason"].null_count() == 0


def _quality(answers: pl.DataFrame, judged: pl.DataFrame) -> dict[str, object]:
    sample = answers.select(
        "interaction_id",
        conversation_id="interaction_id",
        model=pl.lit("m"),
        prompt_version=pl.lit("v"),
        inclusion_probability=pl.lit(1.0),
    )
    rows = judged_quality(sample, judged, people(answers))
    return rows.filter(pl.col("dimension") == "all").row(0, named=True)


def test_its_love_for_a_slot_becomes_ties(endpoint: Endpoint, answers: pl.DataFrame) -> None:
    good, bad = answers.filter("good").head(PAIRS), answers.filter(~pl.col("good")).head(PAIRS)
    pairs = good.with_columns(other_interaction_id=bad["interaction_id"], other_answer=bad["answer"])
    judged = judge_pairs(pairs, judge(endpoint, "probabilities"))
    shares = judged.select(
        pl.col("consistent").mean(), pl.col("first_slot").mean(), (pl.col("verdict") == "tie").mean().alias("ties")
    )
    print(f"\n{PAIRS} pairs: {shares.row(0, named=True)}")
    # where it prefers whichever answer stands first, both orders together prefer neither
    assert judged.filter(~pl.col("consistent"))["score"].is_between(0.2, 0.8).all()


def test_attacks_on_it(endpoint: Endpoint) -> None:
    outcomes = attack_table(endpoint, echo_nonce=False)
    print()
    for one in outcomes:
        print(f"{one.attack:34} naive {one.naive} defended {one.defended} ({one.status})")
    for side in ("naive", "defended"):
        print(f"{side}: {sum(Outcome.passed(getattr(one, side)) for one in outcomes)} of {len(outcomes)} through")
    assert len(outcomes) == len(ATTACKS)
    assert {one.status for one in outcomes} <= set(STATUSES)
