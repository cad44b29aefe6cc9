"""At most one execution per package at a time, without losing what the others wanted.

``inflight:<purl>`` holds the id of the task that works on the package, and expires unless it
is renewed. Who comes second leaves its message in ``wanted:<purl>`` and is done: the owner
publishes what is wanted when it lets go.
"""

from collections.abc import Sequence

from redis.asyncio import Redis

from ssc_ingest.models import Purl

LEASE = 60
"""Seconds that a claim lasts without being renewed."""

RENEW_EVERY = 15

_INFLIGHT, _WANTED = "inflight:", "wanted:"

# KEYS: inflight, wanted. ARGV: owner, lease, wish.
_CLAIM = """
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then
  redis.call('RPUSH', KEYS[2], ARGV[3])
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""

# KEYS: inflight. ARGV: owner, lease.
_RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('EXPIRE', KEYS[1], ARGV[2])
"""

# KEYS: inflight, wanted. ARGV: owner. What is wanted by then; the claim is gone.
_RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {} end
redis.call('DEL', KEYS[1])
return redis.call('LRANGE', KEYS[2], 0, -1)
"""

# KEYS: inflight. ARGV: owner.
_ABANDON = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""

# KEYS: inflight, wanted. Everything wanted of a package that nobody works on.
_ORPHANS = """
if redis.call('EXISTS', KEYS[1]) == 1 then return {} end
return redis.call('LRANGE', KEYS[2], 0, -1)
"""


class InFlight:
    """Claims on packages. A wish is text that only the callers understand."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._claim = redis.register_script(_CLAIM)
        self._renew = redis.register_script(_RENEW)
        self._release = redis.register_script(_RELEASE)
        self._abandon = redis.register_script(_ABANDON)
        self._orphans = redis.register_script(_ORPHANS)

    async def claim(self, purl: Purl, owner: str, wish: str) -> bool:
        """Claim the package for ``owner``; if it is taken, leave ``wish`` for who has it."""
        keys = [_INFLIGHT + purl, _WANTED + purl]
        return bool(await self._claim(keys=keys, args=[owner, LEASE, wish]))

    async def renew(self, purl: Purl, owner: str) -> bool:
        """Keep the claim for another lease; ``False`` if it is no longer the owner's."""
        return bool(await self._renew(keys=[_INFLIGHT + purl], args=[owner, LEASE]))

    async def release(self, purl: Purl, owner: str) -> list[str]:
        """End the claim; returns what is wanted, which stays noted until it is :meth:`served`."""
        return list(await self._release(keys=[_INFLIGHT + purl, _WANTED + purl], args=[owner]))

    async def served(self, purl: Purl, wishes: Sequence[str]) -> None:
        """These wishes are where they cannot be lost; others may have come meanwhile."""
        async with self._redis.pipeline(transaction=True) as pipeline:
            for wish in wishes:
                pipeline.lrem(_WANTED + purl, 1, wish)
            await pipeline.execute()

    async def abandon(self, purl: Purl, owner: str) -> None:
        """End the claim at once; wishes stay for the next owner."""
        await self._abandon(keys=[_INFLIGHT + purl], args=[owner])

    async def owner(self, purl: Purl) -> str | None:
        """The id of the task that works on the package, if one does."""
        owner = await self._redis.get(_INFLIGHT + purl)
        return None if owner is None else str(owner)

    async def count(self) -> int:
        """How many packages are being worked on."""
        return len([key async for key in self._redis.scan_iter(f"{_INFLIGHT}*", count=1000)])

    async def orphaned_wishes(self) -> dict[Purl, list[str]]:
        """Wishes whose owner is gone (killed, its message purged), by package.

        They stay noted until they are :meth:`served`.
        """
        found: dict[Purl, list[str]] = {}
        async for key in self._redis.scan_iter(f"{_WANTED}*", count=1000):
            purl = Purl(str(key).removeprefix(_WANTED))
            if wishes := await self._orphans(keys=[_INFLIGHT + purl, _WANTED + purl]):
                found[purl] = list(wishes)
        return found
