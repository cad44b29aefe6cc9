"""A shared cache for import names that require a download.

``import_names:<ecosystem>:<package>:<version>`` in the cache database is a JSON list that expires
after a week. Maven's packages are ``<group>:<artifact>``. The files of a version do not change; the
expiry only limits the size of the cache. Empty lists are cached, errors are not.
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
        *,
        again: bool = False,
    ) -> tuple[str, ...]:
        """The import names of a version: cached, else from ``read``, whose result is cached.

        ``again``: do not use a cached result.

        Raises what ``read`` raises.
        """
        key = f"{KIND}:{ref.ecosystem}:{ref.registry_name}:{version}"
        if not again and (kept := await self._cache.get(key)) is not None:
            return tuple(json.loads(kept))
        names = await read()
        await self._cache.set(key, json.dumps(names), ex=TTL)
        return names
