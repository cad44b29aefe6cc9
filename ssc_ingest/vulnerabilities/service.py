"""Executes requested syncs, one ecosystem after the other."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.errors import IngestError, ResourceNotFound, StoreUnavailable
from ssc_ingest.http.request_scope import RequestScope, request_scope
from ssc_ingest.logs import get_logger
from ssc_ingest.settings import Settings
from ssc_ingest.vulnerabilities.changed import ChangedPackages
from ssc_ingest.vulnerabilities.departures import NAME as DEPARTURES
from ssc_ingest.vulnerabilities.departures import sync_departures
from ssc_ingest.vulnerabilities.requests import SyncRequest, SyncRequests
from ssc_ingest.vulnerabilities.session import SyncProgress
from ssc_ingest.vulnerabilities.sources import Source
from ssc_ingest.vulnerabilities.store import VulnerabilityStore
from ssc_ingest.vulnerabilities.sync import SyncReport, sync_ecosystem

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncFailure:
    """An incomplete sync."""

    ecosystem: str
    error: str
    absent: bool = False
    """Whether the source lacks this ecosystem."""


Ended = SyncReport | SyncFailure


class AdvisorySync:
    """Syncs ecosystems under the fleet's lease.

    Args:
        store: MongoDB.
        changed: the outbox of packages with changed advisories.
        requests: the requests and the lease.
        source: the source of the records.
        settings: limits.
        clean_up: called after each sync, to remove documents without references.
    """

    def __init__(
        self,
        store: VulnerabilityStore,
        changed: ChangedPackages,
        requests: SyncRequests,
        source: Source,
        settings: Settings,
        *,
        clean_up: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self._store = store
        self._changed = changed
        self._requests = requests
        self._source = source
        self._settings = settings
        self._clean_up = clean_up

    async def carry_out_requests(self) -> list[Ended]:
        """Execute requests until none is pending; a request is removed when its sync has ended.

        Raises:
            LockHeld: another process is syncing and will also execute these requests.
            TurnLost: another process has taken the lease.
            StoreUnavailable: MongoDB does not respond; the requests stay.
        """
        ended: list[Ended] = []
        async with self._requests.turn():
            await self._store.ensure_indexes()
            while pending := await self._requests.pending():
                for request in pending:
                    if request.ecosystem in ecosystems():
                        ended.append(await self._sync(request))
                    await self._requests.remove(request)
            await self._sync_departures()
        return ended

    async def sync(
        self,
        requests: Sequence[SyncRequest],
        *,
        accept_removals: bool = False,
        on_progress: Callable[[SyncProgress], None] = lambda _: None,
        on_end: Callable[[Ended], None] = lambda _: None,
    ) -> list[Ended]:
        """Execute requests without storing them: if the process dies, no other one continues.

        Raises:
            As :meth:`carry_out_requests`.
        """
        ended: list[Ended] = []
        async with self._requests.turn():
            await self._store.ensure_indexes()
            for request in requests:
                ended.append(
                    await self._sync(
                        request, accept_removals=accept_removals, on_progress=on_progress
                    )
                )
                on_end(ended[-1])
            await self._sync_departures()
        return ended

    async def _sync_departures(self) -> None:
        """Withdrawals that only the list of all folders shows; a full sync finds them, too."""
        if not self._source.has_lists:
            return
        scope = RequestScope(timeout=self._settings.http_timeout_long)
        try:
            with request_scope(scope):
                await sync_departures(self._store, self._changed, self._source, self._settings)
        except StoreUnavailable:
            raise
        except IngestError as error:
            log.warning("advisories_not_synced", ecosystem=DEPARTURES, error=str(error))

    async def _sync(
        self,
        request: SyncRequest,
        *,
        accept_removals: bool = False,
        on_progress: Callable[[SyncProgress], None] = lambda _: None,
    ) -> Ended:
        name = request.ecosystem
        scope = RequestScope(timeout=self._settings.http_timeout_long)
        try:
            with request_scope(scope):
                report = await sync_ecosystem(
                    self._store,
                    self._changed,
                    self._source,
                    ecosystems()[name].identity,
                    self._settings,
                    full=request.full,
                    accept_removals=accept_removals,
                    on_progress=on_progress,
                )
            if self._clean_up:
                await self._clean_up()
        except StoreUnavailable:
            raise
        except IngestError as error:
            absent = isinstance(error, ResourceNotFound)
            log.warning("advisories_not_synced", ecosystem=name, error=str(error))
            return SyncFailure(ecosystem=name, error=str(error), absent=absent)
        return report
