"""What a crash leaves: files under a temporary name that nobody is writing any more.

A temporary name ends with `.partial` and says which process writes it (`.name.1234.9f86d081.partial`). On the machine
it was written on the process is asked for; in a bucket, or where the name says nothing, an hour without a write
decides.
"""

import os
import re
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

from upath import UPath

from feedback_pipeline.erasure.register import TEMPORARY_NAMES
from feedback_pipeline.tables.parquet import files_below, is_local, remove_file

QUIET = timedelta(hours=1)
"""A temporary file that nobody wrote to for so long, and whose writer cannot be asked for, is a leftover."""
_WRITER = re.compile(r"\.(\d{1,7})\.[0-9a-z_]{8,32}\.partial$")
_LIVE_FOLDERS = ("postgres", "validators", "sample")
"""Folders of the home in which others write under names of their own."""


def is_temporary(place: str) -> bool:
    """Whether a place (`data/…`, `home/…`) has a temporary name."""
    return any(fnmatchcase(place, known.name) for known in TEMPORARY_NAMES)


def sweep(data: UPath, home: Path, now: datetime) -> int:
    """Removes leftovers below the data folder and the home; returns how many.

    Args:
        data: the data folder or bucket.
        home: the home folder.
        now: the time (UTC), in buckets.
    """
    found = [path for path in files_below(data) if is_temporary(f"data/{path.name}")]
    found += [path for path in _below_home(home) if is_temporary(f"home/{path.name}")]
    left = [path for path in dict.fromkeys(found) if _is_left(path, now)]
    for path in left:
        remove_file(path)
    return len(left)


def _below_home(home: Path) -> list[UPath]:
    others = [UPath(child) for child in home.iterdir() if child.name not in _LIVE_FOLDERS] if home.exists() else []
    return [path for child in others for path in files_below(child)]


def _is_left(path: UPath, now: datetime) -> bool:
    writer = _WRITER.search(path.name)
    if is_local(path) and writer is not None:
        return not _lives(int(writer[1]))
    try:
        written = path.stat().st_mtime
    except FileNotFoundError:
        return False
    return now.timestamp() - float(written or 0) > QUIET.total_seconds()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
