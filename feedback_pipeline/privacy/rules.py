"""The rule table of `rules.toml`, and the searches it makes.

Rules are applied in the order of the table. Neighbours with the same placeholder are searched for in one pass.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from feedback_pipeline.privacy import checks

TABLE = Path(__file__).with_name("rules.toml")
MARK = "\ufdd0"
"""A noncharacter (never assigned, not meant for interchange) that stands left and right of what a search found."""


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
    examples: tuple[str, ...] = ()
    counter_examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Search:
    """Neighbouring rules searched for together.

    `pattern` finds them, `marked` is the replacement that puts a MARK on either side of the value, and a value is
    accepted as far as the first of `accept` that knows it says; with no check, as found.
    """

    placeholder: str | None
    pattern: str
    marked: str
    accept: tuple[checks.Check, ...]

    def accepted(self, value: str) -> checks.Span:
        """The part of a found value that is the identifier, as character positions; (0, 0) where there is none."""
        if not self.accept:
            return 0, len(value)
        return next((span for check in self.accept if (span := check(value))), (0, 0))


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


def _search(rules: list[Rule]) -> Search:
    pattern = "|".join(_capturing(rule) for rule in rules)
    before = "".join(f"${{{2 * index + 1}}}" for index in range(len(rules)))
    value = "".join(f"${{{2 * index + 2}}}" for index in range(len(rules)))
    accept = {rule.check: _check(rule) for rule in rules if rule.check}
    return Search(rules[0].placeholder, pattern, f"{before}{MARK}{value}{MARK}", tuple(accept.values()))


def searches(rules: tuple[Rule, ...]) -> tuple[Search, ...]:
    """The searches the rules make, in their order.

    Raises:
        InvalidRuleError: a rule names a check that does not exist.
    """
    groups = groupby(rules, key=lambda rule: (rule.placeholder, rule.before is None, rule.check is None))
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
def gate() -> str:
    """A cheap pattern found in every text that holds something to mask: rows without it need no further look.

    Raises:
        InvalidRuleError: a rule needs a sign that the table does not describe.
    """
    signs = tomllib.loads(TABLE.read_text(encoding="utf-8"))["needs"]
    used = dict.fromkeys(rule.needs for rule in default_rules() if rule.placeholder)
    if unknown := [str(name) for name in used if name not in signs]:
        raise InvalidRuleError(f"[needs] of {TABLE.name} has no entry {', '.join(unknown)}")
    return "|".join(_plain_groups(signs[name]) for name in used)


def placeholders() -> tuple[str, ...]:
    """The types of identifier that are masked, in the order of the table."""
    return tuple(dict.fromkeys(rule.placeholder for rule in default_rules() if rule.placeholder))
