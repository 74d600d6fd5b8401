"""What waits in an application's queue goes in batches, redacted together; one bad item costs no other."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest
from feedback_client import AsyncFeedbackClient, FeedbackClient
from feedback_client.address import Address
from feedback_client.client import INTERACTIONS
from feedback_client.delivery import MAX_BATCH, MAX_BYTES, Delivery

TEXT = "Where is the invoice of ada@example.com? " + "It was due in May. " * 40  # 800 characters


def stored(service: Any) -> dict[str, str]:
    rows = service.rows("SELECT prompt, output FROM interaction WHERE tenant = %s")
    return dict(rows)


@pytest.mark.parametrize("redact", [True, False])
def test_an_answer_that_cannot_be_kept_costs_no_other(service: Any, *, redact: bool) -> None:
    circle: dict[str, Any] = {}
    circle["itself"] = circle
    bad: dict[str, dict[str, Any]] = {
        "no JSON": {"metadata": {"of": {1, 2}}},
        "a circle": {"metadata": circle},
        "a NUL": {"messages": [{"role": "user", "content": "\x00"}]},
    }
    with FeedbackClient(service.url, service.key, flush_seconds=0.5, redact=redact) as client:
        for number in range(40):
            client.log({"prompt": f"q {number}", "output": f"write to ada{number}@example.com"})
            for name, fields in bad.items() if number == 20 else ():
                client.log({"prompt": name, "output": "fine", **fields})
        client.log({"prompt": "a huge one", "output": "x" * 1_000_000})
        assert client.flush(60)
    assert client.metrics["delivered"] == 41
    assert client.metrics["dropped"] + client.metrics["refused"] == 3
    found = stored(service)
    assert found.keys() == {*(f"q {number}" for number in range(40)), "a huge one"}
    assert {found[f"q {number}"] for number in range(40)} == {"write to [EMAIL_1]"}


def test_half_a_character_is_replaced_and_the_answer_is_kept(service: Any) -> None:
    with FeedbackClient(service.url, service.key) as client:
        client.log({"prompt": "q", "messages": [{"role": "user", "content": "\ud800"}], "output": "a\udfff"})
        assert client.flush()
    assert client.metrics == {"delivered": 1, "refused": 0, "dropped": 0}
    assert stored(service) == {"q": "a\ufffd"}


def test_a_function_of_the_application_is_asked_once_for_each_answer(service: Any) -> None:
    asked: list[str] = []

    def shorter(answer: dict[str, Any]) -> dict[str, Any]:
        asked.append(answer["prompt"])
        if answer["prompt"] == "bad":
            raise ValueError("its own")
        return {**answer, "output": "cut"}

    with FeedbackClient(service.url, service.key, flush_seconds=0.3, redact=shorter) as client:
        for name in ("a", "bad", "b"):
            client.log({"prompt": name, "output": "whole"})
        assert client.flush()
    assert asked == ["a", "bad", "b"]
    assert client.metrics == {"delivered": 2, "refused": 0, "dropped": 1}
    assert stored(service) == {"a": "cut", "b": "cut"}


def test_batches_are_bounded_in_items_and_bytes(service: Any) -> None:
    batches: list[int] = []
    begun = threading.Event()

    def noted(bodies: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
        begun.wait(30)  # until all of them wait
        batches.append(len(bodies))
        return bodies

    delivery = Delivery(Address(service.url, service.key), None, 60, {INTERACTIONS: noted})  # sends but full batches
    for number in range(2 * MAX_BATCH):
        delivery.put(INTERACTIONS, {"prompt": f"{number}", "output": "a"})
    for number in range(8):
        delivery.put(INTERACTIONS, {"prompt": f"long {number}", "output": "x" * (MAX_BYTES // 3)})
    begun.set()
    delivery.close(60)
    assert sum(batches) == 2 * MAX_BATCH + 8 == delivery.delivered
    assert max(batches) <= MAX_BATCH
    assert batches[-3:] == [3, 3, 2]


def test_what_waits_is_redacted_together(service: Any) -> None:
    with FeedbackClient(service.url, service.key) as client:
        client.log({"prompt": TEXT, "output": "warms up"})
        assert client.flush(60)
        started = time.process_time()  # others may work on this machine
        for number in range(1_000):
            assert client.log({"prompt": f"{number} {TEXT}", "output": "Under Billing."})
        assert client.flush(60)
        took = time.process_time() - started
    assert client.metrics == {"delivered": 1_001, "refused": 0, "dropped": 0}
    assert took < 2  # seconds; redacted one by one they took 6, and take 0.2


def test_the_asynchronous_client_redacts_beside_the_event_loop(service: Any) -> None:
    threads: list[str] = []

    def noted(answer: dict[str, Any]) -> dict[str, Any]:
        threads.append(threading.current_thread().name)
        return answer

    async def run() -> str:
        async with AsyncFeedbackClient(service.url, service.key, redact=noted) as client:
            return await client.log_now({"prompt": "q", "output": "a"})

    assert asyncio.run(run())
    assert threads != [threading.current_thread().name]


def test_without_the_service_installed_its_rules_apply_when_answers_arrive(service: Any) -> None:
    script = f"""
import sys
sys.modules["feedback_pipeline"] = None  # not installed
from feedback_client import FeedbackClient
with FeedbackClient({service.url!r}, {service.key!r}) as client:
    client.log({{"prompt": "q", "output": "ada@example.com"}})
    assert client.flush()
assert client.metrics == {{"delivered": 1, "refused": 0, "dropped": 0}}, client.metrics
assert "polars" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    assert stored(service) == {"q": "[EMAIL_1]"}
