"""The packages that were read longest ago, and stubs, in pages of bounded cost.

Packages that were read are found by the index on ``moment``. Stubs have no moment, so no index
finds them. All packages are scanned in the order of their purls, some thousand at a time, and stubs
are selected.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from neo4j import AsyncDriver, Record, RoutingControl

from ssc_ingest.graph.errors import translated
from ssc_ingest.graph.statements import for_label
from ssc_ingest.graph.values import aware, naive_utc
from ssc_ingest.models import Purl

READ_LONG_AGO = """
MATCH (package:%(label)s)
WHERE package.moment >= $moment AND package.moment < $before
  AND (package.moment > $moment OR package.purl > $purl)
RETURN package.purl AS purl, coalesce(package.registry_name, package.name) AS name,
       package.moment AS moment
ORDER BY package.moment, package.purl LIMIT $most
"""
"""The next packages by the time of their last reading. Index on ``moment``."""

STUBS = """
MATCH (package:%(label)s) WHERE $behind < package.purl <= $through
WITH package ORDER BY package.purl LIMIT $most
RETURN max(package.purl) AS last, count(package) AS looked_at,
       collect(CASE WHEN package.moment IS NULL
               THEN [package.purl, coalesce(package.registry_name, package.name)] END) AS stubs
"""
"""The stubs among the next packages by purl. Unique index on ``purl``."""

FIRST_MOMENT = datetime(1, 1, 1)  # noqa: DTZ001 - as the graph has it: naive, in UTC
LAST_PURL = Purl("pkg:~")
"""Sorts after every purl, because purls begin with ``pkg:`` and a letter."""


@dataclass(frozen=True, slots=True)
class Aged:
    """A package and the time of its last reading; ``None`` for a stub."""

    purl: Purl
    name: str
    """The name in the registry's spelling; a stub's in the requirement's spelling."""
    moment: datetime | None
    without_facts: int = 0
    """Versions whose facts are still to be read, where that was the question."""


@dataclass(frozen=True, slots=True)
class Walked:
    """The stubs of a part of the scan, and its last purl; ``None`` at the end."""

    stubs: tuple[Aged, ...]
    last: Purl | None


class StalenessReader:
    """Finds packages to read again; every method is one small transaction.

    Raises, all methods:
        StoreUnavailable: the server is unavailable or busy.
    """

    def __init__(self, driver: AsyncDriver) -> None:
        self._driver = driver

    async def read_before(
        self, label: str, before: datetime, behind: tuple[datetime, Purl] | None, most: int
    ) -> list[Aged]:
        """Packages that were last read before a time, oldest first.

        Args:
            label: of the packages.
            before: the time (aware).
            behind: moment (aware) and purl of the package after which to continue; ``None``: start.
            most: maximum number of packages.
        """
        moment, purl = behind or (None, "")
        records = await self._read(
            for_label(READ_LONG_AGO, label),
            moment=naive_utc(moment) if moment else FIRST_MOMENT,
            purl=purl,
            before=naive_utc(before),
            most=most,
        )
        return [Aged(row["purl"], row["name"], aware(row["moment"])) for row in records]

    async def stubs(
        self, label: str, behind: Purl, most: int, *, through: Purl = LAST_PURL
    ) -> Walked:
        """The stubs among the next ``most`` packages after a purl.

        Args:
            label: of the packages.
            behind: the purl after which to continue; empty: start.
            most: number of packages to scan.
            through: the last purl to scan.
        """
        (row,) = await self._read(
            for_label(STUBS, label), behind=behind, through=through, most=most
        )
        stubs = tuple(Aged(Purl(purl), name, None) for purl, name in row["stubs"])
        return Walked(stubs, row["last"] if row["looked_at"] == most else None)

    async def _read(self, statement: str, **parameters: Any) -> list[Record]:
        with translated("a read"):
            answer = await self._driver.execute_query(
                statement, parameters, routing_=RoutingControl.READ
            )
        return answer.records
