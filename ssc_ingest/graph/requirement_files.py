"""Requirement files of repositories, which another service writes, and their stubs.

That service links a file to existing package nodes, also to stubs. A package without versions makes
the file's whole model unsatisfiable. The service sets the ``moment`` of a file (a local date-time
by its own clock) when it writes the file. With the index on ``moment``, a check costs only as much
as the recent files.
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
"""The next files in the order of their ``moment``, and the stubs that they require.

Index on ``RequirementFile.moment``, then the files' edges.
"""

FIRST_MOMENT = datetime(1, 1, 1)  # noqa: DTZ001 - that of the other service, without a zone


@dataclass(frozen=True, slots=True)
class Position:
    """The file after which to continue: its moment (naive, by its writer's clock) and its id."""

    moment: datetime = FIRST_MOMENT
    id: str = ""


@dataclass(frozen=True, slots=True)
class RequiredStub:
    """A stub that a requirement file links to."""

    purl: Purl
    name: str
    """The name in the requirement's spelling."""


@dataclass(frozen=True, slots=True)
class Files:
    """The stubs of some requirement files."""

    stubs: tuple[RequiredStub, ...]
    last: Position | None
    """The last file read; ``None`` without any."""
    files: int
    """The number of files read."""


class RequirementFileReader:
    """Reads other services' requirement files; every method is one small transaction.

    Raises, all methods:
        StoreUnavailable: the server is unavailable or busy.
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
