"""A tree of where something came from and what came of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Relation = Literal["", "about", "from", "became", "cleaned as", "changed by"]


@dataclass(frozen=True)
class Node:
    """One thing in the chain.

    Attributes:
        kind: vote, answer, cleaned row, row, line, dataset, run, model, approval or change.
        id: its identity.
        relation: how it hangs on the node above: `from` leads back to people, `became` on to models.
        facts: identifiers, days, numbers and states; no words of users.
        children: what hangs on it.
        left_out: children beyond those listed.
    """

    kind: str
    id: str
    relation: Relation = ""
    facts: dict[str, Any] = field(default_factory=dict)
    children: tuple["Node", ...] = ()
    left_out: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The tree as JSON values; what is not known is left out."""
        shown: dict[str, Any] = {"kind": self.kind, "id": self.id}
        if self.relation:
            shown["relation"] = self.relation
        if facts := {name: _plain(value) for name, value in self.facts.items() if value is not None}:
            shown["facts"] = facts
        if self.children:
            shown["children"] = [child.to_dict() for child in self.children]
        if self.left_out:
            shown["left_out"] = self.left_out
        return shown

    def lines(self) -> Iterator[str]:
        """The tree as text, a node a line."""
        yield self._line()
        yield from self._below("")

    def _line(self) -> str:
        facts = ", ".join(f"{name} {_plain(value)}" for name, value in self.facts.items() if value is not None)
        relation = f"{self.relation} " if self.relation else ""
        return f"{relation}{self.kind} {self.id}" + (f" ({facts})" if facts else "")

    def _below(self, indent: str) -> Iterator[str]:
        for number, child in enumerate(self.children, 1):
            last = number == len(self.children) and not self.left_out
            yield f"{indent}{'└─ ' if last else '├─ '}{child._line()}"
            yield from child._below(indent + ("   " if last else "│  "))
        if self.left_out:
            yield f"{indent}└─ … and {self.left_out} more"


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    return value if isinstance(value, str | int | bool) else str(value)
