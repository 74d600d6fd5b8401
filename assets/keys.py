"""Under which keys the assets stand in Dagster: their names, behind the prefix of the installation where it has one.

Two loops that share an instance (staging and production, two products) are told apart by `FEEDBACK_ASSET_PREFIX`. Names
in the store, in the folder of tables and in the code never bear it.
"""

from collections.abc import Iterable
from typing import Any

import dagster as dg

from feedback_pipeline.settings import Settings


def key_of(settings: Settings, name: str) -> dg.AssetKey:
    """The key of one of our assets."""
    return dg.AssetKey([*settings.asset_prefix, name])


def behind_prefix(settings: Settings, made: Iterable[Any]) -> list[Any]:
    """Assets, specs and checks under their keys, and what they are made from under its."""
    if not settings.asset_prefix:
        return list(made)
    return [_moved(settings, one) for one in made]


def _moved(settings: Settings, one: Any) -> Any:
    if isinstance(one, dg.AssetSpec):
        deps = [key_of(settings, dep.asset_key.path[-1]) for dep in one.deps]
        return one.replace_attributes(key=key_of(settings, one.key.path[-1]), deps=deps)
    every = {*one.keys, *one.dependency_keys, *(check.asset_key for check in one.check_keys)}
    moved: Any = one.with_attributes(asset_key_replacements={key: key_of(settings, key.path[-1]) for key in every})
    return moved
