"""Fixtures for tests that read simulated registries.

A test module asks for them with ``pytest_plugins = ("tests.simulator.fixtures",)``; one that needs
other registries defines a ``running_simulator`` of its own, for the module.
"""

from collections.abc import Iterator

import pytest

from tests.simulator.client import Simulator


@pytest.fixture(scope="session")
def running_simulator() -> Iterator[Simulator]:
    """One simulator for the whole session: a thousand packages per ecosystem, all kinds."""
    with Simulator.start(packages=1000, seed=7) as simulator:
        yield simulator


@pytest.fixture
def simulator(running_simulator: Simulator) -> Simulator:
    """The session's simulator as it was at its start: no faults, counts, latency or edits."""
    running_simulator.reset()
    return running_simulator
