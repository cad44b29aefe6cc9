"""Publishing a page: compares it with the graph and queues tasks for the selected packages."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from neo4j import AsyncDriver

from ssc_ingest.ecosystems.base import Change, Ecosystem
from ssc_ingest.errors import InvalidName
from ssc_ingest.graph.reader import GraphReader
from ssc_ingest.http.request_scope import RequestScope
from ssc_ingest.logs import get_logger
from ssc_ingest.models import PackageRef, Purl
from ssc_ingest.runs.comparison import BATCH, Named
from ssc_ingest.runs.kinds import KINDS
from ssc_ingest.runs.lease import RunLease
from ssc_ingest.runs.model import ESTIMATED, Item, Run
from ssc_ingest.runs.pages import Page
from ssc_ingest.runs.store import Runs, package_message
from ssc_ingest.settings import Settings
from ssc_ingest.work.arguments import MAX_NAME_LENGTH, ExtractImportNames, ExtractPackage
from ssc_ingest.work.cooldowns import Cooldowns
from ssc_ingest.work.leases import pause
from ssc_ingest.work.not_found import NegativeCache
from ssc_ingest.work.queues import Queues
from ssc_ingest.work.rereading import Rereading

CHUNK = 500
"""Number of packages published at once."""

LOG_EVERY_SKIPPED = 1_000
"""Number of skipped packages between progress reports."""

NAMES_LOGGED = 5

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunServices:
    """The services that runs of one ecosystem need."""

    runs: Runs
    queues: Queues
    driver: AsyncDriver
    reader: GraphReader
    not_found: NegativeCache
    cooldowns: Cooldowns
    rereading: Rereading
    ecosystem: Ecosystem
    settings: Settings


class _Tally:
    """Counts of the names on a page; ``by_name``: other pages may repeat the names."""

    def __init__(self, *, by_name: bool) -> None:
        self.counts: Counter[str] = Counter()
        self.names: dict[str, set[bytes]] = {each: set() for each in ESTIMATED} if by_name else {}

    def count(self, counter: str, name: str) -> None:
        """Count one more name."""
        if counter in self.names:
            self.names[counter].add(name.encode(errors="replace"))
        else:
            self.counts[counter] += 1


class PagePublisher:
    """Publishes the pages of a run, one after the other, from its stored position.

    Args:
        services: the clients.
        lease: the lease on the run.
        run: its current state.
        scope: counts the requests for pages.
        poll: seconds between checks for free places below the high-water mark.
    """

    def __init__(
        self, services: RunServices, lease: RunLease, run: Run, scope: RequestScope, *, poll: float
    ) -> None:
        self._services = services
        self._lease = lease
        self._run = run
        self._poll = poll
        self._scope = scope
        self._pages = run.pages
        self._skipped = run.counts["skipped"]
        self._left = math.inf if run.limit is None else run.limit - run.published
        self._resumes_page = bool(run.on_page)
        self._kind = KINDS[run.kind]
        self._selection = self._kind.selection(services)

    async def republish(self) -> None:
        """Publish packages that an earlier attempt at the page only recorded."""
        await self._queue(await self._lease.unpublished())

    async def publish(self, page: Page) -> bool:
        """Publish one page and close it; ``False`` if the run's limit is reached.

        Raises:
            LeaseLost, StoreUnavailable, RedisError: completed steps are not lost.
        """
        tally = _Tally(by_name=page.repeats and not self._selection.replaces)
        complete = True
        for start in range(0, len(page.changes), BATCH):
            batch = page.changes[start : start + BATCH]
            items, complete = await self._compare(page, batch, tally)
            await self._publish(items, tally)
            if not complete:
                break
        fields: dict[str, str | int] = {"cursor": page.cursor} if complete else {}
        if page.total is not None:
            fields["total"] = page.total
        await self.commit(fields, tally.counts, tally.names)
        return complete

    async def commit(
        self,
        fields: Mapping[str, str | int],
        tally: Mapping[str, int] | None = None,
        names: Mapping[str, Iterable[bytes]] | None = None,
    ) -> None:
        """Close the page: set these fields of the record and add the counts."""
        counts = Counter(tally or {})
        counts["requests"], self._scope.requests = self._scope.requests, 0
        await self._lease.commit(self._pages, fields, counts, names)
        self._pages += 1
        self._resumes_page = False
        before = self._skipped
        self._skipped += counts["skipped"]
        # At most one report per page, even if the page skips several thousand packages.
        if before // LOG_EVERY_SKIPPED < self._skipped // LOG_EVERY_SKIPPED:
            await self._services.runs.log_progress(self._run.id)

    async def _compare(
        self, page: Page, batch: Sequence[Change], tally: _Tally
    ) -> tuple[list[Item], bool]:
        """The selected packages of a batch, and whether the limit allows all of them."""
        order, named = self._named(batch)
        mine = await self._lease.on_page(list(named)) if self._resumes_page and named else set()
        requested = [pair for purl, pair in named.items() if purl not in mine]
        verdicts = await self._selection.verdicts(requested) if requested else {}
        items: list[Item] = []
        seen: set[Purl] = set()
        for purl, change in zip(order, batch, strict=True):
            name = purl or change.name
            if purl is None:
                tally.count("invalid", name)
            elif purl in seen:
                tally.counts["skipped"] += not self._selection.replaces
            elif purl not in mine:
                verdict = verdicts[purl]
                if verdict != "selected":
                    tally.count(verdict, name)
                elif self._left <= 0:
                    return items, False
                else:
                    self._left -= 1
                    items.append(self._item(*named[purl], page.versions_to_fill))
            if purl:
                seen.add(purl)
            tally.count("listed", name)
        return items, True

    def _named(self, batch: Sequence[Change]) -> tuple[list[Purl | None], dict[Purl, Named]]:
        """The packages of the batch in order; ``None`` for an invalid name."""
        order: list[Purl | None] = []
        named: dict[Purl, Named] = {}
        invalid = []
        for change in batch:
            if ref := self._ref(change.name):
                order.append(ref.purl)
                named[ref.purl] = ref, change
            else:
                order.append(None)
                invalid.append(change.name[:100])
        if invalid:
            log.warning(
                "names_invalid",
                count=len(invalid),
                names=invalid[:NAMES_LOGGED],
                run_id=self._run.id,
                ecosystem=self._run.ecosystem,
            )
        return order, named

    def _ref(self, name: str) -> PackageRef | None:
        try:
            ref = self._services.ecosystem.ref(name)
        except InvalidName:
            return None
        return (
            ref if len(ref.registry_name) <= MAX_NAME_LENGTH else None
        )  # its task would be rejected

    def _item(self, ref: PackageRef, change: Change, versions_to_fill: int) -> Item:
        if options := self._run.backfill:
            names = ExtractImportNames(
                ecosystem=ref.ecosystem,
                name=ref.registry_name,
                refresh=options.refresh,
                timeout=options.timeout,
                run_id=self._run.id,
                sequence=self._pages + 1,
            )
            return Item(ref.purl, names)
        return Item(
            ref.purl,
            ExtractPackage(
                ecosystem=ref.ecosystem,
                name=ref.registry_name,
                dependencies="none",
                refresh=self._kind.refresh,
                run_id=self._run.id,
                sequence=self._pages + 1,
                versions_to_fill=versions_to_fill,
                expected=change.expected,
                links=None if change.hints is None else list(change.hints),
            ),
        )

    async def _publish(self, items: Sequence[Item], tally: _Tally) -> None:
        """Publish packages while fewer than the high-water mark are pending."""
        most = self._services.settings.run_high_water
        if options := self._run.backfill:
            most = min(most, options.concurrency)
        replaces = self._selection.replaces
        while items:
            chunk = items[:CHUNK]
            admitted = await self._lease.admit(chunk, most=most, replaces=replaces)
            await self._queue(admitted.publish)
            if not replaces:
                tally.counts["skipped"] += admitted.duplicates
            items = items[admitted.examined :]
            if admitted.examined < len(chunk):
                await pause(self._poll)

    async def _queue(self, items: Sequence[Item]) -> None:
        if items:
            messages = [package_message(self._run, item) for item in items]
            await self._services.queues.publish(messages)
            await self._lease.mark_published(items)
