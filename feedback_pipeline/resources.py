"""The settings as resources: what the UI shows of them under Resources, and what the Launchpad may change for one run.

A secret is shown by the name of its variable and read where the run is; one that stands in a file or in somebody's
component is not shown at all. What decides the shape of the code location (time zone, first week, executor,
automation) is read when it is loaded and stands in no run.
"""

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, ClassVar, get_args

import dagster as dg
from dagster._config.pythonic_config import ConfigurableResourceFactory
from pydantic import Field, create_model

from feedback_pipeline.environment import Declared, declared
from feedback_pipeline.io_manager import ParquetIOManager
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings, SettingsError, plain

OF_THE_LOCATION = frozenset({"timezone", "start", "executor", "automation", "asset_prefix", "ui_hosts", "environment"})
"""Settings that shape the location: they are no fields, as no run can change them."""
KEPT = frozenset({
    "home", "database_url", "data_url", "keep_raw", "raw_text_days", "retention_max_rows", "retention_max_share",
    "tuning_approval",
})  # fmt: skip
"""Settings that say where things are and what protects them: they are shown, and no run changes them."""
MONEY = ("judge_cost_cap_usd", "tuning_budget_usd")
"""Settings that a run may only lower."""


class _SettingsResource(ConfigurableResourceFactory[Pipeline]):
    """The settings of the feedback loop (docs/settings.md), with its store and tables behind them."""

    given: ClassVar[Pipeline]

    def create_resource(self, context: dg.InitResourceContext) -> Pipeline:
        """The location's pipeline, or one of its own where the run's configuration names other values.

        Raises:
            SettingsError: a value is none that the setting takes.
        """
        fields = type(self).model_fields
        values = {name: getattr(self, name) for name in fields}
        texts = {name: plain(value) for name, value in values.items() if value is not None}
        return as_chosen(self.given, texts)


class ParquetTables(dg.ConfigurableIOManagerFactory[ParquetIOManager]):
    """Tables as Parquet files, for assets that are built on the loop's: `<data_url>/<asset>/<partition>.parquet`."""

    data_url: str = Field(description="Folder or bucket of the tables (FEEDBACK_DATA_URL).")
    prefix: list[str] = Field(
        default_factory=list,
        description="What the loop's asset keys begin with and its folders do not (FEEDBACK_ASSET_PREFIX).",
    )

    def create_io_manager(self, context: dg.InitResourceContext) -> ParquetIOManager:
        return ParquetIOManager(self.data_url, tuple(self.prefix))


def as_chosen(pipeline: Pipeline, texts: Mapping[str, str]) -> Pipeline:
    """The pipeline as a run has it that names values of settings, by name; money is lowered at most.

    Whoever reaches the UI may start a run, not raise what runs cost or loosen what protects.

    Raises:
        SettingsError: a value is none that the setting takes, or the setting is none that a run may change.
    """
    own = pipeline.settings
    wanted = own.read(texts)
    for name in sorted(KEPT & texts.keys()):
        if getattr(wanted, name) != getattr(own, name):
            raise SettingsError(f"{name} is changed in the environment, not for one run")
    lowered = {name: plain(min(getattr(wanted, name), getattr(own, name))) for name in MONEY if name in texts}
    return pipeline.with_settings(wanted.read(lowered))


def pipeline_resource(pipeline: Pipeline) -> ConfigurableResourceFactory[Pipeline]:
    """The resource `pipeline` of a code location: gives assets, sensors and schedules this pipeline."""
    settings = pipeline.settings
    shown = [one for one in declared(Settings) if _is_shown(one)]
    fields: dict[str, Any] = {
        one.name: (_kind(one) | None, Field(default=None, description=_described(one))) for one in shown
    }
    made: Any = create_model(
        "FeedbackSettings", __base__=_SettingsResource, __doc__=_SettingsResource.__doc__, **fields
    )
    made.given = pipeline
    values = {one.name: _value(one, settings) for one in shown}
    resource: ConfigurableResourceFactory[Pipeline] = made(
        **{name: value for name, value in values.items() if value is not None}
    )
    return resource


def _is_shown(one: Declared) -> bool:
    return "." not in one.name and bool(one.setting.variables) and one.name not in OF_THE_LOCATION


def _described(one: Declared) -> str:
    return f"{one.setting.help[0].upper()}{one.setting.help[1:]} ({one.setting.variables[0]})."


def _kind(one: Declared) -> Any:
    """What the Launchpad takes: numbers and switches as such, everything else as its variable would hold it."""
    kinds = {kind for kind in (get_args(one.kind) or (one.kind,)) if kind is not type(None)}
    return next((kind for kind in (bool, int, float) if kinds == {kind}), str)


def _value(one: Declared, settings: Settings) -> Any:
    value = getattr(settings, one.name)
    if one.setting.secret:
        return _variable(one, settings)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, tuple | frozenset) and not value:
        return None
    return str(value) if isinstance(value, str | Path | date) else plain(value)


def _variable(one: Declared, settings: Settings) -> dg.EnvVar | None:
    """The variable that a secret was read from, where every process of the location has it."""
    source = settings.sources.get(one.name, "")
    if source not in one.setting.variables or not os.environ.get(source):
        return None
    same = settings.read({one.name: os.environ[source]}) == settings
    return dg.EnvVar(source) if same else None
