"""Holding a suggestion against the findings it cites."""

import re
from collections.abc import Mapping, Sequence

from feedback_pipeline.actions.evidence import Evidence

FREE_NUMBER = 20
"""Whole numbers up to this need no evidence: "read five examples", "within 14 days"."""

_NUMBER = re.compile(r"(?<![\w.])(\d[\d ,]*(?:\.\d+)?)\s*(%|percent)?")


def unsupported(text: str, cited: Sequence[str], evidence: Mapping[str, Evidence]) -> str | None:
    """Why a suggestion cannot stand: it cites nothing, something unknown, a group it does not cite, or a number that
    is not in what it cites. None where it can."""
    if not cited:
        return "it cites no finding"
    if any(identity not in evidence for identity in cited):
        return "it cites a finding that is not there"
    named = [evidence[identity] for identity in cited]
    own = {value for one in named for _, value in one.conditions}
    others = {value for one in evidence.values() for _, value in one.conditions} - own
    if any(_mentions(text, value) for value in others):
        return "it names a group that it does not cite"
    for value in sorted(own, key=len, reverse=True):
        text = text.replace(value, " ")
    if any(not _known(number, share, named) for number, share in _NUMBER.findall(text)):
        return "it quotes a number that is not in what it cites"
    return None


def _mentions(text: str, value: str) -> bool:
    """Names of three characters and more; shorter ones are words of the language, too."""
    return len(value) >= 3 and re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text) is not None


def _known(number: str, share: str, named: Sequence[Evidence]) -> bool:
    plain = number.replace(",", "").replace(" ", "")
    digits = len(plain.partition(".")[2])
    value, allowance = float(plain), 0.5 * 10**-digits + 1e-9
    if not share and digits == 0 and value <= FREE_NUMBER:
        return True
    for one in named:
        for name, known in one.numbers.items():
            seen = 100 * known if name.endswith("rate") else known
            if abs(seen - value) <= allowance:
                return True
    return False
