"""Import names that cost a download, kept for all workers.

``import_names:<ecosystem>:<package>:<version>`` in the cache database is a JSON list, for a week
after it was read; Maven's packages are ``<group>:<artifact>``. A version's files do not change,
and so it is read again only because a cache may not grow for ever. That nothing can be imported
is kept as well; an error never is.
"""

import json
from collections.abc import Awaitable, Callable

from redis.asyncio import Redis

from ssc_ingest.models import PackageRef, VersionName

KIND = "import_names"
TTL = 7 * 24 * 3600
"""Seconds."""


class ImportNamesCache:
    """``cache`` is a client of the cache database."""

    def __init__(self, cache: Redis) -> None:
        self._cache = cache

    async def get(
        self,
        ref: PackageRef,
        version: VersionName,
        read: Callable[[], Awaitable[tuple[str, ...]]],
    ) -> tuple[str, ...]:
        """The import names of a version; ``read`` is called, and its answer kept, if need be.

        Raises what ``read`` raises.
        """
        key = f"{KIND}:{ref.ecosystem}:{ref.registry_name}:{version}"
        if (kept := await self._cache.get(key)) is not None:
            return tuple(json.loads(kept))
        names = await read()
        await self._cache.set(key, json.dumps(names), ex=TTL)
        return names
