"""A registry is unavailable during an ingestion: the work waits, and then continues."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from ssc_ingest.resources import State
from tests.acceptance.fleet import Fleet, eventually
from tests.acceptance.work import (
    assert_graph_is_the_registry,
    assert_nothing_is_left,
    settled,
)
from tests.conftest import IS_SHORT, Cypher
from tests.ports import unused_port
from tests.simulator.client import Simulator

PACKAGES = 150

OUTAGE = 12.0
"""Seconds; many times as long as the attempts of a package took."""

RETURN = 300.0
"""Seconds in which the work has continued, also after the second pause of a host (two minutes)."""


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
    """Registries of few packages."""
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
    }
    await begin_ingestion(registry, fleet, state)
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
    await assert_ingestion_is_complete(registry, state, cypher)


IN_THE_LONG_SOAK = (
    pytest.mark.soak,
    pytest.mark.skipif(IS_SHORT, reason="takes minutes: make soak"),
)

REFUSALS = [
    pytest.param({"kind": "status", "status": 429, "retry_after": "3"}, id="429"),
    pytest.param({"kind": "status", "status": 500}, id="500"),
    pytest.param({"kind": "status", "status": 503}, id="503"),
    pytest.param({"kind": "reset"}, id="resets connections"),
    # The host is paused for a minute, and then for two: only in the long form.
    pytest.param({"kind": "status", "status": 403}, id="403", marks=IN_THE_LONG_SOAK),
    pytest.param(
        {"kind": "status", "status": 429}, id="429 without a time", marks=IN_THE_LONG_SOAK
    ),
]


@pytest.mark.parametrize("fault", REFUSALS)
async def test_a_registry_that_answers_everything_with_an_error(
    registry: Registry, fleet: Fleet, state: State, cypher: Cypher, fault: Mapping[str, Any]
) -> None:
    """After many seconds of errors, the ingestion completes without a dead letter."""
    await begin_ingestion(registry, fleet, state)
    registry.simulator.fault(**fault)
    await asyncio.sleep(OUTAGE)
    (run,) = await state.runs.newest(1)
    assert not run.ended
    assert registry.simulator.counts().faults[fault["kind"]] > 0
    registry.simulator.clear_faults()
    await assert_ingestion_is_complete(registry, state, cypher)


async def begin_ingestion(registry: Registry, fleet: Fleet, state: State) -> None:
    """Start an ingestion of PyPI; returns when a sixth of it is done."""
    fleet.environment["RUN_HIGH_WATER"] = "50"
    registry.simulator.latency(100)
    fleet.start()
    fleet.send("ingestion.ingest", ecosystem="pypi")

    async def is_under_way() -> bool:
        return any(run.done >= PACKAGES / 6 for run in await state.runs.newest(1))

    await eventually(is_under_way)


async def assert_ingestion_is_complete(registry: Registry, state: State, cypher: Cypher) -> None:
    """Wait for the end of the run, and check that it has read every package once."""

    async def has_ended() -> bool:
        return (await state.runs.newest(1))[0].ended

    await eventually(has_ended, RETURN)
    (run,) = await state.runs.newest(1)
    assert (run.state, run.error, run.metrics()["errors"]) == ("finished", None, 0)
    assert run.metrics()["new_packages_ingested"] == PACKAGES
    assert assert_graph_is_the_registry(cypher, registry.simulator, "pypi") == PACKAGES
    await settled(state)
    await assert_nothing_is_left(state)
