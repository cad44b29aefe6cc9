"""Of two messages about one edge, the later one counts, whichever is executed first.

``edge:<parent id>:<purl>`` is the id of the newest entry of a stream that requested the edge from
that parent to that package. Work on a package is done under a claim, and the newest message is
announced before its task is published, so an older one never overwrites what a newer one wrote.
"""

from redis.asyncio import Redis

from ssc_ingest.models import Purl
from ssc_ingest.work.lua import load

TTL = 24 * 3600


class EdgeOrder:
    """The newest messages by edge. ``redis`` is the state database."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._announce = redis.register_script(load("edge_announce", after=("entry_ids",)))

    async def announce(self, parent_id: str, purl: Purl, entry_id: str) -> None:
        """A message that requests the edge is about to be published."""
        await self._announce(keys=[_key(parent_id, purl)], args=[entry_id, TTL])

    async def is_superseded(self, parent_id: str, purl: Purl, entry_id: str) -> bool:
        """Whether a later message requests the same edge; not if the message is unknown."""
        if not entry_id:
            return False
        newest = await self._redis.get(_key(parent_id, purl))
        return newest is not None and _position(entry_id) < _position(str(newest))


def _key(parent_id: str, purl: Purl) -> str:
    return f"edge:{parent_id}:{purl}"


def _position(entry_id: str) -> tuple[int, ...]:
    return tuple(int(part) for part in entry_id.split("-") if part.isdigit())
