"""Prompts of the store: every version with where it came from, which one answers, and how two differ.

A version is known to votes by its name: `prompt_version` of the answers. As a candidate a version is called
`prompt:<tenant>/<name>@<version>`; what answers is the alias `prompt:<tenant>/<name>`.
"""

import datetime as dt
import difflib
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson
import polars as pl
import sqlalchemy as sa

from feedback_pipeline.experiments.registry import TENANT, statement
from feedback_pipeline.privacy.canary import leaks
from feedback_pipeline.store.database import Database
from feedback_pipeline.tuning import registry as candidates

Origin = Literal["written", "file", "proposed"]

MAX_TEXT = 20_000
"""Characters of a prompt."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_VARIABLE = re.compile(r"\{\{?\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}?\}")


class PromptError(ValueError):
    """A prompt that cannot be taken, or is not there; the message says why."""


@dataclass(frozen=True)
class Prompt:
    """One version of a prompt.

    Attributes:
        tenant: whose it is.
        name: of the prompt.
        version: as answers name it in `prompt_version`.
        text: the template.
        parent: the version it came from.
        origin: written by a person, read from a file of theirs, or proposed.
        digest: SHA-256 of the text.
        proposal: what a proposed version answers: ids of findings and votes, optimiser, week; no words of users.
        added_by: who added it.
        created_at: when.
    """

    tenant: str
    name: str
    version: str
    text: str
    parent: str | None
    origin: Origin
    digest: str
    proposal: Mapping[str, Any] | None
    added_by: str | None
    created_at: dt.datetime

    @property
    def key(self) -> str:
        """Its name as a candidate."""
        return candidate_name(self.tenant, self.name, self.version)

    @property
    def variables(self) -> frozenset[str]:
        """What the application fills in: `{name}` or `{{ name }}`."""
        return variables(self.text)


def candidate_name(tenant: str, name: str, version: str) -> str:
    """A version's name in the registry of candidates."""
    return f"{alias(tenant, name)}@{version}"


def alias(tenant: str, name: str) -> str:
    """The name under which the version that answers is known."""
    return f"prompt:{tenant}/{name}"


def variables(text: str) -> frozenset[str]:
    """The variables of a template."""
    return frozenset(_VARIABLE.findall(text))


def digest(text: str) -> str:
    """What identifies a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def problems(text: str) -> list[str]:
    """Why a text can be no prompt of the store; empty where it can."""
    found = []
    if not text.strip():
        found.append("the text is empty")
    if len(text) > MAX_TEXT:
        found.append(f"the text has {len(text):,} characters, more than {MAX_TEXT:,}")
        return found
    if "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        found.append("the text holds characters that no store can keep")
    if kinds := leaks(pl.Series([text])):
        found.append(f"the text holds {', '.join(sorted(kinds))}")
    return found


def add(
    database: Database, name: str, text: str, *, now: dt.datetime, version: str | None = None,
    parent: str | None = None, origin: Origin = "written", proposal: Mapping[str, Any] | None = None,
    tenant: str = TENANT, person: str | None = None,
) -> Prompt:  # fmt: skip
    """Adds a version; the same text again is the version it was added as.

    Args:
        database: the store.
        name: of the prompt: letters, digits, dots, dashes and underscores.
        text: the template.
        now: the time.
        version: its name; `v1`, `v2` … unless given.
        parent: the version it came from; the one that answers unless given.
        origin: where it came from.
        proposal: see `Prompt`.
        tenant: whose it is.
        person: who adds it.

    Raises:
        PromptError: the text or a name cannot be taken, or the version is there with another text.
    """
    if not _NAME.fullmatch(name) or (version is not None and not _NAME.fullmatch(version)):
        raise PromptError("names of prompts and versions are 1 to 80 letters, digits, dots, dashes and underscores")
    if found := problems(text):
        raise PromptError("; ".join(found))
    known = prompts(database, tenant, name)
    for one in known:
        if one.digest == digest(text) and version in (None, one.version):
            return one
    before = parent or (answering(database, name, tenant).version if known else None)
    if before is not None and before not in {one.version for one in known}:
        raise PromptError(f"{name} has no version {before} it could come from")
    values = {
        "tenant": tenant, "name": name, "version": version or _next_version(known), "text": text, "parent": before,
        "origin": origin, "digest": digest(text), "person": person, "now": now,
        "proposal": None if proposal is None else orjson.dumps(dict(proposal)).decode(),
    }  # fmt: skip
    with database.engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO tenant (name) VALUES (:tenant) ON CONFLICT DO NOTHING"), values)
        if connection.execute(statement("add_prompt"), values).first() is None:
            raise PromptError(f"{name} has a version {values['version']} with another text: versions are never changed")
    return prompt_named(database, name, str(values["version"]), tenant)


def prompts(database: Database, tenant: str | None = TENANT, name: str | None = None) -> list[Prompt]:
    """The versions of a prompt, or of all, oldest first."""
    with database.engine.connect() as connection:
        rows = connection.execute(statement("prompts"), {"tenant": tenant, "name": name}).mappings()
        return [Prompt(**_with_proposal(dict(row))) for row in rows]


def prompt_named(database: Database, name: str, version: str, tenant: str = TENANT) -> Prompt:
    """Raises:
    PromptError: there is no such version.
    """
    found = [one for one in prompts(database, tenant, name) if one.version == version]
    if not found:
        raise PromptError(f"there is no version {version} of the prompt {name}: see feedback prompt list")
    return found[0]


def answering(database: Database, name: str, tenant: str = TENANT) -> Prompt:
    """The version that answers: the one promoted, else the first.

    Raises:
        PromptError: there is no such prompt.
    """
    known = prompts(database, tenant, name)
    if not known:
        raise PromptError(f"there is no prompt {name}: add it with feedback prompt add")
    serving = candidates.current_model(database, alias(tenant, name))
    return known[0] if serving is None else next(one for one in known if one.key == serving.model)


def difference(before: Prompt, after: Prompt) -> list[str]:
    """How two versions differ, as a unified diff."""
    lines = difflib.unified_diff(
        before.text.splitlines(), after.text.splitlines(), f"{before.name} {before.version}",
        f"{after.name} {after.version}", lineterm="", n=1,
    )  # fmt: skip
    return list(lines)


def enter(database: Database, prompt: Prompt, *, now: dt.datetime, week: dt.date | None = None) -> candidates.Model:
    """Enters a version among the candidates, against the version it came from."""
    base = None
    if prompt.parent is not None:
        base = candidate_name(prompt.tenant, prompt.name, prompt.parent)
        candidates.register_prompt(database, base, None, week=None, now=now)
    return candidates.register_prompt(database, prompt.key, base, week=week, now=now)


def parsed(name: str) -> tuple[str, str, str] | None:
    """Tenant, prompt and version of a candidate's name; None for anything else."""
    match = re.fullmatch(r"prompt:([^/]+)/([^@]+)@(.+)", name)
    return None if match is None else (match[1], match[2], match[3])


def _next_version(known: list[Prompt]) -> str:
    numbers = [int(one.version[1:]) for one in known if re.fullmatch(r"v\d{1,6}", one.version)]
    return f"v{max(numbers, default=0) + 1}"


def _with_proposal(row: dict[str, Any]) -> dict[str, Any]:
    held = row["proposal"]
    row["proposal"] = orjson.loads(held) if isinstance(held, str) else held
    row["digest"] = row["digest"] or digest(row["text"])
    return row
