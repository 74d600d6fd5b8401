"""The command that hands a judge out as a reward: `feedback export-judge`; mounted by `cli.groups`."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import polars as pl
import typer

from feedback_pipeline.calendar import monday_of
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, CLEAN_INTERACTIONS
from feedback_pipeline.cli.opening import open_pipeline
from feedback_pipeline.cli.printing import PlainConsole
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings, SettingsError
from feedback_pipeline.tables.parquet import of_ids

if TYPE_CHECKING:
    from feedback_pipeline.judging.reward import Certificate
    from feedback_pipeline.judging.rubrics import Rubric
    from feedback_pipeline.llm.progress import Report

console = PlainConsole()
DAYS, MAX_ANSWERS, PROBES = 28, 200, 30
"""Days whose votes are looked at, answers that are judged for the certificate, and those tried with self-praise."""


def export_judge(
    folder: Annotated[Path, typer.Argument(help="Where to write reward.py, judge.json, grader.json, README.md.")],
    criterion: Annotated[str, typer.Option(help="Criterion of the rubric.")] = "satisfaction",
    anyway: Annotated[bool, typer.Option("--anyway", help="Also without a certificate; the card says so.")] = False,
) -> None:
    """Measure the configured judge against people, known-bad answers and self-praise, and write it as a reward for TRL
    with its card. A judge that fails is not written."""
    from feedback_pipeline.judging import reward
    from feedback_pipeline.llm.progress import progress_bar

    settings = Settings.from_environment()
    if settings.judge_model is None:
        raise SettingsError("a reward needs a judging model: set FEEDBACK_JUDGE_MODEL")
    with progress_bar(console) as report:
        measured = measure(open_pipeline(settings), criterion, report)
    if measured is None:
        console.print("No vote of the last four weeks is computed: feedback materialize", style="red")
        raise typer.Exit(code=1)
    earned, rubric = measured
    try:
        echo = settings.judge_nonce
        written = reward.write_reward(folder, earned, rubric, settings.judge_model, echo_nonce=echo, anyway=anyway)
    except reward.NoCertificateError as error:
        console.print(f"not written: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(code=1) from None
    youden = earned.agreement["youden"]
    console.print(
        f"{len(written)} files in {folder}; agreement (sensitivity + specificity − 1) {youden}; self-praise gains "
        f"{earned.flattery}", markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
    if earned.problems:
        console.print(
            f"without a certificate: {'; '.join(earned.problems)}", style="yellow", markup=False, soft_wrap=True
        )


def measure(pipeline: Pipeline, criterion: str, report: "Report | None" = None) -> "tuple[Certificate, Rubric] | None":
    """Judges answers that people voted on, known-bad answers and praised ones, as the reward will ask; None where no
    vote of the last weeks is computed."""
    from feedback_pipeline.judging.calibration import calibrate
    from feedback_pipeline.judging.controls import judge_controls
    from feedback_pipeline.judging.judgements import judge_answers
    from feedback_pipeline.judging.model_judge import model_judge
    from feedback_pipeline.judging.reward import certificate, flattery_gain

    settings = replace(pipeline.settings, judge_mode="schema", judge_samples=1)
    answers, verdicts = _labelled(pipeline)
    if answers.is_empty():
        return None
    week = monday_of(pipeline.today())
    with model_judge(settings, pipeline.database, week, criteria=(criterion,), progress=report) as judge:
        shown = answers.select("interaction_id", "prompt", "answer")
        calibration = calibrate(judge_answers(shown, judge), verdicts)
        controls = judge_controls(judge, shown, str(week))
        flattery = flattery_gain(judge, shown.head(PROBES), criterion)
        return certificate(calibration, controls, flattery, judge.fingerprint, criterion, str(week)), judge.rubric


def _labelled(pipeline: Pipeline) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Answers that people judged in the last weeks, and their verdicts."""
    first = (pipeline.today() - timedelta(DAYS)).isoformat()
    days = [day for day in pipeline.frames.partitions(CLEAN_FEEDBACK) if day >= first]
    if not days:
        return pl.DataFrame(), pl.DataFrame()
    given = pl.col("counts") & pl.col("verdict").is_not_null() & (pl.col("kind") == "explicit")
    votes = pipeline.frames.scan(CLEAN_FEEDBACK, days).filter(given)
    verdicts = votes.select("interaction_id", "voter", "verdict", "interaction_day").collect()
    known = set(pipeline.frames.partitions(CLEAN_INTERACTIONS))
    wanted = [day for day in verdicts["interaction_day"].unique().sort().cast(pl.String) if day in known]
    texts = (
        of_ids(pipeline.frames.scan(CLEAN_INTERACTIONS, wanted), "interaction_id", verdicts["interaction_id"])
        .select("interaction_id", "prompt", "answer")
        .drop_nulls()
        .collect()
        .sort(pl.col("interaction_id").hash(seed=7))
        .head(MAX_ANSWERS)
    )
    return texts, verdicts.drop("interaction_day")


def mount(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command("export-judge")(export_judge)
