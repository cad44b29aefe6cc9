"""The requests and their responses."""

from collections import Counter, deque
from typing import Any, NamedTuple

KEPT_REQUESTS = 1000


class Asked(NamedTuple):
    """One request, answered."""

    path: str
    endpoint: str
    package: str | None
    status: int
    fault: str | None
    user_agent: str
    conditional: bool


class Counts:
    """Counters of requests since the start or the last reset.

    Except ``total`` and ``in_flight`` they count completed requests. Statuses are those that were
    sent, also by faults; 0 is a reset connection.
    """

    def __init__(self) -> None:
        self.in_flight = self.most_in_flight = 0
        self.total = 0
        self.endpoints: Counter[str] = Counter()
        self.packages: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.faults: Counter[str] = Counter()
        self.last: deque[Asked] = deque(maxlen=KEPT_REQUESTS)

    def begin(self) -> None:
        """Count a new request."""
        self.total += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def end(self, asked: Asked) -> None:
        """Count its response, or a broken connection."""
        self.in_flight -= 1
        self.endpoints[asked.endpoint] += 1
        self.statuses[asked.status] += 1
        if asked.package:
            self.packages[asked.package] += 1
        if asked.fault:
            self.faults[asked.fault] += 1
        self.last.append(asked)

    def as_json(self) -> dict[str, Any]:
        """All but the last requests."""
        return {
            "total": self.total,
            "endpoints": self.endpoints,
            "packages": self.packages,
            "statuses": {str(status): count for status, count in self.statuses.items()},
            "faults": self.faults,
            "in_flight": self.in_flight,
            "most_in_flight": self.most_in_flight,
        }
