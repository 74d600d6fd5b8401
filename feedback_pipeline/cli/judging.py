"""`feedback audit` and `feedback evaluate`; mounted by `cli.groups`."""

import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer
from rich.rule import Rule
from rich.table import Table as Grid
from rich.text import Text

from feedback_pipeline.calendar import monday_of
from feedback_pipeline.cleaning.tables import CLEAN_INTERACTIONS
from feedback_pipeline.cli.opening import open_pipeline
from feedback_pipeline.cli.options import week_of
from feedback_pipeline.cli.printing import PlainConsole
from feedback_pipeline.judging import tables
from feedback_pipeline.judging.audit import CANNOT_SAY, label_next
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import JudgeMode, Settings, SettingsError
from feedback_pipeline.store import audits
from feedback_pipeline.tables.parquet import of_ids

console = PlainConsole()

KEYS = {"u": "up", "n": "neutral", "d": "down", "c": CANNOT_SAY, "q": None}
QUESTION = "[u]p  [n]eutral  [d]own  [c]annot say  [q]uit"


def audit(
    auditor: Annotated[str, typer.Option("--name", prompt="Your name", help="Who judges; asked for if not given.")],
    week: Annotated[
        str | None, typer.Option(help="Monday of the week; the newest with answers left by default.")
    ] = None,
    criterion: Annotated[str, typer.Option(help="What to judge.")] = tables.OVERALL,
    count: Annotated[int, typer.Option(help="How many answers at most.", min=1)] = 20,
) -> None:
    """Judge random answers yourself: what the judges are measured by. Nobody's verdict is shown to you."""
    from feedback_pipeline.judging.rubrics import read_rubric

    questions = {one.name: one.question for one in read_rubric().criteria}
    if criterion not in questions:
        raise typer.BadParameter(f"--criterion takes one of {', '.join(questions)}")
    if not auditor.strip():
        raise typer.BadParameter("--name must not be blank")
    pipeline = open_pipeline()
    waiting = left_for(pipeline, week_of(week) if week else None, auditor.strip(), criterion)
    if waiting.is_empty():
        console.print("Nothing is left for you to judge. Answers are drawn when a week that ended is computed.")
        return
    labelled = 0
    shown = waiting.head(count)
    for number, (identity, prompt, answer) in enumerate(shown_texts(pipeline, shown), 1):
        console.print(Rule(f"{number} of {shown.height}: {criterion}"))
        console.print(Text(questions[criterion], style="italic"))
        _show("asked", prompt)
        _show("answered", answer)
        verdict = KEYS[_key()]
        if verdict is None:
            break
        labelled += audits.add_label(pipeline.database, identity, criterion, auditor.strip(), verdict)
    console.print(f"{labelled} answers judged. Take them into account: feedback materialize --week {shown['week'][0]}")


def left_for(pipeline: Pipeline, week: date | None, auditor: str, criterion: str) -> pl.DataFrame:
    """What is left for this person in the given week, else in the newest with anything left, the most useful first."""
    items, labels = audits.read_items(pipeline.database), audits.read_labels(pipeline.database)
    weeks = items["week"].unique().sort(descending=True).to_list() if week is None else [week]
    for one in weeks:
        left = label_next(items.filter(pl.col("week") == one), labels.filter(pl.col("week") == one), auditor, criterion)
        if not left.is_empty():
            return left
    return items.clear()


def shown_texts(pipeline: Pipeline, waiting: pl.DataFrame) -> Iterator[tuple[str, str, str]]:
    """Id, prompt and answer of those whose text is still kept, in the same order."""
    days = waiting["day"].unique().sort().to_list()
    texts = pipeline.frames.scan(CLEAN_INTERACTIONS, days).select("interaction_id", "prompt", "answer")
    found = of_ids(texts, "interaction_id", waiting["interaction_id"]).collect()
    kept = waiting.join(found, on="interaction_id", how="left", maintain_order="left")
    shown = kept.filter(pl.col("answer").is_not_null())
    yield from shown.select("interaction_id", pl.col("prompt").fill_null(""), "answer").iter_rows()


def _show(title: str, text: str) -> None:
    """A stranger's text: without what could steer the terminal, and never as markup."""
    visible = "".join(sign for sign in text if sign in "\n\t" or unicodedata.category(sign) not in ("Cc", "Cf"))
    console.print(Rule(title, style="dim", align="left"))
    console.print(Text(visible), soft_wrap=True)


def _key() -> str:
    while (pressed := str(typer.prompt(QUESTION)).strip().lower()[:1]) not in KEYS:
        console.print("one of u, n, d, c, q")
    return pressed


def evaluate(
    week: Annotated[str | None, typer.Option(help="Monday of the week; the newest judged one by default.")] = None,
    rubric: Annotated[
        Path | None, typer.Option(help="Instead: a candidate rubric (YAML), tested against people's audit labels.")
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option(
            help="Instead: answers in a file (Parquet, CSV, JSONL with prompt, answer, and where known prompt_version, "
            "reference, label: up, neutral or down; with other_answer they are pairs), judged by the configured model."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="With --answers: file for the verdicts (.parquet, .csv or .jsonl).")
    ] = None,
    mode: Annotated[
        JudgeMode | None, typer.Option(help="How the model is asked; FEEDBACK_JUDGE_MODE by default.")
    ] = None,
    samples: Annotated[
        int | None, typer.Option(help="How often each is asked; FEEDBACK_JUDGE_SAMPLES by default.", min=1)
    ] = None,
) -> None:
    """Show how good each prompt version is by every judge, corrected by people; test another wording of a rubric; or
    judge answers of a file."""
    settings = Settings.from_environment()
    settings = replace(
        settings, judge_mode=mode or settings.judge_mode, judge_samples=samples or settings.judge_samples
    )
    pipeline = open_pipeline(settings)
    if answers is not None:
        _judge_file(pipeline, answers, output)
        return
    if rubric is not None:
        _test_rubric(pipeline, rubric)
        return
    partitions = pipeline.frames.partitions(tables.JUDGED_QUALITY)
    wanted = week_of(week) if week else (date.fromisoformat(partitions[-1]) if partitions else None)
    if wanted is None or wanted.isoformat() not in partitions:
        console.print("Nothing was judged yet: feedback materialize", highlight=False)
        raise typer.Exit(code=1)
    quality = pipeline.frames.read(tables.JUDGED_QUALITY, [wanted])
    console.print(_quality_grid(quality, f"Week of {wanted}"))
    _show_differences(pipeline.frames.read(tables.VERSION_COMPARISON, [wanted]))


def _show_differences(comparison: pl.DataFrame) -> None:
    compared = comparison.filter(pl.col("q_value") < 0.05)
    for row in compared.iter_rows(named=True):
        console.print(
            f"{row['version_b']} against {row['version_a']}, {row['criterion']} ({row['measure']}, {row['judge']}): "
            f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]",
            highlight=False,
            markup=False,
        )
    if compared.is_empty():
        console.print("No two versions differ significantly.")


def _quality_grid(quality: pl.DataFrame, title: str) -> Grid:
    grid = Grid("prompt version", "judge", "criterion", "judged", "mean", "judge says up", "people would say up")
    grid.title = title
    for row in quality.filter(pl.col("dimension") == "prompt_version").iter_rows(named=True):
        mean = row["mean_score"] if row["mean_rating"] is None else row["mean_rating"]
        corrected = (row["reason"] or "").replace("_", " ")
        if row["corrected_rate"] is not None:
            corrected = f"{row['corrected_rate']:.1%} [{row['low']:.1%}, {row['high']:.1%}]"
        chance = row["reason"] == "judge_no_better_than_chance"  # what it says is noise
        mean, raw = (None, None) if chance else (mean, row["raw_rate"])
        cells = (row["slice"], row["judge"], row["criterion"], str(row["judged"]), _number(mean, ".2f"))
        grid.add_row(*(Text(cell) for cell in (*cells, _number(raw, ".1%"), corrected)))
    return grid


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _judge_file(pipeline: Pipeline, path: Path, output: Path | None) -> None:
    from feedback_pipeline.judging.answer_files import AnswerFileError, labels_of, read_answers, write_verdicts
    from feedback_pipeline.judging.judgements import judge_answers, judge_pairs
    from feedback_pipeline.judging.model_judge import model_judge
    from feedback_pipeline.judging.versions import judged_versions, versions_compared
    from feedback_pipeline.llm.progress import progress_bar

    if pipeline.settings.judge_model is None:
        raise SettingsError("judging answers of a file needs a judging model: set FEEDBACK_JUDGE_MODEL")
    try:
        rows = read_answers(path)
        labels = labels_of(rows)
        if output is not None:
            write_verdicts(pl.DataFrame({"judge": []}), output)  # a place that cannot be written costs nothing
    except (AnswerFileError, OSError) as error:
        raise typer.BadParameter(f"--answers: {error}") from error
    week = monday_of(pipeline.today())
    with (
        progress_bar(console) as report,
        model_judge(pipeline.settings, pipeline.database, week, progress=report) as judge,
    ):
        pairs = "other_answer" in rows.columns
        judged = judge_pairs(rows, judge) if pairs else judge_answers(rows, judge)
    if pairs:
        console.print(_pairs_grid(judged))
    else:
        console.print(_quality_grid(judged_versions(rows, judged, labels), f"{path.name}, by {judge.name}"))
        _show_differences(versions_compared(rows, judged, labels))
    if output is not None:
        write_verdicts(judged, output)
        console.print(f"{judged.height} verdicts: {output}", highlight=False, markup=False)
    unscored = judged.filter(pl.col("status") != "ok")
    for reason, count in unscored["reason"].value_counts(sort=True).iter_rows():
        console.print(f"{count} of {judged.height} without a verdict: {reason}", highlight=False, markup=False)
    done = judge.calls.statistics
    console.print(
        f"{done.attempts} calls, {done.cached} of {done.asked} answered from the cache; {done.cost_usd:.4f} US dollars "
        f"of {pipeline.settings.judge_cost_cap_usd:g} a week",
        highlight=False,
    )


def _pairs_grid(judged: pl.DataFrame) -> Grid:
    """What became of the pairs, per criterion: shares of usable verdicts."""
    grid = Grid("criterion", "judged", "answer better", "other better", "ties", "same in both orders", "first slot")
    usable = judged.filter(pl.col("status") == "ok")
    shares = usable.group_by("criterion").agg(
        pl.len().alias("judged"),
        *((pl.col("verdict") == name).mean().alias(name) for name in ("this", "other", "tie")),
        pl.col("consistent").mean(),
        pl.col("first_slot").mean(),
    )
    for row in shares.sort("criterion").iter_rows(named=True):
        numbers = (row[name] for name in ("this", "other", "tie", "consistent", "first_slot"))
        grid.add_row(row["criterion"], str(row["judged"]), *(_number(number, ".1%") for number in numbers))
    return grid


def _test_rubric(pipeline: Pipeline, path: Path) -> None:
    from feedback_pipeline.judging.acceptance import accept_rubric, held_out
    from feedback_pipeline.judging.model_judge import model_judge
    from feedback_pipeline.judging.rubrics import read_rubric
    from feedback_pipeline.llm.progress import progress_bar
    from feedback_pipeline.stats.no_result import NoResult

    candidate = read_rubric(path)
    if pipeline.settings.judge_model is None:
        raise SettingsError("testing a rubric needs a judging model: set FEEDBACK_JUDGE_MODEL")
    labels = audits.read_labels(pipeline.database)
    answers = _labelled_answers(pipeline, labels)
    with (
        progress_bar(console) as report,
        model_judge(pipeline.settings, pipeline.database, monday_of(pipeline.today()), progress=report) as judge,
    ):
        answers = held_out(answers, judge.rubric, candidate)
        tested = accept_rubric(judge, replace(judge, rubric=candidate), answers, labels)
    if isinstance(tested.agreement, NoResult):
        reason = tested.agreement.reason.replace("_", " ")
        console.print(f"No test: {reason} ({tested.agreement.items}). More: feedback audit", highlight=False)
        raise typer.Exit(code=1)
    found = tested.agreement
    verdict = "accepted" if tested.accepted else "not accepted: no significant gain"
    console.print(
        f"agrees with people on {found.value_b:.1%} of {found.items_b} answers, the rubric in use on "
        f"{found.value_a:.1%} (difference {found.difference.value:+.1%}, p = {found.p_value:.3f}): {verdict}",
        highlight=False,
    )
    if not tested.accepted:
        raise typer.Exit(code=1)


def _labelled_answers(pipeline: Pipeline, labels: pl.DataFrame) -> pl.DataFrame:
    items = audits.read_items(pipeline.database).join(labels, on="interaction_id", how="semi")
    texts = pipeline.frames.scan(CLEAN_INTERACTIONS, items["day"].unique().sort().to_list())
    columns = ["interaction_id", "conversation_id", "prompt", "answer"]
    kept = texts.select(columns).filter(pl.col("answer").is_not_null())
    return of_ids(kept, "interaction_id", items["interaction_id"]).collect().sort("interaction_id")


def mount(app: Any) -> None:
    """Adds the commands to the command line."""
    app.command()(audit)
    app.command()(evaluate)
