"""Files that trainers want beside the lines: LLaMA-Factory's register and the dataset card of `datasets`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import orjson

from feedback_pipeline.training.curation import Curated

Places = Mapping[tuple[str, str, str], tuple[str, int]]
"""(format, split, context) of each file → its path within the format's folder, and its lines."""

_TEMPLATES = Path(__file__).parent / "templates"
_TAGS = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant",
         "system_tag": "system"}  # fmt: skip
_LLAMA: dict[str, dict[str, Any]] = {
    "llama_factory_sft": {"formatting": "sharegpt", "columns": {"messages": "messages"}, "tags": _TAGS},
    "llama_factory_dpo": {
        "formatting": "sharegpt",
        "ranking": True,
        "columns": {"messages": "messages", "chosen": "chosen", "rejected": "rejected"},
        "tags": _TAGS,
    },
    "llama_factory_kto": {
        "formatting": "sharegpt",
        "columns": {"messages": "messages", "kto_tag": "label"},
        "tags": _TAGS,
    },
}
_SPLIT_NAMES = {"train": "train", "validation": "validation", "holdout": "test"}


def dataset_info(places: Places) -> bytes:
    """`dataset_info.json` for the LLaMA-Factory files among `places`."""
    info = {
        path.removesuffix(".jsonl").replace("-", "_"): {"file_name": path, **_LLAMA[name]}
        for (name, _, _), (path, _) in places.items()
        if name in _LLAMA
    }
    return orjson.dumps(info, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"


def dataset_card(places: Places, curated: Curated, policy: str, licence: str) -> bytes:
    """`README.md` with the configurations `datasets.load_dataset` reads; numbers and our own words only."""
    configs: dict[str, list[dict[str, Any]]] = {}
    for (name, split, context), (path, lines) in places.items():
        if name.startswith("trl_"):
            config = name.removeprefix("trl_") + ("_partial" if context == "partial" else "")
            configs.setdefault(config, []).append({"split": _SPLIT_NAMES[split], "path": path, "lines": lines})
    languages = sorted(set(curated.examples["language"].drop_nulls().to_list()))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), undefined=jinja2.StrictUndefined, autoescape=False,  # noqa: S701 - Markdown
        keep_trailing_newline=True,
    )  # fmt: skip
    text = environment.get_template("dataset_card.md").render(
        configs=[{"name": name, "files": files} for name, files in sorted(configs.items())],
        languages=[language for language in languages if language.isascii() and language.isalpha()],
        licence=licence,
        policy=policy,
        overlap=curated.overlap,
        weeks=curated.settings.window_weeks,
        window_end=curated.window_end.isoformat(),
    )
    return text.encode()
