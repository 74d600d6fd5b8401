"""Whom an experiment is for: conditions on attributes, written as GrowthBook (and MongoDB) write them.

Understood are equality, dotted paths, `$eq $ne $in $nin $gt $gte $lt $lte $exists $not $and $or $nor`. Regular
expressions are not: a pattern that somebody else wrote must not run inside a decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_DEPTH = 8
_COMPARISONS = ("$gt", "$gte", "$lt", "$lte")
_OPERATORS = ("$eq", "$ne", "$in", "$nin", "$exists", "$not", *_COMPARISONS)
_JOINS = ("$and", "$or", "$nor")


class ConditionError(ValueError):
    """A condition that is not understood; the message names the part."""


def check(condition: Any, depth: int = 0) -> None:
    """Raises:
    ConditionError: the condition holds something that is not understood.
    """
    if depth > MAX_DEPTH:
        raise ConditionError(f"a condition is nested at most {MAX_DEPTH} deep")
    if not isinstance(condition, Mapping):
        raise ConditionError('a condition is an object such as {"plan": "pro"}')
    for name, value in condition.items():
        if name in _JOINS:
            if not isinstance(value, list):
                raise ConditionError(f"{name} takes a list of conditions")
            for one in value:
                check(one, depth + 1)
        elif name == "$not":
            check(value, depth + 1)
        elif name.startswith("$"):
            raise ConditionError(f"{name[:30]} is not an operator of conditions")
        else:
            _check_value(value, depth + 1)


def _check_value(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ConditionError(f"a condition is nested at most {MAX_DEPTH} deep")
    if not _is_operators(value):
        return
    for operator, operand in value.items():
        if operator not in _OPERATORS:
            raise ConditionError(f"{operator[:30]} is not an operator of conditions")
        if operator in ("$in", "$nin") and not isinstance(operand, list):
            raise ConditionError(f"{operator} takes a list")
        if operator == "$not":
            _check_value(operand, depth + 1)


def holds(condition: Mapping[str, Any], attributes: Mapping[str, Any]) -> bool:
    """Whether attributes meet a condition. What is not understood is not met."""
    for name, value in condition.items():
        if name == "$and":
            met = all(holds(one, attributes) for one in value)
        elif name == "$or":
            met = not value or any(holds(one, attributes) for one in value)
        elif name == "$nor":
            met = not any(holds(one, attributes) for one in value)
        elif name == "$not":
            met = not holds(value, attributes)
        else:
            met = _holds_value(value, _at(attributes, name))
        if not met:
            return False
    return True


def _at(attributes: Any, path: str) -> Any:
    found = attributes
    for part in path.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found


def _is_operators(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(str(name).startswith("$") for name in value)


def _holds_value(wanted: Any, found: Any) -> bool:
    if not _is_operators(wanted):
        return _same(wanted, found)
    return all(_operator(name, operand, found) for name, operand in wanted.items())


def _operator(name: str, operand: Any, found: Any) -> bool:
    if name in ("$eq", "$ne"):
        return _same(operand, found) == (name == "$eq")
    if name in ("$in", "$nin"):
        values = found if isinstance(found, list) else [found]
        inside = isinstance(operand, list) and any(_same(one, value) for one in operand for value in values)
        return inside if name == "$in" else isinstance(operand, list) and not inside
    if name == "$exists":
        return (found is not None) == bool(operand)
    if name == "$not":
        return not _holds_value(operand, found)
    return name in _COMPARISONS and _compare(name, operand, found)


def _same(first: Any, second: Any) -> bool:
    # true is no 1 here: JSON keeps them apart
    return isinstance(first, bool) == isinstance(second, bool) and bool(first == second)


def _compare(name: str, operand: Any, found: Any) -> bool:
    if found is None and isinstance(operand, (int, float)):
        found = 0
    if not (isinstance(operand, str) and isinstance(found, str)):
        try:
            operand, found = float(operand), float(found)
        except (TypeError, ValueError):
            return False
    outcome = {"$gt": found > operand, "$gte": found >= operand, "$lt": found < operand, "$lte": found <= operand}
    return bool(outcome[name])
