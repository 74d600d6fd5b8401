"""The rows of the appendix tables, as text."""

from collections.abc import Sequence

from feedback_pipeline.reports import wording
from feedback_pipeline.reports.findings import RepeatedFailures, Standings, Terms, Topics
from feedback_pipeline.reports.operations import JudgedQuality, Method, Training, VersionComparison, Versions
from feedback_pipeline.reports.parts import Count, Difference, NoResultPart, Rate
from feedback_pipeline.reports.said import Phrase, Preferences
from feedback_pipeline.reports.subjects import Subjects
from feedback_pipeline.reports.trials import Trials

Row = tuple[str, ...]

NOTHING = "–"
SIGNIFICANT = 0.05

TITLES = {
    "all-answers": "Approval of all answers",
    "experiments": "Experiments",
    "judged-quality": "Judged quality beside approval",
    "model-and-prompt-versions": "Model and prompt versions",
    "best-and-worst": "Best and worst performing",
    "words": "Words",
    "topics": "Topics",
    "repeated-failures": "Repeated failures",
    "use-of-feedback": "Use of feedback",
    "training-data": "Training data",
    "data-quality": "Data quality",
    "method": "Method",
}
"""Sections of the appendix: anchor and title, in order."""


def ranked_rows(given: Preferences) -> list[Row]:
    """One row per model, best first."""
    return [
        (
            f"{wording.level(model.project)}: {wording.level(model.model)}"
            if model.project
            else wording.level(model.model),
            f"{model.strength:+.2f}".replace("-", wording.MINUS),
            f"{model.low:+.2f} to {model.high:+.2f}".replace("-", wording.MINUS),
            wording.percent(model.win_rate),
            wording.count(model.comparisons),
            model.standing,
        )
        for model in given.models
    ]


def phrase_rows(phrases: Sequence[Phrase]) -> list[Row]:
    """One row per phrase."""
    return [(one.text, wording.count(one.people), wording.count(one.texts)) for one in phrases]


def subject_rows(found: Subjects) -> list[Row]:
    """One row per kind of subject."""
    return [
        (
            f"{wording.dimension(one.kind).capitalize()}s",
            wording.count(one.subjects),
            wording.count(one.people),
            *_rate_cells(one.approval),
            NOTHING if one.average_stars is None else f"{one.average_stars:.2f}",
            wording.count(one.comments),
        )
        for one in found.kinds
    ]


def judged_rows(judged: JudgedQuality) -> list[Row]:
    """One row per criterion."""
    rows: list[Row] = []
    for item in judged.criteria:
        if isinstance(item.corrected, Rate):
            corrected = wording.percent(item.corrected.value), wording.interval(item.corrected)
        else:
            corrected = "cannot say", item.corrected.cannot_say
        rows.append(
            (
                item.criterion,
                item.judge,
                _share(item.raw),
                *corrected,
                NOTHING if item.agreement is None else f"{item.agreement:.2f}",
                wording.count(item.labelled),
                wording.count(item.unscored),
            )
        )
    return rows


def version_rows(versions: Versions) -> list[Row]:
    """One row per model or prompt version."""
    return [
        (
            f"{wording.dimension(row.dimension)} {wording.level(row.version)}",
            *_rate_cells(row.approval),
            NOTHING if row.success is None else wording.percent(row.success.value),
            NOTHING if row.answers is None else wording.count(row.answers),
            _share(row.response_rate),
            NOTHING if row.cost_per_answer is None else wording.money(row.cost_per_answer),
            NOTHING if row.latency_median is None else wording.milliseconds(row.latency_median),
            NOTHING if row.latency_p95 is None else wording.milliseconds(row.latency_p95),
        )
        for row in versions.rows
    ]


def safety_flags(versions: Versions) -> list[str]:
    """The flags that any version has a rate of, in the order in which they first come."""
    return list(dict.fromkeys(flag for row in versions.rows for flag, _ in row.safety))


def safety_rows(versions: Versions) -> list[Row]:
    """One row per version whose answers were looked through: a rate per flag."""
    flags = safety_flags(versions)
    return [
        (
            f"{wording.dimension(row.dimension)} {wording.level(row.version)}",
            NOTHING if row.answers is None else wording.count(row.answers),
            *(_share(dict(row.safety).get(flag)) for flag in flags),
        )
        for row in versions.rows
        if row.safety
    ]


def telling_comparisons(versions: Versions) -> list[VersionComparison]:
    """The comparisons that differ beyond chance."""
    return [each for each in versions.comparisons if each.q_value is not None and each.q_value <= SIGNIFICANT]


def _rate_cells(rate: Rate | NoResultPart) -> tuple[str, str, str]:
    if isinstance(rate, NoResultPart):
        return f"cannot say: {rate.cannot_say}", NOTHING, NOTHING
    return wording.percent(rate.value), wording.interval(rate), wording.count(rate.votes)


def trial_rows(trials: Trials) -> list[Row]:
    """One row per arm of an experiment."""
    return [
        (
            f"{arm.experiment}: {arm.arm} against {arm.control}",
            wording.count(arm.people),
            *_differences(arm.difference),
            _differences(arm.planned)[1],
            "" if arm.expected is None else wording.signed_points(arm.expected),
            arm.verdict.replace("_", " ") + ("" if arm.beyond is None else f" {wording.points(arm.beyond)}"),
            arm.advice,
        )
        for arm in trials.arms
    ]


def _differences(found: Difference | NoResultPart) -> tuple[str, str]:
    if isinstance(found, NoResultPart):
        return "cannot say", found.cannot_say
    return wording.signed_points(found.value), wording.difference_interval(found)


def standing_rows(standings: Standings) -> list[Row]:
    """One row per level, best first within its dimension."""
    ordered = sorted(standings.levels, key=lambda row: (row.dimension, -row.shrunken, row.level or ""))
    return [
        (
            wording.dimension(row.dimension),
            wording.level(row.level),
            wording.percent(row.approval.value),
            wording.interval(row.approval),
            wording.percent(row.shrunken),
            wording.count(row.approval.votes),
            row.against_rest,
        )
        for row in ordered
    ]


def term_rows(terms: Terms) -> list[Row]:
    """One row per term; quotation marks keep a term from starting a spreadsheet formula."""
    return [
        (
            f"“{wording.short(row.term)}”",
            row.field,
            "negative votes" if row.verdict == "down" else "positive votes",
            wording.percent(row.negative.value),
            wording.interval(row.negative),
            wording.count(row.negative.votes),
            wording.count(row.negative.people or 0),
            f"{row.score:.1f}".replace("-", wording.MINUS),
            wording.q_value(row.q_value),
        )
        for row in terms.terms
    ]


def topic_rows(topics: Topics) -> list[Row]:
    """One row per topic."""
    rows: list[Row] = []
    for topic in topics.topics:
        name = f"“{wording.short(topic.name)}”"
        if isinstance(topic.share, NoResultPart):
            rows.append((name, NOTHING, NOTHING, f"cannot say: {topic.share.cannot_say}", _share(topic.previous_share)))
            continue
        share = f"{wording.percent(topic.share.value)} ({wording.interval(topic.share)})"
        counts = wording.count(topic.share.votes), wording.count(topic.share.people or 0)
        rows.append((name, *counts, share, _share(topic.previous_share)))
    return rows


def failure_rows(repeated: RepeatedFailures) -> list[Row]:
    """One row per repeated failure."""
    return [
        (
            row.failure_id,
            wording.level(row.action_type),
            wording.count(row.negatives),
            wording.count(row.votes),
            wording.count(row.people),
            "no, it is new" if row.is_new else "yes",
        )
        for row in repeated.failures
    ]


def comparison_rows(comparisons: Sequence[VersionComparison]) -> list[Row]:
    """One row per comparison of two prompt versions."""
    return [
        (
            f"{wording.level(row.earlier)} → {wording.level(row.later)}",
            wording.dimension(row.criterion),
            wording.dimension(row.measure),
            wording.signed_points(row.difference.value),
            wording.difference_interval(row.difference),
            NOTHING if row.q_value is None else wording.q_value(row.q_value),
            "same prompts" if row.paired else "different prompts",
        )
        for row in comparisons
    ]


def file_rows(training: Training) -> list[Row]:
    """One row per training file."""
    return [
        (row.format, *(wording.count(lines) for lines in (row.train, row.validation, row.holdout)))
        for row in training.files
    ]


def count_rows(counts: tuple[Count, ...]) -> list[Row]:
    """One row per named count."""
    return [(wording.dimension(row.name), wording.count(row.count)) for row in counts]


def method_rows(method: Method) -> list[Row]:
    """One row per parameter."""
    counted = [
        ("groups tested", method.groups_tested),
        ("terms tested", method.terms_tested),
        ("rates withheld for too few people", method.suppressed),
    ]
    return [
        *((name, wording.count(number)) for name, number in counted if number is not None),
        ("false discovery rate", wording.percent(method.false_discovery_rate, 0)),
        ("fewest votes for a test", wording.count(method.min_votes)),
        ("fewest people to be shown", wording.count(method.min_people)),
        *method.versions,
    ]


def _share(value: float | None) -> str:
    return NOTHING if value is None else wording.percent(value)
