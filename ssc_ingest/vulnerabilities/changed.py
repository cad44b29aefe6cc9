"""The outbox of packages with changed advisories, which wait for attribution.

The outbox is a set in Redis. A package is added before the change is recorded, and removed when its
attribution task is queued. So a killed process loses no package: the next sync queues the rest of
the set.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress

from redis.asyncio import Redis

from ssc_ingest.errors import InvalidName
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

_COMMAND_SIZE = 1000
"""Members per Redis command."""


class ChangedPackages:
    """The outbox. ``redis`` is the state database."""

    def __init__(self, redis: Redis, queues: Queues) -> None:
        self._redis = redis
        self._queues = queues

    async def add(self, packages: Iterable[str]) -> None:
        """Add packages by their keys (:func:`.records.package_key`)."""
        keys = list(packages)
        for start in range(0, len(keys), _COMMAND_SIZE):
            await self._redis.sadd(CHANGED, *keys[start : start + _COMMAND_SIZE])

    async def count(self) -> int:
        """The number of packages in the outbox."""
        return int(await self._redis.scard(CHANGED))

    async def publish(self) -> int:
        """Queue tasks for all packages in the outbox; returns their number."""
        published = 0
        while keys := [str(k) for k in await self._redis.srandmember(CHANGED, _PORTION) or ()]:
            await self._queues.publish(list(attribute_messages(keys)))
            for start in range(0, len(keys), _COMMAND_SIZE):
                await self._redis.srem(CHANGED, *keys[start : start + _COMMAND_SIZE])
            published += len(keys)
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
