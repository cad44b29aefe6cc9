"""A shared cache of import names whose reading requires a download.

``import_names:<ecosystem>:<package>:<version>`` in the cache database is a JSON list, kept for a
week after it was read; Maven's packages are ``<group>:<artifact>``. A version's files do not
change; entries expire only so that the cache does not grow for ever. An empty list is cached, an
error never is.
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
        """The import names of a version: cached, else from ``read``, whose result is cached.

        Raises what ``read`` raises.
        """
        key = f"{KIND}:{ref.ecosystem}:{ref.registry_name}:{version}"
        if (kept := await self._cache.get(key)) is not None:
            return tuple(json.loads(kept))
        names = await read()
        await self._cache.set(key, json.dumps(names), ex=TTL)
        return names
