"""Experiments: what decisions and readouts cost, and how often they are wrong where the truth is known."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from feedback_client.assignment import Arm, Experiment, decide

from bench.rows import Row, Size, less_is_better
from bench.simulated import Line
from feedback_pipeline.experiments.approval_of_all import approval_of_all
from feedback_pipeline.experiments.off_policy import Log, PolicyValue, value_of
from feedback_pipeline.experiments.ratios import People
from feedback_pipeline.experiments.readout import SIGNALS, UNITS, Seen, read_experiment
from feedback_pipeline.experiments.registry import Plan, Registered
from feedback_pipeline.experiments.sample_ratio import MAX_FALSE, mismatch
from feedback_pipeline.experiments.verdicts import read

HALVES = {"v1": 0.5, "v2": 0.5}
TONE = Experiment("tone", 1, (Arm("v1", 0.5), Arm("v2", 0.5)), "v1", "tone", condition={"plan": "pro"})


def rows(size: Size) -> list[Row]:
    """The rows of `make bench`."""
    if size == "small":
        return [_decision(500), _readout(2_000), _ofrep(20, 1)]
    return [_decision(), _readout(), _ofrep()]


def _ofrep(rate: int = 200, seconds: int = 20) -> Row:
    """Evaluations at a fixed rate, whether or not the one before came back; times count from when each was due."""
    import asyncio
    import datetime as dt

    import httpx

    from bench.capture import filled, serving
    from feedback_pipeline.experiments import registry

    async def load(url: str, headers: dict[str, str], count: int) -> list[float]:
        took: list[float] = []
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=10) as client:

            async def one(n: int) -> None:
                due = started + n / rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                context = {"targetingKey": f"user-{n}", "plan": "pro"}
                answer = await client.post("/ofrep/v1/evaluate/flags/tone", json={"context": context})
                answer.raise_for_status()
                took.append(1000 * (time.perf_counter() - due))

            started = time.perf_counter()
            await asyncio.gather(*(one(n) for n in range(count)))
        return took

    with filled(1_000) as stage:
        now = dt.datetime.now(dt.UTC)
        registry.create(stage.database, TONE, now=now)
        registry.start(stage.database, TONE.name, now=now)
        with serving(stage, 1):
            asyncio.run(load(stage.url, stage.headers(), rate))  # warm
            before = _cpu_seconds(stage.server)
            took = np.array(asyncio.run(load(stage.url, stage.headers(), rate * seconds)))
            spent = _cpu_seconds(stage.server) - before
    load_now = Path("/proc/loadavg").read_text().split()[0]
    late = float(np.quantile(took, 0.99))
    note = f"median {np.median(took):.1f} ms; {1000 * spent / took.size:.1f} ms CPU each; load {load_now}"
    return {"work": f"OFREP at {rate}/s, open loop", "ours": f"p99 {late:.1f} ms", "peer": "p99 10 ms (asked)",
            "ratio": less_is_better(late, 10), "note": note}  # fmt: skip


def _cpu_seconds(process: int) -> float:
    """CPU time of a process and its children so far."""
    every = [process, *(int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split())]
    stats = [Path(f"/proc/{one}/stat").read_text().rpartition(") ")[2].split() for one in every]
    return sum(int(one[11]) + int(one[12]) for one in stats) / os.sysconf("SC_CLK_TCK")


def _decision(count: int = 20_000) -> Row:
    from growthbook.core import gbhash

    started = time.process_time()
    for n in range(count):
        decide(TONE, f"user-{n}@shop", {"plan": "pro"})
    ours = (time.process_time() - started) / count * 1e6
    started = time.process_time()
    for n in range(count):
        gbhash("tone", f"user-{n}@shop", 2)
    theirs = (time.process_time() - started) / count * 1e6
    peer = f"GrowthBook SDK's hash alone {theirs:.1f} µs"
    return {"work": "a decision in process, CPU", "ours": f"{ours:.1f} µs", "peer": peer,
            "ratio": less_is_better(ours, theirs), "note": "wanted under 50 µs"}  # fmt: skip


def _readout(people: int = 1_000_000) -> Row:
    import datetime as dt

    rng = np.random.default_rng(0)
    at = dt.datetime(2026, 11, 2, tzinfo=dt.UTC)
    arm = rng.random(people) < 0.5
    names = pl.Series([f"p{n}" for n in range(people)])
    units = pl.DataFrame({
        "unit": names, "version": 1, "leaf": None, "variant": np.where(arm, "v2", "v1"), "propensity": 0.5,
        "assigned_at": at, "exposed_at": at,
    }, schema=UNITS)  # fmt: skip
    signals = pl.DataFrame({
        "unit": names, "at": at, "measure": "approval", "value": (rng.random(people) < 0.8).astype(float)
    }, schema=SIGNALS)  # fmt: skip
    found = Registered("default", TONE, "running", Plan(), False, at, at, None, None)
    started, cpu = time.perf_counter(), time.process_time()
    read_experiment(found, {1: TONE}, Seen(units, signals), at.date())
    seconds = time.perf_counter() - started
    return {"work": f"readout of {people:,} assignments", "ours": f"{seconds:.1f} s", "peer": "3 s (asked)",
            "ratio": less_is_better(seconds, 3), "note": f"CPU {time.process_time() - cpu:.1f} s"}  # fmt: skip


def calibration(runs: int = 1_000) -> Iterator[Line]:
    """The lines of `make calibrate`."""
    false = np.mean([_daily(run, 0.80, 0.80) for run in range(runs)])
    yield Line("A/A, 28 daily looks, confidence sequence", f"{false:.1%} false", "at most 5%", bool(false <= 0.05))
    peeked = np.mean([_daily(run, 0.80, 0.80, planned_interval=True) for run in range(runs // 4)])
    yield Line(
        "the same looks at the planned interval (peeking)", f"{peeked:.1%} false", "why there is a sequence", True
    )
    found = np.mean([_once(run, 0.81, 0.78, 10_000) for run in range(runs // 2)])
    yield Line("+3 points on 20,000 people", f"{found:.1%} found", "at least 80%", bool(found >= 0.8))
    caught = np.mean([_split(run, 0.51) for run in range(runs * 4)])
    yield Line(
        "ratio mismatch of 1 point at 100,000 people", f"{caught:.2%} caught", "at least 99%", bool(caught >= 0.99)
    )
    wrong = np.mean([_split(run, 0.5) for run in range(runs * 20)])
    yield Line("no ratio mismatch", f"{wrong:.3%} stopped", "at most 0.1%", bool(wrong <= 0.001))
    for method in ("self_normalised_ips", "doubly_robust"):
        covered = np.mean([_off_policy(run, method) for run in range(runs)])
        yield Line(f"off-policy value, {method.replace('_', ' ')}", f"{covered:.1%} covered", "at least 93%",
                   bool(covered >= 0.93))  # fmt: skip
    everybody = np.mean([_all_answers(run) for run in range(runs // 5)])
    yield Line(
        "approval of all answers, voters lean", f"{everybody:.1%} covered", "at least 93%", bool(everybody >= 0.93)
    )


def _daily(run: int, rate: float, other: float, *, planned_interval: bool = False) -> bool:
    rng = np.random.default_rng(10_000 + run)
    sides = [rng.binomial(1, value, 28 * 60).astype(float) for value in (rate, other)]
    for day in range(1, 29):
        found = read(*(People.of(side[: 60 * day], 1.0) for side in sides), planned=3_000)
        low, high = (found.low, found.high) if planned_interval else (found.sequence_low, found.sequence_high)
        if low is not None and high is not None and (low > 0 or high < 0):
            return True
    return False


def _once(run: int, rate: float, other: float, people: int) -> bool:
    rng = np.random.default_rng(20_000 + run)
    found = read(*(People.of(rng.binomial(1, value, people), 1.0) for value in (rate, other)), planned=2 * people)
    return found.sequence_low is not None and found.sequence_low > 0


def _split(run: int, share: float) -> bool:
    there = int(np.random.default_rng(30_000 + run).binomial(100_000, share))
    p = mismatch([({"v1": there, "v2": 100_000 - there}, HALVES)])
    return p is not None and p < MAX_FALSE


def _off_policy(run: int, method: str) -> bool:
    rng = np.random.default_rng(40_000 + run)
    truth, logging = np.array([[0.6, 0.8], [0.7, 0.5]]), np.array([[0.8, 0.2], [0.3, 0.7]])
    target = np.array([[0.1, 0.9], [0.9, 0.1]])
    leaf = rng.integers(0, 2, 2_000)
    arm = (rng.random(2_000) >= logging[leaf, 0]).astype(np.int64)
    reward = rng.binomial(1, truth[leaf, arm]).astype(float)
    found = value_of(Log(reward, arm, leaf, logging[leaf, arm], np.arange(2_000)), target, method=method)
    return isinstance(found, PolicyValue) and found.low <= (target * truth).sum(axis=1).mean() <= found.high


def _all_answers(run: int, answers: int = 12_000, share: float = 0.05) -> bool:
    rng = np.random.default_rng(50_000 + run)
    good = rng.random(answers) < 0.82
    judged = np.where(rng.random(answers) < 0.3, rng.random(answers) < np.where(good, 0.95, 0.6), np.nan)
    signal = np.where(rng.random(answers) < np.where(good, 0.25, 0.1), good.astype(float), np.nan)
    asked = rng.random(answers) < share
    answering = rng.random(answers) < np.where(np.isnan(signal), 0.3, 0.6)
    choosing = rng.random(answers) < np.where(good, 0.02, 0.06)
    verdict = np.where(np.where(asked, answering, choosing), good.astype(float), np.nan)
    frame = pl.DataFrame({
        "person": [f"p{n}" for n in rng.integers(0, answers // 2, answers)], "asked": asked, "probability": share,
        "verdict": verdict, "judged": judged, "signal": signal,
    }, nan_to_null=True)  # fmt: skip
    found = approval_of_all(frame)
    return found.low is not None and found.high is not None and found.low <= good.mean() <= found.high
