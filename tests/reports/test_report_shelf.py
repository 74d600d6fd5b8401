"""The shelf: what one tenant may see of the reports that were published."""

import asyncio
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import httpx
import polars as pl
import pytest

from feedback_pipeline.capture import key_store
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, CLEAN_INTERACTIONS, VOTE_FACTS
from feedback_pipeline.console.app import create_app
from feedback_pipeline.reports.page import render_html
from feedback_pipeline.reports.periods import week_of
from feedback_pipeline.reports.published import note_tenants, page_for, published
from feedback_pipeline.reports.standalone import standalone_report
from feedback_pipeline.settings import Settings
from feedback_pipeline.tables.parquet import ParquetFolder
from tests.support.report_frames import MONDAY, vote_facts
from tests.support.report_samples import full_report

POOLED = "<!doctype html><title>pooled words of everybody</title>"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_environment({"FEEDBACK_HOME": str(tmp_path)})


def put(frames: ParquetFolder, tenants: dict[str, pl.DataFrame]) -> None:
    """The votes of each tenant, filed by day, and a published week about all of them."""
    pooled = pl.concat(list(tenants.values()))
    owners = pl.concat([facts.select("feedback_id", "day", tenant=pl.lit(name)) for name, facts in tenants.items()])
    for (day,), votes in pooled.partition_by("day", as_dict=True).items():
        frames.write(VOTE_FACTS, day, [votes])
        of_day = owners.filter(pl.col("day") == day).select("feedback_id", "tenant", "day")
        missing = [
            pl.lit(None, dtype).alias(name) for name, dtype in CLEAN_FEEDBACK.schema.items() if name not in of_day
        ]
        frames.write(CLEAN_FEEDBACK, day, [of_day.with_columns(missing).select(CLEAN_FEEDBACK.names)])
    folder = frames.root / "weekly_report"
    folder.mkdir(parents=True)
    publish(frames)


def publish(frames: ParquetFolder, page: str = POOLED) -> None:
    """As `weekly_report` does it."""
    note_tenants(frames, week_of(MONDAY, "UTC"), page.encode())
    (frames.root / "weekly_report" / f"{MONDAY}.html").write_text(page)


def votes_of(name: str, seed: int, **more) -> pl.DataFrame:
    facts = vote_facts(MONDAY, 7, 100, seed=seed, **more)
    return facts.with_columns(feedback_id=pl.lit(name) + pl.col("feedback_id"))


def test_an_empty_shelf(settings):
    frames = ParquetFolder(settings.data_url)
    assert published(frames, "UTC") == []
    assert page_for(frames, settings, "weekly", MONDAY, "acme") is None


def test_the_only_tenant_sees_the_page_as_it_was_published(settings):
    frames = ParquetFolder(settings.data_url)
    put(frames, {"acme": votes_of("a", 1)})
    assert page_for(frames, settings, "weekly", MONDAY, "acme") == POOLED
    assert [each.period.label for each in published(frames, "UTC")] == [week_of(MONDAY, "UTC").label]


def test_of_a_pooled_report_a_tenant_sees_its_own_votes_alone(settings):  # A3
    frames = ParquetFolder(settings.data_url)
    secret = votes_of("b", 2, failing=True).with_columns(
        intent=pl.lit("project-nightingale").cast(pl.Categorical), verdict=pl.lit(-1, dtype=pl.Int8)
    )
    own = votes_of("a", 1)
    put(frames, {"acme": own, "rivals": secret})
    page = page_for(frames, settings, "weekly", MONDAY, "acme")
    assert "pooled words" not in page
    assert "nightingale" not in page
    assert f"{own.height:,}" in page
    assert "nightingale" in page_for(frames, settings, "weekly", MONDAY, "rivals")


def test_answers_of_another_tenant_make_a_report_pooled(settings):
    frames = ParquetFolder(settings.data_url)
    put(frames, {"acme": votes_of("a", 1)})
    stranger = {"interaction_id": "x", "tenant": "rivals", "day": MONDAY}
    missing = [
        pl.lit(None, dtype).alias(name) for name, dtype in CLEAN_INTERACTIONS.schema.items() if name not in stranger
    ]
    answer = pl.DataFrame([stranger]).with_columns(missing).select(CLEAN_INTERACTIONS.names)
    frames.write(CLEAN_INTERACTIONS, MONDAY, [answer])
    publish(frames)
    assert page_for(frames, settings, "weekly", MONDAY, "acme") != POOLED


def test_a_day_that_is_lost_afterwards_makes_no_page_ones_own(settings):
    frames = ParquetFolder(settings.data_url)
    put(frames, {"acme": votes_of("a", 1), "rivals": votes_of("b", 2)})
    for name in frames.names(CLEAN_FEEDBACK):
        (frames.root / CLEAN_FEEDBACK.name / name).unlink()  # by hand: the loop heals it at its next look
    assert "pooled words" not in page_for(frames, settings, "weekly", MONDAY, "acme")


def test_of_another_page_than_the_noted_one_nobody_is_the_owner(settings):
    frames = ParquetFolder(settings.data_url)
    put(frames, {"acme": votes_of("a", 1)})
    page = frames.root / "weekly_report" / f"{MONDAY}.html"
    page.write_text(POOLED + " of somebody else")  # restored, or written by an earlier version
    assert "pooled words" not in page_for(frames, settings, "weekly", MONDAY, "acme")
    (frames.root / "weekly_report" / f"{MONDAY}.tenants.json").unlink()
    assert "pooled words" not in page_for(frames, settings, "weekly", MONDAY, "acme")


def test_votes_on_sessions_of_another_tenant_make_a_report_pooled(settings):
    frames = ParquetFolder(settings.data_url)
    put(frames, {"acme": votes_of("a", 1)})
    note_tenants(frames, week_of(MONDAY, "UTC"), POOLED.encode(), ["rivals"])
    assert page_for(frames, settings, "weekly", MONDAY, "acme") != POOLED


def test_a_tenant_without_votes_is_told_so(settings):
    frames = ParquetFolder(settings.data_url)
    put(frames, {"acme": votes_of("a", 1)})
    page = page_for(frames, settings, "weekly", MONDAY, "newcomers")
    assert "nobody voted this week" in page
    assert "pooled words" not in page


def test_a_report_that_is_computed_again_is_read_again(settings):
    frames = ParquetFolder(settings.data_url)
    put(frames, {"acme": votes_of("a", 1), "rivals": votes_of("b", 2)})
    first = page_for(frames, settings, "weekly", MONDAY, "acme")
    day = frames.path(VOTE_FACTS, MONDAY)
    kept = pl.read_parquet(str(day)).filter(~pl.col("feedback_id").str.starts_with("a"))
    frames.write(VOTE_FACTS, MONDAY, [kept])
    publish(frames, POOLED + " ")
    assert page_for(frames, settings, "weekly", MONDAY, "acme") != first


def test_votes_alone_make_a_report():
    facts = votes_of("a", 1, failing=True)
    content = standalone_report(facts, week_of(MONDAY, "UTC"), ("intent", "prompt_version"), project="acme", target=0.8)
    assert content.causes.findings
    assert render_html(replace(content, generated_at=datetime(2026, 11, 23, tzinfo=UTC))).startswith("<!doctype html>")


def test_the_console_lists_reports_and_shows_them_to_those_who_may_read(database, settings, tmp_path):
    frames = ParquetFolder(settings.data_url)
    put(frames, {"acme": votes_of("a", 1)})
    _, key = key_store.create(database, "test", ("read",), "acme")
    app = create_app(replace(settings, database_url=database.url), address=database.address())

    async def visit() -> None:
        transport = httpx.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://test", follow_redirects=True) as client,
        ):
            path = f"/console/reports/weekly/{MONDAY}"
            assert "API key" in (await client.get(path)).text
            assert "pooled" not in (await client.get(path)).text
            await client.post("/console/login", data={"key": key})
            listed = await client.get("/console/reports")
            assert path in listed.text
            shown = await client.get(path)
            assert shown.text == POOLED
            assert shown.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
            report = render_html(full_report())
            publish(frames, report)
            policy = (await client.get(path)).headers["content-security-policy"]
            style = report.partition("<style>")[2].partition("</style>")[0].encode()
            assert f"style-src 'sha256-{b64encode(sha256(style).digest()).decode()}'" in policy
            assert "script-src 'self'" in (await client.get("/console/reports")).headers["content-security-policy"]
            assert shown.headers["cache-control"] == "no-store"
            assert (await client.get(f"/console/reports/weekly/{MONDAY + timedelta(weeks=1)}")).status_code == 404
            assert (await client.get("/console/reports/weekly/..%2F..%2Fkeys")).status_code in (404, 422)
            assert (await client.get(f"/console/reports/yearly/{MONDAY}")).status_code == 422

    asyncio.run(visit())
