"""From a declaration to a Dagster asset: partitions, backfills, group, kinds, owners, columns, checks; and how a run
computes its partitions.

A partition that fails does not keep the others of its run from being computed, here and downstream: what depends on it
leaves it out, and the last steps of the run fail and name it. What every partition was made from, and what could not
be made, stands in the register (`store.computed`), so that this holds for any executor and for any run.
No text of users reaches an event: metadata is numbers, names of dimensions and values, ids, paths.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_IS_USER_PROVIDED_TAG, DATA_VERSION_TAG
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.execution.plan.execute_step import AssetResultOutput

from assets import descriptions, interruption, memory, small_days
from assets.choices import chosen
from assets.computing import Made, compute, compute_small
from assets.declaration import OWNERS, Declaration
from assets.events import Target, materialized, together
from assets.faults import TRIED_AGAIN, unreadable, where
from assets.partitions import DAYS, Calendar, named_days
from assets.step_sizes import op_tags
from feedback_pipeline.calendar import days_of, days_of_month
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import SettingsError
from feedback_pipeline.store import computed, locks
from feedback_pipeline.store.computed import Computed, Loop
from feedback_pipeline.store.database import DatabaseError
from feedback_pipeline.store.faults import machine_fault

SIDE_BY_SIDE = 2
"""Partitions of a step that are computed at a time, where there are as many cores. Each holds a batch of its day in
memory; what is done to a batch is done in threads of its own, so that more would wait for each other."""
TOGETHER = 50
"""Partitions of a long run that are filed at a time: what a killed run computed before is not computed again."""
SAID_EVERY = 1.0
"""Seconds between two lines of the log that say how far a long run is: an event each."""

RETRY = dg.RetryPolicy(max_retries=3, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


def build(
    declaration: Declaration,
    calendar: Calendar,
    loop: Loop | None = None,
    condition: dg.AutomationCondition[Any] | None = None,
) -> dg.AssetsDefinition:
    """The Dagster asset of a declaration.

    Args:
        declaration: the asset.
        calendar: its partitions.
        loop: the assets it is computed with; None for one that only runs when asked for.
        condition: when it is computed by itself, for assets of other projects.
    """
    partitions = {"day": calendar.days, "week": calendar.weeks, "month": calendar.months}[declaration.by]
    own_loop = loop or Loop(declaration.by, (), {})
    described = declaration.function.__doc__ or ""

    @dg.asset(
        name=declaration.name,
        partitions_def=partitions,
        # several days go into one run; weeks are few and dear, so each is a run of its own
        backfill_policy=dg.BackfillPolicy.single_run() if declaration.by == "day" else dg.BackfillPolicy.multi_run(1),
        group_name=declaration.group,
        kinds=set(declaration.kinds),
        owners=OWNERS,
        tags={"feedback/by": declaration.by},
        code_version=declaration.code_version,
        description=described,
        deps=list(declaration.after),
        metadata=descriptions.of_table(declaration.table, declaration.function),
        check_specs=[
            dg.AssetCheckSpec(
                name=name,
                asset=declaration.name,
                blocking=name in declaration.blocking,
                partitions_def=partitions,
                description=descriptions.of_check(name),
            )
            for name in (*declaration.blocking, *declaration.warning)
        ],
        automation_condition=condition,
        pool=declaration.pool,
        config_schema=declaration.choices.to_config_schema().as_field() if declaration.choices else None,
        op_tags=op_tags(declaration.name),
        # a pool is a service beyond the network: it may be away for a moment
        retry_policy=RETRY if declaration.pool else None,
        # an asset that may refuse makes nothing then, and what depends on it does not run
        output_required=not declaration.may_refuse,
    )
    def materialize(context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> Iterator[Any]:
        yield from _Step(context, _as_chosen(context, pipeline), declaration, own_loop).run()

    return materialize


def _as_chosen(context: dg.AssetExecutionContext, pipeline: Pipeline) -> Pipeline:
    choices = context.op_execution_context.op_config
    try:
        return chosen(pipeline, choices) if choices else pipeline
    except SettingsError as error:
        raise dg.Failure(str(error), allow_retries=False) from None


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _fault(error: Exception) -> str | None:
    """Why nothing can be computed now, of whatever day: the machine, or a database that this version cannot use."""
    if isinstance(error, DatabaseError):
        return str(error)
    fault = machine_fault(error)
    return None if fault is None else str(fault)


@dataclass(frozen=True)
class _Step:
    """One asset in one run."""

    context: dg.AssetExecutionContext
    pipeline: Pipeline
    declaration: Declaration
    loop: Loop

    @property
    def name(self) -> str:
        return self.declaration.name

    def run(self) -> Iterator[Any]:
        """Computes every partition of the run; says in a sentence where the machine kept it from that."""
        try:
            yield from self._partitions()
        except (dg.Failure, DagsterExecutionInterruptedError):
            raise
        except Exception as error:
            if (fault := _fault(error)) is None:
                raise
            raise self._of_the_machine(fault) from None

    def _partitions(self) -> Iterator[Any]:
        keys = named_days(self.context.run.tags) or [date.fromisoformat(key) for key in self.context.partition_keys]
        early = [key for key in keys if key >= self.pipeline.today()]
        if early:
            raise dg.Failure(f"{early[-1]} is not over: today is {self.pipeline.today()}", allow_retries=False)
        bad = self._not_to_build_on(keys)
        versions = computed.versions(self.pipeline.database, self.loop.period, keys)
        many = len(keys) > 1
        made: dict[date, Made] = {}
        said = 0.0
        for number, (key, one) in enumerate(self._computed(keys, bad), 1):
            made |= one
            if many and (number == len(keys) or time.monotonic() - said >= SAID_EVERY):
                self.context.log.info(f"{self.name}: {key} ({number} of {len(keys)})")
                said = time.monotonic()
            if many and (len(made) == TOGETHER or number == len(keys)):
                yield from self._each_for_itself(made, versions, bad)
                made = {}
        if bad and self._fails_for(bad, keys):
            raise self._failure(bad, len(keys))
        if many:
            with together(self.context.instance):
                yield from self._outputs_of_checks()
                yield self._without_event()
        else:
            yield from self._alone(keys[0], made[keys[0]], versions[keys[0]])

    def _outputs_of_checks(self) -> Iterator[dg.Output[None]]:
        return (dg.Output(None, output_name=name) for name in self.context.assets_def.check_specs_by_output_name)

    def _computed(self, keys: Sequence[date], bad: dict[date, str]) -> Iterator[tuple[date, dict[date, Made]]]:
        """Every partition in its order, with what was made of it: nothing where it is bad.

        Partitions that read no others are computed side by side, small days several in one pass. What was begun is
        ended when one of them stops the step, and nothing more is begun.
        """
        passes = self._passes([key for key in keys if key not in bad])
        together = min(SIDE_BY_SIDE, cores(), len(passes)) if self.declaration.independent else 1
        if together < 2:
            yield from self._in_order(keys, {some[0]: partial(self._pass, some, bad) for some in passes})
            return
        with ThreadPoolExecutor(together, thread_name_prefix=self.name) as workers:
            under_way = {some[0]: workers.submit(self._pass, some, bad).result for some in passes}
            try:
                yield from self._in_order(keys, under_way)
            finally:
                workers.shutdown(wait=True, cancel_futures=True)

    def _in_order(
        self, keys: Sequence[date], passes: Mapping[date, Callable[[], dict[date, Made]]]
    ) -> Iterator[tuple[date, dict[date, Made]]]:
        """Every partition with what was made of it, from what passes make that begin with these."""
        made: dict[date, Made] = {}
        for key in keys:
            if key in passes:
                made = passes[key]()
            yield key, {key: made[key]} if key in made else {}

    def _passes(self, keys: Sequence[date]) -> list[list[date]]:
        """Which partitions are computed in one pass: several small days, where the asset can."""
        if self.declaration.small_days is None:
            return [[key] for key in keys]
        return list(small_days.passes(self.pipeline.database, keys))

    def _pass(self, keys: Sequence[date], bad: dict[date, str]) -> dict[date, Made]:
        """Partitions computed in one pass; one by one where that fails, so that only the bad ones are left out."""
        if len(keys) == 1:
            return self._one(keys[0], bad)
        self._stop_where_asked()
        names = [f"{self.name}:{key}" for key in keys]
        try:
            with locks.waited_for(self.pipeline.database.engine, locks.Space.PARTITION, *names):
                made = compute_small(self.pipeline, self.declaration, keys)
                memory.give_back()
                return made
        except Exception as error:  # noqa: BLE001 (what failed is computed again, and recorded there)
            if (fault := _fault(error)) is not None:
                raise self._of_the_machine(fault) from None
            told = f"{len(keys)} days from {keys[0]} to {keys[-1]} failed together and are computed one by one"
            self.context.log.warning(f"{self.name}: {told}: {where(error)}")
        return {day: made for key in keys for day, made in self._one(key, bad).items()}

    def _stop_where_asked(self) -> None:
        if interruption.asked.is_set():
            raise DagsterExecutionInterruptedError()

    def _one(self, key: date, bad: dict[date, str]) -> dict[date, Made]:
        """One partition computed and written; where it fails, the reason goes to the register and to `bad`."""
        self._stop_where_asked()
        database = self.pipeline.database
        try:
            with locks.waited_for(database.engine, locks.Space.PARTITION, f"{self.name}:{key}"):
                made = compute(self.pipeline, self.declaration, key)
                memory.give_back()
                return {key: made}
        except Exception as error:  # noqa: BLE001 (recorded below, and the run fails)
            if (fault := _fault(error)) is not None:
                raise self._of_the_machine(fault) from None
            bad[key] = unreadable(self.pipeline.frames, self.declaration.after, self._read_by(key)) or where(error)
            computed.record_problems(database, self.name, self.loop, {key: bad[key]}, self.context.run.run_id)
            self.context.log.error(f"{self.name}: {key} failed: {bad[key]}")
            return {}

    def _of_the_machine(self, fault: str) -> dg.Failure:
        """No day's fault: every day would fail, and none is tried less often for it."""
        return dg.Failure(f"{self.name}: {fault}; {TRIED_AGAIN}", metadata={"machine": fault})

    def _alone(self, key: date, made: Made, version: int) -> Iterator[Any]:
        """The only partition of a run, as Dagster has it; filed after Dagster knows of it."""
        with together(self.context.instance) as stored:
            yield from self._outputs_of_checks()
            if made.refused is None:
                version_of_data = None if made.content is None else dg.DataVersion(made.content)
                yield dg.MaterializeResult(metadata=made.metadata, data_version=version_of_data)
        yield from self._evaluations({key: made}, materialized(stored), blocking=True)
        self._file({key: made}, {key: version}, {})

    def _each_for_itself(
        self, made: Mapping[date, Made], versions: Mapping[date, int], bad: dict[date, str]
    ) -> Iterator[Any]:
        """Partitions of a run over several, each with its own event and data version."""
        stopped = {key: one for key, one in made.items() if one.stopped_by}
        with together(self.context.instance) as stored:
            for key, one in made.items():
                if one.refused is None:
                    tags = {DATA_VERSION_TAG: one.content or "", DATA_VERSION_IS_USER_PROVIDED_TAG: "true"}
                    yield dg.AssetMaterialization(
                        self.context.asset_key, partition=key.isoformat(), metadata=one.metadata,
                        tags=tags if one.content else {},
                    )  # fmt: skip
        # a failed check stops what depends on its partition (`_not_to_build_on`), not the others of the run
        yield from self._evaluations(made, materialized(stored), blocking=False)
        bad |= {key: f"{self.name}: {one.stopped_by}" for key, one in stopped.items()}
        self._file(made, versions, bad)

    def _file(self, made: Mapping[date, Made], versions: Mapping[date, int], bad: Mapping[date, str]) -> None:
        database, run_id = self.pipeline.database, self.context.run.run_id
        stopped = {key: one.stopped_by for key, one in made.items() if one.stopped_by}
        good = [
            Computed(key, versions[key], one.content, one.bytes)
            for key, one in made.items() if not one.stopped_by and one.refused is None
        ]  # fmt: skip
        settings = self.pipeline.settings
        computed.record_problems(database, self.name, self.loop, stopped, run_id)
        computed.record(database, self.name, self.loop, good, run_id, today=self.pipeline.today(), start=settings.start)

    def _not_to_build_on(self, keys: Sequence[date]) -> dict[date, str]:
        """Partitions whose sources failed or are not there, with the reason."""
        database, upstream = self.pipeline.database, list(self.loop.upstream.get(self.name, ()))
        bad = computed.problems(database, upstream, keys)
        if self.declaration.by != "day":
            for key in keys:
                days = self._read_by(key)
                failed = computed.problems(database, self.declaration.after, days)
                lost = computed.absent(database, self.pipeline.frames, self.declaration.after, days)
                said = [f"{day}: {problem}" for day, problem in failed.items()]
                said += [f"the file of {one.asset} for {one.partition} is gone" for one in lost]
                if said:
                    advice = "; feedback materialize computes it again"
                    bad.setdefault(key, "; ".join(said) + advice)
        return bad

    def _read_by(self, key: date) -> list[date]:
        """Partitions of daily assets that a partition of this one is made of, and its own."""
        if self.declaration.by == "day":
            return [key]
        return days_of(key) if self.declaration.by == "week" else days_of_month(key)

    def _fails_for(self, bad: Mapping[date, str], keys: Sequence[date]) -> bool:
        """Whether the step fails for partitions that could not be computed.

        Dagster would call all of the stretch failed, days between that were not asked for, too: a bad day among some
        that do not touch is tried alone next, and that run fails.
        """
        if DAYS in self.context.run.tags:
            return False
        return len(bad) == len(keys) or self._is_last()

    def _is_last(self) -> bool:
        """Whether nothing in this run is made from this asset: then it says for all what failed."""
        selected = {key.path[-1] for key in self.context.job_def.asset_layer.executable_asset_keys}
        return not any(self.name in self.loop.upstream.get(other, ()) for other in selected - {self.name})

    def _failure(self, bad: Mapping[date, str], of: int) -> dg.Failure:
        described = "\n".join(f"{key}: {reason}" for key, reason in sorted(bad.items()))
        return dg.Failure(
            description=f"{self.name}: {len(bad)} of {of} partitions could not be computed:\n{described}",
            metadata={"bad_partitions": [key.isoformat() for key in sorted(bad)]},
            allow_retries=False,
        )

    def _without_event(self) -> AssetResultOutput:
        """The step's output when every partition has said for itself that it is materialised.

        Dagster would report every partition of the run, the failed ones too, with one data version for all (#21072).
        """
        output = self.context.assets_def.get_output_name_for_asset_key(self.context.asset_key)
        nothing: Any = dg.MaterializeResult().value
        return AssetResultOutput(
            nothing, output_name=output, metadata={SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True}
        )

    def _evaluations(
        self, made: Mapping[date, Made], known: Mapping[str | None, Target], *, blocking: bool
    ) -> Iterator[dg.AssetCheckEvaluation]:
        """The checks of every partition, about the materialisation they were made for.

        Dagster calls a check outdated that was evaluated before the newest materialisation of its partition, or does
        not name it; whatever waits for the check (`all_deps_blocking_checks_passed`) would wait for ever.
        """
        if not any(one.checks for one in made.values()):
            return
        unknown = [key.isoformat() for key in made if key.isoformat() not in known]
        targets = {**known, **(self._newest(unknown) if unknown else {})}
        with together(self.context.instance):
            for key, check in ((key, check) for key, one in made.items() for check in one.checks):
                severity = dg.AssetCheckSeverity.ERROR if check.severity == "error" else dg.AssetCheckSeverity.WARN
                yield dg.AssetCheckEvaluation(
                    asset_key=self.context.asset_key,
                    check_name=check.name,
                    passed=check.passed,
                    severity=severity,
                    blocking=blocking and check.name in self.declaration.blocking,
                    description=check.description,
                    metadata=descriptions.rounded(check.numbers),
                    partition=key.isoformat(),
                    target_materialization_data=targets.get(key.isoformat()),
                )

    def _newest(self, keys: Sequence[str]) -> dict[str | None, Target]:
        wanted = dg.AssetRecordsFilter(asset_key=self.context.asset_key, asset_partitions=list(keys))
        found: dict[str | None, Target] = {}
        for record in self.context.instance.fetch_materializations(wanted, limit=len(keys)).records:
            target = Target(run_id=record.run_id, storage_id=record.storage_id, timestamp=record.timestamp)
            found.setdefault(record.partition_key, target)
        return found
