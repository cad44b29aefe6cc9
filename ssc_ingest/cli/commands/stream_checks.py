"""Checks of the streams on which other services request packages."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ssc_ingest.cli import output
from ssc_ingest.cli.checking import Check, failed, ok, shown, unreachable, warning

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from ssc_ingest.on_demand.stream.status import StreamStatus
    from ssc_ingest.servers import Servers
    from ssc_ingest.settings import Settings

THEIR_HOST = "redis"
"""The name of the other services' Redis in the shared network."""

THEIR_PORT = 6379

TIMEOUT = 2.0
"""Seconds until the server must respond."""


async def check_streams(settings: "Settings", servers: "Servers") -> AsyncIterator[Check]:
    """Check that the streams are readable, have readers, and are on the right server."""
    from ssc_ingest.errors import ConfigurationError, StoreUnavailable
    from ssc_ingest.resources import open_state
    from ssc_ingest.work.redis_errors import STREAM, translated

    url = servers.stream(settings.redis_db)
    async with client(url) as redis:
        try:
            with translated(STREAM):
                await redis.ping()
        except (StoreUnavailable, ConfigurationError) as error:
            yield unreachable("stream", url, error)
            return
    try:
        with translated():
            async with open_state(settings, servers) as state:
                streams = await state.standings.standings()
    except (StoreUnavailable, ConfigurationError):
        return  # the check of our own Redis reports it
    for stream in streams:
        yield _of_stream(stream, shown(url))
    if other := await other_redis(url, THEIR_HOST, THEIR_PORT):
        yield other


def _of_stream(stream: "StreamStatus", address: str) -> Check:
    subject = f"stream {stream.name}"
    if stream.error:
        return failed(
            subject,
            f"cannot be read at {address}: {stream.error}",
            "another program uses this key; rename or delete it, or set REDIS_STREAM",
        )
    lag = "an unknown number" if stream.lag is None else output.number(stream.lag)
    finding = f"{lag} unread, {output.number(stream.pending or 0)} pending at {address}"
    if not stream.is_read:
        return warning(
            subject,
            f"it has no reader; {finding}",
            "start control: `ssc-ingest up`, or a worker of the queue control",
        )
    if any(reader.state == "waiting" for reader in stream.readers):
        return warning(
            subject,
            f"its readers wait for room in the queues; {finding}",
            "`ssc-ingest status` shows the queues; more workers empty them faster",
        )
    return ok(subject, f"read by {output.count(len(stream.readers), 'process')}; {finding}")


async def other_redis(stream_url: str, host: str, port: int) -> Check | None:
    """A warning if another Redis than the stream's responds at the producers' host name.

    Args:
        stream_url: the address from which we read the stream.
        host: the name of the other services' Redis.
        port: its port.
    """
    from ssc_ingest.errors import ConfigurationError, StoreRefusesAccess, StoreUnavailable
    from ssc_ingest.work.redis_errors import STREAM, translated

    parts = urlsplit(stream_url)
    if parts.hostname == host and (parts.port or THEIR_PORT) == port:
        return None
    async with client(f"redis://{host}:{port}") as theirs, client(stream_url) as ours:
        try:
            with translated(STREAM):
                there: Any = await theirs.info("server")
                if there.get("run_id") == (await ours.info("server")).get("run_id"):
                    return None
        except StoreRefusesAccess:
            pass  # it responds, and so does ours
        except (StoreUnavailable, ConfigurationError):
            return None
    return warning(
        "stream",
        f"another Redis responds as {host}:{port}; the stream is read at {shown(stream_url)}",
        f"if the producers write to that one, set STREAM_REDIS_URL=redis://{host}:{port}",
    )


def client(url: str) -> "Redis":
    """A client without retries."""
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    return Redis.from_url(
        url,
        decode_responses=True,
        socket_connect_timeout=TIMEOUT,
        socket_timeout=TIMEOUT,
        retry=Retry(NoBackoff(), 0),
    )
