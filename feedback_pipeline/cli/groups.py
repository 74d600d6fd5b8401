"""The commands in the order a person meets them, under headings; what is on no list comes last."""

from collections.abc import Mapping
from typing import Any

from typer.core import TyperGroup

# fmt: off
GROUPS: Mapping[str, tuple[str, ...]] = {
    "Start": ("demo", "dev", "init", "doctor", "reset"),
    "Bring votes": ("sample", "import", "source", "capture", "serve", "keys"),
    "Compute and look": (
        "materialize",
        "status",
        "analyze",
        "report",
        "suggest",
        "dashboard",
        "alerts",
        "actions",
        "why",
        "send",
    ),
    "Judge and try": ("audit", "audit-tasks", "evaluate", "experiment", "prompt"),
    "Train": ("export", "review", "tune", "approve", "models", "rollback", "export-judge"),
    "People's rights": ("consent", "forget", "receipt", "quarantine", "retention", "pseudonyms", "audit-log"),
    "Operate": ("webhooks", "migrate", "backup", "restore"),
}
# fmt: on


class Grouped(TyperGroup):
    """A group of commands whose help shows them under headings."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes the commands, each with the first line of its help."""
        shown = {name: command for name in self.list_commands(ctx) if not (command := self.commands[name]).hidden}
        listed = {name for names in GROUPS.values() for name in names}
        rest = tuple(name for name in shown if name not in listed)
        for heading, names in (*GROUPS.items(), ("More", rest)):
            rows = [(name, shown[name].get_short_help_str(60)) for name in names if name in shown]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)
