"""The tables of judging, one partition a week. Scores lie in 0–1 unless said; null means there is no such value."""

import polars as pl

from feedback_pipeline.tables.schema import Column, Table

STATUSES = (
    "ok",
    "unscored",
    "refusal",
    "content_filter",
    "truncated",
    "parse_error",
    "off_menu",
    "tampered",
    "api_error",
    "skipped_budget",
)
"""What became of one judgement; aggregates use `ok` only."""

VERDICTS = ("up", "neutral", "down")
PREFERENCES = ("this", "other", "tie")
STANDINGS = ("above average", "below average", "cannot tell")
PREFERENCE_SCORES = {"this": 1.0, "tie": 0.5, "other": 0.0}
"""A preference as the share of the win that goes to the answer named first."""

OVERALL = "satisfaction"
"""The criterion a vote speaks about: would the person who asked be satisfied? Others need their own labels."""

_INTERVAL = (
    Column("low", pl.Float64, "Lower end of the 95 % interval."),
    Column("high", pl.Float64, "Upper end of the 95 % interval."),
)
_SERIES = (
    Column("judge", pl.String, "Name of the judge.", nullable=False),
    Column("fingerprint", pl.String, "Hash of judge, model, rubric, prompt and settings: series are never mixed.",
           nullable=False),
    Column("criterion", pl.String, "What was judged.", nullable=False),
)  # fmt: skip

JUDGE_SAMPLE = Table(
    "judge_sample",
    "One answer drawn to be judged. No text.",
    (
        Column("interaction_id", pl.String, "The answer (UUID).", nullable=False),
        Column("conversation_id", pl.String, "Its conversation; the answer's own id where unknown.", nullable=False),
        Column("model", pl.String, "Model that wrote it."),
        Column("prompt_version", pl.String, "Prompt version in use."),
        Column("intent", pl.String, "What the person wanted."),
        Column("has_vote", pl.Boolean, "Somebody gave a verdict on it.", nullable=False),
        Column("inclusion_probability", pl.Float64, "Probability with which it was drawn from its stratum (0–1].",
               nullable=False),
    ),
    key=("interaction_id",),
)  # fmt: skip

JUDGEMENTS = Table(
    "judgements",
    "One verdict, or the reason for none, by one judge on one answer or pair of answers and one criterion.",
    (
        Column("interaction_id", pl.String, "The answer (UUID); of a pair the one `this` means.", nullable=False),
        Column("other_interaction_id", pl.String, "The other answer of a pair; empty for a single answer.",
               nullable=False),
        *_SERIES,
        Column("status", pl.String, "ok, or why there is no score.", nullable=False, values=STATUSES),
        Column("reason", pl.String, "Detail of a status other than ok, as a code."),
        Column("score", pl.Float64, "0 worst – 1 best; of a pair the probability that `this` is better."),
        Column("rating", pl.Float64, "On the rubric's own scale (1–5), where it has one."),
        Column("verdict", pl.String, "up, neutral, down; of a pair this, other, tie.",
               values=(*VERDICTS, *PREFERENCES)),
        Column("consistent", pl.Boolean, "Of a pair: both orders gave the same verdict."),
        Column("first_slot", pl.Float64, "Of a pair: share of the orders in which the answer shown first won."),
        Column("deviation", pl.Float64, "Standard deviation of the score over repeated samples."),
        Column("rationale", pl.String, "The judge's reasons: untrusted words.", text=True),
        Column("model_returned", pl.String, "Model the endpoint says it used."),
        Column("input_tokens", pl.Int64, "Tokens sent, all orders and samples."),
        Column("output_tokens", pl.Int64, "Tokens received."),
        Column("cost_usd", pl.Float64, "US dollars, this run; 0 where the cache answered."),
        Column("calls", pl.Int32, "Calls made, this run; counted with the first of several criteria."),
        Column("content_hash", pl.String, "Hash of what was sent to the endpoint; null where nothing was."),
    ),
    key=("interaction_id", "other_interaction_id", "fingerprint", "criterion"),
)  # fmt: skip

JUDGE_CONTROLS = Table(
    "judge_controls",
    "One kind of known-bad answer judged beside a week's answers, on one criterion, by one judge.",
    (
        *_SERIES,
        Column("kind", pl.String, "What the answers are: empty, master keys, injections, swapped answers …",
               nullable=False),
        Column("asked", pl.UInt32, "Controls of the kind.", nullable=False),
        Column("answered", pl.UInt32, "Of them, those the judge said something about, a refusal included.",
               nullable=False),
        Column("scored", pl.UInt32, "Of them, those with a score.", nullable=False),
        Column("highest", pl.Float64, "Highest score, 0–1; null where none was scored."),
        Column("passed", pl.Boolean, "None scored above the floor.", nullable=False),
    ),
    key=("fingerprint", "kind", "criterion"),
)  # fmt: skip

JUDGE_ANCHORS = Table(
    "judge_anchors",
    "One answer that people judged in an earlier audit, judged again this week by the same judge.",
    (
        Column("interaction_id", pl.String, "The answer (UUID).", nullable=False),
        Column("family", pl.String, "Fingerprint of the judge as configured, whichever model answered.",
               nullable=False),
        *_SERIES,
        Column("status", pl.String, "ok, or why there is no score.", nullable=False, values=STATUSES),
        Column("score", pl.Float64, "0 worst – 1 best."),
        Column("model_returned", pl.String, "Model the endpoint says it used."),
        Column("human_value", pl.Float64, "What people said, 0–1.", nullable=False),
    ),
    key=("interaction_id", "family", "criterion"),
)  # fmt: skip

CALIBRATION_STATISTICS = (
    "observed_agreement",
    "cohen_kappa",
    "cohen_kappa_quadratic",
    "gwet_ac1",
    "krippendorff_alpha",
    "people_krippendorff_alpha",
    "sensitivity",
    "specificity",
    "youden",
    "judge_up_rate",
    "people_up_rate",
    "alternative_annotator_winning_rate",
    "alternative_annotator_advantage",
    "length_bias",
    "unscored_share",
)

JUDGE_CALIBRATION = Table(
    "judge_calibration",
    "One statistic of one judge against people's verdicts on the same answers, or the reason why there is none.",
    (
        *_SERIES,
        Column("statistic", pl.String, "Which statistic.", nullable=False, values=CALIBRATION_STATISTICS),
        Column("value", pl.Float64, "Its value; null with a reason."),
        *_INTERVAL,
        Column("items", pl.Int64, "Answers behind it.", nullable=False),
        Column("conversations", pl.Int64, "Conversations behind it.", nullable=False),
        Column("reason", pl.String, "Why there is no value, as a code."),
    ),
    key=("fingerprint", "criterion", "statistic"),
)  # fmt: skip

JUDGED_QUALITY = Table(
    "judged_quality",
    "Quality of one slice of answers by one judge and criterion: what the judge says, what people said, and the "
    "judge's rate corrected by the people, or the reason why it may not be corrected.",
    (
        *_SERIES,
        Column("dimension", pl.String, "What the slice is by.", nullable=False,
               values=("all", "model", "prompt_version")),
        Column("slice", pl.String, "Its value; `all` for everything.", nullable=False),
        Column("judged", pl.Int64, "Answers with a usable judgement.", nullable=False),
        Column("unscored", pl.Int64, "Answers sampled without one.", nullable=False),
        Column("raw_rate", pl.Float64, "Share the judge calls up, weighted to all answers of the slice."),
        Column("raw_low", pl.Float64, "Lower end of its 95 % interval."),
        Column("raw_high", pl.Float64, "Upper end of its 95 % interval."),
        Column("worst_rate", pl.Float64, "Raw rate if every unscored answer were down."),
        Column("best_rate", pl.Float64, "Raw rate if every unscored answer were up."),
        Column("mean_score", pl.Float64, "Mean score, weighted."),
        Column("mean_rating", pl.Float64, "Mean rating on the rubric's scale, weighted."),
        Column("labelled", pl.Int64, "Judged answers with a human verdict.", nullable=False),
        Column("people_rate", pl.Float64, "Share of those people call up."),
        Column("corrected_rate", pl.Float64, "Share of answers people would call up."),
        *_INTERVAL,
        Column("method", pl.String, "How it was corrected.", values=("ppi++", "labels_only", "rogan_gladen")),
        Column("labels_from", pl.String, "`audit`: a random audit; `votes`: people who chose to vote, whose answers "
               "are assumed to be like the others of their stratum.", nullable=False, values=("audit", "votes")),
        Column("reason", pl.String, "Why there is no corrected rate, as a code."),
    ),
    key=("fingerprint", "criterion", "dimension", "slice"),
)  # fmt: skip

VERSION_COMPARISON = Table(
    "version_comparison",
    "Two prompt versions compared on one criterion: difference B − A.",
    (
        *_SERIES,
        Column("version_a", pl.String, "The earlier or more used version.", nullable=False),
        Column("version_b", pl.String, "The other version.", nullable=False),
        Column("measure", pl.String, "score: the judge's mean score; up_rate: its verdicts; corrected_up_rate: "
               "corrected by people; people_up_rate: people alone.", nullable=False,
               values=("score", "up_rate", "corrected_up_rate", "people_up_rate")),
        Column("design", pl.String, "paired: same prompts answered by both; unpaired otherwise.", nullable=False,
               values=("paired", "unpaired")),
        Column("value_a", pl.Float64, "Mean of A."),
        Column("value_b", pl.Float64, "Mean of B."),
        Column("difference", pl.Float64, "B − A."),
        *_INTERVAL,
        Column("p_value", pl.Float64, "Two-sided, clustered by conversation."),
        Column("q_value", pl.Float64, "Benjamini–Hochberg over the comparisons of this table."),
        Column("detectable", pl.Float64, "Smallest difference found with 80 % power at 5 %."),
        Column("items_a", pl.Int64, "Answers of A.", nullable=False),
        Column("items_b", pl.Int64, "Answers of B.", nullable=False),
        Column("reason", pl.String, "Why there is no comparison, as a code."),
    ),
    key=("fingerprint", "criterion", "version_a", "version_b", "measure", "design"),
)  # fmt: skip

PREFERENCE_RANKING = Table(
    "preference_ranking",
    "One model's strength in pairwise preferences of one project by people or by a judge.",
    (
        Column("project", pl.String, "Project the answers belong to; empty where unknown.", nullable=False),
        Column("rater", pl.String, "people, or the judge's name.", nullable=False),
        Column("model", pl.String, "The model.", nullable=False),
        Column("rank", pl.Int32, "1 is best.", nullable=False),
        Column("strength", pl.Float64, "Bradley–Terry log-odds against the project's average model.", nullable=False),
        Column("low", pl.Float64, "Lower end of the 95 % interval.", nullable=False),
        Column("high", pl.Float64, "Upper end of the 95 % interval.", nullable=False),
        Column("expected_win_rate", pl.Float64, "Chance to beat the average model, ties as half.", nullable=False),
        Column("comparisons", pl.Int64, "Votes behind it.", nullable=False),
        Column("win_rate", pl.Float64, "Observed, ties as half.", nullable=False),
        Column("penalised", pl.Boolean, "A weak prior was needed: some model never lost or never won.",
               nullable=False),
        Column("voters", pl.Int64, "People behind it; null of a judge."),
        Column("standing", pl.String, "Against the average model; cannot tell: the interval holds zero.",
               nullable=False, values=STANDINGS),
    ),
    key=("project", "rater", "model"),
)  # fmt: skip

PREFERENCE_STATISTICS = (
    "agreement_with_ties",
    "agreement_without_ties",
    "cohen_kappa",
    "gwet_ac1",
    "people_krippendorff_alpha",
    "people_tie_share",
    "judge_tie_share",
    "people_first_slot",
    "judge_first_slot",
    "judge_order_consistency",
    "rank_correlation",
    "alternative_annotator_winning_rate",
    "alternative_annotator_advantage",
)

PREFERENCE_AGREEMENT = Table(
    "preference_agreement",
    "One statistic of a judge's pairwise verdicts against people's preferences.",
    (
        Column("judge", pl.String, "Name of the judge; empty for people among themselves.", nullable=False),
        Column("statistic", pl.String, "Which statistic.", nullable=False, values=PREFERENCE_STATISTICS),
        Column("value", pl.Float64, "Its value; null with a reason."),
        *_INTERVAL,
        Column("items", pl.Int64, "Pairs (or models, for the rank correlation) behind it.", nullable=False),
        Column("reason", pl.String, "Why there is no value, as a code."),
    ),
    key=("judge", "statistic"),
)

TABLES = (
    JUDGE_SAMPLE,
    JUDGEMENTS,
    JUDGE_CONTROLS,
    JUDGE_ANCHORS,
    JUDGE_CALIBRATION,
    JUDGED_QUALITY,
    VERSION_COMPARISON,
    PREFERENCE_RANKING,
    PREFERENCE_AGREEMENT,
)
