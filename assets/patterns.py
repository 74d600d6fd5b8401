"""Patterns: daily counts that add up, and what a week of them says: causes, words, topics, change, what to do."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

import polars as pl
from upath import UPath

from assets.declaration import Outcome, daily, weekly
from assets.small_days import by_day
from feedback_pipeline.actions.recommendations import recommend
from feedback_pipeline.calendar import days_of, weeks_before, window
from feedback_pipeline.cleaning.signatures import hash_texts
from feedback_pipeline.cleaning.tables import (
    CLEAN_FEEDBACK,
    CLEAN_INTERACTIONS,
    DIMENSIONS,
    LENGTH_BANDS,
    MULTI_DIMENSIONS,
    PROMPT_CLUSTERS,
    TEXT_SIGNATURES,
    VOTE_FACTS,
)
from feedback_pipeline.patterns import change as changes
from feedback_pipeline.patterns import tables
from feedback_pipeline.patterns.change import approval_change as compare_weeks
from feedback_pipeline.patterns.safety import count_safety
from feedback_pipeline.patterns.slice_counts import count_slices
from feedback_pipeline.patterns.slices import SearchRecord, find_slices
from feedback_pipeline.patterns.term_findings import find_terms
from feedback_pipeline.patterns.terms import count_terms, count_terms_of_days
from feedback_pipeline.patterns.topics import Taxonomy, assign_topics, fit_topics
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.reports.said_events import said_events
from feedback_pipeline.reports.sections.said import silent_but_heard
from feedback_pipeline.tables.parquet import of_days, of_ids, replaced_file

GROUP = "patterns"
SLICED = (*DIMENSIONS, *LENGTH_BANDS, *MULTI_DIMENSIONS)
HISTORY_WEEKS = 26
KNOWN_WEEKS = 8
"""Weeks before in which a person must have voted not to be a new voter."""
TAXONOMY_WEEKS = 13
MAX_WEEK_TEXTS = 100_000
"""Voted texts of a week that are counted once more as a whole (a second), so that small products are heard."""
READ_TOGETHER = 50_000
"""Votes of whole days whose prompts are read at a time."""
MAX_TEXTS = 20_000
"""Rejected texts of a week that are looked at: more change no share by a point, and cost 100 µs each."""


@daily(tables.SLICE_COUNTS, group=GROUP, after=["vote_facts"], independent=True)
def slice_counts(pipeline: Pipeline, day: date) -> pl.DataFrame:
    """The day's votes in every cell of one, two and three dimensions: counts that add up over days."""
    return count_slices(pipeline.frames.read(VOTE_FACTS, [day]), SLICED, day=day)


def _terms_of(pipeline: Pipeline, days: Sequence[date]) -> Mapping[date, pl.DataFrame]:
    return by_day(count_terms_of_days(voted_texts(pipeline, days)), days)


@daily(
    tables.TERM_COUNTS,
    group=GROUP,
    after=["clean_feedback", "clean_interactions", "vote_facts"],
    independent=True,
    small_days=_terms_of,
)
def term_counts(pipeline: Pipeline, day: date) -> pl.DataFrame:
    """How many prompts and comments of the day contain a phrase, by verdict. Phrases of under five people are not
    kept."""
    return _terms_of(pipeline, [day])[day]


def voted_texts(pipeline: Pipeline, days: Sequence[date]) -> pl.DataFrame:
    """The prompts and comments behind the verdicts of days: `text`, `verdict` (1, 0, −1), `person`, `field`,
    `language`, `day`."""
    counted = (
        pipeline.frames.scan(CLEAN_FEEDBACK, days)
        .filter("counts")
        .select("feedback_id", "interaction_id", "interaction_day", "comment", "day")
        .collect()
    )
    read = pipeline.frames.scan(VOTE_FACTS, days)
    people = read.select("feedback_id", "person", "verdict", pl.col("language").cast(pl.String)).collect()
    counted = counted.join(people, on="feedback_id", maintain_order="left")
    # a vote may come days after its answer: of those days a few prompts are read, not all
    placed = counted.select("interaction_id", day="interaction_day")
    answers = pipeline.frames.scan(CLEAN_INTERACTIONS, placed["day"].unique().sort().to_list())
    blocks = of_days(answers, "interaction_id", placed, READ_TOGETHER) if placed.height else [answers]
    prompts = pl.concat([block.select("interaction_id", text="prompt").collect() for block in blocks])
    by_prompt = counted.join(prompts, on="interaction_id", maintain_order="left")
    columns = ["text", "verdict", "person", "field", "language", "day"]
    return pl.concat(
        [
            by_prompt.with_columns(field=pl.lit("prompt")).select(columns),
            counted.rename({"comment": "text"}).with_columns(field=pl.lit("comment")).select(columns),
        ]
    )


@weekly(tables.SLICE_FINDINGS, group=GROUP, after=["vote_facts"])
def slice_findings(pipeline: Pipeline, week: date) -> Outcome:
    """A group of votes that is worse than the rest beyond chance (false discoveries controlled, one cause one finding),
    or a finding of an earlier week looked at again."""
    facts = pipeline.frames.read(VOTE_FACTS, days_of(week))
    history = pipeline.frames.read(tables.SLICE_FINDINGS, weeks_before(week, HISTORY_WEEKS))
    search = find_slices(facts, SLICED, week=week, history=history, known_people=_known_people(pipeline, week))
    with replaced_file(search_file(pipeline, week)) as file:
        file.write(SearchRecord.of(search).to_json().encode())
    rate = search.negative_rate
    return Outcome(
        search.findings,
        numbers={
            "slices_tested": search.tests,
            "findings": int(search.findings["discovered"].sum()),
            "votes": rate.n,
            "people": rate.people,
            "negative_rate": rate.estimate,
            "cannot_say": search.reason,
        },
    )


def _safety_of(pipeline: Pipeline, days: Sequence[date]) -> Mapping[date, pl.DataFrame]:
    return by_day(count_safety(pipeline.frames.scan(CLEAN_INTERACTIONS, days)), days)


@daily(tables.SAFETY_COUNTS, group=GROUP, after=["clean_interactions"], independent=True, small_days=_safety_of)
def safety_counts(pipeline: Pipeline, day: date) -> pl.DataFrame:
    """How many answers of the day carry a safety flag (personal data, refusal, profanity, content filter), by model and
    prompt version, voted on or not."""
    return _safety_of(pipeline, [day])[day]


def _known_people(pipeline: Pipeline, week: date) -> pl.Series:
    """Who voted in the eight weeks before."""
    days = [week - timedelta(days=back) for back in range(1, 7 * KNOWN_WEEKS + 1)]
    return pipeline.frames.scan(VOTE_FACTS, days).select("person").unique().collect()["person"].sort()


def search_file(pipeline: Pipeline, week: date) -> UPath:
    """Where it stands what the week's search looked at: a week without findings has no row that could say so."""
    return pipeline.frames.root / tables.SLICE_FINDINGS.name / f"search-{week}.json"


@weekly(tables.TERM_FINDINGS, group=GROUP, after=["term_counts", "clean_feedback", "clean_interactions", "vote_facts"])
def term_findings(pipeline: Pipeline, week: date) -> Outcome:
    """A phrase more frequent in texts with votes down (or up) than in the others, beyond chance. Its people are counted
    over the week up to 100,000 texts; beyond, those of its busiest day are, and phrases rare every day are missed."""
    counted = pipeline.frames.scan(tables.TERM_COUNTS, days_of(week)).collect()
    texts = counted.filter(pl.col("words") == 0)["documents"].sum()
    whole = texts <= MAX_WEEK_TEXTS
    if whole:
        said = pl.concat([voted_texts(pipeline, [day]) for day in days_of(week)])
        counted = count_terms(said, day=week)
    found = find_terms(counted, week=week)
    return Outcome(found, numbers={"phrases": found.height, "texts": int(texts), "counted_over_the_week": whole})


@weekly(tables.APPROVAL_CHANGE, group=GROUP, after=["vote_facts", "slice_counts", "clean_interactions"])
def approval_change(pipeline: Pipeline, week: date) -> Outcome:
    """A part of the change of the approval rate from the week before: mix or rate, by dimension and level, and the
    first appearance of a model or prompt version."""
    before = week - timedelta(weeks=1)
    change = compare_weeks(
        pipeline.frames.read(VOTE_FACTS, days_of(week)),
        pipeline.frames.read(VOTE_FACTS, days_of(before)),
        SLICED,
        week=week,
        answers=_answers_given(pipeline, week),
        previous_answers=_answers_given(pipeline, before),
        seen_before=_seen_before(pipeline, week),
    )
    numbers = {"approval": change.rate.estimate, "previous": change.previous.estimate, "cannot_say": change.reason}
    return Outcome(change.table, numbers=numbers)


@weekly(
    tables.REPEATED_FAILURES,
    group=GROUP,
    after=["vote_facts", "text_signatures", "prompt_clusters"],
)
def repeated_failures(pipeline: Pipeline, week: date) -> pl.DataFrame:
    """The same prompt, answer and action, voted down more than twice in the week."""
    facts = pipeline.frames.scan(VOTE_FACTS, days_of(week))
    clusters = pipeline.frames.scan(PROMPT_CLUSTERS, [week]).select("prompt_hash", "cluster_id")
    keys = (
        pipeline.frames.scan(TEXT_SIGNATURES, window(week, 2))
        .join(clusters, on="prompt_hash", how="left")
        .select("interaction_id", answer_key="pair_hash", prompt_key=pl.coalesce("cluster_id", "prompt_hash"))
    )
    columns = ["action_type", "verdict", "person", "feedback_id"]
    told = facts.select("interaction_id", *columns).join(keys, on="interaction_id", maintain_order="left")
    votes = told.select("prompt_key", "answer_key", *columns).collect()
    return changes.repeated_failures(votes, week=week)


@weekly(
    tables.FAILURE_TOPICS,
    group=GROUP,
    kinds=("polars", "parquet", "scikitlearn"),
    after=["vote_facts", "clean_feedback", "clean_interactions"],
)
def failure_topics(pipeline: Pipeline, week: date) -> Outcome:
    """The week's texts with votes down that fall to one topic of a taxonomy. It is fitted rarely and then kept, so that
    a topic means the same from week to week."""
    taxonomy = _taxonomy(pipeline, week)
    rows = assign_topics(taxonomy, _rejected_texts(pipeline, days_of(week)), week=week)
    numbers = {"topics": len(taxonomy.topics), "taxonomy": taxonomy.version, "cannot_say": taxonomy.reason}
    return Outcome(rows, numbers=numbers)


@weekly(
    tables.RECOMMENDATIONS,
    group=GROUP,
    after=["slice_findings", "approval_change", "failure_topics", "repeated_failures", "vote_facts", "clean_feedback"],
)
def recommendations(pipeline: Pipeline, week: date) -> Outcome:
    """Something to do about a finding, by rule, with its evidence and what it should bring."""
    read = pipeline.frames.read
    rows = recommend(
        week=week,
        slice_findings=read(tables.SLICE_FINDINGS, [week]),
        approval_change=read(tables.APPROVAL_CHANGE, [week]),
        failure_topics=read(tables.FAILURE_TOPICS, [week]),
        repeated_failures=read(tables.REPEATED_FAILURES, [week]),
        silent=silent_but_heard(read(VOTE_FACTS, days_of(week)), said_events(pipeline.frames, days_of(week))),
    )
    return Outcome(rows, numbers={"recommendations": rows.height})


def _taxonomy(pipeline: Pipeline, week: date) -> Taxonomy:
    """The taxonomy in force: the newest of the last quarter, else one fitted now on the weeks up to this one."""
    folder = pipeline.frames.root / "failure_topics"
    present = set(pipeline.frames.names("failure_topics"))
    for back in range(TAXONOMY_WEEKS):
        name = f"taxonomy-{week - timedelta(weeks=back)}.json"
        if name in present:
            return Taxonomy.from_json((folder / name).read_text(encoding="utf-8"))
    fitted = fit_topics(_rejected_texts(pipeline, window(week, 4)))
    if fitted.reason is None:
        with replaced_file(folder / f"taxonomy-{week}.json") as file:
            file.write(fitted.to_json().encode())
    return fitted


def _rejected_texts(pipeline: Pipeline, days: list[date]) -> pl.DataFrame:
    """What people said about answers they voted down, else what they had asked: `text`, `person`, `feedback_id`."""
    people = pipeline.frames.scan(VOTE_FACTS, days).filter(pl.col("verdict") == -1).select("feedback_id", "person")
    votes = (
        pipeline.frames.scan(CLEAN_FEEDBACK, days)
        .select("feedback_id", "interaction_id", "interaction_day", "comment")
        .join(people, on="feedback_id")
        .collect()
    )
    scanned = pipeline.frames.scan(CLEAN_INTERACTIONS, votes["interaction_day"].unique().sort().to_list())
    drawn = votes.sort("person", "feedback_id") if votes.height <= MAX_TEXTS else _drawn(votes)
    prompts = of_ids(scanned, "interaction_id", drawn["interaction_id"]).select("interaction_id", "prompt").collect()
    return (
        drawn.join(prompts, on="interaction_id", how="left")
        .select("feedback_id", "person", text=pl.coalesce("comment", "prompt"))
        .sort("feedback_id")
    )


def _drawn(votes: pl.DataFrame) -> pl.DataFrame:
    """MAX_TEXTS votes whose ids hash lowest: the same ones in every run."""
    return votes.with_columns(_hash=hash_texts(votes["feedback_id"])).sort("_hash").head(MAX_TEXTS).drop("_hash")


def _answers_given(pipeline: Pipeline, week: date) -> pl.DataFrame:
    """Answers of a week, voted on or not: `dimension`, `level`, `answers`; null dimension for the whole."""
    answers = pipeline.frames.scan(CLEAN_INTERACTIONS, days_of(week)).select(*DIMENSIONS, *MULTI_DIMENSIONS).collect()
    counted = [answers.select(dimension=pl.lit(None, pl.String), level=pl.lit(None, pl.String), answers=pl.len())]
    for name in (*DIMENSIONS, *MULTI_DIMENSIONS):
        levels = answers.select(level=name)
        if name in MULTI_DIMENSIONS:
            levels = levels.explode("level").filter(pl.col("level").is_not_null())
        counted.append(
            levels.group_by("level")
            .agg(answers=pl.len())
            .select(dimension=pl.lit(name), level="level", answers="answers")
        )
    return pl.concat(counted, how="vertical_relaxed").sort("dimension", "level")


def _seen_before(pipeline: Pipeline, week: date) -> dict[str, list[str]]:
    """Levels of single dimensions that had votes in the weeks before."""
    days = [day for earlier in weeks_before(week, HISTORY_WEEKS) for day in days_of(earlier)]
    single = (
        pipeline.frames.scan(tables.SLICE_COUNTS, days)
        .filter(pl.col("second_dimension").is_null() & pl.col("first_value").is_not_null())
        .select("first_dimension", "first_value")
        .unique()
        .collect()
        .sort("first_dimension", "first_value")
    )
    return {
        str(name): levels["first_value"].to_list()
        for (name,), levels in single.group_by(["first_dimension"], maintain_order=True)
    }


def declarations() -> Iterator[object]:
    """The assets of this stage, in the order the data flows."""
    yield from (slice_counts, term_counts, safety_counts)
    yield from (slice_findings, term_findings, failure_topics, approval_change, repeated_failures, recommendations)
