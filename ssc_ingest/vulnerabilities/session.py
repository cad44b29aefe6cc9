"""The common part of both kinds of syncs: waiting for the source, and the brake."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TypeVar

from ssc_ingest.ecosystems.concurrency import fan_out
from ssc_ingest.errors import (
    AwaitsTurn,
    IngestError,
    MalformedMetadata,
    RateLimited,
    ResourceNotFound,
    ResponseTooLarge,
)
from ssc_ingest.logs import get_logger
from ssc_ingest.models import now
from ssc_ingest.settings import Settings
from ssc_ingest.vulnerabilities.applying import BATCH_SIZE, Applier, Leaving, Read, Unreadable
from ssc_ingest.vulnerabilities.changed import FLUSH_ABOVE, ChangedPackages
from ssc_ingest.vulnerabilities.records import read_record
from ssc_ingest.vulnerabilities.sources import WITHOUT_ECOSYSTEM, Source
from ssc_ingest.vulnerabilities.state import Brake
from ssc_ingest.vulnerabilities.store import VulnerabilityStore

ALWAYS_ALLOWED = 10
"""Records that may always be withdrawn or removed at once, regardless of their share."""

CONCURRENCY = 8
"""Maximum number of concurrent requests for records."""

MAX_WAIT = 60.0
"""Maximum seconds of one wait at the source's request."""

PATIENCE = 1800.0
"""Seconds of waiting at the source's request after which the sync fails."""

T = TypeVar("T")

log = get_logger(__name__)


class TooManyLeave(IngestError):
    """The brake: too many records would be withdrawn or removed. An operator must decide."""


@dataclass(frozen=True, slots=True)
class SyncProgress:
    """The progress of a sync of one ecosystem."""

    ecosystem: str
    done: int = 0
    """Records."""
    total: int | None = None
    """``None`` until the source has said it."""
    waits: str = ""
    """Why it makes no progress at the moment."""


class SyncSession:
    """One sync of one ecosystem.

    Args:
        store: MongoDB.
        changed: the outbox of packages with changed advisories.
        source: the source of the records.
        settings: limits.
        ecosystem: the program's name of the ecosystem.
        folder: its folder in the source.
        accept_removals: whether the brake is off.
        on_progress: called after each batch.
    """

    def __init__(
        self,
        store: VulnerabilityStore,
        changed: ChangedPackages,
        source: Source,
        settings: Settings,
        *,
        ecosystem: str,
        folder: str,
        accept_removals: bool,
        on_progress: Callable[[SyncProgress], None],
    ) -> None:
        self.store = store
        self.source = source
        self.ecosystem, self.folder = ecosystem, folder
        self.settings = settings
        self.started: datetime = now()
        self.applier = Applier(store, changed, self.folder)
        self._changed = changed
        self._accept_removals = accept_removals
        self._on_progress = on_progress

    def progress(self, done: int, total: int) -> None:
        """Report progress, in records."""
        self._on_progress(SyncProgress(self.ecosystem, done, total))

    async def publish(self, *, all_of_them: bool) -> None:
        """Queue the packages in the outbox: all, or only if there are many."""
        if all_of_them or await self._changed.count() > FLUSH_ABOVE:
            await self._changed.publish()

    async def patiently(self, action: Callable[[], Awaitable[T]]) -> T:
        """Repeat an action while the source or its rate limit requests a wait.

        Raises:
            RateLimited: the wait is longer than :data:`PATIENCE`.
        """
        give_up = time.monotonic() + PATIENCE
        while True:
            try:
                return await action()
            except RateLimited as error:
                if time.monotonic() > give_up:
                    raise
                if not isinstance(error, AwaitsTurn):
                    self._on_progress(SyncProgress(self.ecosystem, waits=str(error)))
                seconds = min(max(0.05, error.retry_after), MAX_WAIT)
                await asyncio.sleep(seconds)

    async def records(
        self, folder: str, times: Iterable[tuple[str, str]]
    ) -> tuple[list[Read], list[Unreadable], list[str]]:
        """Request records by id; ``listed`` has their times in the list.

        Returns:
            The readable records, the unreadable ones, and the missing ids.
        """

        async def request(wanted: tuple[str, str]) -> Read | Unreadable | str:
            record_id, listed = wanted
            try:
                body = await self.patiently(lambda: self.source.record(folder, record_id))
                return Read(read_record(body, record_id), listed)
            except ResourceNotFound:
                return record_id
            except (MalformedMetadata, ResponseTooLarge) as error:
                return Unreadable(record_id, str(error), listed)

        found = await fan_out(request, times, CONCURRENCY)
        return (
            [each for each in found if isinstance(each, Read)],
            [each for each in found if isinstance(each, Unreadable)],
            [each for each in found if isinstance(each, str)],
        )

    def leaving(self, known: int) -> Leaving:
        """A collector of withdrawals, given the number of known records."""
        if self._accept_removals:
            return Leaving(known, sys.maxsize)
        return Leaving(known, max(ALWAYS_ALLOWED, int(self.settings.vulnerabilities_brake * known)))

    async def settle(self, leaving: Leaving, vanished: list[str]) -> None:
        """Withdraw and remove the deferred records, unless there are too many.

        Raises:
            TooManyLeave: too many records would leave; no record was withdrawn or removed.
        """
        if leaving.too_many:
            brake = Brake(
                at=now(),
                withdrawn=leaving.withdrawn,
                vanished=leaving.vanished,
                known=leaving.known,
            )
            await self.store.syncs.set(self.ecosystem, brake=asdict(brake), under_way=None)
            await self.publish(all_of_them=True)
            log.error("advisories_brake", ecosystem=self.ecosystem, **asdict(brake))
            raise TooManyLeave(f"{self.ecosystem}: {brake}")
        await self.applier.apply_leaving(leaving)
        for start in range(0, len(vanished), BATCH_SIZE):
            await self._let_go(vanished[start : start + BATCH_SIZE])

    async def _let_go(self, ids: list[str]) -> None:
        """Handle records that left the folder; some are in the folder without ecosystem."""
        if self.source.has_lists:
            moved = Applier(self.store, self._changed, WITHOUT_ECOSYSTEM)
            read, unreadable, _ = await self.records(WITHOUT_ECOSYSTEM, [(i, "") for i in ids])
            await moved.apply(read, unreadable)
            self.applier.applied.withdrawn += moved.applied.withdrawn
            self.applier.applied.packages += moved.applied.packages
        await self.applier.apply_vanished(ids)
