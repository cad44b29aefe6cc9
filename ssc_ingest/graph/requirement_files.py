"""Requirement files of repositories, which another service writes, and the stubs they point to.

That service links a file to whatever package node there is; a package without versions then makes
the file's whole model unsatisfiable. It sets ``moment`` of a file (a local date-time by its own
clock) when it writes it. By the index on that, a look costs what was written lately.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from neo4j import AsyncDriver, RoutingControl

from ssc_ingest.graph.errors import translated
from ssc_ingest.models import Purl

FILES_BEHIND = """
MATCH (file:RequirementFile) WHERE file.moment >= $moment
  AND (file.moment > $moment OR elementId(file) > $id)
WITH file ORDER BY file.moment, elementId(file) LIMIT $most
WITH collect(file) AS files
RETURN [file IN files | [file.moment, elementId(file)]][-1] AS last, size(files) AS files,
       COLLECT {
         UNWIND files AS file
         MATCH (file)-[:REQUIRE]->(package)
         WHERE package.moment IS NULL AND package.purl IS NOT NULL
         RETURN DISTINCT [package.purl, coalesce(package.registry_name, package.name)]
       } AS stubs
"""
"""The next files by the time when they were written, and the stubs that they require.

Index on ``RequirementFile.moment``, then the files' edges.
"""

FIRST_MOMENT = datetime(1, 1, 1)  # noqa: DTZ001 - that of the other service, without a zone


@dataclass(frozen=True, slots=True)
class Position:
    """Behind which file to go on: its moment (naive, by the clock of who wrote it), its id."""

    moment: datetime = FIRST_MOMENT
    id: str = ""


@dataclass(frozen=True, slots=True)
class RequiredStub:
    """A package without versions that a requirement file points to."""

    purl: Purl
    name: str
    """As the requirement spelled it."""


@dataclass(frozen=True, slots=True)
class Files:
    """What some requirement files point to."""

    stubs: tuple[RequiredStub, ...]
    last: Position | None
    """The last one looked at; ``None`` where there was none."""
    files: int
    """How many were looked at."""


class RequirementFileReader:
    """Reads other services' requirement files; every method is one small transaction.

    Raises, all methods:
        StoreUnavailable: the server is away or busy.
    """

    def __init__(self, driver: AsyncDriver) -> None:
        self._driver = driver

    async def behind(self, position: Position, most: int) -> Files:
        """The next ``most`` files."""
        with translated("a read"):
            answer = await self._driver.execute_query(
                FILES_BEHIND,
                moment=position.moment,
                id=position.id,
                most=most,
                routing_=RoutingControl.READ,
            )
        (row,) = answer.records
        stubs: list[Any] = row["stubs"]
        last = row["last"] and Position(row["last"][0].to_native(), row["last"][1])
        return Files(
            tuple(RequiredStub(Purl(purl), name) for purl, name in stubs),
            last,
            row["files"],
        )
