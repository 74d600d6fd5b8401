"""Finds what a reference means, and builds the tree of it from the store's indexes."""

import datetime as dt
import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any
from uuid import UUID

import polars as pl
import sqlalchemy as sa

from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK
from feedback_pipeline.experiments import prompts
from feedback_pipeline.lineage.tree import Node, Relation
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store import computed
from feedback_pipeline.store.statements import statement
from feedback_pipeline.tables.parquet import ParquetFolder
from feedback_pipeline.tables.schema import Table
from feedback_pipeline.training.tables import LINEAGE
from feedback_pipeline.tuning import approvals, registry

MAX_LISTED = 20
"""Children of one kind listed under a node; the others are counted."""

MIN_REFERENCE = 6
"""Characters of a hash that find it."""

_LINE = re.compile(r"(\d{4}-\d{2}-\d{2})/(.+):(\d+)")

Row = dict[str, Any]


class UnknownReferenceError(LookupError):
    """Nothing, or more than one thing, is called so."""


def why(pipeline: Pipeline, reference: str) -> Node:
    """The tree of a reference.

    Args:
        pipeline: store and files.
        reference: a vote's or answer's UUID; a row of a dataset; `WEEK/FILE:LINE` of a training file; a dataset, a run
            or a provider's job (hashes may be cut short); a model's name.

    Raises:
        UnknownReferenceError: nothing is called so, or several things are.
    """
    with pipeline.database.engine.connect() as connection:
        return _Tracer(pipeline, connection).traced(reference.strip())


class _Tracer:
    """One look: what is read once is used for the whole tree."""

    def __init__(self, pipeline: Pipeline, connection: sa.Connection) -> None:
        self._pipeline = pipeline
        self._connection = connection
        self._frames: ParquetFolder = pipeline.frames
        self._chains: dict[str, Node] = {}

    def traced(self, reference: str) -> Node:
        if match := _LINE.fullmatch(reference):
            return self._line(dt.date.fromisoformat(match[1]), match[2], int(match[3]))
        if _is_uuid(reference):
            return self._vote_or_answer(reference)
        found = self._rows("lineage_find", text=reference) if reference else []
        exact = [one for one in found if one["id"] == reference]
        if len(reference) >= MIN_REFERENCE or exact:
            chosen = exact or found
            if len(chosen) > 1:
                raise UnknownReferenceError(f"{len(chosen)} things begin with {reference}: give more of it")
            if chosen:
                build = {
                    "model": self._model_back,
                    "prompt": self._model_back,
                    "dataset": self._dataset_both,
                    "job": self._run_both,
                }
                return build[chosen[0]["kind"]](chosen[0]["id"])
        if rows := self._rows("lineage_row", id=reference, dataset=None):
            return self._row_both(rows)
        raise UnknownReferenceError(
            "nothing is called so: give a vote's or answer's UUID, a row, WEEK/FILE:LINE, a dataset, a run or a model"
        )

    def _rows(self, name: str, **values: Any) -> list[Row]:
        return [dict(row) for row in self._connection.execute(statement(name), values).mappings()]

    # from people on

    def _vote_or_answer(self, reference: str) -> Node:
        if votes := self._rows("lineage_vote", id=reference):
            return self._vote_on(votes[0])
        if not (answers := self._rows("lineage_interaction", id=reference)):
            raise UnknownReferenceError("no vote and no answer has this id: it was never filed, or was erased")
        votes = self._rows("lineage_votes_on", id=reference)
        back = [_vote(vote, "about") for vote in votes[:MAX_LISTED]]
        became = self._became(self._rows("lineage_rows_of_interaction", id=reference))
        return _with(_answer(answers[0]), (*back, *became[0]), max(0, len(votes) - MAX_LISTED) + became[1])

    def _vote_on(self, vote: Row) -> Node:
        about = [
            _answer(answer, "about")
            for one in ("interaction_id", "other_interaction_id")
            if vote[one] is not None
            for answer in self._rows("lineage_interaction", id=str(vote[one]))
        ]
        became, left_out = self._became(self._rows("lineage_rows_of_vote", id=str(vote["id"])))
        cleaned = Node("cleaned row", f"{CLEAN_FEEDBACK.name}/{vote['day']}", "cleaned as",
                       {"state": self._state(CLEAN_FEEDBACK, vote["day"])})  # fmt: skip
        answered = [
            self._model_on(one.key)
            for one in prompts.prompts(self._pipeline.database, None)
            if str(vote["id"]) in (one.proposal or {}).get("cites", ())
        ]
        return _with(_vote(vote), (*about, cleaned, *became, *answered), left_out)

    def _state(self, table: Table, day: dt.date) -> str | None:
        """Why a table's rows of a day are not there; None where they are."""
        if computed.absent(self._pipeline.database, self._frames, [table.name], [day]):
            return "its file is gone: feedback materialize computes it again"
        if self._frames.path(table, day).exists():
            return None
        return computed.state(self._pipeline.database, table.name, day)

    def _became(self, rows: Sequence[Row]) -> tuple[list[Node], int]:
        """Rows of datasets, each with the runs and models after it."""
        listed = rows[:MAX_LISTED]
        self._load_chains([row["dataset_id"] for row in listed])
        nodes = [_with(_row(row, "became"), (self._chains[row["dataset_id"]],)) for row in listed]
        return nodes, len(rows) - len(listed)

    def _load_chains(self, datasets: Sequence[str]) -> None:
        """Datasets with the runs on them and their models."""
        missing = sorted(set(datasets) - self._chains.keys())
        if not missing:
            return
        jobs = self._rows("lineage_jobs", ids=missing, id=None)
        for dataset in self._rows("lineage_datasets", ids=missing):
            runs = [self._run_on(job) for job in jobs if job["dataset_id"] == dataset["id"]]
            self._chains[dataset["id"]] = _with(_dataset(dataset, "became"), tuple(runs))

    def _run_on(self, job: Row) -> Node:
        model = [] if job["result_model"] is None else [self._model_on(job["result_model"])]
        return _with(_run(job, "became"), tuple(model))

    @cached_property
    def _models(self) -> dict[str, registry.Model]:
        return {model.name: model for model in registry.models(self._pipeline.database)}

    @cached_property
    def _decided(self) -> list[approvals.Approval]:
        return approvals.approvals(self._pipeline)

    @cached_property
    def _events(self) -> list[Row]:
        return registry.history(self._pipeline.database)

    def _model_on(self, name: str, relation: Relation = "became") -> Node:
        model = self._models.get(name)
        if model is None:
            return Node("model", name, relation, {"state": "not entered yet"})
        facts = {"state": model.state, "base": model.base, "ends": model.shutdown_date,
                 "tainted_share": model.tainted_share, "evaluation": _short(model.evaluation),
                 "passed": model.passed}  # fmt: skip
        return Node(model.kind, name, relation, facts, tuple(self._changes(name)))

    def _changes(self, name: str) -> list[Node]:
        nodes = [
            Node("approval", str(one.id), "changed by", {"decision": one.decision, "by": one.approver,
                                                         "at": one.decided_at, "of": _short(one.content_hash)})
            for one in self._decided
            if one.subject == approvals.model_subject(name)
        ]  # fmt: skip
        for event in self._events:
            if name in (event["model"], event["previous"]):
                facts = {"answers": event["model"], "instead_of": event["previous"], "by": event["person"],
                         "approval": event["approval_id"], "at": event["at"]}  # fmt: skip
                nodes.append(Node("change", event["event"], "changed by", facts))
        return nodes

    # from models back

    def _model_back(self, name: str) -> Node:
        node = self._model_on(name, "")
        model = self._models[name]
        if model.kind == "prompt":
            return _with(node, (*self._prompt_back(name), *node.children))
        back = [] if model.job_id is None or model.dataset_id is None else [self._run_back(model.job_id)]
        return _with(node, (*back, *node.children))

    def _prompt_back(self, name: str) -> list[Node]:
        """What a version answers, the version it came from, and each line it brought."""
        tenant, prompt, version = prompts.parsed(name) or ("", "", "")
        known = {one.version: one for one in prompts.prompts(self._pipeline.database, tenant, prompt)}
        wanted = known[version]
        cites = [self._cited(str(one)) for one in (wanted.proposal or {}).get("cites", ())]
        if wanted.parent is None:
            return cites
        parent = known[wanted.parent]
        lines = [
            Node("line", one, "became") for one in prompts.difference(parent, wanted)[3:] if one.startswith(("+", "-"))
        ]
        return [*cites, Node("prompt", parent.key, "from", {"origin": parent.origin}), *lines]

    def _cited(self, identity: str) -> Node:
        if not _is_uuid(identity):
            return Node("reason" if identity.startswith("reason:") else "finding", identity, "from")
        votes = self._rows("lineage_vote", id=identity)
        return _vote(votes[0], "from") if votes else Node("vote", identity, "from", {"state": "erased"})

    def _run_back(self, identity: str) -> Node:
        job = self._job(identity)
        return _with(_run(job, "from"), (self._dataset_back(job["dataset_id"]),))

    def _job(self, identity: str) -> Row:
        return self._rows("lineage_jobs", ids=[], id=identity)[0]

    def _run_both(self, identity: str) -> Node:
        job = self._job(identity)
        model = [] if job["result_model"] is None else [self._model_on(job["result_model"])]
        return _with(_run(job), (self._dataset_back(job["dataset_id"]), *model))

    def _dataset_back(self, identity: str) -> Node:
        """A dataset with the counts of its manifest and its heaviest rows."""
        found = self._rows("lineage_datasets", ids=[identity])
        if not found:
            return Node("dataset", identity, "from", {"state": "erased"})
        counts = self._rows("lineage_dataset_counts", id=identity)[0]
        heaviest = [_row(row, "from") for row in self._rows("lineage_heaviest", id=identity, most=MAX_LISTED)]
        node = _dataset(found[0], "from", **counts)
        every = (counts["examples"] or 0) + (counts["pairs"] or 0)
        return _with(node, tuple(heaviest), max(0, every - len(heaviest)))

    def _dataset_both(self, identity: str) -> Node:
        self._load_chains([identity])
        back = self._dataset_back(identity)
        on = tuple(child for child in self._chains[identity].children)
        return Node(back.kind, back.id, "", back.facts, (*on, *back.children), back.left_out)

    def _line(self, week: dt.date, file: str, number: int) -> Node:
        """A line of a training file, by the file's place in the newest dataset of the week."""
        datasets = self._rows("tuning_dataset", week=week)
        if not datasets:
            raise UnknownReferenceError(f"the week of {week} has no dataset")
        dataset, files = datasets[0]["id"], datasets[0]["manifest"]["content"]["files"]
        named = [each for each in files if file == each["name"] or file.endswith(f"/{each['name']}")]
        if not named:
            names = ", ".join(sorted(each["name"] for each in files if each["layout"]))
            raise UnknownReferenceError(f"the dataset of {week} has no file {file}; it has {names}")
        if not self._frames.path(LINEAGE, week).exists():
            raise UnknownReferenceError(
                f"the file {LINEAGE.name}/{week} is gone, which says what the lines were made of: compute the week "
                "again (feedback materialize, or in the Dagster UI)"
            )
        line = self._lineage(week, (pl.col("layout") == named[0]["layout"]) & (pl.col("line") == number), dataset)
        if line.is_empty():
            raise UnknownReferenceError(f"{file} of {week} has {named[0]['lines']} lines, not {number}")
        row = self._rows("lineage_row", id=line["row_id"][0], dataset=dataset)[0]
        self._load_chains([dataset])
        facts = {"copy": line["copy"][0], "weight": line["weight"][0]}
        return Node("line", f"{week}/{file}:{number}", "", facts,
                    (_with(_row(row, "from"), self._people(row)), self._chains[dataset]))  # fmt: skip

    def _row_both(self, rows: Sequence[Row]) -> Node:
        """A row in every dataset that holds it, with its lines in the newest."""
        newest = rows[0]
        lines = self._lineage(newest["week"], pl.col("row_id") == newest["row_id"], newest["dataset_id"])
        at = [
            Node("line", f"{newest['week']}/{layout}:{line}", "became")
            for layout, line in lines.select("layout", "line").head(MAX_LISTED).iter_rows()
        ]
        self._load_chains([row["dataset_id"] for row in rows[:MAX_LISTED]])
        chains = [self._chains[row["dataset_id"]] for row in rows[:MAX_LISTED]]
        return _with(_row(newest), (*self._people(newest), *at, *chains), max(0, len(rows) - MAX_LISTED))

    def _lineage(self, week: dt.date, wanted: pl.Expr, dataset: str) -> pl.DataFrame:
        of_dataset = pl.col("dataset_id") == dataset
        # the lists of ids are most of the file and are in the store too
        columns = ("layout", "line", "row_id", "copy", "weight")
        lines = self._frames.scan(LINEAGE, [week]).filter(of_dataset & wanted).select(columns)
        return lines.collect().sort("layout", "line")

    def _people(self, row: Row) -> tuple[Node, ...]:
        votes = [
            _vote(found[0], "from") if (found := self._rows("lineage_vote", id=str(one)))
            else Node("vote", str(one), "from", {"state": "erased"})
            for one in row["feedback_ids"][:MAX_LISTED]
        ]  # fmt: skip
        answers = [
            _answer(found[0], "from") if (found := self._rows("lineage_interaction", id=str(one)))
            else Node("answer", str(one), "from", {"state": "erased"})
            for one in row["interaction_ids"][:MAX_LISTED]
        ]  # fmt: skip
        return (*votes, *answers)


def _with(node: Node, children: tuple[Node, ...], left_out: int = 0) -> Node:
    return Node(node.kind, node.id, node.relation, node.facts, children, left_out)


def _vote(row: Row, relation: Relation = "") -> Node:
    said = {"thumb": {True: "up", False: "down"}.get(row["thumb"]), "stars": row["stars"], "prefers": row["preference"]}
    state = "withdrawn" if row["withdrawn"] else "superseded" if row["superseded_by"] else "current"
    if row["interaction_id"] is None:
        state = "waiting for its answer"
    return Node("vote", str(row["id"]), relation, {"signal": row["kind"], **said, "state": state, "day": row["day"]})


def _answer(row: Row, relation: Relation = "") -> Node:
    facts = {"model": row["model"], "prompt_version": row["prompt_version"], "provenance": row["provenance"],
             "day": row["day"]}  # fmt: skip
    return Node("answer", str(row["id"]), relation, facts)


def _row(row: Row, relation: Relation = "") -> Node:
    facts = {"week": row["week"], "weight": row["weight"], "lines": row["lines"], "votes": len(row["feedback_ids"])}
    return Node("row", row["row_id"], relation, facts)


def _dataset(row: Row, relation: Relation = "", **more: Any) -> Node:
    return Node("dataset", row["id"], relation, {"week": row["week"], "tainted_share": row["tainted_share"], **more})


def _run(row: Row, relation: Relation = "") -> Node:
    facts = {name: row[name] for name in ("provider", "base_model", "file", "state", "provider_job", "charged_usd")}
    return Node("run", row["id"], relation, facts | {"at": row["created_at"]})


def _short(text: str | None) -> str | None:
    return text and text[:12]


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    # a hash may be as long as a UUID without its dashes
    return text.count("-") == 4
