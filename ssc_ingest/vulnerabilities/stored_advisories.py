"""Reads the advisories of packages from the store's rows and documents."""

from collections.abc import Collection

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.vulnerabilities.advisory import Advisory, read_affected
from ssc_ingest.vulnerabilities.attributor import ByName
from ssc_ingest.vulnerabilities.records import Kind, package_key
from ssc_ingest.vulnerabilities.store import VulnerabilityStore


class StoredAdvisories:
    """Implements :class:`~.attributor.AdvisorySource`."""

    def __init__(self, store: VulnerabilityStore) -> None:
        self._store = store

    async def naming(self, ecosystem: type[Ecosystem], names: Collection[str]) -> ByName:
        """The advisories in force of some packages, by package name, sorted by id.

        Raises:
            StoreUnavailable: the server does not respond.
        """
        keys = {package_key(ecosystem.identity.osv_name, name): name for name in names}
        rows = await self._store.bookkeeping.naming(keys) if keys else []
        found: dict[str, list[Advisory]] = {}
        for row, affected in sorted(rows, key=lambda pair: pair[0].id):
            advisory = Advisory(
                id=row.id,
                affected=read_affected(affected),
                flaw=row.group or row.id,
                score=row.group_score,
                is_malware=row.kind == Kind.MALWARE,
            )
            for key in row.packages:
                if key in keys:
                    found.setdefault(keys[key], []).append(advisory)
        return found
