"""Training: from a rolling window of votes to weighted examples, pairs, every trainer's files and a manifest."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any

import orjson
import polars as pl

from assets.choices import Formats
from assets.declaration import Check, Outcome, weekly
from assets.evaluation import audited_prompts
from feedback_pipeline import __version__
from feedback_pipeline.calendar import window
from feedback_pipeline.cleaning.stars import with_rater_strengths
from feedback_pipeline.cleaning.tables import (
    CLEAN_FEEDBACK,
    CLEAN_INTERACTIONS,
    PROMPT_CLUSTERS,
    RATER_TRUST,
    TEXT_SIGNATURES,
)
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store import datasets, reviews
from feedback_pipeline.tables.parquet import replaced_file
from feedback_pipeline.training import archive, costs, tables
from feedback_pipeline.training.curation import curate
from feedback_pipeline.training.files import WrittenFile, write_files
from feedback_pipeline.training.formats import FORMATS, formats_of
from feedback_pipeline.training.manifest import build_manifest, lineage
from feedback_pipeline.training.pairs import preference_pairs as pairs_of
from feedback_pipeline.training.regression import regression_cases
from feedback_pipeline.training.rules import CurationSettings
from feedback_pipeline.training.signals import VOTE_COLUMNS
from feedback_pipeline.training.weights import RECOMMENDED
from feedback_pipeline.tuning.configured import training_format

GROUP = "training"
FILE_KINDS = ("jsonl", "file")
FILES = "training_files"
LICENCE = "proprietary"


@weekly(
    tables.TRAINING_EXAMPLES,
    group=GROUP,
    after=["clean_feedback", "clean_interactions", "text_signatures", "prompt_clusters", "rater_trust"],
    carries={
        "clean_interactions": (
            "interaction_id",
            "tenant",
            "project",
            "model",
            "prompt_version",
            "intent",
            "language",
            "context",
        )
    },
)
def training_examples(pipeline: Pipeline, week: date) -> Outcome:
    """One completion of one conversation that people judged in the rolling window: desirable or not, how much it
    weighs, and why. Provenance, consent, caps per person, conflicts, duplicates, junk and leaks are dealt with here."""
    decided = _decided(pipeline)
    curated = curate(
        _votes(pipeline, week),
        pipeline.frames.scan(CLEAN_INTERACTIONS, _window(pipeline, week)),
        _signatures(pipeline, week),
        _trust(pipeline, week),
        _settings(pipeline),
        _window_end(week),
        evaluation_hashes=_evaluation_hashes(pipeline, week),
        reviewed=decided["accepted"],
        rejected=decided["rejected"],
    )
    archive.keep(pipeline.frames, week, curated)
    splits = dict(curated.examples.group_by("split").len().sort("split").iter_rows())
    waiting = dict(curated.waiting.group_by("reason").len().sort("reason").iter_rows())
    return Outcome(
        curated.examples,
        numbers={
            "desirable": int(curated.examples["label"].sum()),
            "undesirable": int((~curated.examples["label"]).sum()),
            "person_cap": curated.person_cap,
            **{f"split/{name}": count for name, count in splits.items()},
            "reviewed": int(curated.examples["reviewed"].sum()),
            "waiting": curated.waiting.height,
            **{f"waiting/{reason}": count for reason, count in waiting.items()},
        },
    )


@weekly(tables.PREFERENCE_PAIRS, group=GROUP, after=["training_examples"])
def preference_pairs(pipeline: Pipeline, week: date) -> Outcome:
    """Two answers to the same input, of which people preferred one: corrections, pairwise preferences, regenerations,
    approved against disapproved answers."""
    votes, evaluated = _preferences(pipeline, week), _evaluation_hashes(pipeline, week)
    compared = pl.concat([votes["interaction_id"], votes["other_interaction_id"]]).drop_nulls()
    about = pl.col("interaction_id").is_in(compared.implode()) | pl.col("prompt_hash").is_in(evaluated.implode())
    found = pairs_of(
        archive.kept_for_pairs(pipeline.frames, week, _settings(pipeline)),
        votes,
        pipeline.frames.scan(CLEAN_INTERACTIONS, _window(pipeline, week)),
        _signatures(pipeline, week, about),
        _trust(pipeline, week),
        evaluation_hashes=evaluated,
        reviewed=_decided(pipeline)["accepted"],
    )
    pipeline.frames.write(tables.FUNNEL, archive.pairs_funnel(week), found.funnel)
    origins = dict(found.pairs.group_by("origin").len().sort("origin").iter_rows())
    return Outcome(found.pairs, numbers={f"origin/{name}": count for name, count in origins.items()})


@weekly(group=GROUP, kinds=FILE_KINDS, after=["training_examples"], blocking=["accepted"], choices=Formats)
def sft_file(pipeline: Pipeline, week: date) -> Outcome:
    """Supervised examples (approved answers and corrections) in every chosen format, with their weights where a
    format has them and deterministic copies where it has not."""
    return _written(pipeline, week, "sft", "supervised", "table")


@weekly(
    group=GROUP,
    kinds=FILE_KINDS,
    after=["training_examples", "preference_pairs"],
    blocking=["accepted"],
    choices=Formats,
)
def dpo_file(pipeline: Pipeline, week: date) -> Outcome:
    """Preference pairs in every chosen format."""
    return _written(pipeline, week, "dpo", "preference")


@weekly(group=GROUP, kinds=FILE_KINDS, after=["training_examples"], blocking=["accepted"], choices=Formats)
def kto_file(pipeline: Pipeline, week: date) -> Outcome:
    """Unpaired desirable and undesirable answers in every chosen format (Kahneman–Tversky optimisation)."""
    return _written(pipeline, week, "kto", "kto")


@weekly(group=GROUP, kinds=FILE_KINDS, after=["training_examples"], blocking=["accepted"])
def promptfoo_tests(pipeline: Pipeline, week: date) -> Outcome:
    """Prompts whose answers people rejected or corrected, as test cases that promptfoo runs: a regression suite that
    keeps those of the weeks before for as long as their votes stand."""
    frames = pipeline.frames
    columns = ("feedback_id", "use_for_training", "reasons", "comment")
    votes = frames.scan(CLEAN_FEEDBACK, _window(pipeline, week)).select(columns).collect()
    votes = votes.filter(~pl.col("feedback_id").is_in(_decided(pipeline)["rejected"].implode()))
    previous = frames.read(tables.REGRESSION_CASES, [week - timedelta(weeks=1)])
    suite = regression_cases(archive.kept_for_cases(frames, week, _settings(pipeline)), previous, votes)
    frames.write(tables.REGRESSION_CASES, week, suite)
    new = suite.filter(pl.col("since") == week).height
    counts = {"cases": suite.height, "cases/new": new}
    return _written(pipeline, week, "promptfoo", "cases", cases=suite, counts=counts)


@weekly(
    tables.LINEAGE,
    group=GROUP,
    kinds=("json", "parquet", "postgres"),
    after=["sft_file", "dpo_file", "kto_file", "promptfoo_tests", "training_examples", "preference_pairs"],
)
def training_manifest(pipeline: Pipeline, week: date) -> Outcome:
    """One line of the week's training files and the votes it came from; with it the manifest: content hash, every
    input, rule, weight and file."""
    curated = archive.kept(pipeline.frames, week, _settings(pipeline), texts=False)
    pairs = archive.kept_pairs(pipeline.frames, week, texts=False)
    files = [
        WrittenFile(**given)
        for family in _FAMILIES
        for given in orjson.loads((_folder(pipeline, week) / family / "files.json").read_bytes())
    ]
    examples = pipeline.frames.scan(tables.TRAINING_EXAMPLES, [week])
    tokens = costs.training_tokens(examples, files, curated.settings.key)
    trainable = costs.trainable(map(asdict, files), training_format(pipeline.settings))
    manifest = build_manifest(
        curated,
        pairs,
        files,
        RECOMMENDED,
        inputs={
            name: str(pipeline.frames.path(name, week).stat().st_size)
            for name in ("training_examples", "preference_pairs", "rater_trust", "prompt_clusters")
        },
        evaluation_hashes=_evaluation_hashes(pipeline, week),
        code_version=__version__,
        licence=LICENCE,
        tokens=tokens,
        previous=datasets.newest_before(pipeline.database, week),
    )
    with replaced_file(_folder(pipeline, week) / "manifest.json") as file:
        file.write(manifest.to_json())
    suite = archive.kept_cases(pipeline.frames, week)
    lines = lineage(manifest.dataset_id, files, curated, pairs, RECOMMENDED, suite)
    datasets.record(pipeline.database, week, manifest.dataset_id, manifest.to_json(), lines.rows())
    return Outcome(
        lines.frames(),
        numbers={
            "dataset": manifest.dataset_id,
            "files": len(files),
            "lines": sum(file.lines for file in files),
            "tokens": tokens.get("tokens"),
            "advice": costs.advice(trainable.examples, partial=trainable.partial).text,
            "cost": "; ".join(costs.described(tokens, costs.read_prices(pipeline.settings.tuning_prices_file))) or None,
            "path": str(_folder(pipeline, week) / "manifest.json"),
        },
    )


_FAMILIES = ("sft", "dpo", "kto", "promptfoo")


def _written(
    pipeline: Pipeline,
    week: date,
    family: str,
    *tasks: str,
    cases: pl.DataFrame | None = None,
    counts: Mapping[str, int] = MappingProxyType({}),
) -> Outcome:
    """Writes the files of every chosen format that holds such rows, and says how many lines each has; they are checked
    against their formats' rules while they are written."""
    # the text of what is written, and of nothing else
    curated = archive.kept(pipeline.frames, week, _settings(pipeline), texts=not {*tasks} <= {"preference", "cases"})
    pairs = archive.kept_pairs(pipeline.frames, week, texts="preference" in tasks)
    folder = _folder(pipeline, week) / family
    formats = [name for name in _formats(pipeline) if FORMATS[name].task in tasks]
    files = write_files(curated, pairs, folder, formats, RECOMMENDED, LICENCE, cases)
    with replaced_file(folder / "files.json") as listing:
        listing.write(orjson.dumps([asdict(file) for file in files], option=orjson.OPT_SORT_KEYS))
    wrong = {file.name: file.problem_count for file in files if file.problem_count}
    described = "; ".join(problem for file in files for problem in file.problems)
    numbers: dict[str, Any] = {f"lines/{file.name}": file.lines for file in files if file.lines}
    check = Check("accepted", not wrong, wrong, described or f"{len(files)} files keep their formats' rules")
    return Outcome(numbers={**numbers, **counts, "path": str(folder)}, checks=[check])


def _formats(pipeline: Pipeline) -> list[str]:
    """The chosen formats, and the one the configured provider trains on."""
    settings = pipeline.settings
    needed = training_format(settings) if settings.tuning_enabled else None
    chosen = formats_of(settings.training_formats)
    return [name for name in FORMATS if name in chosen or name == needed]


def _folder(pipeline: Pipeline, week: date) -> Any:
    return pipeline.frames.root / FILES / week.isoformat()


def _window(pipeline: Pipeline, week: date) -> list[date]:
    return window(week, pipeline.settings.training_weeks)


def _window_end(week: date) -> date:
    return week + timedelta(days=6)


def _settings(pipeline: Pipeline) -> CurationSettings:
    return CurationSettings(key=pipeline.split_key(), window_weeks=pipeline.settings.training_weeks)


def _decided(pipeline: Pipeline) -> dict[str, pl.Series]:
    """feedback_ids by what reviewers decided about them."""
    given = reviews.read(pipeline.database)
    return {decision: given.filter(decision=decision)["feedback_id"] for decision in ("accepted", "rejected")}


def _votes(pipeline: Pipeline, week: date) -> pl.DataFrame:
    votes = pipeline.frames.scan(CLEAN_FEEDBACK, _window(pipeline, week)).select(*VOTE_COLUMNS, "stars", "thumb")
    return with_rater_strengths(votes.collect())


def _preferences(pipeline: Pipeline, week: date) -> pl.DataFrame:
    """Those of `_votes` that say which of two answers is better: all that pairs are made of beside the examples."""
    votes = pipeline.frames.scan(CLEAN_FEEDBACK, _window(pipeline, week)).select(VOTE_COLUMNS)
    return votes.filter(pl.col("kind") == "preference").collect()


def _signatures(pipeline: Pipeline, week: date, about: pl.Expr | None = None) -> pl.DataFrame:
    """The signatures of the window with the group of each prompt: all, or those that a condition is true of."""
    clusters = pipeline.frames.scan(PROMPT_CLUSTERS, [week]).select("prompt_hash", "cluster_id")
    columns = ["interaction_id", "day", "prompt_hash", "pair_hash"]
    signatures = pipeline.frames.scan(TEXT_SIGNATURES, _window(pipeline, week)).select(columns)
    wanted = signatures if about is None else signatures.filter(about)
    return wanted.join(clusters, on="prompt_hash", how="left").collect()


def _trust(pipeline: Pipeline, week: date) -> pl.DataFrame:
    """Trust in voters as of the week before: it enters from the last closed week, never from the week it weighs."""
    return pipeline.frames.read(RATER_TRUST, [week - timedelta(weeks=1)])


def _evaluation_hashes(pipeline: Pipeline, week: date) -> pl.Series:
    """Prompts of audited answers: what is trained on cannot measure."""
    return audited_prompts(pipeline)


def declarations() -> Iterator[object]:
    """The assets of this stage, in the order the data flows."""
    yield from (training_examples, preference_pairs, sft_file, dpo_file, kto_file, promptfoo_tests, training_manifest)
