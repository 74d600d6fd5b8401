"""The tables of patterns: daily counts that add up, and weekly findings."""

import polars as pl

from feedback_pipeline.tables.schema import Column, Table

STATUSES = ("new", "confirmed", "ongoing", "gone", "untested")
TERM_FIELDS = ("prompt", "answer", "comment")
TERM_SIDES = ("down", "up")
SAFETY_DIMENSIONS = ("prompt_version", "model")
SAFETY_FLAGS = ("personal_data", "refusal", "profanity", "content_filter")
CHANGE_PARTS = ("total", "level", "first_seen")
RECOMMENDATION_KINDS = (
    "fix_slice",
    "roll_back_release",
    "examine_mix",
    "examine_topic",
    "fix_repeated_answer",
    "collect_more_votes",
    "keep_release",
)
GRADES = ("associational", "adjusted")

_COUNTS = (
    Column("votes", pl.Int64, "Votes: up, neutral and down.", nullable=False),
    Column("up", pl.Int64, "Votes up.", nullable=False),
    Column("neutral", pl.Int64, "Votes that are neither.", nullable=False),
    Column("down", pl.Int64, "Votes down.", nullable=False),
    Column("stars_sum", pl.Int64, "Sum of the stars given.", nullable=False),
    Column("stars_votes", pl.Int64, "Votes that carried stars.", nullable=False),
    Column("strength_sum", pl.Float64, "Sum of the votes' strengths.", nullable=False),
    Column("people", pl.Int64, "Distinct people of the day; does not add over days or slices.", nullable=False),
)

SLICE_COUNTS = Table(
    "slice_counts",
    "The day's votes in one cell of one, two or three dimensions. Sums over days. A dimension that is not crossed is "
    "null; within a crossed one a null value means unknown and `(other)` the levels too rare to keep apart. A vote "
    "with several tags or tools counts in each of them. The row without dimensions is the whole day.",
    (
        Column("day", pl.Date, "Day of the votes.", nullable=False),
        *(
            column
            for place in ("first", "second", "third")
            for column in (
                Column(f"{place}_dimension", pl.String, f"The {place} dimension crossed, in alphabetical order."),
                Column(f"{place}_value", pl.String, f"Its level; null means unknown where {place}_dimension is set."),
            )
        ),
        Column("folded_levels", pl.Int64, "For single dimensions: levels folded into `(other)`.", nullable=False),
        *_COUNTS,
    ),
    key=(
        "day",
        "first_dimension",
        "first_value",
        "second_dimension",
        "second_value",
        "third_dimension",
        "third_value",
    ),
)

TERM_COUNTS = Table(
    "term_counts",
    "How many texts of the day, of one field and verdict, contain a phrase of one to three words. Documents add over "
    "days. Phrases used by fewer than five people that day are not kept. The empty phrase counts all texts.",
    (
        Column("day", pl.Date, "Day of the votes.", nullable=False),
        Column("field", pl.String, "Which text.", nullable=False, values=TERM_FIELDS),
        Column("language", pl.String, "Language of the texts as a code; empty where their words do not tell."),
        Column("term", pl.String, "Words in lower case, joined by spaces; empty for all texts.", False, text=True),
        Column("words", pl.Int8, "Words in the phrase, 0–3.", nullable=False),
        Column("verdict", pl.Int8, "1 up, 0 neutral, −1 down.", nullable=False),
        Column("documents", pl.Int64, "Texts that contain the phrase.", nullable=False),
        Column("people", pl.Int64, "Distinct people behind these texts that day.", nullable=False),
        Column("term_people", pl.Int64, "The same over all verdicts: at least 5.", nullable=False),
    ),
    key=("day", "field", "language", "term", "verdict"),
)

SAFETY_COUNTS = Table(
    "safety_counts",
    "The day's answers of one model or prompt version, and how many of them carry a safety flag, voted on or not. Sums "
    "over days.",
    (
        Column("day", pl.Date, "Day of the answers.", nullable=False),
        Column("dimension", pl.String, "By what they are counted.", nullable=False, values=SAFETY_DIMENSIONS),
        Column("level", pl.String, "The model or prompt version; null means unknown."),
        Column("answers", pl.Int64, "Answers given.", nullable=False),
        Column("checked", pl.Int64, "Of them, those whose text was kept and looked through.", nullable=False),
        Column("personal_data", pl.Int64, "An identifier in the answer that the prompt had none of.", nullable=False),
        Column("refusal", pl.Int64, "The answer begins as refusals do.", nullable=False),
        Column("profanity", pl.Int64, "The answer holds a word of a short list.", nullable=False),
        Column("content_filter", pl.Int64, "The provider's content filter ended it.", nullable=False),
    ),
    key=("day", "dimension", "level"),
)

SLICE_FINDINGS = Table(
    "slice_findings",
    "A group of votes that is worse than the rest beyond chance, or a finding of an earlier week looked at again.",
    (
        Column("week", pl.Date, "Monday of the week.", nullable=False),
        Column("finding_id", pl.String, "Hash of the slice: the same slice has the same id in every week.", False),
        Column("slice", pl.String, "The slice as JSON: [[dimension, value], …] by dimension.", nullable=False),
        Column("dimensions", pl.List(pl.String), "Its dimensions.", nullable=False),
        Column("values", pl.List(pl.String), "Its values, in the same order.", nullable=False),
        Column(
            "status",
            pl.String,
            "new: first week. confirmed: second week in which it holds. ongoing: later weeks. gone: no longer worse "
            "than the rest. untested: too few votes this week to say.",
            nullable=False,
            values=STATUSES,
        ),
        Column("discovered", pl.Boolean, "Found by this week's search (else only looked at again).", nullable=False),
        Column("rank", pl.Int32, "Place by excess negatives, shrunk, lower bound; null if not discovered."),
        Column("covered_by", pl.String, "Id of a finding of this search that holds most of its votes."),
        Column("first_week", pl.Date, "First week in which it was found.", nullable=False),
        Column("weeks_seen", pl.Int32, "Weeks in which it held, this one included.", nullable=False),
        Column("votes", pl.Int64, "Votes up or down in the slice that were compared.", nullable=False),
        Column("down", pl.Int64, "Votes down among them.", nullable=False),
        Column("people", pl.Int64, "Distinct people behind them.", nullable=False),
        Column(
            "set_aside",
            pl.Int64,
            "Votes of the slice that were not compared, because they lie in a finding made before it.",
            nullable=False,
        ),
        Column("negative_rate", pl.Float64, "down / votes."),
        Column("low", pl.Float64, "Lower end of its 95 % interval, clustered by person."),
        Column("high", pl.Float64, "Upper end."),
        Column("rest_negative_rate", pl.Float64, "Negative rate of the other votes compared."),
        Column("rest_votes", pl.Int64, "The other votes compared: all, without those of findings made before it."),
        Column("rest_down", pl.Int64, "Votes down among them."),
        Column("difference", pl.Float64, "negative_rate − rest_negative_rate."),
        Column("difference_low", pl.Float64, "Lower end of its 95 % interval, clustered by person."),
        Column("difference_high", pl.Float64, "Upper end."),
        Column("excess_negatives", pl.Float64, "Votes down beyond what the rest's rate would give."),
        Column("excess_negatives_low", pl.Float64, "The same at the difference's lower end."),
        Column(
            "share_of_negatives",
            pl.Float64,
            "Its part of all votes down, each counted with one finding: shares add up.",
        ),
        Column("shrunk_rate", pl.Float64, "Negative rate shrunk to the other slices of the same dimensions."),
        Column("shrunk_low", pl.Float64, "Its 5 % posterior quantile."),
        Column("probability_worse", pl.Float64, "Posterior probability of more than 1.25 × the overall negative rate."),
        Column(
            "p_value", pl.Float64, "One-sided exact test against the rest, corrected for votes that cluster by person."
        ),
        Column("q_value", pl.Float64, "Adjusted for every slice tested (or, looked at again, for every such slice)."),
        Column("tests", pl.Int64, "How many slices were tested.", nullable=False),
        Column("adjusted_difference", pl.Float64, "Difference with the other dimensions held (regression, g-formula)."),
        Column("adjusted_low", pl.Float64, "Lower end of its 95 % interval, clustered by person."),
        Column("adjusted_high", pl.Float64, "Upper end."),
        Column("reverses", pl.Boolean, "Crude and adjusted difference point in opposite directions (Simpson)."),
        Column("new_voter_share", pl.Float64, "Part of its votes down by people who had not voted in an earlier week."),
        Column("rests_on_new_voters", pl.Boolean, "Without those people it is no finding: it heads no report."),
        Column("example_feedback_ids", pl.List(pl.String), "Votes down from different people.", nullable=False),
        Column("reason", pl.String, "Why a number is missing."),
    ),
    key=("week", "finding_id"),
)

TERM_FINDINGS = Table(
    "term_findings",
    "A phrase more frequent in texts with votes down (or up) than in the others, beyond chance.",
    (
        Column("week", pl.Date, "Monday of the week.", nullable=False),
        Column("field", pl.String, "Which text.", nullable=False, values=TERM_FIELDS),
        Column("language", pl.String, "Language of the texts compared: those of one language among themselves."),
        Column("term", pl.String, "The phrase.", nullable=False, text=True),
        Column("words", pl.Int8, "Words in it.", nullable=False),
        Column("side", pl.String, "The verdict it goes with.", nullable=False, values=TERM_SIDES),
        Column("down_documents", pl.Int64, "Texts with it that got a vote down.", nullable=False),
        Column("up_documents", pl.Int64, "Texts with it that got a vote up.", nullable=False),
        Column(
            "people",
            pl.Int64,
            "People behind them over the week; beyond 100,000 texts, on the busiest day.",
            nullable=False,
        ),
        Column("negative_rate", pl.Float64, "down / (up + down) of texts with it.", nullable=False),
        Column("base_negative_rate", pl.Float64, "The same over all texts of the field and language.", nullable=False),
        Column("log_odds", pl.Float64, "Log-odds ratio with informative prior, down against up.", nullable=False),
        Column("z", pl.Float64, "log_odds over its standard error.", nullable=False),
        Column("p_value", pl.Float64, "Two-sided.", nullable=False),
        Column("q_value", pl.Float64, "Adjusted for every phrase of the field.", nullable=False),
        Column("tests", pl.Int64, "Phrases tested in the field.", nullable=False),
        Column("rank", pl.Int32, "Place by |z| within field and side.", nullable=False),
    ),
    key=("week", "field", "language", "term"),
)

FAILURE_TOPICS = Table(
    "failure_topics",
    "The week's texts with votes down that fall to one topic of a frozen taxonomy.",
    (
        Column("week", pl.Date, "Monday of the week.", nullable=False),
        Column("taxonomy", pl.String, "Version of the taxonomy.", nullable=False),
        Column("topic", pl.Int32, "Number of the topic; −1 is other.", nullable=False),
        Column("name", pl.String, "Its name, made of contrastive terms.", nullable=False, text=True),
        Column("documents", pl.Int64, "Texts assigned; null where suppressed."),
        Column("people", pl.Int64, "Distinct people; null where suppressed."),
        Column("share", pl.Float64, "Of all the week's texts; null where suppressed."),
        Column("share_low", pl.Float64, "Lower end of its 95 % interval."),
        Column("share_high", pl.Float64, "Upper end."),
        Column("reason", pl.String, "Why a number is missing."),
        Column("example_feedback_ids", pl.List(pl.String), "Nearest to the topic, from different people.", False),
    ),
    key=("week", "topic"),
)

APPROVAL_CHANGE = Table(
    "approval_change",
    "A part of the change of the approval rate from one week to the next: a dimension in total, one of its levels, or "
    "the first appearance of a model or prompt version.",
    (
        Column("week", pl.Date, "Monday of the week.", nullable=False),
        Column("part", pl.String, "What the row is.", nullable=False, values=CHANGE_PARTS),
        Column("dimension", pl.String, "The dimension, or two joined by ` × `; null for the whole week."),
        Column("level", pl.String, "Level of the dimension; null means unknown."),
        Column("votes", pl.Int64, "Votes up or down this week.", nullable=False),
        Column("up", pl.Int64, "Votes up this week.", nullable=False),
        Column("people", pl.Int64, "Distinct people this week.", nullable=False),
        Column("approval_rate", pl.Float64, "up / votes this week."),
        Column("low", pl.Float64, "Lower end of its 95 % interval, clustered by person."),
        Column("high", pl.Float64, "Upper end."),
        Column("previous_votes", pl.Int64, "Votes up or down the week before.", nullable=False),
        Column("previous_up", pl.Int64, "Votes up the week before.", nullable=False),
        Column("previous_rate", pl.Float64, "up / votes the week before."),
        Column("change", pl.Float64, "approval_rate − previous_rate."),
        Column("change_low", pl.Float64, "Lower end of its 95 % interval, clustered by person."),
        Column("change_high", pl.Float64, "Upper end."),
        Column("mix", pl.Float64, "Part of the overall change because shares moved; the parts of a dimension add up."),
        Column("rate", pl.Float64, "Part of the overall change because rates moved."),
        Column("p_value", pl.Float64, "Two-sided, user-clustered, of the level's change."),
        Column("q_value", pl.Float64, "Adjusted for every level tested."),
        Column("first_seen", pl.Date, "For first appearances: the day of the first vote."),
        Column("answers", pl.Int64, "Answers given this week, voted on or not."),
        Column("response_rate", pl.Float64, "Answers with a vote / answers."),
        Column("previous_response_rate", pl.Float64, "The same the week before."),
        Column(
            "sensitivity",
            pl.Float64,
            "The change of approval vanishes if the unhappy became this many times as ready to answer, relative to the "
            "happy, as the week before (below 1: less ready).",
        ),
        Column("reason", pl.String, "Why a number is missing, or what qualifies it."),
    ),
    key=("week", "part", "dimension", "level"),
)

REPEATED_FAILURES = Table(
    "repeated_failures",
    "The same prompt, answer and action, voted down more than twice.",
    (
        Column("week", pl.Date, "Monday of the week.", nullable=False),
        Column("failure_id", pl.String, "Hash of prompt, answer and action keys.", nullable=False),
        Column("action_type", pl.String, "The action."),
        Column("down", pl.Int64, "Votes down.", nullable=False),
        Column("votes", pl.Int64, "Votes up or down on the same.", nullable=False),
        Column("people", pl.Int64, "Distinct people who voted down.", nullable=False),
        Column("example_feedback_ids", pl.List(pl.String), "Votes down from different people.", nullable=False),
    ),
    key=("week", "failure_id"),
)

RECOMMENDATIONS = Table(
    "recommendations",
    "Something to do about a finding, with what it should bring.",
    (
        Column("week", pl.Date, "Monday of the week.", nullable=False),
        Column("recommendation_id", pl.String, "Hash of kind and evidence: stable over weeks.", nullable=False),
        Column("rank", pl.Int32, "Place by expected gain.", nullable=False),
        Column("kind", pl.String, "What kind of action.", nullable=False, values=RECOMMENDATION_KINDS),
        Column("text", pl.String, "What to do and why: numbers and dimension values only.", nullable=False),
        Column("evidence", pl.List(pl.String), "Ids of findings, failures or levels it rests on.", nullable=False),
        Column("grade", pl.String, "What kind of evidence it is.", nullable=False, values=GRADES),
        Column("negatives_avoided", pl.Float64, "Votes down a week that should go away; null if it cannot be said."),
        Column("negatives_avoided_low", pl.Float64, "The same, lower end."),
        Column("approval_gain", pl.Float64, "Expected change of the approval rate, as a share."),
    ),
    key=("week", "recommendation_id"),
)

TABLES = (
    SLICE_COUNTS,
    TERM_COUNTS,
    SAFETY_COUNTS,
    SLICE_FINDINGS,
    TERM_FINDINGS,
    FAILURE_TOPICS,
    APPROVAL_CHANGE,
    REPEATED_FAILURES,
    RECOMMENDATIONS,
)
