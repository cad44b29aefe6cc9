"""A registry is unavailable during an ingestion: the work waits, and then continues."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from ssc_ingest.resources import State
from tests.acceptance.fleet import Fleet, eventually
from tests.acceptance.work import (
    assert_graph_is_the_registry,
    assert_nothing_is_left,
    settled,
)
from tests.conftest import Cypher
from tests.ports import unused_port
from tests.simulator.client import Simulator

PACKAGES = 300

OUTAGE = 12.0
"""Seconds; many times as long as the attempts of a package took."""


class Registry:
    """Simulated registries that can be unavailable."""

    def __init__(self) -> None:
        self._port = unused_port()
        self.simulator = self._start()

    def _start(self) -> Simulator:
        return Simulator.start(
            packages=PACKAGES, versions="1-4", requirements="0-3", port=self._port
        )

    @property
    def _pid(self) -> int:
        assert self.simulator.process
        return self.simulator.process.pid

    def stop(self) -> None:
        """Refuse connections."""
        self.simulator.stop()

    def start(self) -> None:
        """The same registries at the same address."""
        self.simulator = self._start()

    def freeze(self) -> None:
        """Accept connections, but send nothing."""
        os.kill(self._pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Respond again."""
        os.kill(self._pid, signal.SIGCONT)


@pytest.fixture
def registry() -> Iterator[Registry]:
    """Registries of 300 packages each."""
    registry = Registry()
    yield registry
    registry.stop()


@pytest.fixture
def simulator(registry: Registry) -> Simulator:
    """The simulator that the fleet reads."""
    return registry.simulator


@pytest.mark.parametrize(
    ("away", "back"),
    [(Registry.stop, Registry.start), (Registry.freeze, Registry.thaw)],
    ids=["refused", "silent"],
)
async def test_an_outage_of_a_registry(
    registry: Registry,
    fleet: Fleet,
    state: State,
    cypher: Cypher,
    *,
    away: Callable[[Registry], None],
    back: Callable[[Registry], None],
) -> None:
    """There is no dead letter, although two failed attempts would cause one."""
    fleet.environment |= {
        "MAX_ATTEMPTS": "2",
        "HTTP_TIMEOUT_DEFAULT": "1",
        "HTTP_TIMEOUT_LONG": "2",
        "RUN_HIGH_WATER": "100",
    }
    registry.simulator.latency(50)
    fleet.start()
    fleet.send("ingestion.ingest", ecosystem="pypi")

    async def is_under_way() -> bool:
        return any(run.done >= PACKAGES / 6 for run in await state.runs.newest(1))

    await eventually(is_under_way)
    host = urlsplit(registry.simulator.url).netloc
    away(registry)

    async def is_noticed() -> bool:
        return (await state.limiter.use([host]))[host].unreachable is not None

    await eventually(is_noticed)
    await asyncio.sleep(OUTAGE)
    assert await is_noticed()
    (run,) = await state.runs.newest(1)
    assert not run.ended
    assert run.done < PACKAGES
    back(registry)

    async def has_ended() -> bool:
        return (await state.runs.newest(1))[0].ended

    await eventually(has_ended)
    (run,) = await state.runs.newest(1)
    assert (run.state, run.error, run.metrics()["errors"]) == ("finished", None, 0)
    assert run.metrics()["new_packages_ingested"] == PACKAGES
    assert assert_graph_is_the_registry(cypher, registry.simulator, "pypi") == PACKAGES
    await settled(state)
    await assert_nothing_is_left(state)
