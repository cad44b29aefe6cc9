"""Reads for extraction and runs: small, and always by an index."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from neo4j import AsyncDriver, Record, RoutingControl

from ssc_ingest.graph.coalescing import Coalescer
from ssc_ingest.graph.digests import outdated_in_cypher
from ssc_ingest.graph.errors import translated
from ssc_ingest.graph.statements import for_label
from ssc_ingest.graph.values import aware
from ssc_ingest.models import (
    NOT_AVAILABLE,
    Installable,
    PackageRef,
    Purl,
    RequiredPackage,
    VersionName,
)

READ_TIMEOUT = 30.0
"""Seconds until a read fails. Coalesced reads belong to no task that would end them, so one on a
half-open connection would delay all that follow, until the driver notices after two minutes."""

PACKAGE_STATES = f"""
UNWIND $batch.purls AS purl
MATCH (package:%(label)s {{purl: purl}})
RETURN purl, package.moment AS moment, package.etag AS etag, package.latest AS latest,
       package.import_names_from AS names_from,
       coalesce(package.repository_url, '{NOT_AVAILABLE}') <> '{NOT_AVAILABLE}' AS has_repository,
       COLLECT {{
         MATCH (package)-[:HAVE]->(version:Version)
         WHERE version.requirements_digest IS NOT NULL AND version.requirements_unknown IS NULL
         RETURN version.name
       }} AS known,
       COLLECT {{
         MATCH (package)-[:HAVE]->(version:Version)
         WHERE version.requirements_unknown
         RETURN version.name
       }} AS unknown,
       COLLECT {{
         MATCH (package)-[:HAVE]->(version:Version)
         WHERE {outdated_in_cypher("version")}
         RETURN version.name ORDER BY version.serial_number DESC
       }} AS outdated
"""
"""The state of some packages. Unique index on ``purl``. Their number is not part of the plan."""

REQUIREMENTS_OF_ALL = """
MATCH (package:%(label)s {purl: $purl})-[:HAVE]->(version:Version)-[:REQUIRE]->(required)
WITH required, max(version.serial_number) AS newest
RETURN labels(required)[0] AS label, required.purl AS purl, required.name AS name,
       required.registry_name AS registry_name, required.moment IS NULL AS is_stub
ORDER BY newest DESC, purl
"""
"""The requirements of all versions, those of the newest versions first. Unique index on
``purl``."""

REQUIREMENTS_OF_LATEST = """
MATCH (package:%(label)s {purl: $purl})-[:HAVE]->(version:Version {name: package.latest})
RETURN COLLECT {
         MATCH (version)-[edge:REQUIRE]->(required)
         RETURN {label: labels(required)[0], purl: required.purl, name: required.name,
                 registry_name: required.registry_name, is_stub: required.moment IS NULL,
                 optional: edge.optional, declared: edge.declared}
         ORDER BY required.purl
       } AS requirements,
       COLLECT {
         MATCH (table:RequirementTable {digest: version.features}) RETURN table.table
       } AS features,
       COLLECT {
         MATCH (table:RequirementTable {digest: version.extra_requirements}) RETURN table.table
       } AS extra_requirements
"""
"""The requirements of the version that an installation selects, and its tables. Unique indexes on
``purl`` and ``digest``."""

PACKAGE_TOTALS = """
MATCH (package:%(label)s {purl: $purl})
RETURN COUNT { (package)-[:HAVE]->(:Version) } AS versions,
       COUNT { (package)-[:HAVE]->(:Version)-[:REQUIRE]->() } AS requirements
"""
"""The size of a package. Unique index on ``purl``."""

FIND_UNREAD = """
UNWIND $purls AS purl
OPTIONAL MATCH (package:%(label)s {purl: purl})
WITH purl, package WHERE package.moment IS NULL
RETURN purl
"""
"""The given packages that the graph lacks or has only as stubs. Unique index on ``purl``."""

FIND_READ = """
UNWIND $purls AS purl
MATCH (package:%(label)s {purl: purl}) WHERE package.moment IS NOT NULL
RETURN purl, package.etag AS etag
"""
"""The given packages that have been read, with their validators. Unique index on ``purl``."""

FIND_ADVISORY_IDS = """
UNWIND $purls AS purl
MATCH (package:%(label)s {purl: purl})-[:HAVE]->(version:Version)
UNWIND version.vulnerabilities + coalesce(version["notices"], []) AS id
WITH DISTINCT id WHERE id IN $ids
RETURN id
"""
"""Which of some advisories any version of some packages refers to. Unique index on ``purl``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageState:
    """The state of a package in the graph."""

    moment: datetime | None
    """Time of its last reading; ``None`` for a stub."""
    etag: str | None
    latest: VersionName | None
    names_from: VersionName | None = None
    """The version that its import names were read from."""
    known: frozenset[VersionName]
    """Versions whose requirements have been read, all of them."""
    unknown: frozenset[VersionName] = frozenset()
    """Versions whose requirements could not be read."""
    has_repository: bool = False
    outdated: tuple[VersionName, ...] = ()
    """Of the ``known``, those whose facts are still to be read, the newest first."""

    @property
    def is_stub(self) -> bool:
        """Whether the package is a stub."""
        return self.moment is None


class GraphReader:
    """Reads for the tasks of one event loop; every method is one small transaction.

    Raises, all methods:
        StoreUnavailable: the server is unavailable or busy.
    """

    def __init__(self, driver: AsyncDriver) -> None:
        self.statements = 0
        """Number of statements since the start."""
        self._driver = driver
        self._states: dict[str, Coalescer[Purl, PackageState]] = {}

    async def package_state(self, ref: PackageRef) -> PackageState | None:
        """The state of a package, or ``None`` if the graph lacks it.

        Every extraction begins with this read, so concurrent reads share one query.
        """
        if ref.label not in self._states:
            self._states[ref.label] = Coalescer(partial(self._package_states, ref.label))
        return await self._states[ref.label].get(ref.purl)

    async def _package_states(self, label: str, purls: Sequence[Purl]) -> dict[Purl, PackageState]:
        records = await self._read(for_label(PACKAGE_STATES, label), batch={"purls": list(purls)})
        return {
            row["purl"]: PackageState(
                moment=aware(row["moment"]),
                etag=row["etag"],
                latest=row["latest"],
                names_from=row["names_from"],
                known=frozenset(row["known"]),
                unknown=frozenset(row["unknown"]),
                has_repository=row["has_repository"],
                outdated=tuple(row["outdated"]),
            )
            for row in records
        }

    async def requirements(self, ref: PackageRef) -> list[RequiredPackage]:
        """The packages that a package's versions require, each once.

        Those required by the newest versions come first.
        """
        records = await self._read(for_label(REQUIREMENTS_OF_ALL, ref.label), purl=ref.purl)
        return [_required(row) for row in records]

    async def installable(self, label: str, purl: Purl) -> Installable | None:
        """The requirements of a package's latest version; ``None`` if it has no such version."""
        for row in await self._read(for_label(REQUIREMENTS_OF_LATEST, label), purl=purl):
            return Installable(
                requirements=tuple(map(_required, row["requirements"])),
                features=next(iter(row["features"]), None),
                extra_requirements=next(iter(row["extra_requirements"]), None),
            )
        return None

    async def totals(self, ref: PackageRef) -> tuple[int, int]:
        """The number of versions of a package, and of their requirements."""
        for row in await self._read(for_label(PACKAGE_TOTALS, ref.label), purl=ref.purl):
            return row["versions"], row["requirements"]
        return 0, 0

    async def unread(self, label: str, purls: Iterable[Purl]) -> set[Purl]:
        """The given packages (thousands at a time) that the graph lacks or has only as stubs."""
        records = await self._read(for_label(FIND_UNREAD, label), purls=list(purls))
        return {row["purl"] for row in records}

    async def read_etags(self, label: str, purls: Iterable[Purl]) -> dict[Purl, str | None]:
        """The given packages (thousands at a time) that have been read.

        Returns:
            The validator of the document of each, if the registry has validators.
        """
        records = await self._read(for_label(FIND_READ, label), purls=list(purls))
        return {row["purl"]: row["etag"] for row in records}

    async def advisory_ids(self, label: str, purls: Iterable[Purl], ids: Iterable[str]) -> set[str]:
        """Those of some advisories that any version of these packages refers to."""
        records = await self._read(
            for_label(FIND_ADVISORY_IDS, label), purls=list(purls), ids=list(ids)
        )
        return {row["id"] for row in records}

    async def _read(self, statement: str, **parameters: Any) -> list[Record]:
        self.statements += 1
        with translated("a read"):
            async with asyncio.timeout(READ_TIMEOUT):
                answer = await self._driver.execute_query(
                    statement, parameters, routing_=RoutingControl.READ
                )
        return answer.records


def _required(row: Mapping[str, Any] | Record) -> RequiredPackage:
    return RequiredPackage(
        label=row["label"],
        purl=row["purl"],
        name=row["name"],
        registry_name=row["registry_name"] or row["name"],
        is_stub=row["is_stub"],
        optional=bool(row.get("optional")),
        declared=row.get("declared"),
    )
