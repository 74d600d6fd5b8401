"""Capture: votes over HTTP beside `pgbench` doing the same write, latency, batches, reads; small and large tables.

`FEEDBACK_BENCH_VOTES` is the size of the large table (5,000,000 by default), `FEEDBACK_BENCH_REPLAY` the number of
votes replayed to see whether memory grows (1,800,000 by default).
"""

import asyncio
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import psycopg
from feedback_client import FeedbackClient, log_llm_request, log_openai

from bench.rows import Row, Size, less_is_better, more_is_better
from feedback_pipeline.capture import key_store, otlp
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import embedded
from feedback_pipeline.store.database import Database, open_database

LOAD = Path(__file__).parent / "load"
CONNECTIONS = 16
SECONDS = 8
BATCH = 5000
SMALL = 10_000
ANSWERS = 10_000
PEOPLE = 100_000
SPANS = 5_000
DELIVERED_WITHIN = 300.0
"""Seconds that logged calls are waited for."""
DELIVERED = 200
"""Logged calls a second that an application may make beside work that never leaves Python."""
ASKED = "Where is invoice {} of anna@example.com? " + "It was due in May. " * 40
"""800 characters with an address."""


@dataclass
class Stage:
    """A service in processes of its own, on an embedded PostgreSQL under a temporary folder."""

    database: Database
    key: str
    home: Path
    url: str = ""
    server: int = 0

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def resident(self) -> float:
        """Megabytes of the service's processes."""
        pages = 0
        for process in (self.server, *_children(self.server)):
            pages += int(Path(f"/proc/{process}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _children(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(child) for child in text.split()]


@contextmanager
def filled(votes: int) -> Iterator[Stage]:
    """A database with that many votes."""
    home = Path(tempfile.mkdtemp(prefix="feedback-bench-"))
    database = open_database(Settings.from_environment({"FEEDBACK_HOME": str(home)}))
    try:
        with psycopg.connect(database.address()) as connection:
            psycopg.ClientCursor(connection).execute((LOAD / "populate.sql").read_text(), {"votes": votes})
        with psycopg.connect(database.address(), autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")
        key = key_store.create(database, "bench", ("write", "read"))[1]
        yield Stage(database, key, home)
    finally:
        database.engine.dispose()
        embedded.release(home / "postgres")
        time.sleep(1)
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def serving(stage: Stage, workers: int) -> Iterator[Stage]:
    """The service on that database."""
    port = embedded.free_port()
    environment = os.environ | {"FEEDBACK_HOME": str(stage.home), "FEEDBACK_KEY_REQUESTS": "0"}
    environment["FEEDBACK_DATABASE_URL"] = ""
    command = [
        sys.executable,
        "-m",
        "feedback_pipeline.cli",
        "serve",
        "--port",
        str(port),
        "--workers",
        str(workers),
    ]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as server:
        try:
            stage.url, stage.server = f"http://127.0.0.1:{port}", server.pid
            _wait(stage.url)
            yield stage
        finally:
            server.terminate()
            server.wait(20)


def _wait(url: str) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError("the service did not start")


@dataclass(frozen=True)
class Written:
    """What `pgbench` reached calling the service's own function, one vote at a time, and what a vote cost the store."""

    rate: float
    late: float
    """p99 milliseconds at 200 votes a second."""
    commit: float
    """Median milliseconds in which the disk keeps 8 kB."""
    wal_bytes: float
    pages_touched: float
    pages_read: float


_COST = """SELECT pg_current_wal_insert_lsn() - '0/0', sum(blks_hit), sum(blks_read) FROM pg_stat_database"""


def pgbench(stage: Stage, seconds: int) -> Written:
    """`pgbench` over as many connections as `wrk` uses."""
    command = [str(embedded.binaries() / "pgbench"), "-n", "-M", "prepared", "-c", str(CONNECTIONS), "-j", "1"]
    command += ["-T", str(seconds), "-f", str(LOAD / "one_vote.sql"), stage.database.address()]
    with psycopg.connect(stage.database.address(), autocommit=True) as connection:
        before = connection.execute(_COST).fetchone() or (0, 0, 0)
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=os.environ | {"PGOPTIONS": "-c role=feedback_api"}
        )
        if done.returncode:
            raise RuntimeError(f"pgbench failed: {done.stderr[-500:]}")
        after = connection.execute(_COST).fetchone() or (0, 0, 0)
    rate = float(done.stdout.split("tps = ")[1].split()[0])
    wal, hit, read = (float(late - early) / (rate * seconds) for early, late in zip(before, after, strict=True))
    return Written(rate, _late(stage, seconds), commit_time(stage.home), wal, hit + read, read)


def _late(stage: Stage, seconds: int) -> float:
    """p99 milliseconds of `pgbench` at 200 votes a second."""
    with tempfile.TemporaryDirectory() as folder:
        command = [str(embedded.binaries() / "pgbench"), "-n", "-M", "prepared", "-c", str(CONNECTIONS), "-j", "1"]
        command += ["-R", "200", "-l", "--log-prefix", f"{folder}/took", "-T", str(seconds + 1)]
        command += ["-f", str(LOAD / "one_vote.sql"), stage.database.address()]
        environment = os.environ | {"PGOPTIONS": "-c role=feedback_api"}
        subprocess.run(command, capture_output=True, check=True, env=environment)
        lines = [line.split() for log in Path(folder).iterdir() for line in log.read_text().splitlines()]
    return sorted(int(line[2]) for line in lines)[int(len(lines) * 0.99)] / 1000


def commit_time(folder: Path, times: int = 100) -> float:
    """Median milliseconds of writing 8 kB to a disk and having it kept (fdatasync)."""
    taken = []
    with (folder / "commit-time").open("wb", buffering=0) as file:
        for _ in range(times):
            started = time.perf_counter()
            file.write(bytes(8192))
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - started) * 1000)
    (folder / "commit-time").unlink()
    return statistics.median(taken)


def wrk(stage: Stage, seconds: int) -> tuple[float, float] | None:
    """Votes a second over HTTP and p99 milliseconds; None where wrk is not installed."""
    path = shutil.which("wrk")
    if path is None:
        return None
    command = [path, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(LOAD / "one_vote.lua"), stage.url, "--"]
    done = subprocess.run([*command, stage.key, str(time.time_ns())], capture_output=True, text=True, check=True)
    requests, microseconds, refused, _, p99 = done.stdout.split("RESULT ")[1].split()
    if int(refused):
        raise RuntimeError(f"{refused} requests were refused")
    return int(requests) / (int(microseconds) / 1e6), float(p99)


async def open_loop(stage: Stage, rate: int = 200, seconds: int = 10) -> list[float]:
    """Milliseconds of votes sent at a fixed rate, whether or not earlier ones are answered."""
    times: list[float] = []
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(base_url=stage.url, headers=stage.headers(), limits=limits, timeout=30) as client:

        async def one(number: int) -> None:
            vote = {"kind": "explicit", "thumb": True, "user_id": f"o-{number}",
                    "interaction_id": f"00000000-0000-7000-8000-{number % 10000 + 1:012x}"}  # fmt: skip
            started = time.perf_counter()
            answer = await client.post("/v1/feedback", json=vote, headers={"Idempotency-Key": f"o-{time.time_ns()}"})
            times.append((time.perf_counter() - started) * 1000)
            assert answer.status_code == 201

        tasks = []
        begun = time.perf_counter()
        for number in range(rate * seconds):
            await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
            tasks.append(asyncio.create_task(one(number)))
        await asyncio.gather(*tasks)
    return sorted(times[rate:])  # the first second warms up


def _bodies(amount: "Amount", seed: int) -> list[bytes]:
    """Batches of thumbs by `PEOPLE` people on `ANSWERS` answers."""
    chance = random.Random(seed)
    return [
        json.dumps({"items": [
            {"kind": "explicit", "thumb": item % 5 > 0, "user_id": f"b-{chance.randrange(PEOPLE)}",
             "interaction_id": f"00000000-0000-7000-8000-{chance.randrange(ANSWERS) + 1:012x}"}
            for item in range(amount.batch)
        ]}).encode()
        for _ in range(amount.batches)
    ]  # fmt: skip


def batches(stage: Stage, amount: "Amount", bodies: list[bytes], *, keyed: bool = False, threads: int = 4) -> float:
    """Votes a second in batches over HTTP; with `keyed`, under an idempotency key each."""
    shares = [bodies[thread::threads] for thread in range(threads)]

    def send(share: list[bytes]) -> None:
        with httpx.Client(base_url=stage.url, headers=stage.headers(), timeout=120) as client:
            for body in share:
                headers = {"Content-Type": "application/json"}
                if keyed:
                    headers["Idempotency-Key"] = f"b-{time.time_ns()}-{random.random()}"
                answer = client.post("/v1/feedback/batch", content=body, headers=headers)
                assert answer.content.startswith(b'{"stored":%d,' % amount.batch), answer.content[:200]

    workers = [threading.Thread(target=send, args=(share,)) for share in shares]
    started = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return len(bodies) * amount.batch / (time.perf_counter() - started)


def _traces(amount: "Amount", seed: int) -> list[bytes]:
    """Requests of a trace exporter: calls of a model, as the GenAI conventions have them."""
    chance = random.Random(seed)
    words = [f"{syllable}{number}" for number in range(200) for syllable in ("ba", "ke", "li")]

    def said(role: str, count: int) -> str:
        text = " ".join(chance.choices(words, k=count))
        return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])

    made = []
    for _ in range(amount.batches):
        request = otlp.request_class("TraceRequest")()
        spans = request.resource_spans.add().scope_spans.add().spans
        for _ in range(amount.spans):
            ended = time.time_ns() - chance.randrange(10**12)
            span = spans.add(
                trace_id=chance.randbytes(16), span_id=chance.randbytes(8), start_time_unix_nano=ended - 10**9,
                end_time_unix_nano=ended,
            )  # fmt: skip
            held = {
                "gen_ai.operation.name": "chat", "gen_ai.request.model": "north-7b", "gen_ai.usage.input_tokens": 40,
                "gen_ai.usage.output_tokens": 60, "gen_ai.response.id": f"r-{chance.random()}",
                "gen_ai.conversation.id": f"c-{chance.randrange(PEOPLE)}", "user.id": f"u-{chance.randrange(PEOPLE)}",
                "gen_ai.input.messages": said("user", 30), "gen_ai.output.messages": said("assistant", 40),
            }  # fmt: skip
            for key, value in held.items():
                attribute = span.attributes.add(key=key)
                if isinstance(value, int):
                    attribute.value.int_value = value
                else:
                    attribute.value.string_value = value
        made.append(request.SerializeToString())
    return made


def traces(stage: Stage, amount: "Amount", bodies: list[bytes], threads: int = 4) -> float:
    """Spans a second over HTTP, each kept as an answer."""
    shares = [bodies[thread::threads] for thread in range(threads)]
    headers = {**stage.headers(), "Content-Type": "application/x-protobuf"}

    def send(share: list[bytes]) -> None:
        with httpx.Client(base_url=stage.url, headers=headers, timeout=120) as client:
            for body in share:
                assert client.post("/v1/traces", content=body).content == b""

    with psycopg.connect(stage.database.address(), autocommit=True) as connection:
        counted = "SELECT count(*) FROM interaction"
        before = (connection.execute(counted).fetchone() or (0,))[0]
        started = time.perf_counter()
        workers = [threading.Thread(target=send, args=(share,)) for share in shares]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        seconds = time.perf_counter() - started
        kept = (connection.execute(counted).fetchone() or (0,))[0] - before
    assert kept == len(bodies) * amount.spans, kept
    return float(kept / seconds)


def read(stage: Stage, path: str, times: int = 60) -> float:
    """p95 milliseconds of a read over HTTP."""
    taken = []
    with httpx.Client(base_url=stage.url, headers=stage.headers()) as client:
        for _ in range(times):
            started = time.perf_counter()
            assert client.get(path).status_code == 200
            taken.append((time.perf_counter() - started) * 1000)
    return statistics.quantiles(taken, n=20)[-1]


@dataclass(frozen=True)
class Amount:
    """How much is measured: sizes of the tables, votes replayed, seconds of load, batches and their size, calls."""

    small: int = SMALL
    large: int = 5_000_000
    replayed: int = 1_800_000
    seconds: int = SECONDS
    batches: int = 40
    batch: int = BATCH
    spans: int = 512
    """In a request, as OpenTelemetry's batch processor sends them."""
    reads: int = 60
    calls: int = 3_000


def _rate(work: str, ours: float | None, peer: float, beside: str, note: str) -> Row:
    """A row of votes a second: more is better."""
    return Row(
        work=work,
        ours=None if ours is None else f"{ours:,.0f} votes/s",
        peer=f"{peer:,.0f} votes/s ({beside})",
        ratio="" if ours is None else more_is_better(ours, peer),
        note=note,
    )


def _delay(work: str, ours: float, limit: float, note: str, beside: str = "limit") -> Row:
    """A row of milliseconds: less is better."""
    return Row(
        work=work,
        ours=f"{ours:,.3f} ms",
        peer=f"{limit:,.3f} ms ({beside})",
        ratio=less_is_better(ours, limit),
        note=note,
    )


def rows(size: Size) -> Iterator[Row]:
    """The rows of the performance table."""
    if size == "small":
        amount = Amount(
            small=200, large=1_000, replayed=400, seconds=1, batches=2, batch=100, spans=20, reads=5, calls=50
        )
    else:
        given = os.environ.get
        amount = Amount(
            large=int(given("FEEDBACK_BENCH_VOTES") or Amount.large),
            replayed=int(given("FEEDBACK_BENCH_REPLAY") or Amount.replayed),
        )
    yield from empty(amount)
    yield from sizes(amount)


def empty(amount: Amount) -> list[Row]:
    """Batches into empty tables, then so many votes as fast as they go."""
    note = f"batches of {amount.batch:,} over HTTP, 2 processes, 4 connections"
    with filled(0) as stage, serving(stage, workers=2):
        bodies = _bodies(amount, seed=1)
        batches(stage, amount, bodies[:4])  # warms up
        rate = batches(stage, amount, bodies)
        keyed = batches(stage, amount, bodies[: max(amount.batches // 2, 1)], keyed=True)
        before = stage.resident()
        fast = batches(stage, amount, bodies * round(amount.replayed / amount.batch / len(bodies)))
        grown = stage.resident() - before
        spans = traces(stage, amount, _traces(amount, seed=3))
    return [
        Row(
            work="spans of calls to models over OTLP (protobuf), each an answer in the store",
            ours=f"{spans:,.0f} spans/s",
            peer=f"{SPANS:,} spans/s (asked)", ratio=more_is_better(spans, SPANS),
            note=f"{amount.spans} a request, 1 kB a span, 2 processes, 4 connections, load generator included",
        ),
        _rate("votes in batches, empty tables", rate, 30_000, "asked", note),
        _rate("votes in batches, each under a key", keyed, 30_000, "asked", note),
        _rate(
            f"{amount.replayed:,} votes replayed", fast, 30_000, "asked",
            f"the service's memory before {before:.0f} MB, after {before + grown:.0f} MB",
        ),
    ]  # fmt: skip


def sizes(amount: Amount) -> Iterator[Row]:
    """Single votes and reads on small and large tables, batches on the large one."""
    written: dict[int, Written] = {}
    for size in (amount.small, amount.large):
        with filled(size) as stage:
            with serving(stage, workers=1):
                written[size] = pgbench(stage, amount.seconds)
                yield from _writes(stage, size, written[size], amount)
                yield from _reads(stage, size, amount)
                if size == amount.small:
                    yield _logging(stage, amount.calls)
                    yield _delivered(stage, amount.calls)
                    yield _openai(stage, amount.calls)
            if size == amount.large:
                with serving(stage, workers=2):
                    bodies = _bodies(amount, seed=2)
                    batches(stage, amount, bodies[:4])
                    rate = batches(stage, amount, bodies)
                    note = f"batches of {amount.batch:,} over HTTP, 2 processes, 4 connections"
                    yield _rate(f"votes in batches, {size:,} votes", rate, 25_000, "asked", note)
    few, many = written[amount.small], written[amount.large]
    note = (
        f"pgbench, against {amount.small:,} votes; a vote writes {many.wal_bytes / 1000:.1f} kB of log (was "
        f"{few.wal_bytes / 1000:.1f}), touches {many.pages_touched:.0f} pages ({few.pages_touched:.0f}) and finds "
        f"{many.pages_read:.1f} of them not in shared memory ({few.pages_read:.1f})"
    )
    cost = few.rate / many.rate
    yield Row(
        work=f"cost of an insert at {amount.large:,} votes",
        ours=f"{cost:.2f} ×",
        peer="1.5 × (limit)",
        ratio=less_is_better(cost, 1.5),
        note=note,
    )


def _writes(stage: Stage, size: int, peer: Written, amount: Amount) -> list[Row]:
    ours = wrk(stage, amount.seconds)
    times = asyncio.run(open_loop(stage, seconds=amount.seconds + 2))
    p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
    note = f"{CONNECTIONS} connections, one process" + (f"; p99 {ours[1]:.1f} ms" if ours else "; wrk is not installed")
    disk = f"p50 {p50:.1f} ms; the disk commits in {peer.commit:.2f} ms, pgbench's p99 at 200/s {peer.late:.1f} ms"
    return [
        _rate(f"one durable vote, {size:,} votes", ours[0] if ours else None, peer.rate,
              "pgbench, the same function, one vote a call", note),
        _delay(f"vote at 200 a second, p99, {size:,} votes", p99, 10, disk),
        _delay(f"the same beside pgbench at 200 a second, {size:,} votes", p99, 1.5 * peer.late, "",
               "1.5 × pgbench's p99"),
    ]  # fmt: skip


def _reads(stage: Stage, size: int, amount: Amount) -> list[Row]:
    paths = {
        "accuracy": ("/v1/feedback/accuracy", 5),
        "statistics, 90 days": ("/v1/feedback/stats?days=90", 20),
        "statistics of one model": ("/v1/feedback/stats?days=90&model=m-1", 20),
        "statistics of one intent": ("/v1/feedback/stats?days=90&intent=i-1", 20),
        "statistics of one project": ("/v1/feedback/stats?days=90&project=p-1", 20),
    }
    return [
        _delay(f"{name}, p95, {size:,} votes", read(stage, path, amount.reads), limit, "over HTTP", "asked")
        for name, (path, limit) in paths.items()
    ]


def _logging(stage: Stage, calls: int) -> Row:
    """What `log_llm_request` adds to a call."""
    client = FeedbackClient(stage.url, stage.key)

    @log_llm_request(client=client, prompt_version="v7")
    def answer(messages: list[dict[str, str]], model: str) -> str:
        return "Under Billing, then Invoices."

    taken = []
    for number in range(calls):
        messages = [{"role": "user", "content": f"Where is invoice {number} of anna@example.com?"}]
        started = time.perf_counter()
        answer(messages, model="m-1")
        taken.append((time.perf_counter() - started) * 1000)
        time.sleep(0.001)  # an application that is busy with a thousand answers a second
    client.close()
    p99 = statistics.quantiles(taken, n=100)[98]
    note = f"p50 {statistics.median(taken):.3f} ms; texts are redacted and sent in a thread"
    return _delay("log_llm_request adds, p99", p99, 1, note)


def _delivered(stage: Stage, calls: int) -> Row:
    """How many logged calls a second one process delivers: while it waits, and while a thread of it never does."""
    rates = {}
    for beside, working in (("idle", False), ("busy", True)):
        client = FeedbackClient(stage.url, stage.key)

        @log_llm_request(client=client, prompt_version="v7")
        def answer(messages: list[dict[str, str]], model: str) -> str:
            return "Under Billing, then Invoices."

        answer([{"role": "user", "content": ASKED.format(0)}], model="m-1")
        client.flush(DELIVERED_WITHIN)  # the rules are loaded
        started, done = time.perf_counter(), threading.Event()
        for number in range(calls):
            answer([{"role": "user", "content": ASKED.format(number)}], model="m-1")

        def wait(client: FeedbackClient = client, done: threading.Event = done) -> None:
            client.flush(DELIVERED_WITHIN)
            done.set()

        threading.Thread(target=wait, daemon=True).start()
        while working and not done.is_set():
            sum(range(1_000))
        done.wait()
        rates[beside] = calls / (time.perf_counter() - started)
        client.close()
        if client.metrics["delivered"] != calls + 1:
            raise RuntimeError(f"not every call was delivered: {client.metrics}")
    return Row(
        work="calls that one process logs, delivered",
        ours=f"{rates['busy']:,.0f} calls/s beside a busy thread, {rates['idle']:,.0f} beside an idle one",
        peer=f"{DELIVERED:,} calls/s (asked)",
        ratio=more_is_better(rates["busy"], DELIVERED),
        note=f"{calls:,} calls of 800 characters with an address, redacted and sent in a thread, service included",
    )


def _openai(stage: Stage, calls: int) -> Row:
    """What `log_openai` adds to a call of the real client over loopback: plain and logged calls in turn.

    What is compared is the time of a call without its request, which takes what the provider takes.
    """
    feedback = FeedbackClient(stage.url, stage.key)
    whole: dict[str, list[float]] = {"plain": [], "logged": []}
    taken: dict[str, list[float]] = {"plain": [], "logged": []}
    worked: dict[str, list[float]] = {"plain": [], "logged": []}
    away = Away()
    with answering() as url, httpx.Client(transport=away) as given:
        http: Any = given  # the SDK's own copy of httpx has a client of another name
        plain = openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0, http_client=http)
        logged = log_openai(openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0, http_client=http), feedback)
        for number in range(calls + 50):
            asked = ASKED.format(number)
            both = [("plain", plain), ("logged", logged)]
            for name, client in both if number % 2 else both[::-1]:
                begun, busy = time.perf_counter(), time.thread_time()
                client.chat.completions.create(model="m-1", messages=[{"role": "user", "content": asked}])
                if number >= 50:  # the first ones warm up
                    worked[name].append((time.thread_time() - busy) * 1000)
                    whole[name].append((time.perf_counter() - begun) * 1000)
                    taken[name].append(whole[name][-1] - away.milliseconds)
    feedback.flush(DELIVERED_WITHIN)
    feedback.close()
    if feedback.metrics["delivered"] < calls:
        raise RuntimeError(f"not every call was logged: {feedback.metrics}")
    late = {name: statistics.quantiles(values, n=100)[98] for name, values in taken.items()}
    half = {name: statistics.median(values) for name, values in taken.items()}
    busy_by = statistics.median(worked["logged"]) - statistics.median(worked["plain"])
    note = (
        f"{calls:,} calls each in turn, without their request: p50 {half['plain']:.2f} ms plain, {half['logged']:.2f} "
        f"ms logged; p99 {late['plain']:.2f} and {late['logged']:.2f} ms. With it: p50 "
        f"{statistics.median(whole['plain']):.2f} and {statistics.median(whole['logged']):.2f} ms. The calling thread "
        f"works {busy_by:.3f} ms longer (median)"
    )
    return _delay("log_openai adds to a call of the openai client, p99", late["logged"] - late["plain"], 1, note)


class Away(httpx.HTTPTransport):
    """A transport that says how long the last request took."""

    milliseconds = 0.0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        begun = time.perf_counter()
        answer = super().handle_request(request)
        answer.read()
        self.milliseconds = (time.perf_counter() - begun) * 1000
        return answer


@contextmanager
def answering() -> Iterator[str]:
    """A provider of models in a process of its own."""
    port = embedded.free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", "tests.support.llm_server:provider"]
    command += ["--port", str(port), "--log-level", "error", "--no-access-log"]
    with subprocess.Popen(command, cwd=LOAD.parents[1]) as server:
        try:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                try:
                    httpx.get(f"http://127.0.0.1:{port}/")
                    break
                except httpx.TransportError:
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(20)


if __name__ == "__main__":
    for row in rows("full"):
        print(row)
