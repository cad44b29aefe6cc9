"""An outbox: members that wait for some work, and are removed when it is done.

A member may be added again while the work on it is in progress. That work may not have seen the
reason, so the member must wait once more. Therefore each addition has a token, and a member is
removed only with the token that was read before the work.

The members are a set in Redis, the tokens a hash beside it (``<key>:tokens``).
"""

from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

from redis.asyncio import Redis

from ssc_ingest.work.lua import load

_COMMAND_SIZE = 1000
"""Members per Redis command."""

Item = TypeVar("Item")

Taken = Mapping[str, str]
"""Members, each with the token of its last addition."""


class Outbox:
    """``redis`` is the state database, ``key`` the set's key."""

    def __init__(self, redis: Redis, key: str) -> None:
        self._redis = redis
        self._keys = [key, f"{key}:tokens"]
        self._add = redis.register_script(load("outbox_add", __package__))
        self._remove = redis.register_script(load("outbox_remove", __package__))

    async def add(self, members: Iterable[str]) -> None:
        """Add members."""
        for portion in _portions(list(members)):
            await self._add(keys=self._keys, args=portion)

    async def some(self, most: int) -> Taken:
        """Some members at random, at most this number."""
        members = await self._redis.srandmember(self._keys[0], most) or ()
        return await self.tokens([str(member) for member in members])

    async def tokens(self, members: Collection[str]) -> Taken:
        """These members, with no token for those that do not wait."""
        if not members:
            return {}
        tokens = await self._redis.hmget(self._keys[1], list(members))
        return {member: str(token or "") for member, token in zip(members, tokens, strict=True)}

    async def remove(self, taken: Taken) -> None:
        """Remove members whose work is done, except those that were added since."""
        for portion in _portions(list(taken.items())):
            await self._remove(keys=self._keys, args=[text for pair in portion for text in pair])

    async def count(self) -> int:
        """The number of members."""
        return int(await self._redis.scard(self._keys[0]))


def _portions(items: list[Item]) -> Iterable[list[Item]]:
    return (items[start : start + _COMMAND_SIZE] for start in range(0, len(items), _COMMAND_SIZE))
