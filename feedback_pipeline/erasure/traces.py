"""What a person leaves outside the store: lines of reject files, requests that wait in a spool, files made of whole
weeks; and what stays by law."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from feedback_pipeline.calendar import first_of_month
from feedback_pipeline.erasure.register import Period, folders
from feedback_pipeline.tables.parquet import ParquetFolder, remove


def remove_reject_lines(folder: Path, pseudonyms: Sequence[str], places: Sequence[tuple[str, str]]) -> int:
    """Removes the lines of reject files that name a person or stand for one of these places; returns how many.

    Args:
        folder: where the reject files are.
        pseudonyms: of the person.
        places: source and place of refusals.
    """
    if not folder.exists():
        return 0
    names = [name.encode() for name in pseudonyms]
    removed = 0
    for path in sorted(folder.glob("*.jsonl")):
        own = {place for source, place in places if path.name.startswith(f"{source}-")}
        lines = path.read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if not _belongs(line, names, own)]
        if len(kept) == len(lines):
            continue
        removed += len(lines) - len(kept)
        _replace(path, kept)
    return removed


def _replace(path: Path, content: Iterable[bytes]) -> None:
    """Gives a file another content, durably and readable by its owner only."""
    temporary = path.with_suffix(".tmp")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.writelines(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def remove_spooled(folder: Path, is_theirs: Callable[[str], bool]) -> int:
    """Removes a person's items from requests that wait for delivery below a folder; returns how many.

    A request that its client delivers at the same time is filed by the service, which withholds these items itself. One
    that cannot be read is set aside by the client and left to the verification.

    Args:
        folder: where spools are (`FeedbackClient(spool=…)`), at any depth.
        is_theirs: whether a user id, as applications send it, is that of the person.
    """
    removed = 0
    for path in sorted(folder.rglob("*.json")) if folder.exists() else ():
        try:
            request = orjson.loads(path.read_bytes())
            items = request["body"]["items"]
            kept = [item for item in items if not (item.get("user_id") and is_theirs(str(item["user_id"])))]
        except (FileNotFoundError, orjson.JSONDecodeError, LookupError, TypeError, AttributeError):
            continue
        if len(kept) == len(items):
            continue
        removed += len(items) - len(kept)
        if kept:
            _replace(path, [orjson.dumps({**request, "body": {**request["body"], "items": kept}})])
        else:
            path.unlink(missing_ok=True)
    return removed


def _belongs(line: bytes, names: Sequence[bytes], places: set[str]) -> bool:
    if any(name in line for name in names):
        return True
    if not places or not line.endswith(b"\n"):
        return False
    refused = orjson.loads(line)
    place = f"{refused['file']}:{refused['row']}"
    return any(one == place or one.startswith(f"{place}:") for one in places)


def remove_files_of(frames: ParquetFolder, weeks: Sequence[date], months: Sequence[date]) -> int:
    """Removes what these weeks and months made that may hold one person's words or name; returns how many files.

    Whether they can be computed again does not matter here: a report of a month that has not ended, or of a week whose
    days have expired, would otherwise keep the words.
    """
    removed = 0
    of: dict[Period, Sequence[date]] = {"week": weeks, "month": months}
    for period, firsts in of.items():
        names = tuple(first.isoformat() for first in firsts)
        for folder in folders(period, "removed"):
            for name in frames.names(folder):
                if name.startswith(names):
                    removed += remove(frames.root / folder / name)
    return removed


def months_touched(days: Sequence[date]) -> list[date]:
    """First days of the months whose reports these days enter."""
    return sorted({first_of_month(day) for day in days})


def remaining(kind: str, steps: Mapping[str, Any]) -> list[str]:
    """What stays, and why: for the receipt."""
    stays = []
    if kind == "user":
        stays.append(
            "tombstone: the person's pseudonyms (keyed hashes) in `consent`, so that nothing of theirs is taken in "
            "again; the record that they asked for it"
        )
    if kind == "tenant":
        stays.append("the tenant's name, closed for analysis and training; take its sources out of sources.yaml")
    store = steps.get("store", {})
    if store.get("votes_of_others"):
        stays.append(f"{store['votes_of_others']} votes of other people on the erased answers, about an unknown answer")
    if tainted := steps.get("datasets", {}).get("tainted"):
        stays.append(f"{len(tainted)} past datasets as numbers (manifest, weights), marked with the person's share")
    if models := steps.get("datasets", {}).get("models"):
        stays.append(f"models trained on the rows, marked as tainted: {', '.join(models)}")
    if by_hand := steps.get("provider_files", {}).get("to_delete_by_hand"):
        stays.append(f"uploads to delete at the provider, for which no adapter is configured: {', '.join(by_hand)}")
    exports = steps.get("exports", {}).get("elsewhere", [])
    if exports:
        stays.append(f"exports that may hold the rows and are not ours to remove: {'; '.join(exports)}")
    if kept := steps.get("versions", {}).get("kept"):
        stays.append(f"{kept}: delete them there, or let the bucket's own rules do so")
    checked = steps.get("verification", {})
    if mentioned := sum(checked.get("id_found", {}).values()):
        stays.append(
            f"the id the person was forgotten by, in {mentioned} texts that are not theirs "
            f"({', '.join(checked['id_found'])}): look at them and decide; --replace-mentions takes it out of rows"
        )
    if checked.get("texts_too_short_to_seek"):
        stays.append(f"{checked['texts_too_short_to_seek']} texts of one or two letters, which are anybody's")
    stays.append("counts to which the person once contributed, and phrases that at least five people used")
    stays.append(
        "copies outside this pipeline: the files and tables that were imported, backups until they expire, the "
        "database server's log of changes until it is overwritten, requests that applications spool elsewhere than in "
        "the home folder (withheld when they arrive), reports already sent"
    )
    return stays
