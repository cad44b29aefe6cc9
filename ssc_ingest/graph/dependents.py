"""Reads of versions, constraints and requiring versions for the blast radius."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from neo4j import AsyncDriver, Query, Record, RoutingControl

from ssc_ingest.graph.errors import translated
from ssc_ingest.graph.statements import for_label
from ssc_ingest.models import Purl, VersionName

AFFECTED_VERSIONS = """
UNWIND $rows AS row
MATCH (:%(label)s {purl: row.purl})-[:HAVE]->(version:Version)
WHERE $advisory IN version.vulnerabilities
RETURN row.purl AS purl, collect(version.serial_number) AS serials
"""
"""The versions that an advisory affects. Unique index on ``purl``, then expansion."""

VERSION_NAMES = """
UNWIND $rows AS row
MATCH (:%(label)s {purl: row.purl})-[:HAVE]->(version:Version)
RETURN row.purl AS purl, collect([version.serial_number, version.name]) AS versions
"""
"""All versions of packages. Unique index on ``purl``, then expansion."""

CONSTRAINTS = """
UNWIND $rows AS row
MATCH (:%(label)s {purl: row.purl})<-[edge:REQUIRE]-(:Version)
WHERE $optional OR edge.optional IS NULL
RETURN row.purl AS purl, collect(DISTINCT edge.constraints) AS constraints
"""
"""The constraints on packages. Unique index on ``purl``, then expansion."""

REQUIRING_VERSIONS = """
UNWIND $rows AS row
MATCH (:%(label)s {purl: row.purl})<-[edge:REQUIRE]-(version:Version)
WHERE ($optional OR edge.optional IS NULL) AND edge.constraints IN row.constraints
WITH DISTINCT version
MATCH (version)<-[:HAVE]-(package)
WITH package, collect(version.serial_number) AS serials
RETURN package.purl AS purl, serials
"""
"""The versions that require packages with some constraints. Unique index on ``purl``, then
expansion. A version that requires several of the packages is followed to its package once, and the
purl is read once per package: both are read millions of times on a large graph."""

NAMES_OF_SERIALS = """
UNWIND $rows AS row
MATCH (:%(label)s {purl: row.purl})-[:HAVE]->(version:Version)
WHERE version.serial_number IN row.serials
RETURN row.purl AS purl, collect([version.serial_number, version.name]) AS versions
"""
"""The names of versions by serial number. Unique index on ``purl``, then expansion."""

BATCH_SIZE = 500
"""Packages per query."""

CONCURRENCY = 4
"""Queries at a time."""

Serials = Mapping[Purl, set[int]]
"""Serial numbers of versions, by the purl of their package."""


class DependentsReader:
    """Reads one label; all packages that require each other have the same label.

    Raises, all methods:
        StoreUnavailable: the server is unavailable or busy, or a read took too long.
    """

    def __init__(self, driver: AsyncDriver, label: str, *, timeout: float) -> None:
        """``timeout``: maximum seconds of a read."""
        self._driver = driver
        self._label = label
        self._timeout = timeout
        self._turns = asyncio.Semaphore(CONCURRENCY)

    async def affected(self, advisory: str, purls: Sequence[Purl]) -> dict[Purl, set[int]]:
        """The versions of some packages with an advisory's id."""
        records = await self._of_purls(AFFECTED_VERSIONS, purls, advisory=advisory)
        return {row["purl"]: set(row["serials"]) for row in records}

    async def versions(self, purls: Sequence[Purl]) -> dict[Purl, list[VersionName]]:
        """All versions of some packages, by serial number."""
        records = await self._of_purls(VERSION_NAMES, purls)
        return {row["purl"]: [name for _, name in sorted(row["versions"])] for row in records}

    async def constraints(self, purls: Sequence[Purl], *, optional: bool) -> dict[Purl, list[str]]:
        """The constraints on some packages; each once."""
        records = await self._of_purls(CONSTRAINTS, purls, optional=optional)
        return {row["purl"]: row["constraints"] for row in records}

    async def requiring(
        self, constraints: Mapping[Purl, Sequence[str]], *, optional: bool
    ) -> dict[Purl, set[int]]:
        """The versions that require packages with one of the given constraints."""
        rows = [{"purl": purl, "constraints": list(each)} for purl, each in constraints.items()]
        found: dict[Purl, set[int]] = {}
        for row in await self._in_batches(REQUIRING_VERSIONS, rows=rows, optional=optional):
            found.setdefault(row["purl"], set()).update(row["serials"])
        return found

    async def names(self, serials: Serials) -> dict[tuple[Purl, int], VersionName]:
        """The names of some versions."""
        rows = [{"purl": purl, "serials": sorted(each)} for purl, each in serials.items()]
        found: dict[tuple[Purl, int], VersionName] = {}
        for row in await self._in_batches(NAMES_OF_SERIALS, rows=rows):
            found |= {(row["purl"], serial): name for serial, name in row["versions"]}
        return found

    async def _of_purls(
        self, statement: str, purls: Sequence[Purl], **parameters: Any
    ) -> list[Record]:
        rows = [{"purl": purl} for purl in purls]
        return await self._in_batches(statement, rows=rows, **parameters)

    async def _in_batches(
        self, statement: str, *, rows: Sequence[Mapping[str, Any]], **parameters: Any
    ) -> list[Record]:
        """Run a statement with all rows, a few batches at a time: the server has several cores."""
        reads = [
            asyncio.create_task(
                self._read(statement, rows=rows[start : start + BATCH_SIZE], **parameters)
            )
            for start in range(0, len(rows), BATCH_SIZE)
        ]
        try:
            return [record for records in await asyncio.gather(*reads) for record in records]
        finally:
            for read in reads:
                read.cancel()

    async def _read(self, statement: str, **parameters: Any) -> list[Record]:
        query = Query(for_label(statement, self._label), timeout=self._timeout)
        async with self._turns:
            with translated("a read"):
                answer = await self._driver.execute_query(
                    query, parameters, routing_=RoutingControl.READ
                )
        return answer.records
