"""Requests a minute, by key and by address, over all processes of the service.

The count lives in the store; a process takes requests out of it in advance, a fiftieth of the allowance at a time, so
that most requests ask nobody. What is taken and not used lapses: limits are never exceeded, and may bite up to a
fiftieth per process early.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from feedback_pipeline.capture.connections import Store
from feedback_pipeline.capture.identifiers import digest
from feedback_pipeline.capture.problems import ProblemError

WINDOW_SECONDS = 60
_MAX_BUCKETS = 50_000


@dataclass
class _Lease:
    window: int
    left: int


class Limits:
    """Counts requests of one process against the allowance of all."""

    def __init__(self, store: Store, secret: bytes) -> None:
        self._store = store
        self._secret = secret  # addresses are personal data: only keyed digests of them are stored
        self._leases: dict[bytes, _Lease] = {}

    async def take(self, kind: str, who: str, allowance: int) -> None:
        """Raises:
        ProblemError: 429 with Retry-After, the allowance of this minute is used up.
        """
        if not allowance:
            return
        now = time.time()
        window = int(now // WINDOW_SECONDS)
        bucket = digest(self._secret, kind, who)
        lease = self._leases.get(bucket)
        if lease is None or lease.window != window:
            if len(self._leases) > _MAX_BUCKETS:
                self._leases.clear()
            lease = self._leases[bucket] = _Lease(window, 0)
        if lease.left <= 0:
            granted = await self._store.value(
                "SELECT take_allowance($1, $2, $3, $4)",
                bucket,
                datetime.fromtimestamp(window * WINDOW_SECONDS, UTC),
                allowance,
                max(1, allowance // 50),
            )
            lease.left += granted
        lease.left -= 1
        if lease.left < 0:
            wait = WINDOW_SECONDS - int(now) % WINDOW_SECONDS
            raise ProblemError(
                429, "too_many_requests", f"more than {allowance} requests a minute", headers={"Retry-After": str(wait)}
            )
