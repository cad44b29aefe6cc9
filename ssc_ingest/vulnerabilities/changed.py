"""The outbox of packages with changed advisories, which wait for attribution.

A package is added before the change is recorded, and removed when its attribution task is queued,
unless it was added again meanwhile. So a killed process loses no package: the next sync queues the
rest of the outbox.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress

from redis.asyncio import Redis

from ssc_ingest.errors import InvalidName
from ssc_ingest.vulnerabilities.outbox import Outbox
from ssc_ingest.vulnerabilities.records import by_osv_name
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import queue_name
from ssc_ingest.work.queues import Queues

ATTRIBUTE = "vulnerabilities.attribute"
"""Public name of the task."""

CHANGED = "vulnerabilities:changed"

MAX_NAMES = 200
"""Packages per task."""

FLUSH_ABOVE = 50_000
"""Above this number, packages are queued before the end of the sync."""

_PORTION = 5000
"""Packages per read of the set."""


class ChangedPackages(Outbox):
    """The outbox, by :func:`.records.package_key`. ``redis`` is the state database."""

    def __init__(self, redis: Redis, queues: Queues) -> None:
        super().__init__(redis, CHANGED)
        self._queues = queues

    async def publish(self) -> int:
        """Queue tasks for all packages in the outbox; returns their number."""
        published = 0
        while taken := await self.some(_PORTION):
            await self._queues.publish(list(attribute_messages(taken)))
            await self.remove(taken)
            published += len(taken)
        return published


def attribute_messages(keys: Iterable[str]) -> Iterable[TaskMessage]:
    """The attribution tasks for packages, a few hundred packages each."""
    for ecosystem, names in _by_ecosystem(keys).items():
        for start in range(0, len(names), MAX_NAMES):
            yield TaskMessage(
                task=ATTRIBUTE,
                kwargs={"ecosystem": ecosystem, "names": names[start : start + MAX_NAMES]},
                queue=queue_name(ecosystem, "fresh"),
            )


def _by_ecosystem(keys: Iterable[str]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key in sorted(keys):
        osv_name, _, name = key.partition(":")
        if ecosystem := by_osv_name().get(osv_name):
            with suppress(InvalidName):  # no package can have it, so none needs attribution
                ecosystem.ref(name)
                found.setdefault(ecosystem.identity.name, []).append(name)
    return found
