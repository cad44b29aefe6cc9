"""Reads the import names of a version from its registry, within limits and through the cache."""

import asyncio
from collections.abc import Mapping

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.errors import DeadlineExceeded, MalformedMetadata, StoreUnavailable
from ssc_ingest.import_names.cache import ImportNamesCache
from ssc_ingest.import_names.rules import select
from ssc_ingest.logs import get_logger
from ssc_ingest.metrics import Metrics
from ssc_ingest.models import PackageRef, VersionName
from ssc_ingest.work.waiting import silent_store

log = get_logger(__name__)


class NamesReader:
    """Reads import names for the tasks of one event loop.

    Args:
        ecosystems: the registries by name.
        cache: of the names that were read.
        metrics: counts the names that are left out.
        most: maximum names of a version.
        timeout: seconds for reading one version, unless a caller sets less or more.
        longest: the maximum that a caller can set.
    """

    def __init__(
        self,
        ecosystems: Mapping[str, Ecosystem],
        cache: ImportNamesCache,
        metrics: Metrics,
        *,
        most: int,
        timeout: float,
        longest: float,
    ) -> None:
        self._ecosystems = ecosystems
        self._cache = cache
        self._metrics = metrics
        self._most = most
        self._timeout = timeout
        self._longest = longest

    async def read(
        self,
        ref: PackageRef,
        version: VersionName,
        *,
        seconds: float | None = None,
        again: bool = False,
    ) -> tuple[str, ...]:
        """The import names of a version; empty if nothing in it can be imported.

        Args:
            ref: the package.
            version: one of its versions.
            seconds: the time limit; by default that of the constructor.
            again: read them even if the cache has them.

        Raises:
            DeadlineExceeded: reading took too long.
            MalformedMetadata: every name has characters that no reader can search for.
            RegistryError: see :meth:`Ecosystem.read_import_names`.
            StoreUnavailable: Redis does not respond within the limit.
        """
        limit = min(seconds or self._timeout, self._longest)
        try:
            async with asyncio.timeout(limit):
                return await self._cache.get(
                    ref, version, lambda: self._read(ref, version), again=again
                )
        except TimeoutError as error:
            reason = f"the import names of {ref.purl} took longer than {limit:g} s"
            if store := silent_store(error):
                raise StoreUnavailable(store, reason) from None
            raise DeadlineExceeded(reason, progressed=False) from None

    async def _read(self, ref: PackageRef, version: VersionName) -> tuple[str, ...]:
        names = await self._ecosystems[ref.ecosystem].read_import_names(ref, version)
        selected = select(names, self._most)
        self._metrics.names_left_out(ref.ecosystem, "unsafe", selected.unsafe)
        self._metrics.names_left_out(ref.ecosystem, "limit", selected.beyond)
        if selected.unsafe and not selected.names:
            raise MalformedMetadata(
                f"none of the {selected.unsafe} import names of {ref.purl} {version} has only "
                "characters that readers can search for"
            )
        if selected.unsafe or selected.beyond:
            log.info("import_names_left_out", unsafe=selected.unsafe, beyond=selected.beyond)
        return selected.names
