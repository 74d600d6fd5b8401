"""Replies in PostgreSQL: durable, the first one wins, paid once, and every run's cost counts against the week."""

import subprocess
import sys
import threading
import time
from datetime import date
from pathlib import Path

import orjson
import polars as pl
import pytest

from feedback_pipeline.judging.judgements import judge_answers
from feedback_pipeline.judging.model_judge import judge_endpoint, model_judge
from feedback_pipeline.llm.endpoint_refusal import EndpointRefusedError
from feedback_pipeline.llm.prices import FREE, UnknownPriceError
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import replies
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.replies import PostgresReplyCache
from tests.support.judge_server import Fault, OpenAITestServer, judged_content, serve

KILLED_RUN = Path(__file__).with_name("killed_run.py")
WEEK = date(2026, 11, 9)
PRICES = "as_of: 2026-11-01\nmodels:\n  judge-1: {input: 10.0, output: 50.0}\n"


def settings_for(server: OpenAITestServer, folder: Path, **environment: str) -> Settings:
    prices = folder / "prices.yaml"
    prices.write_text(PRICES)
    given = {
        "FEEDBACK_HOME": str(folder),
        "FEEDBACK_JUDGE_MODEL": "judge-1",
        "FEEDBACK_JUDGE_BASE_URL": server.base_url,
        "FEEDBACK_JUDGE_PRICES": str(prices),
        "OPENAI_API_KEY": server.api_key,
    }
    return Settings.from_environment(given | environment)


def answers(count: int) -> pl.DataFrame:
    numbers = [f"{number:03}" for number in range(count)]
    return pl.DataFrame({"interaction_id": numbers, "prompt": numbers, "answer": numbers})


def reply(text: str, cost: float = 0.0) -> bytes:
    return orjson.dumps({"text": text, "cost_usd": cost, "content_hash": f"hash of {text}"})


def test_the_first_reply_stays_and_comes_back_byte_for_byte(database: Database) -> None:
    cache = PostgresReplyCache(database)
    first = orjson.dumps({"text": "\x00 ünïcödé \\u0000"})
    cache.put("k", first)
    cache.put("k", reply("another"))
    assert PostgresReplyCache(database).get_many(["k", "absent"]) == {"k": first}
    assert cache.get_many([]) == {}


def test_many_writers_of_one_key_leave_one_reply(database: Database) -> None:
    texts = [reply(str(number)) for number in range(8)]
    writers = [threading.Thread(target=PostgresReplyCache(database).put, args=("k", text)) for text in texts]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    kept = PostgresReplyCache(database).get_many(["k"])["k"]
    assert kept in texts


def test_after_kill_9_every_answer_is_judged_and_only_calls_in_flight_are_repeated(database: Database) -> None:
    with serve(latency=0.02) as server:
        command = [sys.executable, str(KILLED_RUN), server.base_url, database.url]
        server.holds_after = 20  # else all may be answered before a busy machine gets to the kill
        first = subprocess.Popen(command)
        while server.answered() < 20:
            assert first.poll() is None
            time.sleep(0.005)
        first.kill()
        first.wait()
        server.holds_after = None
        subprocess.run(command, check=True)
        asked = [judged_content(entry.body)["answer"] for entry in server.chats() if entry.status == 200]
    assert len(set(asked)) == 60
    # Four calls were in flight when the process died.
    assert len(asked) <= 60 + 4


def test_a_second_run_over_a_week_makes_no_call_and_costs_nothing(database: Database, tmp_path: Path) -> None:
    with serve() as server:
        settings = settings_for(server, tmp_path)
        for _ in range(2):
            with model_judge(settings, database, WEEK) as judge:
                judged = judge_answers(answers(5), judge)
        assert len(server.chats()) == 5
    assert judged["calls"].sum() == 0
    assert judged["cost_usd"].sum() == 0
    assert judged["status"].unique().to_list() == ["ok"]


def test_what_earlier_runs_over_a_week_cost_is_no_longer_there_to_spend(database: Database, tmp_path: Path) -> None:
    with serve() as server:
        settings = settings_for(server, tmp_path)
        with model_judge(settings, database, WEEK) as judge:
            spent = judge_answers(answers(3), judge)["cost_usd"].sum()
        assert replies.spent_usd(database, WEEK) == pytest.approx(spent)
        assert spent > 0
        capped = settings_for(server, tmp_path, FEEDBACK_JUDGE_COST_CAP=str(spent))
        with model_judge(capped, database, WEEK) as judge:
            again = judge_answers(answers(6), judge)
        with model_judge(capped, database, date(2026, 11, 16)) as judge:
            other_week = judge_answers(answers(1), judge)
        assert len(server.chats()) == 3
    statuses = again.group_by("interaction_id", maintain_order=True).agg(pl.col("status").first())["status"].to_list()
    # What is in the cache is free and still there.
    assert statuses == ["ok"] * 3 + ["skipped_budget"] * 3
    assert other_week["status"].unique().to_list() == ["ok"]


def test_calls_that_came_to_nothing_are_paid_for_too(database: Database, tmp_path: Path) -> None:
    unreadable = orjson.dumps(
        {
            "model": "judge-1",
            "choices": [{"message": {"content": "no JSON"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1000, "completion_tokens": 0},
        }
    ).decode()
    with serve() as server:
        # the reply and its one repair, 1,000 tokens each at 10 dollars a million
        server.script([Fault(body=unreadable)] * 2)
        with model_judge(settings_for(server, tmp_path), database, WEEK) as judge:
            judged = judge_answers(answers(1), judge)
    assert judged["status"].unique().to_list() == ["parse_error"]
    assert replies.spent_usd(database, WEEK) == pytest.approx(0.02)


def test_a_refused_run_is_settled_with_what_it_had_cost(database: Database, tmp_path: Path) -> None:
    with serve() as server:
        server.script([None, None, Fault(429, "insufficient_quota")])
        with (
            pytest.raises(EndpointRefusedError, match="insufficient_quota"),
            model_judge(settings_for(server, tmp_path), database, WEEK) as judge,
        ):
            judge_answers(answers(30), judge)
    assert replies.spent_usd(database, WEEK) > 0


def test_a_killed_run_counts_with_the_replies_it_kept(database: Database) -> None:
    run = replies.start_run(database, WEEK)
    PostgresReplyCache(database, run).put("a", reply("a", 0.25))
    PostgresReplyCache(database, run).put("b", reply("b", 0.5))
    assert replies.spent_usd(database, WEEK) == 0.75
    replies.settle_run(database, run, 0.9, 3)
    assert replies.spent_usd(database, WEEK) == 0.9


def test_another_occasion_asks_the_same_judge_anew(database: Database, tmp_path: Path) -> None:
    fingerprints = set()
    with serve() as server:
        settings = settings_for(server, tmp_path)
        for occasion in (0, 1, 1):
            with model_judge(settings, database, WEEK, occasion=occasion) as judge:
                judge_answers(answers(2), judge)
                fingerprints.add(judge.fingerprint)
        assert len(server.chats()) == 4
    assert len(fingerprints) == 1


def test_a_model_without_a_price_is_free_on_this_machine_and_refused_elsewhere(tmp_path: Path) -> None:
    local = Settings.from_environment(
        {"FEEDBACK_JUDGE_MODEL": "own", "FEEDBACK_JUDGE_BASE_URL": "http://localhost:8000/v1"}
    )
    assert judge_endpoint(local).price == FREE
    remote = Settings.from_environment({"FEEDBACK_JUDGE_MODEL": "own", "OPENAI_API_KEY": "sk-secret"})
    with pytest.raises(UnknownPriceError, match="FEEDBACK_MODEL_PRICES") as caught:
        judge_endpoint(remote)
    assert "sk-secret" not in str(caught.value)


def test_no_text_of_the_settings_shows_the_key() -> None:
    given = Settings.from_environment({"FEEDBACK_JUDGE_MODEL": "gpt-6-luna", "OPENAI_API_KEY": "sk-secret"})
    assert "sk-secret" not in f"{given!r} {given.described()} {judge_endpoint(given)!r}"
