"""What the command line shows of the loop: the state of the store, the newest week, where the results are."""

import re
from datetime import date
from typing import Any

import orjson
import polars as pl
import sqlalchemy as sa
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from feedback_pipeline.calendar import monday_of
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, QUARANTINED_FEEDBACK, RATER_TRUST
from feedback_pipeline.ingest.summary import ImportSummary
from feedback_pipeline.judging.tables import JUDGED_QUALITY, PREFERENCE_AGREEMENT, PREFERENCE_RANKING
from feedback_pipeline.patterns.tables import SLICE_FINDINGS
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.reports.wording import counted
from feedback_pipeline.sample.rows import SOURCE
from feedback_pipeline.store import bulk, changes, computed
from feedback_pipeline.store.statements import query
from feedback_pipeline.store.waiting import waiting
from feedback_pipeline.tables.free_space import free_bytes
from feedback_pipeline.tables.parquet import files_below, names_in
from feedback_pipeline.training import costs
from feedback_pipeline.training.tables import PREFERENCE_PAIRS, TRAINING_EXAMPLES
from feedback_pipeline.tuning.configured import training_format

SHOWN = 5
MAX_FORECAST_DAYS = 3650
"""Beyond it a forecast of the disk from four weeks says nothing more exact."""


def show(pipeline: Pipeline, console: Console) -> None:
    """The summary that `feedback demo` ends with: everything since the first day, then the newest computed week."""
    days = [date.fromisoformat(key) for key in pipeline.frames.partitions(CLEAN_FEEDBACK)]
    if not days:
        console.print("Nothing is computed yet.")
        return
    _account(pipeline, console, days)
    weeks = [date.fromisoformat(key) for key in pipeline.frames.partitions(SLICE_FINDINGS)]
    if not weeks:
        return
    week = weeks[-1]
    console.print(f"\n[bold]Week of {week}[/]")
    _report(pipeline, console, week)
    _judged(pipeline, console, week)
    _preferences(pipeline, console, week)
    _training(pipeline, console, week)


def _account(pipeline: Pipeline, console: Console, days: list[date]) -> None:
    accounts = bulk.read_day(pipeline.database, "account_for_days", min(days), max(days))
    total = accounts.drop("day", "reasons").sum().row(0, named=True)
    table = Table("events", "", title="What became of every event")
    for name, count in total.items():
        if count:
            table.add_row(name.replace("_", " "), f"{count:,}")
    kept = sum(count for name, count in total.items() if name != "delivered")
    console.print(table)
    console.print(
        f"{days[0]} to {days[-1]}, {len(days)} days; every event is accounted for: {kept == total['delivered']}"
    )
    reasons = pl.concat([pipeline.frames.scan(QUARANTINED_FEEDBACK, days)]).group_by("reason").len().collect()
    if reasons.height:
        listed = ", ".join(f"{count} {reason}" for reason, count in reasons.sort("reason").iter_rows())
        console.print(f"quarantined: {escape(listed)}")


def _report(pipeline: Pipeline, console: Console, week: date) -> None:
    """The digest of the week's report, as the channels get it: what is printed here is what the page says."""
    digest = pipeline.frames.root / "weekly_report" / f"{week}.md"
    if digest.exists():
        console.print(digest.read_text(encoding="utf-8").strip(), markup=False, highlight=False)
    else:
        console.print("no report of this week: feedback materialize says why", highlight=False)


def _judged(pipeline: Pipeline, console: Console, week: date) -> None:
    for row in pipeline.frames.read(JUDGED_QUALITY, [week]).filter(pl.col("dimension") == "all").iter_rows(named=True):
        chance = row["reason"] == "judge_no_better_than_chance"
        raw = "nothing" if row["raw_rate"] is None or chance else f"{row['raw_rate']:.1%}"
        corrected = (
            f"not corrected: {row['reason']}"
            if row["corrected_rate"] is None
            else f"corrected by people {row['corrected_rate']:.1%} ({row['low']:.1%} to {row['high']:.1%})"
        )
        console.print(f"judged quality ({escape(row['judge'])}): raw {raw}, {corrected}; {row['labelled']:,} labels")


def _preferences(pipeline: Pipeline, console: Console, week: date) -> None:
    ranking = pipeline.frames.read(PREFERENCE_RANKING, [week]).filter(pl.col("rater") == "people")
    for (project,), of_project in ranking.sort("project", "rank").group_by(["project"], maintain_order=True):
        title = f"Pairwise preferences of people{f', {escape(str(project))}' if project else ''}"
        table = Table("rank", "model", "strength", "95 % interval", "votes", title=title)
        ends = pl.concat([of_project.head(3), of_project.tail(3)]).unique(maintain_order=True)
        for row in ends.iter_rows(named=True):
            interval = f"{row['low']:+.2f} to {row['high']:+.2f}"
            table.add_row(
                str(row["rank"]), escape(row["model"]), f"{row['strength']:+.2f}", interval, str(row["comparisons"])
            )
        console.print(table)
    agreement = pipeline.frames.read(PREFERENCE_AGREEMENT, [week]).filter(
        pl.col("statistic").is_in(["agreement_without_ties", "rank_correlation"]) & (pl.col("judge") != "")
    )
    for row in agreement.iter_rows(named=True):
        value = row["reason"] if row["value"] is None else f"{row['value']:.3f}"
        console.print(
            f"{escape(row['judge'])} against people, {row['statistic'].replace('_', ' ')}: {value} ({row['items']})"
        )


def _training(pipeline: Pipeline, console: Console, week: date) -> None:
    trust = pipeline.frames.read(RATER_TRUST, [week])
    console.print(f"voters trusted less: {trust.filter(pl.col('weight') < 0.9).height:,} of {trust.height:,}")
    examples = pipeline.frames.read(TRAINING_EXAMPLES, [week])
    pairs = pipeline.frames.read(PREFERENCE_PAIRS, [week])
    console.print(
        f"training examples {examples.height:,} ({int(examples['label'].sum()):,} desirable), "
        f"preference pairs {pairs.height:,}"
    )
    folder = pipeline.frames.root / "training_files" / week.isoformat()
    table = Table("format", "train", "validation", "holdout", "all in one", title="Lines in training files")
    written = [
        file
        for listing in [path for path in files_below(folder) if path.name == "files.json"]
        for file in orjson.loads(listing.read_bytes())
    ]
    for name in dict.fromkeys(file["format"] for file in written if file["layout"]):
        lines = dict.fromkeys(("train", "validation", "holdout", "all"), 0)
        for file in written:
            if file["format"] == name:
                lines[file["split"]] += file["lines"]
        table.add_row(name, *(f"{count:,}" if count else "" for count in lines.values()))
    if table.row_count:
        console.print(table)
    else:
        console.print("training files: none, there is not enough to learn from")
    for line in _training_costs(pipeline, folder):
        console.print(line, highlight=False, soft_wrap=True)
    for what, path in (
        ("report", pipeline.frames.root / "weekly_report" / f"{week}.html"),
        ("training files", folder),
        ("manifest", folder / "manifest.json"),
    ):
        console.print(f"{what}: {path}", highlight=False, soft_wrap=True)


def _training_costs(pipeline: Pipeline, folder: Any) -> list[str]:
    """Whether it is time to train, and what it would cost at least at each provider (the manifest's asset has all)."""
    path = folder / "manifest.json"
    if not path.exists():
        return []
    content = orjson.loads(path.read_bytes())["content"]
    if "tokens" not in content:  # made by an earlier version
        return []
    found = costs.trainable(content["files"], training_format(pipeline.settings))
    prices = costs.read_prices(pipeline.settings.tuning_prices_file)
    cheapest = list({price.provider: price for price in sorted(prices, key=_dearest_first)}.values())
    return [costs.advice(found.examples, partial=found.partial).text, *costs.described(content["tokens"], cheapest)]


def _dearest_first(price: costs.Price) -> tuple[bool, float]:
    return price.method == "supervised", -price.usd_per_million


def show_import(imported: ImportSummary, console: Console) -> None:
    """What an import did, a line a source, then what was refused and why."""
    verb = "would come in" if imported.dry_run else "filed"
    judged = any(source.judgements for source in imported.sources)
    table = Table(
        "source", "rows", f"answers {verb}", f"events {verb}", "known", *["judged"] * judged, "refused", "rows/s"
    )
    for source in imported.sources:
        speed = source.rows_per_second
        table.add_row(
            escape(source.name), f"{source.rows:,}", f"{source.interactions:,}", f"{source.events:,}",
            f"{source.known:,}", *[f"{source.judgements:,}"] * judged, f"{source.refused_rows:,}",
            f"{speed:,.0f}" if speed else "",
        )  # fmt: skip
    console.print(table)
    for source in imported.sources:
        for refused in source.refused:
            where = f" ({refused.field})" if refused.field else ""
            console.print(
                f"{escape(source.name)}: {counted(refused.rows, 'row')} refused: {refused.reason}{where}",
                highlight=False,
            )
        if source.unfit:
            words = ", ".join(f"{field} {word!r} ({count:,})" for field, word, count in source.unfit)
            console.print(f"{escape(source.name)}: what was refused: {escape(words)}", highlight=False)
        if source.unchanged:
            console.print(
                f"{escape(source.name)}: unchanged since its last import: {escape(', '.join(source.unchanged))}",
                highlight=False,
            )
        for note in source.notes:
            console.print(f"{escape(source.name)}: {escape(note)}", highlight=False)
        for file in source.reject_files:
            console.print(f"{escape(source.name)}: refused rows are in {file}", highlight=False, soft_wrap=True)
        for problem in source.problems:
            console.print(f"[red]{escape(problem.place)}: {escape(problem.message)}[/]", highlight=False)
        for number, row in enumerate(source.examples, 1):
            console.print(f"{escape(source.name)}: row {number} as it would be stored:", highlight=False)
            for name, value in row.items():
                console.print(f"    {name}: {escape(value)}", highlight=False)


_COUNTS = sa.text(
    "SELECT (SELECT count(*) FROM interaction) AS answers, (SELECT count(*) FROM feedback) AS events,"
    " (SELECT count(*) FROM refusal WHERE state = 'held' AND category = 'quarantined') AS quarantined,"
    " (SELECT count(*) FROM refusal WHERE state = 'held' AND category = 'duplicate') AS duplicates,"
    " (SELECT count(*) FROM refusal WHERE state = 'held' AND category = 'opted_out') AS withheld,"
    " (SELECT min(day) FROM day_state) AS first, (SELECT max(day) FROM day_state) AS last,"
    " (SELECT count(*) FROM day_state WHERE computed >= version) AS days, (SELECT count(*) FROM change) AS waiting"
)


def status(pipeline: Pipeline, console: Console) -> None:
    """What is in the store, which days wait or failed, which weeks have a report."""
    changes.fold(pipeline.database)
    with pipeline.database.engine.connect() as connection:
        counts: dict[str, Any] = dict(connection.execute(_COUNTS).mappings().one())
    console.print(
        f"{counts['answers']:,} answers, {counts['events']:,} feedback events; refused: {counts['quarantined']:,} in "
        f"quarantine, {counts['duplicates']:,} delivered twice, {counts['withheld']:,} of people who refuse collection",
        highlight=False,
    )
    if counts["first"] is None:
        console.print("The store is empty: try feedback sample, or feedback import")
        return
    due = [day for day in changes.due(pipeline.database, include_requested=True) if day.day < pipeline.today()]
    early = [day for day in due if day.day < pipeline.settings.start]
    console.print(f"{counts['first']} to {counts['last']}: {counts['days']} days computed, {len(due)} wait")
    if early:
        console.print(
            f"{len(early)} days are before the first week ({pipeline.settings.start}) and are not computed: set "
            f"FEEDBACK_START={monday_of(early[0].day)}, or unset it and import again"
        )
    for day, problem in changes.failed_days(pipeline.database).items():
        console.print(f"[red]{day} failed: {escape(problem)}[/]")
    held_back = waiting(pipeline.database)
    planted = [held for held in held_back if held.source == SOURCE and held.problem == "answer"]
    if planted:
        votes = sum(held.votes for held in planted)
        console.print(f"{votes:,} votes of the sample wait for answers that never come, on purpose")
    for held in held_back:
        if held not in planted and (advice := held.advice()):
            console.print(f"[yellow]{escape(advice)}[/]", highlight=False, soft_wrap=True)
    if lost := computed.absent(pipeline.database, pipeline.frames):
        console.print(f"[red]{escape(computed.described(lost))}[/]", highlight=False, soft_wrap=True)
    folder = pipeline.frames.root / "weekly_report"
    pages = [folder / name for name in names_in(folder) if name.endswith(".html")]
    for page in pages[-SHOWN:]:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", page.stem):
            console.print(f"report {page.stem}: {page}", highlight=False, soft_wrap=True)
    _storage(pipeline, console)
    _dagster(pipeline, console)
    if due:
        console.print("Compute what waits: feedback materialize")


def _dagster(pipeline: Pipeline, console: Console) -> None:
    """Whether the daemon lives, and how large Dagster's storage has grown."""
    from jobs import daemons, storage

    for line in daemons.described(daemons.heartbeats(pipeline.database)):
        console.print(line, highlight=False)
    sizes = storage.sizes(pipeline.database)
    if sizes:
        largest = sorted(sizes.items(), key=lambda one: -one[1])
        named = ", ".join(f"{name} {size / 1e6:,.1f} MB" for name, size in largest)
        console.print(f"Dagster's storage: {named}", highlight=False)


def _storage(pipeline: Pipeline, console: Console) -> None:
    """How far behind the loop is, how large things are, and how long the disk lasts at the pace of the last 28 days."""
    with pipeline.database.engine.connect() as connection:
        sizes = dict(connection.execute(sa.text(query("storage"))).mappings().one())
    waited = sizes["lag_seconds"]
    lag = "no day waits" if waited is None else f"the first day waits for {float(waited) / 60:,.0f} min"
    console.print(f"changes that wait: {sizes['waiting']:,}; {lag}", highlight=False)
    console.print(
        f"database {sizes['bytes'] / 1e6:,.0f} MB; {sizes['per_day']:,.0f} events a day over the last 28 days",
        highlight=False,
    )
    if pipeline.settings.database_url is not None or not sizes["events"] or not sizes["per_day"]:
        return
    growth = sizes["bytes"] / sizes["events"] * float(sizes["per_day"])
    free = free_bytes(pipeline.settings.home)
    days = free / growth
    lasts = f"{days:,.0f} days" if days < MAX_FORECAST_DAYS else "more than ten years"
    console.print(
        f"disk: {free / 1e9:,.1f} GB free; at {growth / 1e6:,.1f} MB a day (a forecast from these figures) "
        f"that is {lasts}",
        highlight=False,
    )  # fmt: skip
