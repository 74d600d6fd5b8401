"""What the UI says of an asset: its columns, its checks, its numbers as a person reads them."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from assets.keys import key_of
from feedback_pipeline.settings import Settings, project_root
from feedback_pipeline.tables.parquet import Written
from feedback_pipeline.tables.schema import Table

SIGNIFICANT = 4
"""Figures of a number that are shown."""

_CHECKS = {
    "schema": "Columns, types, required values, closed value sets and keys are as declared.",
    "conservation": "Every event delivered for the day is current, superseded, withdrawn, a duplicate, opted out, "
    "pending or quarantined: nothing is silently lost.",
    "no_personal_data": "No structured identifier (e-mail, phone, card, IP …) is left in any text column, and the "
    "search still finds every planted one.",
    "accepted": "Every line of every file keeps its format's rules.",
    "scored": "At most a few of a judge's verdicts are missing.",
    "known_bad_at_floor": "Answers known to be bad are scored as bad.",
    "one_model_answered": "No judge changed its model within the week.",
    "judge_steady": "The same answers are scored as they were before.",
    "non_inferior": "The candidate is no worse than the current model on held-out and regression prompts, and answers "
    "as usably, as often, at the same length.",
    "better": "The candidate is better than the current model on prompts whose answers were rejected.",
    "safe": "The candidate is no worse at the probes of safety, flattery and helpfulness, and its answers hold no "
    "personal data.",
    "approval_held": "Approval did not fall with a promoted model or prompt.",
    "started": "A training run was started, or it says why not.",
    "approved": "A person approved the evaluation of the model that is promoted.",
    "sample_ratio": "The arms of every experiment have the shares of people that they were given.",
    "guardrails": "No arm of an experiment made a guardrail worse than allowed.",
    "best_arm": "No arm of an adaptive experiment is known to be the best: nothing is left to conclude.",
    "proposed": "A version of a registered prompt was proposed.",
    "gate": "Every proposed version passed the gate.",
    "approval_under_target": "Approval is not below its target (`FEEDBACK_APPROVAL_TARGET`).",
    "approval_drift": "There is no lasting evidence, day after day, that approval is below its target.",
    "approval_fall": "Approval did not fall against the period before, beyond chance.",
    "negative_count": "No more people vote down than the day of the week explains.",
    "negative_rate": "The share of people who vote down is not above that of the four weeks before.",
    "new_action_type": "No action type of the last 14 days is voted down more than the others.",
    "votes_late": "The newest vote is not older than such silences are.",
    "votes_missing": "There are no fewer votes than the day of the week explains.",
    "told": "Whoever should be told was told.",
    "yesterday_is_there": "The day that ended is computed.",
    "last_week_is_there": "The week that ended is computed.",
    "every_source_read": "Every source of sources.yaml could be read.",
}


def of_check(name: str) -> str:
    """What a check says when it passes."""
    return _CHECKS[name]


def of_table(table: Table | None, function: Callable[..., Any]) -> dict[str, Any]:
    """Columns of the table an asset writes, and where its code is."""
    metadata: dict[str, Any] = {}
    source = inspect.getsourcefile(function)
    if source is not None:
        path = Path(source)
        line = function.__code__.co_firstlineno
        label = str(path.relative_to(project_root())) if path.is_relative_to(project_root()) else path.name
        reference = dg.LocalFileCodeReference(file_path=str(path), line_number=line, label=f"{label}:{line}")
        metadata["dagster/code_references"] = dg.CodeReferencesMetadataValue(code_references=[reference])
    if table is None:
        return metadata
    return {**metadata, "dagster/column_schema": columns(table), "row": table.row}


def columns(table: Table) -> dg.TableSchema:
    """The columns of a table, as the UI shows them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=str(column.dtype),
                description=column.description,
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for column in table.columns
        ]
    )


def of_columns(carries: Mapping[str, tuple[str, ...]], settings: Settings) -> dict[str, Any]:
    """Which column each carried column is, for the UI's column lineage; nothing where none is carried."""
    sources: dict[str, list[dg.TableColumnDep]] = {}
    for asset, names in carries.items():
        for name in names:
            sources.setdefault(name, []).append(dg.TableColumnDep(asset_key=key_of(settings, asset), column_name=name))
    return {"dagster/column_lineage": dg.TableColumnLineage(sources)} if sources else {}


def of_written(written: Written | None) -> dict[str, Any]:
    """What a materialisation says of its file."""
    if written is None:
        return {}
    return {
        "dagster/partition_row_count": written.rows,
        "dagster/uri": dg.MetadataValue.path(written.path),
        "bytes": written.bytes,
        "sha256": written.sha256,
    }


def rounded(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers as a person reads them; what is None is left out."""
    return {
        name: float(f"{value:.{SIGNIFICANT}g}") if isinstance(value, float) else value
        for name, value in numbers.items()
        if value is not None
    }
