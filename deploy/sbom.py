"""The bill of materials of an installation (CycloneDX 1.6, JSON): `python deploy/sbom.py FILE [REQUIREMENTS]`.

Lists what is installed here, with versions, licences and package URLs; with a lock file, only what it names, with its
hashes. The same installation gives the same bytes: there is no time and no random number in it.
"""

import json
import re
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

PROJECT = "feedback-pipeline"
_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def canonical(name: str) -> str:
    """A project's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(file: Path) -> dict[str, list[str]]:
    """The hashes of each project of a lock file."""
    found: dict[str, list[str]] = {}
    current = ""
    for line in file.read_text().splitlines():
        if named := _LOCKED.match(line):
            current = canonical(named[1])
            found[current] = []
        found.setdefault(current, []).extend(_HASH.findall(line))
    found.pop("", None)
    return found


def component(one: Distribution, hashes: list[str]) -> dict[str, Any]:
    """One installed project."""
    name, version = canonical(one.metadata["Name"]), one.version
    said = dict(one.metadata.json)
    licence = said.get("license_expression") or str(said.get("license") or "").split("\n")[0][:80]
    purl = f"pkg:pypi/{name}@{version}"
    made: dict[str, Any] = {"type": "library", "name": name, "version": version, "purl": purl, "bom-ref": purl}
    if licence:
        made["licenses"] = [{"license": {"name": licence}}]
    if hashes:
        made["hashes"] = [{"alg": "SHA-256", "content": digest} for digest in sorted(set(hashes))]
    return made


def bill(lock: Path | None) -> dict[str, Any]:
    """The bill of materials of this environment."""
    wanted = None if lock is None else locked(lock)
    installed = {canonical(one.metadata["Name"]): one for one in distributions() if one.metadata["Name"]}
    own = installed.pop(PROJECT, None)
    named = installed if wanted is None else {name: installed[name] for name in wanted if name in installed}
    parts = [component(one, (wanted or {}).get(name, [])) for name, one in sorted(named.items())]
    missing = sorted(set(wanted or ()) - set(installed))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "name": PROJECT, "version": own.version if own else "0"},
            "properties": [{"name": "locked-but-not-installed", "value": ", ".join(missing)}] if missing else [],
        },
        "components": parts,
    }


if __name__ == "__main__":
    target, *given = (Path(argument) for argument in sys.argv[1:])
    made = bill(given[0] if given else None)
    target.write_text(json.dumps(made, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    print(f"{len(made['components'])} components in {target}")  # noqa: T201 (a script)
