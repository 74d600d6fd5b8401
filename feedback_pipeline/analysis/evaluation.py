"""The public verb of this package, for notebooks and scripts: any data frame in, the same kind out."""

from typing import Any

import polars as pl

from feedback_pipeline.analysis.vote_frames import ALIASES, FeedbackFrameError, as_polars, called, like
from feedback_pipeline.judging.backends.model import ModelJudge
from feedback_pipeline.judging.backends.protocol import AnswerJudge
from feedback_pipeline.judging.model_judge import configured_judge, judge_endpoint
from feedback_pipeline.judging.versions import judge_prompt_versions
from feedback_pipeline.llm.calls import CallLayer
from feedback_pipeline.settings import Settings


def evaluate_prompt_version(
    interactions: Any, judge: AnswerJudge | None = None, verdicts: Any = None, *, settings: Settings | None = None
) -> Any:
    """Judges logged answers and says how good each prompt version is.

        evaluate_prompt_version(interactions)[["slice", "criterion", "mean_rating"]]

    Args:
        interactions: a table (pandas, Polars, PyArrow, a list of dicts) with `interaction_id`, `prompt`, `answer`
            (redacted), `prompt_version`, and where known `conversation_id` and `model`; also by the names `request_id`,
            `message_id`, `input_text`, `query`, `output_text`, `response` …. All of it is judged: pass a sample.
        judge: who judges; the model configured by `FEEDBACK_JUDGE_MODEL` within `FEEDBACK_JUDGE_COST_CAP` unless given.
        verdicts: people's verdicts (`interaction_id`, `voter`, `verdict` up, neutral or down). Without them no rate is
            corrected, and the rows say so.
        settings: read from the environment unless given.

    Returns:
        One row per prompt version (`slice`), judge and criterion, in the columns of `judged_quality`; the kind of
        frame that was given.

    Raises:
        FeedbackFrameError: a column is missing; the message says which names it may have.
        ValueError: no judge is given and no model is configured.
        EndpointRefusedError: the endpoint will answer no call (key, quota, unknown model).
    """
    logged = _named(as_polars(interactions))
    people = None if verdicts is None else as_polars(verdicts)
    chosen = judge or _configured(settings or Settings.from_environment())
    rows = judge_prompt_versions(logged, chosen, people)
    return like(rows, interactions)


def _named(table: pl.DataFrame) -> pl.DataFrame:
    """The table with the columns that judging reads, by whichever of their names they came."""
    chosen = {}
    for wanted in ("interaction_id", "prompt", "answer", "prompt_version"):
        name = called(table, wanted)
        if name is None:
            names = ", ".join(ALIASES.get(wanted, (wanted,)))
            raise FeedbackFrameError(f"no column {wanted}: expected one of {names}")
        chosen[wanted] = pl.col(name).cast(pl.String)
    known = [name for name in ("conversation_id", "model", "reference") if name in table.columns]
    return table.select(**chosen, **{name: pl.col(name).cast(pl.String) for name in known})


def _configured(settings: Settings) -> ModelJudge:
    endpoint = judge_endpoint(settings)
    return configured_judge(settings, CallLayer(endpoint, cost_cap_usd=settings.judge_cost_cap_usd))
