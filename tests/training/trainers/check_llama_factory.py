"""LLaMA-Factory's own register and converters on a folder with `dataset_info.json`.

A row it does not like becomes an empty one with nothing but a line in its log, so every row must come out with the
words it went in with, the system prompt included.
"""

import json
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["DISABLE_VERSION_CHECK"] = "1"

import llamafactory
from datasets import disable_progress_bars, load_dataset

# the package of the converters imports every trainer, of which they need nothing
package = ModuleType("llamafactory.data")
package.__path__ = [str(Path(llamafactory.__path__[0]) / "data")]
sys.modules["llamafactory.data"] = package

from llamafactory.data.converter import get_dataset_converter  # noqa: E402
from llamafactory.data.parser import get_dataset_list  # noqa: E402

disable_progress_bars()
folder = Path(sys.argv[1])
registered = json.loads((folder / "dataset_info.json").read_text(encoding="utf-8"))


def texts(turns: list[dict]) -> list[str]:
    return [turn["content"] for turn in turns]


def expected(row: dict, ranking: bool) -> tuple[str, list[str], list[str]]:
    """System prompt, words of the prompt, and words of the answers of a row as we wrote it."""
    messages = list(row["messages"])
    system = messages.pop(0)["content"] if messages[0]["role"] == "system" else ""
    if ranking:
        return (
            system,
            [message["content"] for message in messages],
            [row[side]["content"] for side in ("chosen", "rejected")],
        )
    answer = messages.pop()["content"]
    answers = [answer] if "label" not in row else [answer, ""] if row["label"] else ["", answer]
    return system, texts(messages), answers


for attributes in get_dataset_list(sorted(registered), str(folder)):
    convert = get_dataset_converter(attributes.formatting, attributes, SimpleNamespace(media_dir=str(folder)))
    rows = load_dataset("json", data_files=str(folder / attributes.dataset_name), split="train")
    wrong = 0
    for row in rows:
        out = convert(dict(row))
        words = (
            out["_system"],
            [turn["content"] for turn in out["_prompt"]],
            [turn["content"] for turn in out["_response"]],
        )
        wrong += words != expected(row, attributes.ranking)
    print(
        json.dumps(
            {
                "file": attributes.dataset_name,
                "passed": not wrong,
                "detail": f"{wrong} of {len(rows)} rows changed or emptied",
            }
        ),
        flush=True,
    )
