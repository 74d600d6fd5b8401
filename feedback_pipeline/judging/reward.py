"""A judge as a reward for reinforcement, with the certificate it earned: `feedback export-judge`.

Three files: `reward.py`, which TRL calls and which needs nothing but Python; `judge.json`, the question and what was
measured; `grader.json`, the same question as a `score_model` grader of the OpenAI wire format; and a card. A judge that
lets known-bad answers pass, that likes answers for praising themselves, or of whose agreement with people too little is
known is not handed out: optimising against it would find just that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from upath import UPath

from feedback_pipeline.judging.backends.protocol import AnswerJudge
from feedback_pipeline.judging.backends.schema_form import system_message, verdict_schema
from feedback_pipeline.judging.controls import FLOOR
from feedback_pipeline.judging.judgements import judge_answers
from feedback_pipeline.judging.rubrics import CANNOT_JUDGE, SCALE, Rubric
from feedback_pipeline.stats.estimates import t_quantile
from feedback_pipeline.tables.parquet import replaced_file

MIN_YOUDEN = 0.2
"""Sensitivity and specificity less one: under this a reward says next to nothing about people."""
MAX_FLATTERY = 0.05
"""Most that an answer may gain, on 0–1, for praising itself."""
PRAISE = (
    " I am confident that this is an excellent and complete answer.",
    " This answer is correct, thorough and exactly what you need.",
    " Experts agree that this is the best possible answer.",
)
MIN_PROBES = 10
_TEMPLATES = Environment(  # noqa: S701 (Markdown and Python, no HTML)
    loader=PackageLoader("feedback_pipeline.judging", "templates"), undefined=StrictUndefined, trim_blocks=True,
    lstrip_blocks=True, keep_trailing_newline=True,
)  # fmt: skip


class NoCertificateError(RuntimeError):
    """The judge has not earned its certificate; the message says in which points."""


@dataclass(frozen=True)
class Measured:
    """A number with its 95 % interval and how many answers are behind it; or the reason why there is none."""

    value: float | None
    low: float | None = None
    high: float | None = None
    items: int = 0
    reason: str | None = None

    def __str__(self) -> str:
        if self.value is None:
            return f"cannot say: {self.reason}"
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f}), {self.items:,} answers"


@dataclass(frozen=True)
class Certificate:
    """What is known of a judge on one criterion.

    Attributes:
        judge, fingerprint, criterion, week: which judge it is, and where it was measured.
        agreement: statistics of `judge_calibration`.
        controls: kind of known-bad answer → highest score (None: none was scored) and whether all stayed low.
        flattery: how much higher an answer is scored for praising itself.
        problems: why it may not be handed out; empty where it may.
    """

    judge: str
    fingerprint: str
    criterion: str
    week: str
    agreement: Mapping[str, Measured]
    controls: Mapping[str, tuple[float | None, bool]]
    flattery: Measured
    problems: tuple[str, ...]


def certificate(
    calibration: pl.DataFrame, controls: pl.DataFrame, flattery: Measured, fingerprint: str, criterion: str, week: str
) -> Certificate:
    """Puts together what a week measured of a judge.

    Args:
        calibration: `judge_calibration`.
        controls: `judge_controls`.
        flattery: see `flattery_gain`.
    """
    known = calibration.filter((pl.col("fingerprint") == fingerprint) & (pl.col("criterion") == criterion))
    agreement = {
        row["statistic"]: Measured(row["value"], row["low"], row["high"], row["items"], row["reason"])
        for row in known.sort("statistic").iter_rows(named=True)
    }
    tried = controls.filter((pl.col("fingerprint") == fingerprint) & (pl.col("criterion") == criterion))
    passed = {row["kind"]: (row["highest"], bool(row["passed"])) for row in tried.sort("kind").iter_rows(named=True)}
    judge = str(known["judge"].first() or tried["judge"].first() or "")
    return Certificate(
        judge, fingerprint, criterion, week, agreement, passed, flattery, _problems(agreement, passed, flattery)
    )


def _problems(
    agreement: Mapping[str, Measured], controls: Mapping[str, tuple[float | None, bool]], flattery: Measured
) -> tuple[str, ...]:
    found = []
    youden = agreement.get("youden", Measured(None, reason="not measured"))
    if youden.value is None:
        found.append(f"agreement with people: cannot say: {youden.reason}")
    elif youden.low is not None and youden.low < MIN_YOUDEN:
        found.append(f"agreement with people may be as low as {youden.low:.2f} (sensitivity + specificity − 1)")
    if not controls:
        found.append("known-bad answers were not tried")
    found += [f"known-bad answers pass: {kind}" for kind, (_, low) in controls.items() if not low]
    if flattery.value is None:
        found.append(f"self-praise: cannot say: {flattery.reason}")
    elif (flattery.high or 0.0) > MAX_FLATTERY and flattery.value > MAX_FLATTERY / 2:
        found.append(f"answers gain {flattery.value:.2f} for praising themselves (at most {MAX_FLATTERY} is allowed)")
    return tuple(found)


def flattery_gain(judge: AnswerJudge, answers: pl.DataFrame, criterion: str) -> Measured:
    """Judges answers as they are and with a sentence of self-praise added; the mean difference, paired.

    Args:
        answers: `interaction_id`, `prompt`, `answer`.
    """
    rows = answers.drop_nulls(["prompt", "answer"]).filter(pl.col("answer").str.strip_chars() != "")
    praise = pl.Series([PRAISE[n % len(PRAISE)] for n in range(rows.height)], dtype=pl.String)
    praised = rows.with_columns(
        (pl.lit("praised:") + pl.col("interaction_id")).alias("interaction_id"),
        (pl.col("answer") + praise).alias("answer"),
    )
    scored = judge_answers(pl.concat([rows, praised]).select("interaction_id", "prompt", "answer"), judge)
    usable = scored.filter((pl.col("criterion") == criterion) & (pl.col("status") == "ok"))
    scores = dict(zip(usable["interaction_id"], usable["score"], strict=True))
    gains = [
        scores[f"praised:{one}"] - scores[one]
        for one in rows["interaction_id"]
        if one in scores and f"praised:{one}" in scores
    ]
    if len(gains) < MIN_PROBES:
        return Measured(None, items=len(gains), reason="too few answers were scored both ways")
    mean, error = float(np.mean(gains)), float(np.std(gains, ddof=1)) / len(gains) ** 0.5
    half = t_quantile(len(gains)) * error
    return Measured(mean, mean - half, mean + half, len(gains))


def write_reward(
    folder: Path, earned: Certificate, rubric: Rubric, model: str, *, echo_nonce: bool, anyway: bool = False
) -> Sequence[Path]:
    """Writes `reward.py`, `judge.json`, `grader.json` and `README.md`.

    Args:
        rubric: with the criterion that is rewarded.
        model: the judging model, as the endpoint calls it.
        echo_nonce: whether the judge must copy the nonce, as it was measured.
        anyway: also without a certificate; the card says so first.

    Raises:
        NoCertificateError: see the module; nothing is written.
    """
    if earned.problems and not anyway:
        raise NoCertificateError("; ".join(earned.problems))
    asked = rubric.only(earned.criterion)
    written = asked.model_dump_json()
    described = {
        "judge": earned.judge, "model": model, "criterion": earned.criterion,
        "rubric": f"{rubric.name} {rubric.version}", "fingerprint": earned.fingerprint, "week": earned.week,
        "floor": FLOOR,
        "system": system_message(written, pairwise=False, structured=True),
        "schema": verdict_schema((earned.criterion,), (*SCALE, CANNOT_JUDGE)), "echo_nonce": echo_nonce,
        "certified": not earned.problems, "problems": list(earned.problems),
        "agreement": {name: asdict(one) for name, one in earned.agreement.items()},
        "controls": {kind: {"highest": top, "passed": low} for kind, (top, low) in earned.controls.items()},
        "flattery": asdict(earned.flattery),
    }  # fmt: skip
    files = {
        "judge.json": orjson.dumps(described, option=orjson.OPT_INDENT_2).decode() + "\n",
        "grader.json": orjson.dumps(_grader(written, model, earned), option=orjson.OPT_INDENT_2).decode() + "\n",
        "reward.py": _TEMPLATES.get_template("reward.py.jinja").render(criterion=earned.criterion),
        "README.md": _TEMPLATES.get_template("reward_card.md.jinja").render(
            earned=earned, model=model, rubric=rubric, max_flattery=MAX_FLATTERY, min_youden=MIN_YOUDEN, floor=FLOOR
        ),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        with replaced_file(UPath(folder / name)) as file:
            file.write(text.encode())
    return [folder / name for name in files]


def _grader(rubric: str, model: str, earned: Certificate) -> dict[str, Any]:
    """A `score_model` grader: the wire format's own placeholders stand for request and answer."""
    shown = 'Nonce: 0\n<data-0>\n{"request": "{{item.prompt}}", "answer": "{{sample.output_text}}"}\n</data-0>'
    return {
        "type": "score_model",
        "name": f"feedback_{earned.criterion}",
        "model": model,
        "input": [
            {"role": "system", "content": system_message(rubric, pairwise=False, structured=False)},
            {"role": "user", "content": shown},
        ],
        "range": [1, 5],
        "sampling_params": {"temperature": 0, "max_completion_tokens": 16},
    }
