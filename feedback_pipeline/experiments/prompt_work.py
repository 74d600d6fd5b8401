"""From votes to a prompt: proposals for the prompts of the store, and what each is worth against what answers now."""

import datetime as dt
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import polars as pl

from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, CLEAN_INTERACTIONS
from feedback_pipeline.experiments import prompt_evidence, prompts
from feedback_pipeline.experiments.optimisers import Optimiser, ReflectiveOptimiser, RuleOptimiser, with_system
from feedback_pipeline.experiments.prompts import Prompt
from feedback_pipeline.experiments.proposals import Proposal, refusals
from feedback_pipeline.experiments.simulated import SimulatedJudge, SimulatedModel
from feedback_pipeline.experiments.tables import PROMPT_CANDIDATES
from feedback_pipeline.extras import advice
from feedback_pipeline.judging.judgements import judge_pairs
from feedback_pipeline.judging.model_judge import configured_judge, judge_endpoint
from feedback_pipeline.judging.tables import OVERALL
from feedback_pipeline.llm.chat_completions import ChatCall
from feedback_pipeline.llm.endpoint_refusal import EndpointRefusedError
from feedback_pipeline.llm.prices import UnknownPriceError
from feedback_pipeline.patterns.tables import SLICE_FINDINGS
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.training.tables import TRAINING_EXAMPLES
from feedback_pipeline.tuning.answering import Budget, NotServedError, answer_prompts, prompt_endpoint
from feedback_pipeline.tuning.evaluation import Evaluation, cannot_evaluate, compare, evaluation_prompts
from feedback_pipeline.tuning.probes import probe_prompts
from feedback_pipeline.tuning.registry import record_evaluation

WEEKS = 4
"""Weeks of votes that a proposal answers."""

CASES = 24
"""Rejected answers that reflection tries itself on."""

REFLECTION_TOKENS = 2_000
_POINTS = {"this": 1.0, "tie": 0.5, "other": 0.0}


@dataclass(frozen=True)
class Week:
    """What is known for proposals of one week.

    Attributes:
        votes: as `prompt_evidence.gather` reads them.
        findings: `slice_findings`.
        examples: `training_examples`.
    """

    votes: pl.DataFrame
    findings: pl.DataFrame
    examples: pl.DataFrame


def week_of(pipeline: Pipeline, week: dt.date) -> Week:
    """The week's examples and findings, and the votes of the four weeks that end with it."""
    first = week - dt.timedelta(weeks=WEEKS - 1)
    days = [first + dt.timedelta(days=offset) for offset in range(7 * WEEKS)]
    asked = pipeline.frames.scan(CLEAN_INTERACTIONS, days).select("interaction_id", "prompt")
    votes = (
        pipeline.frames.scan(CLEAN_FEEDBACK, days)
        .filter("use_for_training")
        .select("feedback_id", "interaction_id", "tenant", "voter", pl.col("prompt_version").cast(pl.String), "verdict",
                "reasons", "comment", "correction")
        .join(asked, on="interaction_id", how="left")
        .collect()
    )  # fmt: skip
    frames = pipeline.frames
    return Week(votes, frames.read(SLICE_FINDINGS, [week]), frames.read(TRAINING_EXAMPLES, [week]))


def propose(
    pipeline: Pipeline, week: dt.date, *, tenant: str, name: str, optimiser: Optimiser | None = None,
    known: Week | None = None,
) -> pl.DataFrame:  # fmt: skip
    """Proposes versions of a prompt from what people said of the one that answers, and adds those that may become one.

    Args:
        pipeline: store, tables, settings.
        week: whose votes (and of the three weeks before) are answered; its judging budget is charged.
        tenant: whose prompt.
        name: of the prompt.
        optimiser: who proposes; the configured one unless given.
        known: what `week_of` gives.

    Returns:
        PROMPT_CANDIDATES of the prompt.

    Raises:
        PromptError: there is no such prompt.
    """
    current = prompts.answering(pipeline.database, name, tenant)
    seen = known or week_of(pipeline, week)
    votes = seen.votes.filter(pl.col("tenant") == tenant)
    evidence = prompt_evidence.gather(votes, seen.findings, current.version)
    approval, people = prompt_evidence.approval(votes, current.version)
    with ExitStack() as stack:
        chosen = optimiser or _optimiser(pipeline, week, stack)
        about = {
            "tenant": tenant, "prompt": name, "number": 0, "current": current.version, "optimiser": chosen.name,
            "status": "nothing", "version": None, "digest": None, "cites": [], "evidence": len(evidence),
            "approval": approval, "people": people, "reason": None,
        }  # fmt: skip
        try:
            found = chosen.propose(current, evidence, _cases(seen.examples, tenant)) if evidence else []
            reason = "nobody said what to change" if not evidence else "no text was better"
        except (UnknownPriceError, EndpointRefusedError, NotServedError) as error:
            found, reason = [], f"the model could not be asked: {error}"
        except ImportError as error:
            found, reason = [], f"{advice(error.name) or 'a library is missing'}"
        except Exception as error:  # noqa: BLE001 - somebody else's optimiser: whatever it does, nothing is proposed
            found, reason = [], f"the optimiser failed: {type(error).__name__}"
    rows = [about | _taken(pipeline, week, current, one, evidence) | {"number": n} for n, one in enumerate(found[:3])]
    return PROMPT_CANDIDATES.conform(
        pl.DataFrame(rows or [about | {"reason": reason}], schema=PROMPT_CANDIDATES.schema)
    )


def _taken(
    pipeline: Pipeline, week: dt.date, current: Prompt, proposal: Proposal, evidence: Sequence[prompt_evidence.Evidence]
) -> dict[str, object]:
    """A proposal as a version and a candidate, or why it is none."""
    every = prompts.prompts(pipeline.database, current.tenant, current.name)
    secrets = [text for text in (pipeline.settings.model_key,) if text]
    refused = refusals(proposal, current, {one.digest for one in every}, evidence, secrets)
    shared: dict[str, object] = {"digest": prompts.digest(proposal.text), "cites": list(proposal.cites)}
    if refused:
        return shared | {"status": "refused", "reason": "; ".join(refused)}
    added = prompts.add(
        pipeline.database, current.name, proposal.text, now=pipeline.now(), parent=current.version, origin="proposed",
        tenant=current.tenant, proposal={"cites": list(proposal.cites), "week": week.isoformat()},
    )  # fmt: skip
    prompts.enter(pipeline.database, added, now=pipeline.now(), week=week)
    return shared | {"status": "proposed", "version": added.version, "reason": None}


def _cases(examples: pl.DataFrame, tenant: str) -> pl.DataFrame:
    """Rejected answers of the training split: what is held out is never shown to whoever writes the prompt."""
    rejected = examples.filter((pl.col("split") == "train") & ~pl.col("label") & (pl.col("tenant") == tenant))
    rows = rejected.sort("example_id").unique("cluster", keep="first", maintain_order=True).head(CASES)
    return rows.select(pl.col("example_id").alias("prompt_id"), "messages", pl.col("completion").alias("answer"))


def _optimiser(pipeline: Pipeline, week: dt.date, stack: ExitStack) -> Optimiser:
    settings = pipeline.settings
    if settings.prompt_optimiser == "rules" or settings.prompt_model is None or settings.judge_model is None:
        return RuleOptimiser()
    budget = Budget(pipeline.database, week, settings.judge_cost_cap_usd)
    endpoint = prompt_endpoint(settings)
    layer = stack.enter_context(budget.layer(endpoint))
    judge = configured_judge(settings, stack.enter_context(budget.layer(judge_endpoint(settings))), criteria=[OVERALL])

    def reflect(text: str) -> str:
        [reply] = layer.run(
            [ChatCall(({"role": "user", "content": text},), REFLECTION_TOKENS)],
            lambda reply: None if reply.text.strip() else "empty",
        )
        return reply.text

    def wins(pairs: pl.DataFrame) -> list[float]:
        judged = judge_pairs(pairs, judge).filter(pl.col("criterion") == OVERALL)
        verdicts = dict(judged.select("interaction_id", "verdict").iter_rows())
        return [_POINTS.get(verdicts.get(one) or "", 0.0) for one in pairs["interaction_id"]]

    return ReflectiveOptimiser(partial(answer_prompts, budget, endpoint), wins, reflect, settings.prompt_calls)


def evaluate(
    pipeline: Pipeline, week: dt.date, candidate: Prompt, *, agreement: float | None = None,
    examples: pl.DataFrame | None = None,
) -> Evaluation:  # fmt: skip
    """A version against the one that answers: the same held-out and formerly rejected prompts, the same model, the
    judge in both orders, the probes and the gate that models have. What it scored is kept with the candidate.

    Args:
        pipeline: store, tables, settings.
        week: whose examples are asked; its judging budget is charged.
        candidate: the version.
        agreement: how often the judge agrees with people's preferences.
        examples: TRAINING_EXAMPLES; those of the week unless given.
    """
    current = prompts.answering(pipeline.database, candidate.name, candidate.tenant)
    prompts.enter(pipeline.database, candidate, now=pipeline.now(), week=week)
    rows = pipeline.frames.read(TRAINING_EXAMPLES, [week]) if examples is None else examples
    own = rows.filter(pl.col("tenant") == candidate.tenant)
    # proposals have seen rejected answers of the training split, as preference runs have
    held_out = evaluation_prompts(own, "preference")
    found = _compared(pipeline, week, candidate, current, held_out, agreement)
    record_evaluation(
        pipeline.database, candidate.key, current.key, found.content_hash, passed=found.passed,
        detail=found.rows().to_dicts(), now=pipeline.now(),
    )  # fmt: skip
    return found


def _compared(
    pipeline: Pipeline, week: dt.date, candidate: Prompt, current: Prompt, held_out: pl.DataFrame,
    agreement: float | None,
) -> Evaluation:  # fmt: skip
    settings = pipeline.settings
    budget = Budget(pipeline.database, week, settings.judge_cost_cap_usd)
    asked = pl.concat([held_out.select("prompt_id", "messages"), probe_prompts()])
    simulated = settings.prompt_model is None
    try:
        ask = SimulatedModel().answers if simulated else partial(answer_prompts, budget, prompt_endpoint(settings))
        mine, theirs = (ask(_under(asked, side.text)) for side in (candidate, current))
    except (NotServedError, UnknownPriceError, EndpointRefusedError) as error:
        return cannot_evaluate(candidate.key, current.key, str(error))
    both = mine.join(theirs, on="prompt_id", suffix="_current", maintain_order="left")
    judge = SimulatedJudge() if simulated else None
    return compare(settings, budget, candidate.key, current.key, both, held_out, agreement, judge)


def _under(asked: pl.DataFrame, template: str) -> pl.DataFrame:
    messages = [with_system(text, template) for text in asked["messages"]]
    return asked.with_columns(messages=pl.Series(messages, dtype=pl.String))
