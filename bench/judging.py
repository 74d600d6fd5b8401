"""Judging: what calibration costs, and how close the calls come to what the endpoint allows.

python -m bench.judging
"""

import asyncio
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import openai
import polars as pl
from sklearn.feature_extraction.text import HashingVectorizer

from bench.rows import Row, Size, less_is_better, more_is_better
from feedback_pipeline.judging.agreement import agreement
from feedback_pipeline.judging.backends.model import ModelJudge
from feedback_pipeline.judging.backends.questions import Question
from feedback_pipeline.judging.backends.schema_form import SchemaForm
from feedback_pipeline.judging.calibration import calibrate
from feedback_pipeline.judging.judgements import judge_answers
from feedback_pipeline.judging.local import LocalJudge, train_local
from feedback_pipeline.judging.rubrics import read_rubric
from feedback_pipeline.judging.tables import JUDGEMENTS
from feedback_pipeline.llm.calls import CallLayer, Endpoint
from feedback_pipeline.llm.reply_cache import MemoryCache
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import embedded
from feedback_pipeline.store.database import open_database
from feedback_pipeline.store.replies import PostgresReplyCache

ITEMS = 100_000
CALLS = 1_000
CONCURRENCY = 16
LATENCY_SECONDS = 0.2
LOCAL_TEXTS = 20_000
SERVER = Path(__file__).parents[1] / "tests" / "support" / "judge_server.py"


def rows(size: Size) -> list[Row]:
    """The figures, one dictionary a row of the performance table."""
    items, calls, texts = (2_000, 32, 500) if size == "small" else (ITEMS, CALLS, LOCAL_TEXTS)
    return [*_calibration(items), *_calls(calls), _local(texts)]


def _calibration(items: int) -> list[Row]:
    random = np.random.default_rng(1)
    human = random.integers(0, 3, items)
    judge = np.where(random.random(items) < 0.7, human, random.integers(0, 3, items))
    names = np.array(["down", "neutral", "up"])
    number = pl.int_range(items, eager=True).cast(pl.String)
    judgements = JUDGEMENTS.conform(
        pl.DataFrame({"interaction_id": number, "verdict": names[judge], "score": judge / 2}).with_columns(
            pl.lit("").alias("other_interaction_id"),
            *(pl.lit(name).alias(name) for name in ("judge", "fingerprint")),
            pl.lit("satisfaction").alias("criterion"),
            pl.lit("ok").alias("status"),
            *(pl.lit(None).alias(name) for name in ("reason", "rating", "consistent", "first_slot", "deviation")),
            *(pl.lit(None).alias(name) for name in ("rationale", "model_returned", "content_hash")),
            *(pl.lit(None).alias(name) for name in ("input_tokens", "output_tokens", "cost_usd", "calls")),
        )
    )
    verdicts = pl.DataFrame(
        {
            "interaction_id": number,
            "voter": number,
            "verdict": names[human],
            "conversation_id": (np.arange(items) // 3).astype(str),
            "answer_chars": random.integers(10, 4000, items),
        }
    )
    whole = _seconds(lambda: calibrate(judgements, verdicts))
    conversations = np.arange(items) // 3
    ours = _seconds(lambda: agreement(human, judge, 3, conversations))
    theirs = _seconds(lambda: _kappa_bootstrap(human, judge, conversations, replicates=20)) * 100
    return [
        _row(
            f"calibration of {items:,} items, all statistics",
            f"{whole:.2f} s",
            "1 s (asked, of 100,000)",
            less_is_better(whole, 1),
            "",
        ),
        _row(
            f"five agreement coefficients with clustered intervals, {items:,} items",
            f"{ours:.2f} s",
            f"{theirs:.1f} s",
            less_is_better(ours, theirs),
            "peer: scikit-learn's kappa alone, 2,000 cluster bootstraps (20 timed)",
        ),
    ]


def _kappa_bootstrap(human: Any, judge: Any, conversations: Any, replicates: int) -> float:
    from sklearn.metrics import cohen_kappa_score

    random = np.random.default_rng(1)
    groups = int(conversations.max()) + 1
    kappas = []
    for _ in range(replicates):
        counts = np.bincount(random.integers(0, groups, groups), minlength=groups)[conversations]
        kappas.append(cohen_kappa_score(human, judge, sample_weight=counts))
    return float(np.std(kappas))


def _calls(calls: int) -> list[Row]:
    numbers = [f"{number:05}" for number in range(calls)]
    answers = pl.DataFrame({"interaction_id": numbers, "prompt": numbers, "answer": numbers})
    command = [sys.executable, str(SERVER), "--latency", str(LATENCY_SECONDS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        endpoint = Endpoint(server.stdout.readline().strip(), "judge-1", "test", concurrency=CONCURRENCY)
        cache = MemoryCache()
        judge = ModelJudge(CallLayer(endpoint, cache=cache), read_rubric())
        first = _seconds(lambda: judge_answers(answers, judge))
        again = ModelJudge(CallLayer(endpoint, cache=cache), read_rubric())
        second = _seconds(lambda: judge_answers(answers, again))
        bare = _seconds(lambda: asyncio.run(_bare_client(endpoint, calls)))
        with _stored_replies() as stored:
            kept = _seconds(
                lambda: judge_answers(answers, ModelJudge(CallLayer(endpoint, cache=stored), read_rubric()))
            )
        server.terminate()
    limit = math.ceil(calls / CONCURRENCY) * LATENCY_SECONDS
    return [
        _row(
            f"{calls:,} judgements at 200 ms, 16 in flight",
            f"{first:.2f} s",
            f"{limit:.2f} s",
            less_is_better(first, limit),
            "peer: ⌈1000/16⌉ × 0.2 s, what latency and concurrency allow; target 0.95",
        ),
        _row(
            "the same, each reply committed to PostgreSQL before the next call",
            f"{kept:.2f} s",
            f"{limit:.2f} s",
            less_is_better(kept, limit),
            "an embedded server, with fsync",
        ),
        _row(
            f"{calls:,} judgements at 200 ms, beside the bare SDK with a semaphore",
            f"{first:.2f} s",
            f"{bare:.2f} s",
            less_is_better(first, bare),
            "peer: AsyncOpenAI.chat.completions.create on the same bodies, no cache, budget, retries or reading",
        ),
        _row(
            "the same again",
            f"{second:.2f} s",
            f"{first / 20:.2f} s: a twentieth (limit)",
            less_is_better(second, first / 20),
            f"{again.calls.statistics.attempts} calls, all {again.calls.statistics.cached} from the cache",
        ),
    ]


@contextmanager
def _stored_replies() -> Iterator[PostgresReplyCache]:
    """A cache in a new embedded database."""
    with tempfile.TemporaryDirectory() as home:
        settings = Settings.from_environment({"FEEDBACK_HOME": home})
        database = open_database(settings)
        try:
            yield PostgresReplyCache(database)
        finally:
            database.engine.dispose()
            embedded.release(settings.home / "postgres")


async def _bare_client(endpoint: Endpoint, calls: int) -> None:
    rubric = read_rubric()
    question = Question(0, rubric, pairwise=False, turned=False, nonce="0" * 16)
    call = SchemaForm().call({"prompt": "p", "answer": "a"}, question, 0)
    slots = asyncio.Semaphore(CONCURRENCY)
    async with openai.AsyncOpenAI(base_url=endpoint.base_url, api_key=endpoint.api_key, max_retries=0) as client:

        async def one() -> None:
            async with slots:
                await client.chat.completions.create(
                    model=endpoint.model,
                    messages=list(call.messages),  # type: ignore[arg-type]
                    response_format=call.options["response_format"],
                )

        await asyncio.gather(*(one() for _ in range(calls)))


def _local(count: int) -> Row:
    random = np.random.default_rng(2)
    words = np.array([f"word{number}" for number in range(5000)])
    texts = [" ".join(words[random.zipf(1.3, 60) % 5000]) for _ in range(count)]
    verdicts = ["down" if "word7 " in text else "up" for text in texts]
    frame = pl.DataFrame({"prompt": [text[:80] for text in texts], "answer": texts, "verdict": verdicts})
    started = time.perf_counter()
    judge = train_local(frame)
    training = time.perf_counter() - started
    assert isinstance(judge, LocalJudge)
    scoring = _seconds(lambda: judge.score(frame))
    reader = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5))
    alone = count / _seconds(lambda: reader.transform(frame["answer"].to_list()))
    note = f"training on the same texts, cross-fitted: {training:.2f} s"
    return _row(
        "local judge, texts a second",
        f"{count / scoring:,.0f}",
        f"scikit-learn reads them: {alone:,.0f}",
        more_is_better(count / scoring, alone),
        note,
    )


def _seconds(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _row(work: str, ours: str, peer: str | None, ratio: str, note: str) -> Row:
    return {"work": work, "ours": ours, "peer": peer, "ratio": ratio, "note": note}


if __name__ == "__main__":
    for row in rows("full"):
        print(row)
