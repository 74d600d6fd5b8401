"""How the report says things: numbers, dimensions and the sentences that carry the findings. English, plain text.

Nothing here is escaped: the page escapes, the digest escapes, JSON needs none.
"""

from datetime import date

from feedback_pipeline.reports.content import ReportContent
from feedback_pipeline.reports.findings import Cause, Causes, Change
from feedback_pipeline.reports.parts import Condition, Difference, NoResultPart, Rate
from feedback_pipeline.reports.said import Corrections, Preferences
from feedback_pipeline.reports.summary import Coverage, Period, Trend, TrendPoint, Verdict

MINUS = "−"
UNKNOWN = "(unknown)"
_MAX_LEVEL = 40
_WORTH_SAYING = 0.005
"""Half a point: the smallest part of a change that gets a sentence of its own."""


def percent(share: float, digits: int = 1) -> str:
    """A share of 0.7412 is "74.1%"."""
    return f"{_rounded(100 * share, digits):.{digits}f}%".replace("-", MINUS)


def points(difference: float, digits: int = 1) -> str:
    """The size of a difference: 0.052 is "5.2 points"."""
    size = abs(_rounded(100 * difference, digits))
    return f"{size:.{digits}f} point{'' if size == 1 else 's'}"


def signed_points(difference: float, digits: int = 1) -> str:
    """A difference with its sign and no unit: −0.052 is "−5.2"."""
    value = _rounded(100 * difference, digits)
    sign = "+" if value > 0 else MINUS if value < 0 else "±"
    return f"{sign}{abs(value):.{digits}f}"


def interval(rate: Rate) -> str:
    """The 95 % interval of a rate: "72.6–75.6%"."""
    return f"{_rounded(100 * rate.low, 1):.1f}–{_rounded(100 * rate.high, 1):.1f}%"


def difference_interval(difference: Difference) -> str:
    """The 95 % interval of a difference: "−7.1 to −3.3"."""
    return f"{signed_points(difference.low)} to {signed_points(difference.high)}"


def count(number: float) -> str:
    """A count with thousands separated: "12,480"."""
    return f"{round(number):,}"


def counted(number: float, noun: str, plural: str | None = None) -> str:
    """A count with its noun: "1 vote", "12,480 votes"."""
    return f"{count(number)} {noun if round(number) == 1 else plural or noun + 's'}"


def q_value(value: float) -> str:
    """A corrected p-value: "< 0.001" or three digits."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def money(dollars: float) -> str:
    """US dollars, with enough digits for the price of one answer."""
    return f"${dollars:.4f}" if dollars < 0.1 else f"${dollars:,.2f}"


def milliseconds(duration: float) -> str:
    """A duration: "840 ms" or "2.4 s"."""
    return f"{duration:,.0f} ms" if duration < 1000 else f"{duration / 1000:.1f} s"


def day(value: date) -> str:
    """A date people read: "16 Nov 2026"."""
    return f"{value.day} {value:%b %Y}"


def short_day(value: date) -> str:
    """A date within the report's year: "16 Nov"."""
    return f"{value.day} {value:%b}"


def days_between(start: date, end: date) -> str:
    """A range of days: "16–22 Nov 2026"."""
    if start == end:
        return day(end)
    if (start.year, start.month) == (end.year, end.month):
        return f"{start.day}–{day(end)}"
    if start.year == end.year:
        return f"{start.day} {start:%b} – {day(end)}"
    return f"{day(start)} – {day(end)}"


def dimension(name: str) -> str:
    """A dimension people read: "prompt_version" is "prompt version"."""
    return name.replace("_", " ")


def short(text: str) -> str:
    """Text on one line, without control characters, cut to forty characters."""
    printable = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return printable if len(printable) <= _MAX_LEVEL else printable[: _MAX_LEVEL - 1] + "…"


def level(value: str | None) -> str:
    """A level of a dimension, cut to forty characters; null is "(unknown)".

    Quotation marks keep one that looks like a formula from being one where a table is copied to a spreadsheet.
    """
    if value is None:
        return UNKNOWN
    name = short(value)
    return f"“{name}”" if name.startswith(("=", "+", "-", "@")) else name


def group(conditions: tuple[Condition, ...]) -> str:
    """A group of answers: "prompt version v12 · intent code"."""
    if not conditions:
        return "all answers"
    return " · ".join(f"{dimension(condition.dimension)} {level(condition.value)}" for condition in conditions)


def short_group(conditions: tuple[Condition, ...]) -> str:
    """The levels of a group alone, for the labels of a chart: "v12 · code"."""
    return " · ".join(
        level(c.value) if c.value is not None else f"{dimension(c.dimension)} {UNKNOWN}" for c in conditions
    )


def period_name(period: Period) -> str:
    """A period people read: "Week 47 of 2026" or "November 2026"."""
    if period.kind == "monthly":
        return f"{period.start:%B %Y}"
    year, week = period.label.split("-W")
    return f"Week {int(week)} of {year}"


def direction(content: ReportContent) -> str:
    """better, worse, unchanged or unknown."""
    if isinstance(content.verdict, NoResultPart) or isinstance(content.verdict.difference, NoResultPart):
        return "unknown"
    if not content.verdict.difference.significant:
        return "unchanged"
    return "better" if content.verdict.difference.value > 0 else "worse"


def headline(content: ReportContent) -> str:
    """The verdict in one sentence."""
    verdict = content.verdict
    if isinstance(verdict, NoResultPart):
        return _headline_without_votes(content)
    now = percent(verdict.approval.value)
    if isinstance(verdict.difference, NoResultPart):
        return f"Approval was {now}; there is nothing to compare it with"
    if not verdict.difference.significant:
        return f"No significant change: approval is {now}"
    verb = "rose" if verdict.difference.value > 0 else "fell"
    return f"Approval {verb} {points(verdict.difference.value)} to {now}"


def _headline_without_votes(content: ReportContent) -> str:
    """What there is instead of a rate: a ranking, comments, corrections, or neutral votes."""
    noun, coverage = content.period.noun, content.coverage
    if not isinstance(content.preferences, NoResultPart):
        return f"No votes up or down this {noun}: {preferences_sentence(content.preferences).rstrip('.')}"
    if not isinstance(content.corrections, NoResultPart):
        given = counted(content.corrections.corrections, "answer was", "answers were")
        return f"No votes this {noun}: {given} corrected"
    if not isinstance(coverage, NoResultPart) and coverage.votes and coverage.votes == coverage.neutral:
        return f"No votes up or down this {noun}: all {count(coverage.votes)} are neutral"
    if not isinstance(content.comments, NoResultPart) and (isinstance(coverage, NoResultPart) or not coverage.votes):
        written = counted(content.comments.comments, "comment")
        return f"No votes this {noun}: {written} by {counted(content.comments.people, 'person', 'people')}"
    return f"No verdict this {noun}"


def preferences_sentence(given: Preferences) -> str:
    """How many compared, and which model is ahead, if one can tell."""
    said = f"{counted(given.comparisons, 'comparison')} by {counted(given.people, 'person', 'people')}"
    if given.ties:
        said += f", {count(given.ties)} of them even"
    if not given.models:
        return said + "."
    best = [one for one in given.models if one.standing == "above average"]
    worst = [one for one in given.models if one.standing == "below average"]
    if not best and not worst:
        return said + "; the models cannot be told apart."
    told = [
        f"{', '.join(level(one.model) for one in some[:3])} {'is' if len(some) == 1 else 'are'} {where} the average"
        for some, where in ((best, "above"), (worst, "below"))
        if some
    ]
    return f"{said}; {' and '.join(told)}."


def corrections_sentence(found: Corrections) -> str:
    """How many were written, and how much they change."""
    said = f"{counted(found.corrections, 'correction')} by {counted(found.people, 'person', 'people')}"
    if found.kept is None or found.length is None:
        return said + "; the answers they correct are not known."
    size = "as long as" if abs(found.length - 1) < 0.05 else f"{found.length:.1f} times as long as"
    return (
        f"{said}: half of them keep {percent(found.kept, 0)} of the answer's words or more, and the usual one is "
        f"{size} the answer."
    )


def verdict_details(verdict: Verdict, noun: str) -> str:
    """The interval, the comparison and the target, in one or two sentences."""
    said = [f"95% interval {interval(verdict.approval)}"]
    if isinstance(verdict.difference, NoResultPart):
        said.append(f"no comparison with last {noun}, because {verdict.difference.cannot_say}")
    else:
        said.append(
            f"{signed_points(verdict.difference.value)} points against last {noun} "
            f"({difference_interval(verdict.difference)})"
        )
    sentence = "; ".join(said) + "."
    if verdict.limit is not None:
        sentence += f" {verdict.limit}"
    return sentence if verdict.target is None else f"{sentence} {against_target(verdict.approval, verdict.target)}"


def story(content: ReportContent) -> str:
    """Why, in one or two sentences: traffic or ratings, and the largest cause. Empty where neither is known."""
    said = []
    change, causes = content.change, content.causes
    moved = direction(content) in ("better", "worse")
    if moved and not isinstance(change, NoResultPart):
        word = "rise" if change.now > change.before else "fall"
        said.append(f"Most of the {word} comes from {_main_part(change)}.")
    firm = [] if isinstance(causes, NoResultPart) else [one for one in causes.findings if not one.rests_on_new_voters]
    if firm:
        first = firm[0]
        said.append(
            f"Largest cause of negative votes: {group(first.conditions)} "
            f"({percent(first.negative.value, 0)} negative, {percent(first.elsewhere, 0)} elsewhere)."
        )
    return " ".join(said)


def _main_part(change: Change) -> str:
    if abs(change.rate) >= abs(change.mix):
        return "ratings of the same traffic"
    if not change.served:
        return "a different mix of traffic"
    fresh = [level(one.level) for one in change.levels if one.approval_before is None and one.level is not None]
    what = f"which {_plural(dimension(change.dimension))} served the answers"
    return f"{what} (new: {', '.join(fresh[:3])})" if fresh else what


def against_target(approval: Rate, target: float) -> str:
    """Whether the target is met, as far as the interval allows saying so."""
    aim = percent(target, 0)
    if approval.low >= target:
        return f"The target of {aim} is met."
    if approval.high < target:
        return f"The target of {aim} is missed."
    return f"Whether the target of {aim} is met cannot be told from these votes."


def response_rate(coverage: Coverage) -> str:
    """The response rate with that of the period before, and a caution where they differ by more than a fifth."""
    if coverage.response_rate is None:
        return "The response rate is unknown, because answers without a vote are not logged."
    said = f"{percent(coverage.response_rate)} of answers received a vote"
    if not coverage.votes:
        return said + "."
    before = coverage.previous_response_rate
    if before is None:
        return said + "."
    said += f" (before: {percent(before)})"
    if before > 0 and abs(coverage.response_rate / before - 1) > 0.2:
        return said + ": who votes has changed, so compare approval with care."
    return said + "."


def coverage_gaps(coverage: Coverage, period: Period) -> list[str]:
    """What limits the numbers: silent days, clock changes, an open period, a revision."""
    said = []
    if period.provisional:
        said.append(f"The {period.noun} is still open: late votes can change every number.")
    if period.revision:
        said.append(f"Revision {period.revision}: late or withdrawn votes changed an earlier edition.")
    if coverage.votes and coverage.days_without_votes:
        days = ", ".join(short_day(silent) for silent in coverage.days_without_votes[:7])
        more = len(coverage.days_without_votes) - 7
        said.append(f"No votes arrived on {days}{f' and {more} more days' if more > 0 else ''}.")
    if period.clock_change_hours:
        length = "longer" if period.clock_change_hours > 0 else "shorter"
        hours = counted(abs(period.clock_change_hours), "hour")
        said.append(f"Clocks changed in {period.timezone}: the {period.noun} is {hours} {length} than usual.")
    return said


def trend_takeaway(trend: Trend) -> str:
    """What the trend chart shows, in a sentence."""
    known = [(point, point.approval) for point in trend.points if isinstance(point.approval, Rate)]
    if len(known) == 1:
        point, rate = known[0]
        return f"Only {point.label} has enough votes: {percent(rate.value)} ({interval(rate)})."
    values = [rate.value for _, rate in known]
    last_point, last = known[-1]
    silent = sum(not isinstance(point.approval, Rate) for point in trend.points)
    said = f"{last_point.label} is at {percent(last.value)}, "
    if last.value == min(values):
        said += f"the lowest of {len(values)} weeks"
    elif last.value == max(values):
        said += f"the highest of {len(values)} weeks"
    else:
        said += f"within the range of {len(values)} weeks ({percent(min(values))} to {percent(max(values))})"
    return said + (f"; {silent} without a rate." if silent else ".")


def point_value(point: TrendPoint) -> tuple[str, str]:
    """Rate and interval of a trend point for its data table."""
    if isinstance(point.approval, NoResultPart):
        return "cannot say", point.approval.cannot_say
    return percent(point.approval.value), interval(point.approval)


def change_takeaway(change: Change, noun: str) -> str:
    """Mix against rate, in a sentence."""
    levels = _plural(dimension(change.dimension))
    total, mix, rate = (signed_points(part) for part in (change.now - change.before, change.mix, change.rate))
    if change.served:
        return (
            f"Of the {total} points, {mix} come from which {levels} served the answers and {rate} from the same "
            f"{levels} being rated differently than last {noun}."
        )
    said = (
        f"Of the {total} points, {mix} come from which {levels} people asked about (mix) and {rate} from the same "
        f"traffic being rated differently (rate)."
    )
    if change.mix * change.rate < 0 and abs(change.mix) > abs(change.rate) >= _WORTH_SAYING:
        better = "better" if change.rate > 0 else "worse"
        said += f" With last {noun}'s traffic, approval would have got {better}."
    return said


def _plural(noun: str) -> str:
    return noun if noun.endswith("s") else noun + "s"


def cause_sentence(cause: Cause) -> str:
    """A finding in one or two sentences."""
    rate = cause.negative
    who = "" if rate.people is None else f" from {counted(rate.people, 'person', 'people')}"
    aside = f" (beside {counted(cause.set_aside, 'vote')} of stronger causes)" if cause.set_aside else ""
    return (
        f"{percent(rate.value)} of {counted(rate.votes, 'vote')}{aside}{who} are negative, against "
        f"{percent(cause.elsewhere)} elsewhere: about {count(cause.excess)} more than expected."
    )


def new_voters(cause: Cause) -> str | None:
    """How much of a finding rests on people who never voted before; None where that is not known, or nothing."""
    if not cause.new_voter_share:
        return None
    said = f"{percent(cause.new_voter_share, 0)} of its negative votes are from new voters"
    return said + ", and without them it is no finding" if cause.rests_on_new_voters else said


def adjusted_effect(cause: Cause) -> str | None:
    """The effect with the other dimensions held equal; None where it was not estimated."""
    if cause.adjusted is None:
        return None
    said = (
        f"{signed_points(cause.adjusted.value)} points with the rest held equal ({difference_interval(cause.adjusted)})"
    )
    if cause.reverses:
        return said + ": the sign turns, so it looks bad because of what it is mixed with"
    return said if cause.adjusted.significant else said + ", which does not exclude zero"


def causes_takeaway(causes: Causes) -> str:
    """What the findings say together."""
    tested = "" if causes.tested is None else f" ({counted(causes.tested, 'group')} tested)"
    if not causes.findings:
        return f"No group of answers is significantly worse than the rest{tested}."
    share = sum(cause.share_of_negatives for cause in causes.findings)
    found = counted(len(causes.findings), "cause") + tested
    verb = "holds" if len(causes.findings) == 1 else "hold"
    return f"{found} {verb} {percent(share, 0)} of all negative votes."


def _rounded(value: float, digits: int) -> float:
    """Rounded, with no negative zero."""
    return round(value, digits) + 0.0
