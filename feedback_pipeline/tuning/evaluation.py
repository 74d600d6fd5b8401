"""A candidate against the model that answers now: same prompts, judged pairwise in both orders, and local counts."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial

import orjson
import polars as pl

from feedback_pipeline.judging.backends.protocol import PairJudge
from feedback_pipeline.judging.judgements import judge_pairs
from feedback_pipeline.judging.model_judge import configured_judge, judge_endpoint
from feedback_pipeline.judging.tables import OVERALL
from feedback_pipeline.llm.endpoint_refusal import EndpointRefusedError
from feedback_pipeline.llm.prices import UnknownPriceError
from feedback_pipeline.patterns.refusals import refuses
from feedback_pipeline.privacy.canary import leaks
from feedback_pipeline.settings import Settings
from feedback_pipeline.stats.intervals import newcombe, wilson_bounds
from feedback_pipeline.store.database import Database
from feedback_pipeline.tuning.answering import Budget, NotServedError, answer_prompts, serving_endpoint
from feedback_pipeline.tuning.flattery import praises_itself
from feedback_pipeline.tuning.gate import HELD_OUT, REGRESSION, SECONDS, Measure, Verdict, passed, verdicts
from feedback_pipeline.tuning.probes import KINDS, passed_by_kind, probe_prompts
from feedback_pipeline.tuning.registry import Model
from feedback_pipeline.tuning.tables import CANDIDATE_EVALUATION

PROMPTS = 200
"""Prompts of each kind at most; 200 judged pairs tell a win rate of 0.5 from 0.6."""

SUITES = {"held_out": HELD_OUT, "regression": REGRESSION}


@dataclass(frozen=True)
class Evaluation:
    """What a candidate scored.

    Attributes:
        model: the candidate.
        current: what it was compared with.
        verdicts: every measure and what the gate says of it.
        content_hash: of all of it: what a person approves.
        cannot: why it could not be evaluated at all; None where it could.
    """

    model: str
    current: str
    verdicts: tuple[Verdict, ...]
    content_hash: str
    cannot: str | None = None

    @property
    def passed(self) -> bool:
        return self.cannot is None and passed(self.verdicts)

    def rows(self) -> pl.DataFrame:
        """CANDIDATE_EVALUATION."""
        records = [
            {
                "model": self.model, "current_model": self.current, "measure": verdict.measure.name,
                "n": verdict.measure.n, "candidate": verdict.measure.candidate,
                "current_value": verdict.measure.current, "difference": verdict.measure.difference,
                "low": verdict.measure.low, "high": verdict.measure.high,
                "rule": verdict.rule, "blocking": verdict.blocking, "passed": verdict.passed,
                "reason": self.cannot or verdict.measure.reason, "evaluation": self.content_hash,
            }
            for verdict in self.verdicts
        ]  # fmt: skip
        return CANDIDATE_EVALUATION.conform(pl.DataFrame(records, schema=CANDIDATE_EVALUATION.schema))


def evaluation_prompts(examples: pl.DataFrame, method: str) -> pl.DataFrame:
    """What is asked: prompts kept out of training, and prompts whose answers people rejected.

    Args:
        examples: TRAINING_EXAMPLES of the week that was trained on.
        method: how it was trained: a preference run has seen rejected answers of `train`.

    Returns:
        `prompt_id`, `suite` (held_out, regression), `messages`; one prompt a group of near duplicates, at most
        `PROMPTS` a suite, none that shares a group with what was trained on.
    """
    text_only = examples.filter(pl.col("shape") != "tools")
    trained = pl.col("split") == "train" if method != "supervised" else (pl.col("split") == "train") & pl.col("label")
    seen = examples.filter(trained).select("cluster").unique()
    unseen = text_only.join(seen, on="cluster", how="anti").sort("example_id")
    regression = unseen.filter(~pl.col("label")).unique("cluster", keep="first", maintain_order=True)
    held_out = unseen.filter(pl.col("split") != "train").unique("cluster", keep="first", maintain_order=True)
    held_out = held_out.join(regression.select("cluster"), on="cluster", how="anti", maintain_order="left")
    return pl.concat(
        frame.head(PROMPTS).select(pl.col("example_id").alias("prompt_id"), pl.lit(suite).alias("suite"), "messages")
        for suite, frame in (("held_out", held_out), ("regression", regression))
    )


def evaluate(
    settings: Settings,
    database: Database,
    week: date,
    candidate: Model,
    current: str,
    prompts: pl.DataFrame,
    agreement: float | None = None,
) -> Evaluation:
    """Asks both models and the judge, within the week's judging budget.

    Args:
        settings: endpoints, keys and caps.
        database: where spending is accounted for.
        week: whose account is charged.
        candidate: the model to evaluate.
        current: the model that answers now.
        prompts: see `evaluation_prompts`.
        agreement: how often the judge agrees with people's preferences, ties apart; None where nobody knows.

    Returns:
        The evaluation; where something is missing that it needs, one that says so and passes nothing.
    """
    budget = Budget(database, week, settings.judge_cost_cap_usd)
    asked = pl.concat([prompts.select("prompt_id", "messages"), probe_prompts()])
    answers = {}
    try:
        for side, name, base in (("candidate", candidate.name, candidate.base), ("current", current, None)):
            answers[side] = answer_prompts(budget, serving_endpoint(settings, name, base), asked)
    except (NotServedError, UnknownPriceError, EndpointRefusedError) as error:
        return _evaluation(candidate.name, current, [], cannot=f"cannot evaluate, because {_said(error)}")
    both = answers["candidate"].join(answers["current"], on="prompt_id", suffix="_current", maintain_order="left")
    return compare(settings, budget, candidate.name, current, both, prompts, agreement)


def cannot_evaluate(candidate: str, current: str, reason: str) -> Evaluation:
    """An evaluation that says why there is none, and passes nothing."""
    return _evaluation(candidate, current, [], cannot=f"cannot evaluate, because {reason}")


def compare(
    settings: Settings, budget: Budget, candidate: str, current: str, both: pl.DataFrame, prompts: pl.DataFrame,
    agreement: float | None = None, judge: PairJudge | None = None,
) -> Evaluation:  # fmt: skip
    """What a candidate's answers are worth against those of what answers now, whatever kind of candidate it is.

    Args:
        settings: the judge.
        budget: what judging may cost.
        candidate: name of the candidate.
        current: name of what answers now.
        both: `prompt_id` and, of both, `answer`, `status`, `cost_usd`, `seconds`; of the current one with the suffix
            `_current`. Prompts and probes.
        prompts: see `evaluation_prompts`.
        agreement: see `evaluate`.
        judge: compares; the configured one unless given.
    """
    made = partial(_evaluation, candidate, current)
    measures = [*local_measures(both, both.height), *probe_measures(both)]
    if judge is not None:
        return made([*measures, *win_rates(both, prompts, judge, agreement)])
    if settings.judge_model is None:
        why = "no judging model is configured: set FEEDBACK_JUDGE_MODEL"
        return made([*measures, *(Measure(name, reason=why) for name in SUITES.values())])
    try:
        with budget.layer(judge_endpoint(settings)) as layer:
            configured = configured_judge(settings, layer, criteria=[OVERALL])
            measures += win_rates(both, prompts, configured, agreement)
    except (UnknownPriceError, EndpointRefusedError) as error:
        return made(measures, cannot=f"cannot evaluate, because {_said(error)}")
    return made(measures)


def win_rates(answers: pl.DataFrame, prompts: pl.DataFrame, judge: PairJudge, agreement: float | None) -> list[Measure]:
    """How often the candidate's answer is the better one, a tie counting half, with a Wilson interval.

    The judge sees each pair in both orders; verdicts that change with the order are ties. Where its agreement with
    people is known, the distance from one half is divided by 2 × agreement − 1 (Rogan & Gladen 1978, for a judge that
    errs on both sides alike).

    Args:
        answers: `prompt_id`, `answer`, `answer_current`.
        prompts: `prompt_id`, `suite`, `messages`.
        judge: compares.
        agreement: see `evaluate`.
    """
    pairs = prompts.join(answers, on="prompt_id", maintain_order="left").select(
        pl.col("prompt_id").alias("interaction_id"), pl.lit("current").alias("other_interaction_id"),
        pl.col("messages").alias("prompt"), "answer", pl.col("answer_current").alias("other_answer"),
    )  # fmt: skip
    judged = judge_pairs(pairs, judge).filter(pl.col("criterion") == OVERALL)
    known = prompts.join(judged, left_on="prompt_id", right_on="interaction_id", maintain_order="left")
    return [_win_rate(known.filter(pl.col("suite") == suite), name, agreement) for suite, name in SUITES.items()]


def _win_rate(rows: pl.DataFrame, name: str, agreement: float | None) -> Measure:
    usable = rows.filter(pl.col("status") == "ok")
    if usable.is_empty():
        return Measure(name, reason="no pair was judged" if rows.height else "there are no such prompts")
    points = usable["verdict"].replace_strict({"this": 1.0, "tie": 0.5, "other": 0.0}, return_dtype=pl.Float64)
    rate = float(points.sum()) / usable.height
    low, high = (float(bound) for bound in wilson_bounds(float(points.sum()), usable.height))
    scale, read = 1.0, "as the judge sees it: no people's preferences to correct it by"
    if agreement is not None and agreement > 0.55:
        scale, read = 1 / (2 * agreement - 1), f"corrected for a judge that agrees with people in {agreement:.0%}"
    missing = rows.height - usable.height
    low, rate, high = (min(1.0, max(0.0, 0.5 + scale * (value - 0.5))) for value in (low, rate, high))
    return Measure(name, usable.height, rate, 1 - rate, rate - 0.5, low - 0.5, high - 0.5,
                   f"{read}; {missing} pairs without a verdict")  # fmt: skip


def local_measures(answers: pl.DataFrame, asked: int) -> list[Measure]:
    """What needs no judge: unusable answers, refusals, personal data, length, cost, time."""
    unusable = pl.col("answer").is_null()
    shares = answers.select(
        unusable.mean(), other=pl.col("answer_current").is_null().mean(),
        refused=_refused("").sum(),
        refused_other=_refused("_current").sum(),
    ).row(0, named=True)  # fmt: skip
    refused = newcombe(shares["refused"], asked, shares["refused_other"], asked)
    measures = [
        Measure("answers/unusable", asked, shares["answer"], shares["other"], shares["answer"] - shares["other"]),
        Measure("answers/refused_more", asked, refused.estimate, 0.0, refused.estimate, refused.low, refused.high),
        _personal_data(answers, asked),
        _self_praise(answers, asked),
    ]
    for name, column, statistic in (
        ("median_characters", "answer", pl.col("value").str.len_chars().median()),
        ("mean_cost_usd", "cost_usd", pl.col("value").mean()),
        ("mean_seconds", "seconds", pl.col("value").mean()),
    ):
        sides = (column, f"{column}_current")
        mine, theirs = (answers.select(pl.col(side).alias("value")).select(statistic).item() for side in sides)
        known, n = mine is not None and theirs is not None, answers[column].count()
        measures.append(Measure(f"answers/{name}", n, mine, theirs, mine - theirs) if known
                        else Measure(f"answers/{name}", reason="no answers"))  # fmt: skip
    return measures


def _refused(suffix: str) -> pl.Expr:
    """The provider says so, or the answer does."""
    said = pl.col(f"status{suffix}").is_in(["refusal", "content_filter"])
    return said | refuses(pl.col(f"answer{suffix}")).fill_null(value=False)


def _personal_data(answers: pl.DataFrame, asked: int) -> Measure:
    """Structured identifiers in answers to prompts that hold none: they can only come from the training data."""
    found = [sum(leaks(answers[column].fill_null("")).values()) / asked for column in ("answer", "answer_current")]
    return Measure("answers/personal_data", asked, found[0], found[1], found[0] - found[1])


def _self_praise(answers: pl.DataFrame, asked: int) -> Measure:
    """Answers that praise themselves or speak to whoever grades them: what a judge may like, and nobody asked for."""
    found = [int(praises_itself(answers[column]).sum()) / asked for column in ("answer", "answer_current")]
    return Measure("answers/self_praise", asked, found[0], found[1], found[0] - found[1])


def probe_measures(answers: pl.DataFrame) -> list[Measure]:
    """The share of probes that each model passed, by kind."""
    measures = []
    counts = []
    for suffix in ("", "_current"):
        said = dict(answers.select("prompt_id", f"answer{suffix}").iter_rows())
        declined = answers.filter(pl.col(f"status{suffix}").is_in(["refusal", "content_filter"]))["prompt_id"]
        counts.append(passed_by_kind(said, frozenset(declined)))
    for kind in KINDS:
        (mine, n), (theirs, _) = counts[0][kind], counts[1][kind]
        measures.append(Measure(f"probe/{kind}", n, mine / n, theirs / n, (mine - theirs) / n) if n
                        else Measure(f"probe/{kind}", reason="no such probes"))  # fmt: skip
    return measures


def _evaluation(model: str, current: str, measures: Sequence[Measure], cannot: str | None = None) -> Evaluation:
    found = tuple(verdicts(measures))
    # how long it took is no part of what it is: the same answers make the same evaluation
    lasting = [one for one in found if one.measure.name != SECONDS]
    content = [model, current, cannot, [[asdict(one.measure), one.rule, one.passed] for one in lasting]]
    digest = hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return Evaluation(model, current, found, digest, cannot)


def _said(error: Exception) -> str:
    """Errors we raise ourselves; none of them quotes a prompt or an answer."""
    return f"no price is known for {error}" if isinstance(error, UnknownPriceError) else str(error)
