"""What a figure was measured on, and what a process and its database's server have used so far."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from feedback_pipeline.store import embedded

ROOT = Path(__file__).parents[1]


def described() -> dict[str, str | float | None]:
    """The machine, the time and the commit, as results carry them."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "--short=12", "HEAD"),
        "changed": bool(_git("status", "--porcelain")),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "processor": _processor(),
        "memory_gb": round(memory / 1e9),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 1),
    }  # fmt: skip


def peak_bytes() -> int:
    """Most resident bytes of this program (`ru_maxrss` would remember those of the process that started it)."""
    status = Path("/proc/self/status")
    if not status.exists():
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))


def resident_bytes() -> int:
    """Resident bytes of this program now; 0 where the system does not say."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if statm.exists() else 0


def forget_peak() -> None:
    """Lets `peak_bytes` count from now on, where the system can."""
    forget = Path("/proc/self/clear_refs")
    if forget.exists():
        forget.write_text("5")


def server_cpu(home: Path) -> float:
    """CPU seconds that the embedded server under a home has used, its ended processes included; 0 where none runs."""
    try:
        first = int((embedded.Layout(home / "postgres").data / "postmaster.pid").read_text().split("\n")[0])
        found = _ticks(first, ended=True)
        found += sum(_ticks(int(child), ended=False) for child in _children(first))
    except (OSError, ValueError):
        return 0.0
    return found / os.sysconf("SC_CLK_TCK")


def _children(process: int) -> list[str]:
    return Path(f"/proc/{process}/task/{process}/children").read_text().split()


def _ticks(process: int, *, ended: bool) -> int:
    """Of a process itself, and with `ended` of its children that have ended."""
    try:
        spent = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0  # it ended just now
    return sum(int(one) for one in spent[11 : 15 if ended else 13])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _git(*arguments: str) -> str | None:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None if done.returncode == 0 else None
