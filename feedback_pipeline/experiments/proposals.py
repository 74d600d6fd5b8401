"""A proposed prompt before it may become a version: what it cites, what it must not hold, and what it must keep."""

import functools
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from feedback_pipeline.experiments.prompt_evidence import Evidence, words_of
from feedback_pipeline.experiments.prompts import Prompt, digest, problems, variables

MAX_COPIED_WORDS = 8
"""Words in a row that a proposal may share with what one person wrote."""

MAX_GROWTH = 3.0
"""How many times as long as the current text a proposal may be, or 2,000 characters where that is more."""


@functools.cache
def _to_the_gate() -> re.Pattern[str]:
    words = yaml.safe_load(Path(__file__).with_name("forbidden.yaml").read_text(encoding="utf-8"))
    return re.compile("|".join(words["to_the_gate"]), re.IGNORECASE)


@dataclass(frozen=True)
class Proposal:
    """What an optimiser proposes.

    Attributes:
        text: the whole template.
        cites: ids of the evidence it answers.
        why: what was changed, in the optimiser's words: untrusted.
    """

    text: str
    cites: tuple[str, ...]
    why: str = ""


def refusals(
    proposal: Proposal, current: Prompt, known: Collection[str], evidence: Sequence[Evidence], secrets: Collection[str]
) -> list[str]:
    """Why a proposal may not become a version; empty where it may. No reason quotes it.

    Args:
        proposal: what was proposed.
        current: the version it is to replace.
        known: digests of every text this prompt ever had.
        evidence: what it may cite, and whose words it must not repeat.
        secrets: what must never leave: keys of this installation.
    """
    text = proposal.text
    reasons = problems(text)
    if len(text) > max(MAX_GROWTH * len(current.text), 2_000):
        reasons.append(f"it is {len(text) / max(1, len(current.text)):.1f} times as long as what answers now")
        return reasons
    if digest(text) in known or _plain(text) == _plain(current.text):
        reasons.append("it is a text this prompt had before")
    if missing := current.variables - variables(text):
        reasons.append(f"it lost the variable {sorted(missing)[0]}")
    if added := variables(text) - current.variables:
        reasons.append(f"it has a variable that nobody fills: {sorted(added)[0][:40]}")
    if any(secret and secret in text for secret in secrets):
        reasons.append("it holds a secret of this installation")
    if _to_the_gate().search(text):
        reasons.append("it speaks to whoever decides about it")
    if not set(proposal.cites) & {one.id for one in evidence}:
        reasons.append("it cites nothing that people said")
    if copied := max((_copied(text, one) for one in words_of(evidence)), default=0):
        reasons.append(f"it repeats {copied} words in a row of one person")
    if _gibberish(text):
        reasons.append("it is no text")
    return reasons


def _copied(text: str, words: str) -> int:
    """The longest run of words shared with a person's text where it is over the limit, else 0."""
    mine, theirs = _plain(text), _plain(words).split()
    longest = 0
    for start in range(len(theirs) - MAX_COPIED_WORDS):
        run = MAX_COPIED_WORDS + 1
        while start + run <= len(theirs) and f" {' '.join(theirs[start : start + run])} " in f" {mine} ":
            longest = max(longest, run)
            run += 1
    return longest


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _gibberish(text: str) -> bool:
    """Hardly any words, or one of them over and over."""
    words = _plain(text).split()
    letters = sum(letter.isalpha() or letter.isspace() for letter in text)
    return len(words) < 3 or letters < 0.5 * len(text) or len(set(words)) < 0.15 * len(words)
