"""Files that hold a key: made once whoever is first, on disk before anything is made with them, their owner's alone."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def create(path: Path, content: bytes) -> None:
    """Writes a key file unless it is there; where another process was faster, its file stays."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = _draft(path, content)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def replace(path: Path, content: bytes) -> None:
    """Writes a key file in place of the one that is there."""
    _draft(path, content).replace(path)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Whoever reads a key file to write it again does so alone: of two at once one would lose the other's key."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def readable_by_others(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o077)


def writable_by_others(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o022)


def _draft(path: Path, content: bytes) -> Path:
    """The content in a file of its own beside `path`, readable by the owner only."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.{os.getpid()}.", suffix=".partial")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)
