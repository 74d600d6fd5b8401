"""Whether anything can be written now where the tables live."""

import os
import shutil
from pathlib import Path
from uuid import uuid4

from upath import UPath

from feedback_pipeline.tables.parquet import TEMPORARY, is_local, remove_file, replaced_file

MIN_FREE_BYTES = 64 * 1024 * 1024
"""Below this a disk is taken to be full: a day's tables may not fit, and PostgreSQL beside them needs room to end."""


def space_for_writing(folder: UPath) -> str | None:
    """Why nothing can be written to a folder or bucket now; None where it can be. Writes an object, and removes it."""
    if is_local(folder) and (free := free_bytes(Path(folder.path))) < MIN_FREE_BYTES:
        return f"the disk of {folder.path} is full: {free / 1e6:.0f} MB are free"
    probe = folder / f".probe-{os.getpid()}-{uuid4().hex}{TEMPORARY}"
    try:
        with replaced_file(probe) as file:
            file.write(b"probe")
        remove_file(probe)
    except ImportError as error:
        return f"{folder} needs a package that is not installed: {error}"
    except Exception as error:  # noqa: BLE001 (each kind of bucket has errors of its own; all mean no)
        return f"{folder} cannot be written: {str(error) or type(error).__name__}"
    return None


def free_bytes(folder: Path) -> int:
    """Free bytes of the disk that a folder is on, or will be on when it is made."""
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(place).free
