"""The part of ``check`` about replies to remote commands that nobody has fetched."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from ssc_ingest.cli import output
from ssc_ingest.cli.checking import Check, warning
from ssc_ingest.cli.commands.stream_checks import client

if TYPE_CHECKING:
    from ssc_ingest.servers import Servers
    from ssc_ingest.settings import Settings

REPLIES = "*.reply.celery.pidbox"
"""Lists in the queues' database, one for each client that sent a command like ``inspect``."""

FOR_EVER = -1
"""Redis' time to live of a key that does not expire."""


async def check_replies(settings: "Settings", servers: "Servers") -> AsyncIterator[Check]:
    """A warning about replies that never expire; nothing if Redis does not respond."""
    from ssc_ingest.errors import ConfigurationError, StoreUnavailable
    from ssc_ingest.work.redis_errors import translated

    async with client(servers.redis(settings.redis_broker_db)) as broker:
        try:
            with translated():
                names = [str(key) async for key in broker.scan_iter(REPLIES, count=1000)]
                left = [name for name in names if await broker.ttl(name) == FOR_EVER]
        except (StoreUnavailable, ConfigurationError):
            return  # the check of Redis says so
    if left:
        yield warning(
            "redis replies",
            f"{output.count(len(left), 'list')} of replies to remote commands never expire, "
            f"such as {left[0]}",
            "old Celery clients leave them: update these programs, and delete the lists "
            f"(`redis-cli -n {settings.redis_broker_db} DEL NAME`)",
        )
