"""What the services of `feedback dev` write: all of it into a file, and what asks for attention onto the terminal."""

import re
import subprocess
import threading
import time
from collections import deque
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.markup import escape

KEPT_LINES = 10
REPEATED_SECONDS = 60.0
MAX_LOG_BYTES = 20_000_000
_NOTABLE = re.compile(r"\b(WARNING|ERROR|CRITICAL|FATAL)\b|^\w*(Error|Exception)\b|\bTraceback\b")
_IDLE = re.compile(
    r"(Supersession|Beta|Preview|Deprecation|Experimental)Warning|warnings\.warn\(|No cursor for event type"
)
_VARYING = re.compile(r"\d+|0x[0-9a-f]+|[0-9a-f]{8}-[0-9a-f-]{27}")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class ServiceLog:
    """One log for several services.

    A line that is like one shown in the last minute, but for its numbers, is not shown again: a database that is away
    is one warning, not thousands.
    """

    def __init__(self, file: Path, console: Console) -> None:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if file.exists() and file.stat().st_size > MAX_LOG_BYTES:
            file.replace(file.with_suffix(".log.1"))
        self._file: IO[str] = file.open("a", encoding="utf-8", buffering=1)
        self._console = console
        self._last: dict[str, deque[str]] = {}
        self._shown: dict[str, float] = {}
        self._lock = threading.Lock()

    def follow(self, name: str, service: "subprocess.Popen[bytes]") -> None:
        """Takes what a service writes until it ends."""
        self._last[name] = deque(maxlen=KEPT_LINES)
        threading.Thread(target=self._read, args=(name, service), daemon=True).start()

    def last(self, name: str) -> list[str]:
        """The last lines of a service."""
        with self._lock:
            return list(self._last[name])

    def _read(self, name: str, service: "subprocess.Popen[bytes]") -> None:
        assert service.stdout is not None
        for raw in service.stdout:
            self.take(name, raw.decode(errors="replace").rstrip("\n"))

    def take(self, name: str, line: str) -> None:
        """Takes one line of a service."""
        plain = _COLOURS.sub("", line)
        with self._lock:
            self._file.write(f"{name}: {plain}\n")
            self._last.setdefault(name, deque(maxlen=KEPT_LINES)).append(plain)
            shown = _NOTABLE.search(plain) and not _IDLE.search(plain) and self._is_news(plain)
        if shown:
            self._console.print(f"[yellow]![/] {escape(name)}: {escape(plain)}", highlight=False, soft_wrap=True)

    def _is_news(self, line: str) -> bool:
        like, now = _VARYING.sub("#", line), time.monotonic()
        if now - self._shown.get(like, float("-inf")) < REPEATED_SECONDS:
            return False
        self._shown[like] = now
        return True
