"""What a process notes for others expires, because a killed process takes nothing back."""

from collections.abc import Awaitable, Callable

import pytest

from ssc_ingest.http.rate_limit import MAX_PAUSE
from ssc_ingest.models import Purl
from ssc_ingest.monitoring import heartbeats
from ssc_ingest.on_demand.stream import readers
from ssc_ingest.on_demand.stream.readers import StreamReader, StreamReaders
from ssc_ingest.resources import State
from ssc_ingest.work import cooldowns, deliveries, edge_order, locks, not_found

RICH = Purl("pkg:pypi/rich")

WORKER = heartbeats.Worker(hostname="w@h", pid=1, queues=("q",), concurrency=1, started_at=1.0)

Note = Callable[[State], Awaitable[object]]


async def _locked(state: State) -> None:
    lock = locks.exclusive(state.redis, "sweep", 10)
    await lock.__aenter__()  # and the process dies


NOTES: dict[str, tuple[Note, float]] = {
    "worker:w@h": (lambda state: heartbeats.beat(state.redis, WORKER), heartbeats.GONE_AFTER),
    "stream:reader:s:c": (
        lambda state: StreamReaders(state.redis).note(
            StreamReader(stream="s", consumer="c", state="reading")
        ),
        readers.GONE_AFTER,
    ),
    "delivery:task": (lambda state: state.deliveries.begin("task"), deliveries.TTL),
    "missing:pkg:pypi/rich": (lambda state: state.not_found.add(RICH), not_found.TTL),
    "failing:pkg:pypi/rich": (
        lambda state: state.cooldowns.start(RICH),
        cooldowns.MAX_REST + cooldowns.TTL,
    ),
    "edge:parent:pkg:pypi/rich": (
        lambda state: state.edge_order.announce("parent", RICH, "1-1"),
        edge_order.TTL,
    ),
    "pause:registry.invalid": (
        lambda state: state.limiter.pause("registry.invalid", MAX_PAUSE),
        MAX_PAUSE,
    ),
    "lock:sweep": (_locked, 10 + locks.GRACE),
}
"""By key: how it is written, and the seconds for which it lasts at most."""


@pytest.mark.parametrize(("key", "written"), NOTES.items(), ids=NOTES)
async def test_it_expires(state: State, key: str, written: tuple[Note, float]) -> None:
    """Also when it is written again."""
    note, seconds = written
    await note(state)
    assert 0 < await state.redis.pttl(key) <= seconds * 1000
    if key != "lock:sweep":
        await note(state)
        assert 0 < await state.redis.pttl(key) <= seconds * 1000
