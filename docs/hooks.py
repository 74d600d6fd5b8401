"""The reference pages of the site, generated from the code while the site is built: they cannot drift.

MkDocs calls `on_files`; `pages` is what the tests look at.
"""

import inspect
import os
from collections.abc import Callable, Iterator
from tempfile import gettempdir
from typing import Any

os.environ.setdefault("FEEDBACK_HOME", os.path.join(gettempdir(), "feedback-docs"))  # noqa: PTH118 - before any import


def on_files(files: Any, config: Any) -> Any:
    """Adds the generated pages to the site."""
    from mkdocs.structure.files import File

    for name, make in pages().items():
        files.append(File.generated(config, f"reference/{name}.md", content=make()))
    return files


def pages() -> dict[str, Callable[[], str]]:
    """What is generated, by name."""
    return {"commands": commands, "assets": assets, "tables": tables, "http": http, "python": python}


def commands() -> str:
    """Every command with its help."""
    text = "# Commands\n\nExit status: 0 done, 1 something did not work out, 2 a setting, file or server is wrong.\n"
    for path, command in every_command():
        usage = " ".join(("feedback", *path))
        text += f"\n## {usage}\n\n{inspect.cleandoc(command.help or '')}\n"
        rows = [_parameter(parameter) for parameter in command.params if parameter.name != "help"]
        if rows:
            text += "\n| argument or option | default | meaning |\n|---|---|---|\n" + "".join(rows)
    return text


def every_command() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command of the command line, by its path of names."""
    import typer

    from feedback_pipeline.cli import main

    yield from _below((), typer.main.get_command(main.app))


def _below(path: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        if not command.hidden:
            yield path, command
        return
    for name, child in children.items():
        yield from _below((*path, name), child)


def _parameter(parameter: Any) -> str:
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    shown = parameter.default if isinstance(parameter.default, str | int | float) else None
    default = "" if shown is None or shown is False else f"`{shown}`"
    return f"| {names} | {default} | {_cell(getattr(parameter, 'help', None) or '')} |\n"


def assets() -> str:
    """Every asset with what a row of it is, and its checks."""
    import dagster as dg

    from feedback_pipeline.settings import Settings
    from jobs.location import build_definitions

    definitions = build_definitions(Settings.from_environment())
    graph = definitions.resolve_asset_graph()
    text = "# Assets and checks\n"
    groups: dict[str, list[Any]] = {}
    for key in sorted(graph.get_all_asset_keys()):
        groups.setdefault(graph.get(key).group_name or "default", []).append(graph.get(key))
    for group, nodes in sorted(groups.items()):
        text += f"\n## {group}\n\n| asset | what a row is | reads | checks |\n|---|---|---|---|\n"
        for node in nodes:
            reads = ", ".join(f"`{key.to_user_string()}`" for key in sorted(node.parent_keys))
            checks = ", ".join(f"`{check.name}`" for check in sorted(node.check_keys, key=lambda one: one.name))
            text += f"| `{node.key.to_user_string()}` | {_cell(node.description or '')} | {reads} | {checks} |\n"
    text += "\n## Jobs, schedules, sensors\n\n| name | kind | what it does |\n|---|---|---|\n"
    for kind, some in (("job", definitions.jobs), ("schedule", definitions.schedules), ("sensor", definitions.sensors)):
        for one in some or ():
            text += f"| `{one.name}` | {kind} | {_cell(getattr(one, 'description', None) or '')} |\n"
    assert isinstance(definitions, dg.Definitions)
    return text


def groups() -> str:
    """The first table of `docs/assets.md`: every asset, by group and partitions."""
    from feedback_pipeline.settings import Settings
    from jobs.location import build_definitions

    graph = build_definitions(Settings.from_environment()).resolve_asset_graph()
    found: dict[tuple[str, str], list[str]] = {}
    for key in graph.toposorted_asset_keys:
        node = graph.get(key)
        lengths = {"DailyPartitionsDefinition": "day", "WeeklyPartitionsDefinition": "week"}
        by = lengths.get(type(node.partitions_def).__name__, "month" if node.partitions_def else "when asked")
        found.setdefault((node.group_name, by), []).append(key.to_user_string())
    order = ("raw", "clean", "patterns", "evaluation", "experiments", "training", "models", "report")
    text = "| group | by | assets |\n|---|---|---|\n"
    for (group, by), names in sorted(found.items(), key=lambda one: (order.index(one[0][0]), one[0][1])):
        text += f"| {group} | {by} | {', '.join(f'`{name}`' for name in names)} |\n"
    return text


def checks() -> str:
    """The table of `docs/assets.md`: every check with the assets that have it, whether it blocks, what it says."""
    from feedback_pipeline.settings import Settings
    from jobs.location import build_definitions

    graph = build_definitions(Settings.from_environment()).resolve_asset_graph()
    found: dict[str, list[Any]] = {}
    for node in sorted((graph.get(key) for key in graph.asset_check_keys), key=lambda one: str(one.key)):
        found.setdefault(node.key.name, []).append(node)
    text = "| check | of | blocks | says |\n|---|---|---|---|\n"
    for name, nodes in sorted(found.items(), key=lambda one: (-len(one[1]), one[0])):
        assets = ", ".join(f"`{node.key.asset_key.to_user_string()}`" for node in nodes)
        of = assets if len(nodes) <= 4 else "every table"
        text += f"| `{name}` | {of} | {'yes' if nodes[0].blocking else 'no'} | {_cell(nodes[0].description or '')} |\n"
    return text


def tables() -> str:
    """Every declared table with its columns."""
    import importlib
    import pkgutil

    import feedback_pipeline
    from feedback_pipeline.tables.schema import Table

    found: dict[str, Any] = {}
    for module in pkgutil.walk_packages(feedback_pipeline.__path__, "feedback_pipeline."):
        if module.name.endswith(".tables") or module.name.endswith("store.rows"):
            for value in vars(importlib.import_module(module.name)).values():
                if isinstance(value, Table):
                    found[value.name] = value
    text = "# Tables\n\nParquet under `FEEDBACK_DATA_URL`, a file a partition, and rows on their way to the store.\n"
    for name, table in sorted(found.items()):
        text += f"\n## {name}\n\n{table.row}\n\n| column | type | what it is |\n|---|---|---|\n"
        text += "".join(
            f"| `{one.name}` | {_cell(str(one.dtype))} | {_cell(one.description)} |\n" for one in table.columns
        )
    return text


def http() -> str:
    """Every operation of the API."""
    from fastapi import FastAPI

    from feedback_pipeline.capture import app

    api = FastAPI(title="Feedback", version="1")
    for router in app.routers():
        api.include_router(router)
    text = "# HTTP API\n\n`GET /openapi.json` of a running service describes every field; `/docs` shows it offline.\n\n"
    text += "| operation | what it does |\n|---|---|\n"
    for path, operations in sorted(api.openapi()["paths"].items()):
        for method, operation in operations.items():
            said = operation.get("description") or operation.get("summary") or ""
            text += f"| `{method.upper()} {path}` | {_cell(said)} |\n"
    return text


def python() -> str:
    """Every verb that the package exports."""
    import feedback_pipeline

    text = "# Python API\n\n`from feedback_pipeline import …`; names are loaded when they are first used.\n"
    for name in feedback_pipeline.__all__:
        value = getattr(feedback_pipeline, name)
        if not callable(value):
            continue
        try:
            signature = str(inspect.signature(value))
        except (TypeError, ValueError):
            signature = "(…)"
        text += f"\n## {name}\n\n```python\n{name}{signature}\n```\n\n```text\n{inspect.getdoc(value) or ''}\n```\n"
    return text


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
