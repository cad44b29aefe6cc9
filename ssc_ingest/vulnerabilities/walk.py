"""Attributes all packages of an ecosystem, by pages in the order of their purls; resumable."""

import asyncio
from collections.abc import Callable

from redis.asyncio import Redis

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.graph.attributions import AttributionReader
from ssc_ingest.models import Purl
from ssc_ingest.vulnerabilities.attributor import BATCH_SIZE, Attributed, Attributor

CURSORS = "vulnerabilities:walks"
"""Hash in the state database: by ecosystem, the last purl of an unfinished walk."""

PAGE_SIZE = 5 * BATCH_SIZE
"""Packages per page; the batches of a page are attributed concurrently."""


class Walk:
    """A walk over one ecosystem. ``redis`` is the state database."""

    def __init__(
        self,
        ecosystem: type[Ecosystem],
        reader: AttributionReader,
        attributor: Attributor,
        redis: Redis,
    ) -> None:
        self._ecosystem = ecosystem
        self._reader = reader
        self._attributor = attributor
        self._redis = redis

    async def total(self) -> int:
        """The number of packages in the graph, without stubs."""
        return await self._reader.count(self._ecosystem.identity.label)

    async def cursor(self) -> Purl | None:
        """The last purl of an unfinished walk."""
        found = await self._redis.hget(CURSORS, self._ecosystem.identity.name)
        return Purl(str(found)) if found else None

    async def restart(self) -> None:
        """Forget an unfinished walk."""
        await self._redis.hdel(CURSORS, self._ecosystem.identity.name)

    async def run(self, on_page: Callable[[int, Attributed], None]) -> Attributed:
        """Attribute the packages from the cursor to the end.

        Args:
            on_page: called after each page with its number of packages and the total result so far.

        Raises:
            StoreUnavailable: MongoDB or the graph is unavailable or busy; the next walk continues
                here.
        """
        name, label = self._ecosystem.identity.name, self._ecosystem.identity.label
        behind = await self.cursor() or Purl("")
        done = Attributed()
        while True:
            page = await self._reader.page(label, behind, PAGE_SIZE)
            batches = (
                page.purls[start : start + BATCH_SIZE]
                for start in range(0, len(page.purls), BATCH_SIZE)
            )
            for each in await asyncio.gather(
                *(self._attributor.attribute(name, batch) for batch in batches)
            ):
                done += each
            on_page(len(page.purls), done)
            if page.last is None:
                await self.restart()
                return done
            behind = page.last
            await self._redis.hset(CURSORS, name, behind)
