"""Figures about the service itself, in Prometheus' text format, labelled with the process they are of."""

import os
from bisect import bisect_left
from collections import defaultdict

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """Counts requests by route, method and status, their time, and what became of votes."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str, int], int] = defaultdict(int)
        self._times: dict[str, list[int]] = defaultdict(lambda: [0] * (len(BUCKETS) + 1))
        self._seconds: dict[str, float] = defaultdict(float)
        self._votes: dict[str, int] = defaultdict(int)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        self._requests[route, method, status] += 1
        self._times[route][bisect_left(BUCKETS, seconds)] += 1
        self._seconds[route] += seconds

    def vote(self, outcome: str, number: int = 1) -> None:
        self._votes[outcome] += number

    def text(self) -> str:
        process = f'process="{os.getpid()}"'
        lines = ["# TYPE feedback_requests_total counter"]
        for (route, method, status), number in sorted(self._requests.items()):
            labels = f'route="{route}",method="{method}",status="{status}",{process}'
            lines.append(f"feedback_requests_total{{{labels}}} {number}")
        lines.append("# TYPE feedback_request_seconds histogram")
        for route, counts in sorted(self._times.items()):
            total = 0
            for bound, number in zip((*BUCKETS, float("inf")), counts, strict=True):
                total += number
                edge = "+Inf" if bound == float("inf") else f"{bound:g}"
                lines.append(f'feedback_request_seconds_bucket{{route="{route}",{process},le="{edge}"}} {total}')
            lines.append(f'feedback_request_seconds_sum{{route="{route}",{process}}} {self._seconds[route]:.6f}')
            lines.append(f'feedback_request_seconds_count{{route="{route}",{process}}} {total}')
        lines.append("# TYPE feedback_votes_total counter")
        for outcome, number in sorted(self._votes.items()):
            lines.append(f'feedback_votes_total{{outcome="{outcome}",{process}}} {number}')
        return "\n".join(lines) + "\n"
