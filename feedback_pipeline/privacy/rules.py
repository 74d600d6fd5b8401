"""The rule table of `rules.toml`, and the searches it makes.

Rules are applied in the order of the table. Neighbours with the same placeholder are searched for in one pass.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from feedback_pipeline.privacy import checks
from feedback_pipeline.privacy.gates import endless

TABLE = Path(__file__).with_name("rules.toml")
MARK = "\ufdd0"
"""A noncharacter (never assigned, not meant for interchange) that stands left and right of what a search found."""
NEXT_RULE = "\ufdd1"
"""Another one, between the places of the rules that search together."""


_OTHER, _LONG, _NEAR_WORDS = range(3)
_NEAR = re.compile(r"\[\^\\n(?:\\d)?\]\{0,\d+\}")
"""What may stand between a word and what is near it."""
_LONG_RUN = re.compile(r"\{(?:[89]|\d\d)(?:,\d*)?\}")
"""Eight characters of a kind and more."""


class InvalidRuleError(ValueError):
    """A rule in the table cannot be used; the message names it."""


@dataclass(frozen=True)
class Rule:
    """One kind of identifier, or of text that only looks like one (no placeholder)."""

    name: str
    pattern: str
    placeholder: str | None = None
    needs: str | None = None
    before: str | None = None
    check: str | None = None
    encoded: bool = False
    """What is found is an identifier where its decoded text holds one."""
    examples: tuple[str, ...] = ()
    counter_examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Search:
    """Neighbouring rules searched for together.

    `pattern` finds their values; `marked` is the replacement that puts a MARK on either side of one and a NEXT_RULE
    between the places of the rules, of which one holds the value. There is a placeholder for each rule and the checks
    of which one must accept the value; with none it is accepted as found.
    """

    placeholders: tuple[str | None, ...]
    pattern: str
    marked: str
    accept: tuple[tuple[checks.Check, ...], ...]
    encoded: tuple[bool, ...]
    gates: tuple[int, ...] = ()
    """Which of `gates` one is found of wherever one of the rules matches."""
    sign: str | None = None
    """A pattern found wherever one of the rules matches, where they all need the same sign."""

    @property
    def keeps(self) -> bool:
        """Whether what is found is left in the text: it only looks like an identifier."""
        return self.placeholders[0] is None

    def accepted(self, found: str, holds_identifier: Callable[[str], bool]) -> tuple[int, str, checks.Span]:
        """Which rule found what, and the part of it that is the identifier, as character positions.

        Args:
            found: what stands between two MARKs.
            holds_identifier: whether a decoded text does.

        Returns:
            The rule's place among the search's, the value, and its span; (0, 0) where it is no identifier.
        """
        rule = len(found) - len(found.lstrip(NEXT_RULE))
        value = found.strip(NEXT_RULE)
        accept = self.accept[rule]
        if not accept:
            return rule, value, (0, len(value))
        span = next((span for check in accept if (span := check(value))), (0, 0))
        if span != (0, 0) and self.encoded[rule] and not holds_identifier(checks.decoded(value) or ""):
            span = (0, 0)
        return rule, value, span


def load_rules(path: Path = TABLE) -> tuple[Rule, ...]:
    """The rules of a table, in their order.

    Raises:
        InvalidRuleError: a rule has an unknown field, lacks one, or repeats a name.
    """
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["rule"]
    rules = []
    for position, entry in enumerate(entries):
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()
        }
        try:
            rules.append(Rule(**fields))
        except TypeError as error:
            raise InvalidRuleError(f"rule {entry.get('name', position)} of {path.name}: {error}") from error
    names = [rule.name for rule in rules]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise InvalidRuleError(f"{path.name} repeats the names {', '.join(sorted(repeated))}")
    return tuple(rules)


def _ascii(pattern: str) -> str:
    """Digits and word boundaries as ASCII means them: text written without spaces still has its numbers found."""
    return pattern.replace(r"\b", r"(?-u:\b)").replace(r"\d", "[0-9]")


def _check(rule: Rule) -> checks.Check:
    name = rule.check or ""
    if name.startswith("stdnum:"):
        return checks.stdnum_check(name.removeprefix("stdnum:"), rule.pattern)
    found: checks.Check | None = getattr(checks, name, None)
    if found is None:
        raise InvalidRuleError(f"rule {rule.name} names the unknown check {name}")
    return found


def _capturing(rule: Rule) -> str:
    before = f"({_plain_groups(rule.before)})" if rule.before else "()"
    return f"{before}({_plain_groups(rule.pattern)})"


def _plain_groups(pattern: str) -> str:
    """The pattern scoped, so that its flags and alternatives stay inside."""
    return f"(?:{_ascii(pattern)})"


def _accepting(rule: Rule, neighbours: list[Rule]) -> tuple[checks.Check, ...]:
    """The rule's check; a national number may have the shape of another country's, whose rule stands before."""
    shaped = [one for one in neighbours if (one.check or "").startswith("stdnum:") and one is not rule]
    alike = shaped if (rule.check or "").startswith("stdnum:") else []
    return tuple(_check(one) for one in (rule, *alike) if one.check and one.placeholder == rule.placeholder)


def _search(rules: list[Rule]) -> Search:
    pattern = "|".join(_capturing(rule) for rule in rules)
    before = "".join(f"${{{2 * index + 1}}}" for index in range(len(rules)))
    value = NEXT_RULE.join(f"${{{2 * index + 2}}}" for index in range(len(rules)))
    accept = tuple(_accepting(rule, rules) for rule in rules)
    placeholders = tuple(rule.placeholder for rule in rules)
    encoded = tuple(rule.encoded for rule in rules)
    needed = [sign for rule in rules if (sign := _signs().get(rule.needs))]
    through = tuple(sorted({_gate_of(sign) for sign in needed}))
    sign = _loose(needed[0]) if len(needed) == len(rules) and len(set(needed)) == 1 else None
    return Search(placeholders, pattern, f"{before}{MARK}{value}{MARK}", accept, encoded, through, sign)


@cache
def _signs() -> Mapping[str | None, str]:
    """The entries of [needs]."""
    return dict(tomllib.loads(TABLE.read_text(encoding="utf-8"))["needs"])


def _loose(sign: str) -> str:
    """A sign as it is searched for."""
    return _plain_groups(endless(sign))


def searches(rules: tuple[Rule, ...]) -> tuple[Search, ...]:
    """The searches the rules make, in their order.

    They are few: Polars keeps 32 compiled patterns, and a text alone would otherwise pay for compiling all of them.

    Raises:
        InvalidRuleError: a rule names a check that does not exist.
    """
    groups = groupby(rules, key=lambda rule: (rule.placeholder is None, rule.before is None, rule.check is None))
    return tuple(_search(list(group)) for _, group in groups)


@cache
def default_rules() -> tuple[Rule, ...]:
    """The rules that ship with the project."""
    return load_rules()


@cache
def default_searches() -> tuple[Search, ...]:
    """The searches of `default_rules`."""
    return searches(default_rules())


@cache
def gates() -> tuple[str, ...]:
    """Cheap patterns of which one is found in every text that holds something to mask: rows without any need no further
    look. Words near others, long runs of characters and all other signs are searched for apart: together they have too
    many states (see `privacy.gates`).

    Raises:
        InvalidRuleError: a rule needs a sign that the table does not describe.
    """
    kinds: tuple[list[str], ...] = ([], [], [])
    for sign in _needed():
        kinds[_gate_of(sign)].append(_loose(sign))
    return tuple("|".join(kind) for kind in kinds)


@cache
def openers() -> tuple[str, ...]:
    """Cheaper patterns yet, of which one is found in every text in which a gate is: of words near others the words
    alone, which have so few states that they are searched for with the other signs."""
    first = [_NEAR.split(sign, maxsplit=1)[0] for sign in _needed() if _gate_of(sign) != _LONG]
    return "|".join(map(_loose, first)), gates()[_LONG]


def _needed() -> tuple[str, ...]:
    """The signs that rules need."""
    used = dict.fromkeys(rule.needs for rule in default_rules() if rule.placeholder)
    if unknown := [str(name) for name in used if name not in _signs()]:
        raise InvalidRuleError(f"[needs] of {TABLE.name} has no entry {', '.join(unknown)}")
    return tuple(_signs()[name] for name in used)


def _gate_of(sign: str) -> int:
    """The place among `gates` of the one that a sign is in."""
    return _NEAR_WORDS if endless(sign) != sign else _LONG if _LONG_RUN.search(sign) else _OTHER


def placeholders() -> tuple[str, ...]:
    """The types of identifier that are masked, in the order of the table."""
    return tuple(dict.fromkeys(rule.placeholder for rule in default_rules() if rule.placeholder))
