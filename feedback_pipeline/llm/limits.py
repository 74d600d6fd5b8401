"""How many calls may be in flight, and how many a minute."""

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType


class AdaptiveConcurrency:
    """A number of slots that shrinks on rate limits and grows back: additive increase, multiplicative decrease."""

    DECREASE = 0.7
    COOLDOWN_SECONDS = 2.0

    def __init__(self, maximum: int, clock: Callable[[], float], initial: int | None = None) -> None:
        self.maximum = maximum
        self.limit = float(min(maximum, initial or maximum))
        self.in_flight = 0
        self._clock = clock
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._decreased_at = float("-inf")

    async def __aenter__(self) -> None:
        while self.in_flight >= int(self.limit):
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        self.in_flight += 1

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.in_flight -= 1
        self._wake()

    def succeeded(self) -> None:
        """One call went well: one more slot per round of calls."""
        self.limit = min(float(self.maximum), self.limit + 1 / self.limit)
        self._wake()

    def limited(self) -> None:
        """The endpoint said "too many"; calls already in flight then say the same and count once."""
        now = self._clock()
        if now - self._decreased_at >= self.COOLDOWN_SECONDS:
            self.limit = max(1.0, self.limit * self.DECREASE)
            self._decreased_at = now

    def _wake(self) -> None:
        free = int(self.limit) - self.in_flight
        while free > 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                free -= 1


class MinuteBudget:
    """A token bucket: so many units a minute, a tenth of them at once, none unless a limit is set."""

    BURST = 0.1

    def __init__(self, per_minute: int | None, clock: Callable[[], float]) -> None:
        self.per_minute = per_minute
        self._clock = clock
        self._available = (per_minute or 0) * self.BURST
        self._filled_at = clock()

    async def take(self, units: float) -> None:
        """Waits until the units are there. More than the bucket holds are taken in debt, so that nobody starves."""
        if self.per_minute is None:
            return
        burst = self.per_minute * self.BURST
        now = self._clock()
        self._available = min(burst, self._available + (now - self._filled_at) * self.per_minute / 60)
        self._filled_at = now
        self._available -= units
        if self._available < 0:
            await asyncio.sleep(-self._available * 60 / self.per_minute)

    def settle(self, estimated: float, actual: float) -> None:
        """Gives back what a call did not use, or takes what it used beyond."""
        if self.per_minute is not None:
            self._available += estimated - actual
