"""The commands in the order a person meets them, under headings, each with the module it is in.

A module is imported when one of its commands is chosen: whoever asks for help waits for no database driver and no data
frames.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

GROUPS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Start": {
        "demo": ("loop", "Make sample votes, run the whole loop on them and say..."),
        "dev": ("loop", "Run the Dagster UI, its daemon and the capture API on..."),
        "init": ("capture", "Make this machine's store ready, and a key to it; run..."),
        "doctor": ("loop", "Check what is configured, reachable and migrated, and say..."),
        "reset": ("reset", "Take the sample data away: database, reports and training..."),
    },
    "Bring votes": {
        "sample": ("loop", "Put generated votes into the store, with the truth that..."),
        "import": ("loop", "Import feedback from the tables and files named in..."),
        "source": ("sources", "Tables and files to import."),
        "capture": ("capture", "File a rating: with the service that FEEDBACK_API_URL and..."),
        "serve": ("capture", "Run the capture API, the component's demo page (/demo)..."),
        "keys": ("capture", "API keys: make, list, rotate, revoke."),
    },
    "Compute and look": {
        "materialize": ("loop", "Compute the days that changed and the weeks they belong..."),
        "status": ("loop", "Show what is in the store, what is computed and what waits."),
        "analyze": ("findings", "Show what goes wrong, what goes well, and what to do."),
        "report": ("findings", "Show the newest report with votes, or write it to a file."),
        "suggest": ("findings", "Suggest what to do next: by a model where OPENAI_API_KEY..."),
        "dashboard": ("capture", "Show the metrics in the terminal, kept current."),
        "alerts": ("alerts", "Incidents: list, acknowledge, close, try the channels."),
        "actions": ("actions", "Recommendations: list, accept, do, drop."),
        "why": ("lineage", "Show what a vote led to, or what a line, dataset, run or..."),
        "send": ("outgoing", "Send verdicts of people and judges to a tracing tool:..."),
    },
    "Judge and try": {
        "audit": ("judging", "Judge random answers yourself: what the judges are..."),
        "audit-tasks": ("audit_tasks", "Write the audit's answers as tasks of Label Studio or..."),
        "evaluate": ("judging", "Show how good each prompt version is by every judge,..."),
        "experiment": ("experiments", "Experiments: create, start, ramp, read, stop, conclude."),
        "prompt": ("prompts", "Prompts: versions, proposals from votes, evaluation,..."),
    },
    "Train": {
        "export": ("training", "Write the votes of the last days as one file, uncurated:..."),
        "review": ("training", "Let in, or keep out, what is trained on only after a..."),
        "tune": ("tuning", "Show whether the newest closed week may be trained on,..."),
        "approve": ("tuning", "Show what is behind a dataset or model, and approve it:..."),
        "models": ("tuning", "List the models: candidates, what answers now, what ends..."),
        "rollback": ("tuning", "Let the model answer again that answered before the last..."),
        "export-judge": ("reward", "Measure the configured judge against people, known-bad..."),
    },
    "People's rights": {
        "consent": ("privacy", "Show or change what a person allows; obeyed from this..."),
        "forget": ("privacy", "Erase a person, an answer or a tenant everywhere, and..."),
        "receipt": ("privacy", "Check that a receipt is ours and unchanged."),
        "quarantine": ("privacy", "Refused rows: list, show, correct and re-admit."),
        "retention": ("privacy", "Show how long what is kept and what would go; --apply..."),
        "pseudonyms": ("privacy", "The keys people's ids are hashed with: show, rotate."),
        "audit-log": ("privacy", "Show who read, exported, forgot, made keys, changed..."),
    },
    "Operate": {
        "webhooks": ("webhooks", "Webhooks: tell an address of a team's feedback events."),
        "migrate": ("loop", "Make the databases where they are missing, and bring them..."),
        "backup": ("backup", "Back up both databases and the files; the keys apart, or..."),
        "restore": ("backup", "Restore a backup into this home, which must be empty;..."),
    },
}
"""Heading, command, module in `cli/`, and the line that `feedback --help` shows: the beginning of the command's own."""

HIDDEN = {"hold": "loop"}
"""Commands of benchmarks and scripts, which no help shows."""

_MODULES = {name: module for commands in GROUPS.values() for name, (module, _) in commands.items()} | HIDDEN


class Commands(MutableMapping[str, Any]):
    """Commands by name; one that is looked at has its module imported."""

    def __init__(self, loaded: Mapping[str, Any]) -> None:
        self._loaded = dict(loaded)

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            subject = typer.Typer(rich_markup_mode=None)
            import_module(f"{__package__}.{_MODULES[name]}").mount(subject)
            self._loaded = {**typer.main.get_group(subject).commands, **self._loaded}
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*_MODULES, *self._loaded)))

    def __contains__(self, name: object) -> bool:
        return name in self._loaded or name in _MODULES

    def __len__(self) -> int:
        return len(tuple(iter(self)))

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]


class Grouped(TyperGroup):
    """A group of commands whose help shows them under headings."""

    def __init__(self, *, commands: Any = None, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = Commands(commands or {})

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, without importing anything."""
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes the commands, each with the first line of its help."""
        for heading, commands in GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl([(name, line) for name, (_, line) in commands.items()])

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """The names that begin so, with their lines, and the group's own options."""
        lines = {name: line for commands in GROUPS.values() for name, (_, line) in commands.items()}
        whole = self.commands
        self.commands = {name: TyperCommand(name, help=line) for name, line in lines.items()}  # nothing is imported
        try:
            return super().shell_complete(ctx, incomplete)
        finally:
            self.commands = whole
