"""How far the calls of a run are: in the log of a pipeline, as a bar in a terminal."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Report = Callable[[int, int], None]
"""Told (calls done, all calls)."""

EVERY_SECONDS = 10.0

_log = logging.getLogger(__name__)


class LoggedProgress:
    """Says it in the log: when a run is through, and until then at most every ten seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said_at = clock()

    def __call__(self, done: int, everything: int) -> None:
        if done == everything or self._clock() - self._said_at >= EVERY_SECONDS:
            self._said_at = self._clock()
            _log.info("judging: %d of %d calls answered", done, everything)


@contextmanager
def progress_bar(console: Console) -> Iterator[Report]:
    """A bar that stands while the block runs; nothing where there is no terminal."""
    columns = (TextColumn("judging"), BarColumn(), MofNCompleteColumn(), TextColumn("calls"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("judging", total=None)
        yield lambda done, everything: shown.update(task, completed=done, total=everything)
