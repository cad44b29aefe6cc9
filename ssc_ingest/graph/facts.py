"""Packages with versions that earlier releases read without the facts of this release.

``versions_without_facts`` of a package is the number of these versions, and an index finds such
packages. The writer keeps it up to date; in an existing graph, :class:`FactsReader` sets it once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from neo4j import AsyncDriver, Record, RoutingControl

from ssc_ingest.graph.digests import outdated_in_cypher
from ssc_ingest.graph.errors import translated
from ssc_ingest.graph.staleness import LAST_PURL, Aged
from ssc_ingest.graph.statements import for_label
from ssc_ingest.graph.values import aware
from ssc_ingest.models import Purl

SURVEY = f"""
MATCH (package:%(label)s) WHERE package.purl > $behind
WITH package ORDER BY package.purl LIMIT $most
RETURN max(package.purl) AS last, count(package) AS looked_at,
       collect(CASE WHEN package.moment IS NOT NULL AND package.gone_since IS NULL AND EXISTS {{
         MATCH (package)-[:HAVE]->(version:Version) WHERE {outdated_in_cypher("version")}
       }} THEN package.purl END) AS outdated
"""
"""The packages with versions without facts among the next ones by purl. Unique index on
``purl``."""

MARK = f"""
UNWIND $purls AS purl
MATCH (package:%(label)s {{purl: purl}})
SET package.purl = purl
WITH package, COUNT {{
  MATCH (package)-[:HAVE]->(version:Version) WHERE {outdated_in_cypher("version")}
}} AS versions
SET package.versions_without_facts = CASE WHEN versions > 0 THEN versions END
"""
"""Count the versions without facts under the lock of each package, in the order of the locks.

Unique index on ``purl``.
"""

WITHOUT_FACTS = """
MATCH (package:%(label)s) USING INDEX SEEK package:%(label)s(versions_without_facts)
WHERE package.versions_without_facts > 0 AND $behind < package.purl <= $through
RETURN package.purl AS purl, coalesce(package.registry_name, package.name) AS name,
       package.moment AS moment, package.versions_without_facts AS without_facts
ORDER BY purl LIMIT $most
"""
"""Packages with versions without facts. Index on ``versions_without_facts``: the fewer, the faster.
"""


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A part of the survey."""

    outdated: tuple[Purl, ...]
    """The packages that have versions without facts."""
    last: Purl | None
    """The purl after which to continue; ``None`` at the end."""


class FactsReader:
    """Finds and marks packages that lack facts; every method is one small transaction.

    Raises, all methods:
        StoreUnavailable: the server is unavailable or busy.
    """

    def __init__(self, driver: AsyncDriver) -> None:
        self._driver = driver

    async def survey(self, label: str, behind: Purl, most: int) -> Surveyed:
        """Scan the next ``most`` packages after a purl; an empty one starts."""
        (row,) = await self._send(for_label(SURVEY, label), behind=behind, most=most)
        last = row["last"] if row["looked_at"] == most else None
        return Surveyed(tuple(map(Purl, row["outdated"])), last)

    async def mark(self, label: str, purls: Sequence[Purl]) -> None:
        """Set ``versions_without_facts`` of some packages."""
        await self._send(for_label(MARK, label), write=True, purls=sorted(purls))

    async def without_facts(
        self, label: str, behind: Purl, most: int, *, through: Purl = LAST_PURL
    ) -> list[Aged]:
        """Packages that have versions without facts, by purl.

        Args:
            label: of the packages.
            behind: the purl after which to continue; empty: start.
            most: maximum number of packages.
            through: the last purl to scan.
        """
        statement = for_label(WITHOUT_FACTS, label)
        records = await self._send(statement, behind=behind, most=most, through=through)
        return [
            Aged(row["purl"], row["name"], aware(row["moment"]), row["without_facts"])
            for row in records
        ]

    async def _send(
        self, statement: str, *, write: bool = False, **parameters: Any
    ) -> list[Record]:
        routing = RoutingControl.WRITE if write else RoutingControl.READ
        with translated("facts"):
            answer = await self._driver.execute_query(statement, parameters, routing_=routing)
        return answer.records
