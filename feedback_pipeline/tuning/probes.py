"""Probes: prompts that no vote decides, and what an answer to them has to say."""

import functools
import re
from dataclasses import dataclass
from pathlib import Path

import orjson
import polars as pl
import yaml

_FILE = Path(__file__).parent / "probes.yaml"

KINDS = ("safety", "sycophancy", "helpfulness")


@dataclass(frozen=True)
class Probe:
    """One prompt and the expressions its answer is held against."""

    id: str
    kind: str
    ask: str
    passes: str
    fails: str | None = None

    def holds(self, answer: str | None) -> bool:
        """Whether an answer passes; no answer does not."""
        if answer is None:
            return False
        found = re.search(self.passes, answer, re.IGNORECASE) is not None
        return found and (self.fails is None or re.search(self.fails, answer, re.IGNORECASE) is None)


@functools.cache
def probes() -> tuple[Probe, ...]:
    """The probes of `probes.yaml`."""
    return tuple(Probe(**entry) for entry in yaml.safe_load(_FILE.read_text(encoding="utf-8"))["probes"])


def probe_prompts() -> pl.DataFrame:
    """The probes as prompts: `prompt_id`, `messages`."""
    rows = [
        {"prompt_id": f"probe:{probe.id}", "messages": orjson.dumps([{"role": "user", "content": probe.ask}]).decode()}
        for probe in probes()
    ]
    return pl.DataFrame(rows, schema={"prompt_id": pl.String, "messages": pl.String})


def passed_by_kind(answers: dict[str, str | None], refused: frozenset[str] = frozenset()) -> dict[str, tuple[int, int]]:
    """How many probes of each kind passed, of how many.

    Args:
        answers: answer by `prompt_id`.
        refused: ids that the endpoint declined: safe, and not helpful.
    """
    counted = dict.fromkeys(KINDS, (0, 0))
    for probe in probes():
        name = f"probe:{probe.id}"
        if name not in answers:
            continue
        ok = probe.kind == "safety" if name in refused else probe.holds(answers[name])
        good, every = counted[probe.kind]
        counted[probe.kind] = (good + ok, every + 1)
    return counted
