"""The public verbs about findings, over the same code that the assets use.

Each takes a table of feedback (pandas, Polars, PyArrow, a list of dicts), or reads the pipeline's own tables when given
none, and gives tables back as the kind it was given. `vote_frames` says which columns are understood.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

import polars as pl

from feedback_pipeline.actions.evidence import gather
from feedback_pipeline.actions.recommendations import recommend
from feedback_pipeline.actions.suggest import Suggestions, configured_endpoint, suggest
from feedback_pipeline.analysis.content_cache import ContentCache, digest
from feedback_pipeline.analysis.vote_frames import FeedbackFrameError, Votes, like, read_votes
from feedback_pipeline.analysis.vote_stretches import InsufficientFeedbackError, Stretch, stretch_of
from feedback_pipeline.calendar import first_of_month, monday_of
from feedback_pipeline.cleaning.tables import (
    DIMENSIONS,
    LENGTH_BANDS,
    MULTI_DIMENSIONS,
)
from feedback_pipeline.erasure import exports
from feedback_pipeline.judging.tables import JUDGED_QUALITY
from feedback_pipeline.judging.versions import averages_of_one_judge
from feedback_pipeline.llm.calls import Endpoint
from feedback_pipeline.patterns.change import approval_change
from feedback_pipeline.patterns.safety import flagged_rates
from feedback_pipeline.patterns.slices import find_slices
from feedback_pipeline.patterns.tables import SAFETY_COUNTS
from feedback_pipeline.patterns.term_findings import find_terms
from feedback_pipeline.patterns.tracking import parse_slice
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.privacy import audit_log
from feedback_pipeline.reports import wording
from feedback_pipeline.reports.content import ReportContent
from feedback_pipeline.reports.digest import render_markdown
from feedback_pipeline.reports.document import (
    ReportDocument,
    read_json,
    render_json,
    report_document,
    top_performers,
)
from feedback_pipeline.reports.page import render_html
from feedback_pipeline.reports.parts import MIN_PEOPLE, NoResultPart
from feedback_pipeline.reports.periods import month_of, week_of
from feedback_pipeline.reports.standalone import standalone_report
from feedback_pipeline.settings import Settings
from feedback_pipeline.stats.intervals import Rate, clustered_rate, wilson
from feedback_pipeline.tables.parquet import location, names_in, replaced_file

SLICED = (*DIMENSIONS, *LENGTH_BANDS, *MULTI_DIMENSIONS)
LISTED = 5

Performance = dict[str, Any]
"""One line of a result: text with its numbers."""

_cache = ContentCache()


@dataclass(frozen=True)
class PatternAnalysis:
    """What a stretch of feedback says. Rates are shares, 0–1."""

    total_feedback: int
    """Votes: up, neutral and down."""
    positive_count: int
    negative_count: int
    success_rate: float | None
    """Share of successful answers (thumb up, else four stars or more, else a successful outcome) where known, else
    approval."""
    common_positive_patterns: list[Performance]
    """Groups and words that go with votes up beyond chance: `text`, `votes`, `people`, `share` (of votes up) and that
    `elsewhere`, `q_value`; `low` and `high` are of the `difference` for groups, of the share for words."""
    common_negative_patterns: list[Performance]
    tag_performance: dict[str, Performance]
    """By tag with enough votes: `success_rate` (approval), its interval `low` and `high`, `votes`, `people`, and
    `limit` where something limits what it says (votes of one person have no interval)."""
    framework_performance: dict[str, Performance]
    recommendations: list[str]
    people: int
    approval_rate: float | None
    """Share of up among up and down."""
    approval_low: float | None
    """Lower end of approval's 95 % interval, clustered by person."""
    approval_high: float | None
    limits: list[str]
    """What limits these numbers: few people, no vote up or down, no word of frameworks."""
    left_out: dict[str, int]
    """Rows of the table that are no vote, by what they are."""
    findings: Any
    """`slice_findings`, as the kind of table that was given."""
    first_day: date | None = None
    """First day that was looked at; None for a table without times."""
    last_day: date | None = None


@dataclass(frozen=True)
class ImprovementReport:
    """The summary of one week or month; the whole report is in the file that was asked for."""

    period: str
    start_date: date
    end_date: date
    total_prompts: int
    avg_rating: float | None
    success_rate: float | None
    improvement_vs_previous: float | None
    """Change of approval against the period before, in points (of percent), as the report says it."""
    approval_rate: float | None
    """Share of up among up and down: the report's headline."""
    headline: str
    top_performers: list[Performance]
    """`text`, `dimension`, `level`, `approval_rate`, `low`, `high`, `votes`, `people`."""
    problem_areas: list[Performance]
    """`text`, `negative_rate`, `elsewhere`, `low`, `high` (of the negative rate), `votes`, `people`, `excess`."""
    action_items: list[str]


def analyze_patterns(
    data: Any = None,
    days: int = 7,
    min_samples: int = 5,
    *,
    db: Any = None,
    until: date | None = None,
    settings: Settings | None = None,
) -> PatternAnalysis:
    """What goes wrong, what goes well, and what to do.

        analyze_patterns(days=7, min_samples=5)
        analyze_patterns(frame).common_negative_patterns[0]["text"]

    Args:
        data: a table of feedback; by default the pipeline's own votes. A number is taken for `days`, so that
            `analyze_patterns(7, 5)` works, too.
        days: length of the stretch.
        min_samples: fewest votes to say anything, in all and of a tag or framework.
        db: another name for `data`; also a file (.csv, .jsonl, .parquet, .db) or an SQLite connection.
        until: its last day; by default the day of the newest vote, or the last computed one for the pipeline's own.
        settings: where the pipeline's own tables are; by default those of the environment.

    Raises:
        InsufficientFeedbackError: fewer than `min_samples` votes.
        FeedbackFrameError: the table is not one of feedback.
    """
    if isinstance(data, int):
        data, days, min_samples = None, data, days if days != DAYS else min_samples
    data = data if db is None else db
    stretch = stretch_of(data, days, until, settings)
    stretch.require(min_samples)
    key = stretch.digest("analyze_patterns", min_samples)
    found = _cache.get(key, lambda: _analysis(stretch, min_samples))
    return replace(found, findings=like(found.findings, data))


DAYS = 7


def _analysis(stretch: Stretch, min_samples: int) -> PatternAnalysis:
    facts = stretch.facts
    worse = find_slices(facts, SLICED, week=stretch.last)
    better = find_slices(facts.with_columns(verdict=-pl.col("verdict")), SLICED, week=stretch.last)
    change = approval_change(facts, stretch.before, SLICED, week=stretch.last)
    advice = recommend(
        week=stretch.last, slice_findings=worse.findings, approval_change=change.table, noun=stretch.noun
    )
    terms = find_terms(stretch.terms, week=stretch.last)
    approval = worse.negative_rate.complement
    success = facts["success"].drop_nulls().mean()
    return PatternAnalysis(
        total_feedback=facts.height,
        positive_count=int((facts["verdict"] == 1).sum()),
        negative_count=int((facts["verdict"] == -1).sum()),
        success_rate=approval.estimate if success is None else float(success),  # type: ignore[arg-type]
        common_positive_patterns=[*_groups(better.findings, "up"), *_words(terms, "up")],
        common_negative_patterns=[*_groups(worse.findings, "down"), *_words(terms, "down")],
        tag_performance=performance(facts, "tags", min_samples),
        framework_performance=performance(facts, "framework", min_samples),
        recommendations=advice.sort("rank")["text"].to_list(),
        people=approval.people,
        approval_rate=approval.estimate,
        approval_low=approval.low,
        approval_high=approval.high,
        limits=list(_limits(facts, approval, worse.reason, min_samples)),
        left_out=dict(stretch.left_out),
        findings=worse.findings,
        first_day=stretch.first if stretch.dated else None,
        last_day=stretch.last if stretch.dated else None,
    )


def _limits(facts: pl.DataFrame, approval: Rate, reason: str | None, least: int) -> Iterator[str]:
    """Why there is less to see than one might expect."""
    if approval.n == 0:
        yield f"all {facts.height:,} votes are neutral: there is no approval rate without votes up or down"
    elif approval.people < MIN_PEOPLE:
        who = "one person" if approval.people == 1 else f"{approval.people} people"
        yield f"votes of {who}: they hold for them; reports for others show rates of {MIN_PEOPLE} people or more"
    if reason is not None and approval.n:
        yield f"no search for causes: {reason}"
    for dimension, name in (("framework", "framework"), ("tags", "tag")):
        levels = facts[dimension].list.explode() if dimension == "tags" else facts[dimension]
        counts = levels.drop_nulls().value_counts()
        if counts.is_empty():
            yield f"no vote names a {name}"
        elif (counts["count"] < least).all():
            yield f"no {name} has {least} votes"


def _groups(findings: pl.DataFrame, side: str) -> list[Performance]:
    return [
        {
            "text": f"{' and '.join(f'{name} = {value}' for name, value in parse_slice(row['slice']))}: "
            f"{100 * row['negative_rate']:.0f} % of {row['votes']} votes {side}, "
            f"{100 * row['rest_negative_rate']:.0f} % elsewhere",
            "kind": "group",
            "conditions": dict(parse_slice(row["slice"])),
            "share": row["negative_rate"],
            "elsewhere": row["rest_negative_rate"],
            "difference": row["difference"],
            "low": row["difference_low"],
            "high": row["difference_high"],
            "votes": row["votes"],
            "people": row["people"],
            "q_value": row["q_value"],
        }
        for row in findings.filter("discovered").sort("rank").head(LISTED).iter_rows(named=True)
    ]


def _words(terms: pl.DataFrame, side: str) -> list[Performance]:
    found = terms.filter(pl.col("side") == side).sort("rank", "field", "term").head(LISTED)
    lines = []
    for row in found.iter_rows(named=True):
        rate = wilson(row[f"{side}_documents"], row["down_documents"] + row["up_documents"], people=row["people"])
        base = row["base_negative_rate"] if side == "down" else 1.0 - row["base_negative_rate"]
        lines.append(
            {
                "text": f"“{row['term']}” in the {row['field']}",
                "kind": "words",
                "term": row["term"],
                "field": row["field"],
                "share": rate.estimate,
                "elsewhere": base,
                "low": rate.low,
                "high": rate.high,
                "votes": rate.n,
                "people": row["people"],
                "q_value": row["q_value"],
            }
        )
    return lines


def performance(facts: pl.DataFrame, dimension: str, least: int) -> dict[str, Performance]:
    """Approval of each level of a dimension with at least so many votes up or down, with its interval."""
    levels = facts.select("person", "verdict", level=dimension).filter(pl.col("verdict") != 0)
    if isinstance(levels.schema["level"], pl.List):
        levels = levels.explode("level", empty_as_null=True, keep_nulls=True)
    sums = (
        levels.filter(pl.col("level").is_not_null())
        .group_by(pl.col("level").cast(pl.String), "person")
        .agg(up=(pl.col("verdict") == 1).sum(), votes=pl.len())
        .sort("level", "person")
    )
    rates = {
        str(name): clustered_rate(people["up"].to_numpy(), people["votes"].to_numpy())
        for (name,), people in sums.partition_by("level", as_dict=True).items()
    }
    return {name: _numbers(name, rate) for name, rate in sorted(rates.items()) if rate.n >= least}


def _numbers(name: str, rate: Rate) -> Performance:
    known: Performance = {"text": f"{name}: {100 * (rate.estimate or 0):.0f} % of {rate.n} votes up"}
    known |= {"success_rate": rate.estimate, "low": rate.low, "high": rate.high}
    told = {key: value for key, value in known.items() if value is not None}
    told |= {"votes": rate.n, "people": rate.people}
    return told if rate.reason is None else told | {"limit": rate.reason}


def generate_report(
    data: Any = None,
    period: Literal["weekly", "monthly"] = "weekly",
    output_file: str | Path | None = None,
    *,
    db: Any = None,
    until: date | None = None,
    settings: Settings | None = None,
) -> ImprovementReport:
    """The report of a week or month: its summary, and the whole of it in a file.

    Args:
        data: a table of feedback with times; by default the newest report of the pipeline itself. A period is taken for
            one, so that `generate_report("weekly", "report.json")` works, too.
        db: another name for `data`; also a file or an SQLite connection.
        period: weekly or monthly.
        output_file: where to write the whole report: `.html`, `.json` or `.md`. One of the pipeline's own is noted, so
            that an erasure finds it.
        until: a day of the period; by default that of the newest vote, or of the newest report.
        settings: where the pipeline's own reports are.

    Raises:
        InsufficientFeedbackError: no vote falls into the period, or nothing has been computed.
        FeedbackFrameError: the table is not one of feedback, or has no times.
        ValueError: the period or the file's ending is unknown.
        DatabaseError: the pipeline's own report is to be written, and the store cannot be opened to note it.
    """
    if isinstance(data, str) and data in PERIODS:
        data, period, output_file = None, data, output_file or (period if period not in PERIODS else None)
    data = data if db is None else db
    if period not in PERIODS:
        raise ValueError(f"the period is weekly or monthly, not {period}")
    render = _renderer(output_file)
    settings = settings or Settings.from_environment()
    document = (
        _own_report(settings, period, until)
        if data is None
        else _cached_report(read_votes(data, settings.timezone), period, until, settings)
    )
    if output_file is not None:
        _write(output_file, render(document.content), document, None if data is not None else Pipeline(settings))
    verdict = document.content.verdict
    return ImprovementReport(
        period=document.period,
        start_date=document.start_date,
        end_date=document.end_date,
        total_prompts=document.total_prompts,
        avg_rating=document.avg_rating,
        success_rate=document.success_rate,
        improvement_vs_previous=document.improvement_vs_previous,
        approval_rate=None if isinstance(verdict, NoResultPart) else verdict.approval.value,
        headline=document.headline,
        top_performers=_performers(document.content),
        problem_areas=_problems(document.content),
        action_items=list(document.action_items),
    )


def _write(output_file: str | Path, content: bytes, document: ReportDocument, pipeline: Pipeline | None) -> None:
    """Writes a report. The pipeline's own, which quotes people, is noted: an erasure and the audit log know of it."""
    if pipeline is None:
        with replaced_file(location(str(output_file))) as file:
            file.write(content)
        return
    first, last = document.start_date, document.end_date
    with exports.writing(pipeline.database, output_file, None, first, last, "report") as export:
        audit_log.append(
            pipeline.database, pipeline.pseudonymiser, "report.exported", actor=audit_log.account(),
            detail={"export": str(export.id), "first": str(first), "last": str(last)},
        )  # fmt: skip
        export.lines = len(content.splitlines())
        export.file.write(content)


PERIODS = ("weekly", "monthly")


def _performers(content: ReportContent) -> list[Performance]:
    return [
        {
            "text": f"{wording.dimension(one.dimension)} {wording.level(one.level)}: "
            f"{wording.percent(one.approval.value)}",
            "dimension": one.dimension,
            "level": one.level,
            "approval_rate": one.approval.value,
            "low": one.approval.low,
            "high": one.approval.high,
            "votes": one.approval.votes,
            "people": one.approval.people,
        }
        for one in top_performers(content)
    ]


def _problems(content: ReportContent) -> list[Performance]:
    found = () if isinstance(content.causes, NoResultPart) else content.causes.findings
    return [
        {
            "text": f"{wording.group(cause.conditions)}: {wording.cause_sentence(cause)}",
            "conditions": {each.dimension: each.value for each in cause.conditions},
            "negative_rate": cause.negative.value,
            "elsewhere": cause.elsewhere,
            "low": cause.negative.low,
            "high": cause.negative.high,
            "votes": cause.negative.votes,
            "people": cause.negative.people,
            "excess": cause.excess,
            "q_value": cause.q_value,
        }
        for cause in found[:LISTED]
    ]


def _renderer(output_file: str | Path | None) -> Callable[[ReportContent], bytes]:
    known: dict[str, Callable[[ReportContent], bytes]] = {
        ".html": lambda content: render_html(content).encode(),
        ".json": render_json,
        ".md": lambda content: render_markdown(content).encode(),
    }
    suffix = ".html" if output_file is None else Path(output_file).suffix.lower()
    if suffix not in known:
        raise ValueError(f"a report is written as {', '.join(known)}, not {suffix or 'a file without an ending'}")
    return known[suffix]


def _own_report(settings: Settings, period: str, until: date | None) -> ReportDocument:
    folder = Pipeline(settings).frames.root / f"{period}_report"
    starts = [name.removesuffix(".json") for name in names_in(folder) if name.endswith(".json")]
    wanted = [start for start in starts if until is None or date.fromisoformat(start) <= until]
    if not wanted and starts:
        raise InsufficientFeedbackError(0, 1, f"{period} reports up to {until}: the first is of {starts[0]}")
    if not wanted:
        raise InsufficientFeedbackError(0, 1, f"{period} reports computed (feedback materialize computes them)")
    return read_json((folder / f"{wanted[-1]}.json").read_bytes())


def _cached_report(votes: Votes, period: str, until: date | None, settings: Settings) -> ReportDocument:
    if not votes.dated:
        raise FeedbackFrameError("a report needs times: add a column timestamp")
    key = digest(
        (votes.facts, votes.said), "generate_report", period, until, settings.approval_target, settings.timezone
    )
    return _cache.get(key, lambda: report_document(_content(votes, period, until, settings)))


def _content(votes: Votes, period: str, until: date | None, settings: Settings) -> ReportContent:
    days = pl.concat([votes.facts["day"], votes.said["day"]])
    last = until or days.max()
    if not isinstance(last, date):
        raise InsufficientFeedbackError(0, 1, "in the table")
    zone = settings.timezone
    about = week_of(monday_of(last), zone) if period == "weekly" else month_of(first_of_month(last), zone)
    if not days.is_between(about.start, about.end).any():
        raise InsufficientFeedbackError(0, 1, f"in {about.label}")
    return standalone_report(
        votes.facts, about, SLICED, project="Feedback", target=settings.approval_target, said=votes.said, own=True
    )


def suggest_improvements(
    data: Any = None,
    framework: str | None = None,
    days: int = 30,
    limit: int = 5,
    *,
    db: Any = None,
    until: date | None = None,
    settings: Settings | None = None,
) -> list[dict[str, str]]:
    """What to do next: by a model where `OPENAI_API_KEY` is set, else by rule; `source` says which.

    With `framework`, what to do about that framework: how it does against the rest, and what within it is worst. A
    first argument in words is taken for it, so that `suggest_improvements("react", 30, 5)` works, too.

    Each suggestion has `title`, `suggestion`, `reason`, `evidence` (ids of findings), `expected_effect` and `source`.

    Raises:
        InsufficientFeedbackError: no vote falls into the stretch.
        FeedbackFrameError: the table is not one of feedback.
    """
    if isinstance(data, str) and not Path(data).suffix:
        days, limit = (framework, days) if isinstance(framework, int) else (days, limit)
        data, framework = None, data
    answered = suggestions(data, framework, days, limit, db=db, until=until, settings=settings)
    return [item.as_dict(answered.source) for item in answered.items]


def suggestions(
    data: Any = None,
    framework: str | None = None,
    days: int = 30,
    limit: int = 5,
    *,
    db: Any = None,
    until: date | None = None,
    settings: Settings | None = None,
) -> Suggestions:
    """As `suggest_improvements`, with why the rules answered where a model was configured."""
    settings = settings or Settings.from_environment()
    stretch = stretch_of(data if db is None else db, days, until, settings)
    if framework is not None:
        about = stretch.facts.filter(pl.col("framework").cast(pl.String) == framework)
        replace(stretch, facts=about).require(1)
    stretch.require(1)
    endpoint = configured_endpoint(settings)
    key = stretch.digest("suggest_improvements", framework, limit, endpoint)
    # a model that failed is asked again next time
    return _cache.get(
        key,
        lambda: _suggestions(stretch, framework, limit, endpoint),
        keep=lambda given: given.source == "model" or endpoint is None,
    )


def _suggestions(stretch: Stretch, framework: str | None, limit: int, endpoint: Endpoint | None) -> Suggestions:
    findings, facts, before = _findings(stretch, framework)
    change = approval_change(facts, before, SLICED, week=stretch.last).table
    advice = recommend(week=stretch.last, slice_findings=findings, approval_change=change, noun=stretch.noun)
    return suggest(advice, gather(findings, change), limit=limit, endpoint=endpoint, noun=stretch.noun)


def _findings(stretch: Stretch, framework: str | None) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Findings, and the votes they are about now and before: of all votes, or of one framework.

    One framework is compared with the others, and its groups with the rest of it.
    """
    if framework is None:
        return find_slices(stretch.facts, SLICED, week=stretch.last).findings, stretch.facts, stretch.before
    chosen = pl.col("framework").cast(pl.String) == framework
    facts, before = stretch.facts.filter(chosen), stretch.before.filter(chosen)
    against_rest = find_slices(stretch.facts, ["framework"], week=stretch.last).findings
    within = find_slices(facts, [name for name in SLICED if name != "framework"], week=stretch.last).findings
    about = against_rest.filter(pl.col("values").list.contains(framework))
    return pl.concat([about, within]), facts, before


def compare_prompt_versions(
    data: Any = None,
    *,
    db: Any = None,
    days: int = 30,
    until: date | None = None,
    settings: Settings | None = None,
) -> dict[str, Performance]:
    """Metrics of each prompt version.

        compare_prompt_versions(get_feedback_data())["v2"]["task_success_rate"]

    Of each: `task_success_rate` where successes are known, `approval_rate` with `approval_low` and `approval_high`
    (95 %, clustered by person), `votes`, `people`, `avg_stars`, and `median_latency_ms` and `avg_cost_usd` where the
    table has them. For the pipeline's own votes also `avg_<criterion>` of the newest judged week in the stretch, by one
    judge, the same for all versions, with its name (`judge`) and scale (`judge_scale`: "1–5" or "0–1"); and of all
    answers, voted on or not, the share with a safety flag: `personal_data_rate`, `refusal_rate`, `profanity_rate`,
    `content_filter_rate`.

    Raises:
        InsufficientFeedbackError: no vote says which prompt version it is about.
    """
    data = data if db is None else db
    stretch = stretch_of(data, days if data is None else None, until, settings)
    known = stretch.facts.filter(pl.col("prompt_version").is_not_null())
    versions = sorted({*known["prompt_version"].cast(pl.String), *stretch.events["prompt_version"].drop_nulls()})
    if not versions:
        raise InsufficientFeedbackError(0, 1, "with a prompt version")
    judged = _judged(stretch, settings) if data is None else {}
    flagged = _flagged(stretch, settings) if data is None else {}
    approval = performance(known, "prompt_version", 0)
    return {
        version: _version(stretch, version, approval) | judged.get(version, {}) | flagged.get(version, {})
        for version in versions
    }


def _version(stretch: Stretch, version: str, approval: dict[str, Performance]) -> Performance:
    facts = stretch.facts.filter(pl.col("prompt_version").cast(pl.String) == version)
    events = stretch.events.filter(pl.col("prompt_version") == version)
    rates = approval.get(version, {})
    renamed = {"success_rate": "approval_rate", "low": "approval_low", "high": "approval_high"}
    found: dict[str, Any] = {"task_success_rate": _task_success(events)}
    found |= {renamed.get(name, name): value for name, value in rates.items() if name not in ("text", "limit")}
    found["avg_stars"] = facts["stars"].cast(pl.Float64).mean()
    if "latency_ms" in events.columns:
        found["median_latency_ms"] = events.unique("interaction_id")["latency_ms"].median()
    if "cost_usd" in events.columns:
        found["avg_cost_usd"] = events.unique("interaction_id")["cost_usd"].mean()
    return {name: float(value) for name, value in found.items() if value is not None}


def _judged(stretch: Stretch, settings: Settings | None) -> dict[str, Performance]:
    frames = Pipeline(settings or Settings.from_environment()).frames
    weeks = [date.fromisoformat(key) for key in frames.partitions(JUDGED_QUALITY)]
    judged = [week for week in weeks if stretch.first <= week <= stretch.last]
    averages = averages_of_one_judge(frames.read(JUDGED_QUALITY, judged[-1:]))
    if averages is None:
        return {}
    by_whom = {"judge": averages.judge, "judge_scale": averages.scale}
    return {version: by_whom | means for version, means in averages.by_version.items()}


def _flagged(stretch: Stretch, settings: Settings | None) -> dict[str | None, dict[str, float]]:
    frames = Pipeline(settings or Settings.from_environment()).frames
    days = [stretch.first + timedelta(days=offset) for offset in range((stretch.last - stretch.first).days + 1)]
    rates = flagged_rates(frames.read(SAFETY_COUNTS, days), "prompt_version")
    return {version: {f"{flag}_rate": rate for flag, rate in flags.items()} for version, flags in rates.items()}


def calculate_task_success_rate(data: Any = None, *, db: Any = None, settings: Settings | None = None) -> float:
    """Share of answers that succeeded, among those of which it is known: by people's thumb, else by four stars or more,
    else by their outcome.

        calculate_task_success_rate(get_feedback_data())

    Raises:
        InsufficientFeedbackError: of no answer it is known.
        FeedbackFrameError: the table is not one of feedback.
    """
    data = data if db is None else db
    rate = _task_success(stretch_of(data, 30 if data is None else None, None, settings).events)
    if rate is None:
        raise InsufficientFeedbackError(0, 1, "that says whether the task succeeded")
    return rate


def _task_success(events: pl.DataFrame) -> float | None:
    """Each person's newest word on an answer, what people say before what the application reports."""
    known = events.filter(pl.col("success").is_not_null()).with_columns(
        explicit=pl.col("kind") == "explicit", voter=pl.coalesce("user", pl.int_range(pl.len()).cast(pl.String))
    )
    newest = known.sort("occurred_at", nulls_last=False, maintain_order=True).unique(
        ["interaction_id", "voter", "explicit"], keep="last", maintain_order=True
    )
    by_answer = newest.group_by("interaction_id").agg(
        pl.coalesce(pl.col("success").filter("explicit").mean(), pl.col("success").mean()).alias("success")
    )
    share: float | None = by_answer.sort("interaction_id")["success"].mean()  # type: ignore[assignment]
    return share
