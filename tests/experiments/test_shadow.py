"""A shadow can neither slow nor break the answer."""

import asyncio
import queue
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from feedback_client.shadow import MAX_QUEUE, THREADS, Shadow, shadow, shadow_completions


def call(question: str, request_id: str) -> str:
    return f"to {question}"


def test_the_candidates_answer_is_filed_and_the_own_one_given() -> None:  # E5
    runs: list[dict[str, Any]] = []
    behind = shadow(lambda question, request_id: f"better {question}", runs.append, name="v6", sample=1.0,
                    cost=lambda _: 0.01)  # fmt: skip
    assert behind(call)("hello", request_id="r1") == "to hello"
    assert behind.flush()
    assert (runs[0]["request_id"], runs[0]["output"], runs[0]["status"]) == ("r1", "better hello", "ok")
    assert behind.counts.spent_usd == 0.01


def test_async_calls_and_candidates() -> None:
    runs: list[dict[str, Any]] = []

    async def candidate(question: str, request_id: str) -> str:
        await asyncio.sleep(0)
        return f"better {question}"

    async def own(question: str, request_id: str) -> str:
        return question

    behind = shadow(candidate, runs.append, name="v6", sample=1.0)
    assert asyncio.run(behind(own)("hello", request_id="r1")) == "hello"
    assert behind.flush()
    assert runs[0]["output"] == "better hello"


def test_a_candidate_that_hangs_raises_or_floods_costs_the_caller_nothing() -> None:
    hang = threading.Event()
    ways = {
        "hangs": (lambda question, request_id: hang.wait(60), 0.05),
        "raises": (lambda question, request_id: 1 / 0, 30.0),
        "floods": (lambda question, request_id: "x" * 1_000_000, 30.0),
    }
    for name, (candidate, deadline) in ways.items():
        runs: list[dict[str, Any]] = []
        behind = shadow(candidate, runs.append, name=name, sample=1.0, deadline=deadline)
        wrapped = behind(call)
        took = []
        for n in range(400):
            started = time.perf_counter()
            assert wrapped("hello", request_id=f"r{n}") == "to hello"
            took.append(time.perf_counter() - started)
        took.sort()
        # p99 under 1 ms; on a machine that others use the median must be far below it
        assert took[len(took) // 2] < 0.001, name
        assert behind.counts.seen == 400
        assert behind.counts.dropped == 400 - behind.counts.sampled
    assert behind.flush(60)
    assert {len(run["output"]) for run in runs} == {20_000}
    hang.set()


def test_a_flush_waits_for_the_call_that_a_thread_has_just_taken() -> None:
    class HeldUp(queue.Queue[Any]):
        """As on a busy machine, where the thread that took a call has to wait for its next turn."""

        def get(self, block: bool = True, timeout: float | None = None) -> Any:
            taken = super().get(block, timeout)
            time.sleep(0.1)
            return taken

    runs: list[dict[str, Any]] = []
    behind = Shadow(lambda question, request_id: question, runs.append, "v6", sample=1.0, _queue=HeldUp())
    behind(call)("hello", request_id="r1")
    while not behind._queue.empty():
        time.sleep(0.001)
    assert behind.flush()
    assert [run["output"] for run in runs] == ["hello"]


def test_a_late_answer_is_filed_without_a_text() -> None:
    runs: list[dict[str, Any]] = []
    behind = shadow(lambda question, request_id: time.sleep(0.4), runs.append, name="slow", sample=1.0, deadline=0.02)
    behind(call)("hello", request_id="r1")
    assert behind.flush()
    assert (runs[0]["status"], runs[0]["output"]) == ("late", None)


def test_the_queue_is_bounded() -> None:
    gate = threading.Event()
    behind = shadow(lambda question, request_id: gate.wait(5), lambda run: None, name="v6", sample=1.0)
    for n in range(MAX_QUEUE * 3):
        behind.offer("q", request_id=str(n))
    assert behind.counts.sampled <= MAX_QUEUE + THREADS
    gate.set()


def test_no_more_than_the_budget_and_the_sample() -> None:
    behind = shadow(lambda question, request_id: "a", lambda run: None, name="v6", sample=1.0, budget_usd=0.03,
                    cost=lambda _: 0.01)  # fmt: skip
    for n in range(30):
        behind(call)("hello", request_id=str(n))
        assert behind.flush()
    assert behind.counts.answered == 3
    # those that were taken before the first answer cost anything are not asked either; two are asked at once
    at_once = shadow(lambda question, request_id: "a", lambda run: None, name="v6", sample=1.0, budget_usd=0.03,
                     cost=lambda _: 0.01)  # fmt: skip
    for n in range(30):
        at_once(call)("hello", request_id=str(n))
    assert at_once.flush()
    assert 3 <= at_once.counts.answered <= 3 + THREADS - 1
    few = shadow(lambda question, request_id: "a", lambda run: None, name="v6", sample=0.1)
    for n in range(1_000):
        few(call)("hello", request_id=str(n))
    assert 50 < few.counts.sampled + few.counts.dropped < 170


def test_an_own_call_that_raises_still_raises() -> None:
    behind = shadow(lambda: "a", lambda run: 1 / 0, name="v6", sample=1.0, request_id=lambda: "r")

    @behind
    def own() -> str:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        own()
    assert behind.flush()


def test_behind_an_openai_client() -> None:
    runs: list[dict[str, Any]] = []

    def create(**named: Any) -> Any:
        return SimpleNamespace(choices=[SimpleNamespace(message=SimpleNamespace(content=named["model"]))])

    client = SimpleNamespace(chat=SimpleNamespace(completions=SimpleNamespace(create=create)))
    behind = shadow(lambda **named: create(**named | {"model": "candidate"}), runs.append, name="candidate", sample=1.0)
    wrapped = shadow_completions(client, behind)
    answer = wrapped.chat.completions.create(model="own", messages=[], metadata={"request_id": "r7"})
    assert answer.choices[0].message.content == "own"
    assert behind.flush()
    assert (runs[0]["request_id"], runs[0]["output"]) == ("r7", "candidate")
