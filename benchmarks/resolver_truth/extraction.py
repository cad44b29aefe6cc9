"""Private servers and workers, which extract packages by name."""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from neo4j import Driver, GraphDatabase

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.embedded import EmbeddedStack
from ssc_ingest.settings import load_settings
from tests.acceptance.fleet import Fleet
from tests.servers import servers_of

AT_A_TIME = 400
"""Packages of a job: below its budget of packages."""


class Extraction:
    """Workers that read the registries at the default rates."""

    def __init__(self, fleet: Fleet, driver: Driver) -> None:
        self._fleet = fleet
        self.driver = driver

    def extract(self, name: str, packages: Iterable[str]) -> None:
        """Add packages of an ecosystem to the graph; shows progress in the terminal.

        A package that the registry does not have stays a stub.
        """
        purls = [ecosystem(name).ref(each).purl for each in packages]
        for start in range(0, len(purls), AT_A_TIME):
            subprocess.run(
                [Path(sys.executable).with_name("ssc-ingest"), "extract", "--wait",
                 "--dependencies", "none", *purls[start : start + AT_A_TIME]],
                env=self._fleet.environment,
                stdout=subprocess.DEVNULL,
                check=False,  # 1: some failed; stderr says why, and the comparison what is missing
            )  # fmt: skip


@contextmanager
def extraction(folder: Path, name: str) -> Iterator[Extraction]:
    """Servers with their data in a folder, and the workers of one ecosystem."""
    with EmbeddedStack(load_settings(None, data_dir=folder / "stack")) as stack:
        addresses = stack.start()
        servers = servers_of(addresses)
        fleet = Fleet(servers, {}, folder)
        fleet.environment |= {"VISIBILITY_TIMEOUT": "180", "TASK_TIMEOUT": "60"}
        try:
            fleet.start("control", name="control@truth")
            fleet.start(*(f"{name}.{urgency}" for urgency in ("urgent", "fresh")))
            with GraphDatabase.driver(
                servers.graph_uri, notifications_min_severity="OFF"
            ) as driver:
                yield Extraction(fleet, driver)
        finally:
            fleet.close()
