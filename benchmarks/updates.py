"""What a day's update costs, in requests: nothing changed, and one package in a hundred.

``python -m benchmarks.updates --packages 1000`` ingests each simulated registry with one worker
process, updates it as it is, publishes a release of one package in a hundred, and updates it
again. The simulator counts. ``tests/acceptance/test_updates.py`` holds the bounds.
"""

import argparse
import asyncio
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ssc_ingest.ecosystems import built_in
from ssc_ingest.embedded import EmbeddedStack
from ssc_ingest.resources import State, open_state
from ssc_ingest.runs.kinds import KINDS, Kind
from ssc_ingest.runs.model import Run
from ssc_ingest.servers import EmbeddedAddresses, Servers
from ssc_ingest.settings import load_settings
from tests.acceptance.fleet import Fleet
from tests.servers import servers_of
from tests.simulator.client import Simulator

COLUMNS = ("packages", "ingestion", "nothing changed", "1% changed", "share of the ingestion")


def main() -> None:
    """Ingest, update, change, update; and print a row for each registry."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.updates", description=__doc__)
    parser.add_argument("--packages", type=int, default=1_000, help="of each registry")
    names = [cls.identity.name for cls in built_in()]
    parser.add_argument("--ecosystems", nargs="+", default=names, choices=names)
    arguments = parser.parse_args()
    print("| | " + " | ".join(COLUMNS) + " |")
    print("|---" + "|---:" * len(COLUMNS) + "|")
    with tempfile.TemporaryDirectory() as name:
        settings = load_settings(None, data_dir=Path(name) / "stack")
        with EmbeddedStack(settings) as stack:
            addresses = stack.start()
            for ecosystem in arguments.ecosystems:
                with _fleet(addresses, Path(name), arguments.packages) as (fleet, simulator):
                    row = asyncio.run(_measure(addresses, fleet, simulator, ecosystem))
                print(f"| {ecosystem} | " + " | ".join(row) + " |", flush=True)


@contextmanager
def _fleet(
    addresses: EmbeddedAddresses, folder: Path, packages: int
) -> Iterator[tuple[Fleet, Simulator]]:
    """A worker of all queues, and registries that nothing has happened to."""
    with Simulator.start(packages=packages, versions="1-20", requirements="0-5") as simulator:
        fleet = Fleet(_servers(addresses), simulator.environment(), folder)
        try:
            fleet.start()
            yield fleet, simulator
        finally:
            fleet.close()


async def _measure(
    addresses: EmbeddedAddresses, fleet: Fleet, simulator: Simulator, ecosystem: str
) -> list[str]:
    async with open_state(load_settings(None), _servers(addresses)) as state:
        ingestion, whole = await _requests(fleet, simulator, state, "ingestion", ecosystem)
        _, idle = await _requests(fleet, simulator, state, "update", ecosystem)
        count = math.ceil(ingestion.done / 100)
        for package in simulator.packages(ecosystem, count, start=ingestion.done // 2):
            simulator.publish(ecosystem, package.name)
        update, changed = await _requests(fleet, simulator, state, "update", ecosystem)
        assert update.done == count, update
    share = f"{changed / whole:.1%}"
    return [f"{ingestion.done:,}", f"{whole:,}", f"{idle:,}", f"{changed:,}", share]


async def _requests(
    fleet: Fleet, simulator: Simulator, state: State, kind: Kind, ecosystem: str
) -> tuple[Run, int]:
    """Carry out a run; how many requests the registry has seen meanwhile."""
    simulator.reset_counts()
    task_id = fleet.send(KINDS[kind].task, ecosystem=ecosystem)
    while True:
        for run in await state.runs.newest():
            if run.task_id == task_id and run.ended:
                assert run.state == "finished", run
                return run, simulator.counts().total
        await asyncio.sleep(0.2)


def _servers(addresses: EmbeddedAddresses) -> Servers:
    return servers_of(addresses)


if __name__ == "__main__":
    main()
