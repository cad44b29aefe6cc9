"""The extraction of one package: reads the graph and the registry, and writes the difference."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from redis.asyncio import Redis

from ssc_ingest.ecosystems.base import Ecosystem, FetchRequest, NotModified
from ssc_ingest.errors import (
    DeadlineExceeded,
    InconsistentAnswers,
    IngestError,
    PackageGone,
    PackageNotFound,
    StaleAnswer,
    StoreUnavailable,
)
from ssc_ingest.extraction.assignment import Counts
from ssc_ingest.graph.changes import ParentEdge, WriteOutcome
from ssc_ingest.graph.reader import GraphReader, PackageState
from ssc_ingest.graph.writer import GraphWriter
from ssc_ingest.http.checkpoint import FetchCheckpoint
from ssc_ingest.http.request_scope import RequestScope, request_scope
from ssc_ingest.import_names.policy import NamesPolicy
from ssc_ingest.logs import get_logger
from ssc_ingest.models import ANY_VERSION, Outcome, Package, PackageRef, VersionName, now
from ssc_ingest.vulnerabilities.attributor import Attributor
from ssc_ingest.work.arguments import ExtractPackage
from ssc_ingest.work.edge_order import EdgeOrder
from ssc_ingest.work.messages import Progress
from ssc_ingest.work.not_found import NegativeCache
from ssc_ingest.work.rereading import Rereading
from ssc_ingest.work.waiting import silent_store

VERSIONS_BY_NAME = 50
"""Maximum documents of versions without facts that are read again for a named package."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """The result of an extraction, over all attempts of its task."""

    ref: PackageRef
    outcome: Outcome
    counts: Counts = field(default_factory=Counts)
    unnamed: tuple[VersionName | None, ...] = ()
    """The versions whose import names are still to be read; ``None``: the latest one."""


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One attempt at an extraction, with the progress of all attempts of its task."""

    urgent: bool
    """A caller waits for the package."""
    requested: bool
    """A caller named the package; it was not found as a requirement."""
    resume: bool = False
    """An earlier attempt may have left a checkpoint."""
    lacked: bool = False
    """A run has just found that the graph lacks the package, so its state need not be read."""
    own_since: datetime | None = None
    """Readings in the graph since then are from earlier attempts of the same task."""
    progress: Progress = field(default_factory=Progress)
    scope: RequestScope = field(init=False)

    def __post_init__(self) -> None:
        self.scope = RequestScope(urgent=self.urgent)

    def counts(self, *, total_versions: int, versions: int = 0) -> Counts:
        """The counts written by all attempts so far."""
        return Counts(
            versions=versions,
            total_versions=total_versions,
            new_versions=self.progress.new_versions,
            requirements=self.progress.requirements,
        )

    def committed(self, outcome: WriteOutcome) -> None:
        """A transaction has written a part of the package."""
        self.progress = replace(
            self.progress,
            new_versions=self.progress.new_versions + outcome.new_versions,
            requirements=self.progress.requirements + outcome.requirements_written,
        )

    def has_read(self, state: PackageState) -> bool:
        """Whether the graph's reading is from an earlier attempt of this task."""
        return bool(self.own_since and state.moment and state.moment >= self.own_since)


class Extractor:
    """Extracts packages for the tasks of one event loop."""

    def __init__(
        self,
        *,
        ecosystems: Mapping[str, Ecosystem],
        reader: GraphReader,
        writer: GraphWriter,
        not_found: NegativeCache,
        rereading: Rereading,
        names: NamesPolicy,
        edge_order: EdgeOrder,
        attributor: Attributor,
        cache: Redis,
        timeout: float,
    ) -> None:
        self._ecosystems = ecosystems
        self._reader = reader
        self._writer = writer
        self._not_found = not_found
        self._rereading = rereading
        self._names = names
        self._edge_order = edge_order
        self._attributor = attributor
        self._cache = cache
        self._timeout = timeout

    async def extract(self, arguments: ExtractPackage, attempt: Attempt) -> Extracted:
        """Add one package to the graph. Safe to repeat: everything is matched by purl.

        Args:
            arguments: the request.
            attempt: its circumstances; its progress is updated, also on failure.

        Raises:
            PackageNotFound: the registry does not have it.
            PackageGone: the registry no longer has it; the graph has stored that.
            ParentNotFound: ``arguments.parent_id`` is not in the graph; nothing was written.
            DeadlineExceeded: reading took longer than ``TASK_TIMEOUT``; the checkpoint is kept.
            RegistryError, StoreUnavailable, GraphRefused: see :mod:`ssc_ingest.errors`.
        """
        ref = self._ecosystems[arguments.ecosystem].ref(arguments.name)
        scope = attempt.scope
        checkpoint = await self._checkpoint(ref, attempt)
        scope.checkpoint = checkpoint
        try:
            with request_scope(scope):
                async with asyncio.timeout(self._timeout):
                    extracted = await self._extract(arguments, ref, attempt)
        except TimeoutError as error:
            store = silent_store(error)
            await checkpoint.save(self._cache, ref.purl)
            reason = f"{ref.purl} took longer than {self._timeout:g} s"
            if scope.interrupted and store is None:
                raise DeadlineExceeded(reason, progressed=checkpoint.has_grown) from None
            raise StoreUnavailable(store or "graph", reason) from None
        except IngestError as error:
            # A stale response in the checkpoint would be stale again the next time.
            outdated = isinstance(error, StaleAnswer | InconsistentAnswers)
            await checkpoint.save(self._cache, ref.purl, answers=not outdated)
            raise
        finally:
            requests = attempt.progress.requests + scope.requests
            attempt.progress = replace(attempt.progress, requests=requests)
        if attempt.resume:
            await checkpoint.discard(self._cache, ref.purl)
        counts = replace(extracted.counts, requests=attempt.progress.requests)
        return replace(extracted, counts=counts)

    async def _checkpoint(self, ref: PackageRef, attempt: Attempt) -> FetchCheckpoint:
        if attempt.resume:
            return await FetchCheckpoint.load(self._cache, ref.purl)
        return FetchCheckpoint()

    async def _extract(
        self, arguments: ExtractPackage, ref: PackageRef, attempt: Attempt
    ) -> Extracted:
        ecosystem = self._ecosystems[arguments.ecosystem]
        writer, scope, urgent = self._writer, attempt.scope, attempt.urgent
        edges = await self._parent_edges(arguments, ref)
        state = None if attempt.lacked else await self._reader.package_state(ref)
        is_read = state is not None and not state.is_stub
        lacks_links = self._lacks_links(ref, attempt, state)
        if (
            state
            and is_read
            and not arguments.refresh
            and (not lacks_links or attempt.has_read(state))
        ):
            if edges:
                await writer.link(ref, edges, urgent=urgent)
            if attempt.has_read(state):
                # Nobody knows whether that attempt came to confirm what it attributed.
                await self._attributor.attribute_or_note(ref)
                return Extracted(
                    ref=ref,
                    outcome=Outcome.EXTRACTED,
                    counts=await self._count_all(ref),
                    unnamed=self._unread_names(ecosystem, state),
                )
            return Extracted(
                ref=ref,
                outcome=Outcome.PRESENT,
                unnamed=self._unread_names(ecosystem, state, named=attempt.requested),
            )
        # A named package, or one from the registry's feed, is requested again.
        known_missing = not is_read and await self._not_found.contains(ref.purl)
        if known_missing and not attempt.requested and not arguments.refresh:
            raise PackageNotFound(ref.purl)

        request, rests = await self._request(arguments, ref, attempt, state)
        unasked = request.known if ecosystem.reads_each_version else ()
        try:
            with scope.reading():
                found = await ecosystem.fetch(request)
        except PackageNotFound as error:
            await self._not_found.add(ref.purl)
            if not is_read:
                raise
            await self._mark_gone(ref, edges, urgent=urgent)
            raise PackageGone(ref.purl, url=error.url) from error
        if known_missing:
            await self._not_found.forget(ref.purl)
        # A reading of an earlier attempt keeps its age: the graph may have a newer one.
        found = replace(found, fetched_at=min(scope.as_of or found.fetched_at, found.fetched_at))
        if isinstance(found, NotModified):
            outcome = await writer.touch(ref, found.fetched_at, urgent=urgent)
            if edges:
                await writer.link(ref, edges, urgent=urgent)
            counts = attempt.counts(total_versions=outcome.total_versions)
            wrote = counts.new_versions or counts.requirements
            return Extracted(
                ref=ref,
                outcome=Outcome.EXTRACTED if wrote else Outcome.UNCHANGED,
                counts=counts,
                unnamed=self._unread_names(ecosystem, state, named=attempt.requested),
            )
        found = replace(
            found,
            import_names=self._names.stored(found.import_names),
            guessed_import_name=ecosystem.fallback_import_name(ref),
        )
        extracted = await self._write(found, edges, ecosystem, attempt, state, unasked=unasked)
        await self._plan_rereading(found, state, rests=rests)
        return extracted

    async def _request(
        self,
        arguments: ExtractPackage,
        ref: PackageRef,
        attempt: Attempt,
        state: PackageState | None,
    ) -> tuple[FetchRequest, bool]:
        """The request, and whether it skips versions with unknown requirements for now.

        After their pause they are read again even if no document has changed. Versions without
        facts are also read again, a few at a time if each costs a request.
        """
        request = FetchRequest(
            ref,
            known=state.known if state else frozenset(),
            etag=state.etag if state else None,
            full=attempt.requested,
            expected=arguments.expected,
            hints=arguments.hints,
        )
        if not state:
            return request, False
        known, etag, rests = state.known, state.etag, False
        if self._lacks_links(ref, attempt, state):
            etag = None
        if state.unknown:
            left = None if attempt.requested else await self._rereading.seconds_left(ref)
            rests = left is not None and left > 0
            if rests:
                known |= state.unknown
            elif attempt.requested or left is not None:
                etag = None
        most = VERSIONS_BY_NAME if attempt.requested else arguments.versions_to_fill
        reread = state.outdated
        if self._ecosystems[ref.ecosystem].reads_each_version:
            reread = reread[:most]
            known = known.difference(reread)
        if reread:
            etag = None
        return replace(request, known=known, reread=reread, etag=etag), rests

    def _lacks_links(self, ref: PackageRef, attempt: Attempt, state: PackageState | None) -> bool:
        """Whether a caller named a package whose repository an earlier reading left out.

        A package without a repository is therefore read each time that a caller names it.
        """
        by_name = self._ecosystems[ref.ecosystem].needs_name_for_links
        return by_name and attempt.requested and not (state and state.has_repository)

    async def _mark_gone(self, ref: PackageRef, edges: list[ParentEdge], *, urgent: bool) -> None:
        """The graph keeps the package, and a caller may still require it."""
        await self._rereading.forget(ref)
        await self._writer.mark_gone(ref, now(), urgent=urgent)
        if edges:
            await self._writer.link(ref, edges, urgent=urgent)
        log.info("package_gone")

    async def _plan_rereading(
        self, package: Package, state: PackageState | None, *, rests: bool
    ) -> None:
        if rests:
            return
        # Provisional versions are read again anyway.
        known = state.known if state else ()
        if any(
            v.requirements_unknown and not v.provisional and v.name not in known
            for v in package.versions
        ):
            await self._rereading.rest(package.ref)
        elif state and state.unknown:
            await self._rereading.forget(package.ref)

    async def _write(
        self,
        package: Package,
        edges: list[ParentEdge],
        ecosystem: Ecosystem,
        attempt: Attempt,
        state: PackageState | None,
        *,
        unasked: Collection[VersionName],
    ) -> Extracted:
        is_unread = state is None or state.is_stub
        # A cancelled attempt does not know the result of its last transaction.
        resumed = is_unread and (attempt.progress.wrote or bool(state and state.known))
        attempt.progress = replace(attempt.progress, wrote=is_unread)
        # The others have been attributed when they were new, and since then with their advisories.
        known = state.known | state.unknown if state else frozenset()
        new = {version.name for version in package.versions} - known
        named = state.names_from if state else None
        looked_up = await self._attributor.look_up(package.ref, new)
        outcome = await self._writer.write(
            package,
            order=ecosystem.order,
            edges=edges,
            unasked=unasked,
            attributed=looked_up.rows,
            unread=is_unread,
            urgent=attempt.urgent,
            on_commit=attempt.committed,
        )
        await self._attributor.confirm(package.ref, looked_up)
        if outcome.stale and attempt.scope.as_of is None:
            log.warning("clock_behind", read_at=package.fetched_at.isoformat())
        log.debug("package_extracted", versions=len(package.versions))
        if resumed:
            counts = await self._count_all(package.ref)
        else:
            counts = attempt.counts(
                versions=len(package.versions), total_versions=outcome.total_versions
            )
        # Another task may have read it since the run compared it with the graph.
        present = attempt.lacked and not outcome.created
        return Extracted(
            ref=package.ref,
            outcome=Outcome.PRESENT if present else Outcome.EXTRACTED,
            counts=counts,
            unnamed=self._names.unread(
                ecosystem,
                latest=package.latest,
                names_from=package.latest if package.import_names else named,
                new=new,
            ),
        )

    def _unread_names(
        self, ecosystem: Ecosystem, state: PackageState | None, *, named: bool = True
    ) -> tuple[VersionName | None, ...]:
        """The import names still to be read of an unchanged package that a caller named."""
        if state is None or not named:
            return ()
        return self._names.unread(ecosystem, latest=state.latest, names_from=state.names_from)

    async def _count_all(self, ref: PackageRef) -> Counts:
        """The counts of a package that was new when this task started."""
        versions, requirements = await self._reader.totals(ref)
        return Counts(
            versions=versions,
            total_versions=versions,
            new_versions=versions,
            requirements=requirements,
        )

    async def _parent_edges(self, arguments: ExtractPackage, ref: PackageRef) -> list[ParentEdge]:
        """The edge that the caller requests, unless a later message requests it, too."""
        parent_id, origin = arguments.parent_id, arguments.origin
        if not parent_id:
            return []
        if origin and await self._edge_order.is_superseded(parent_id, ref.purl, origin.entry):
            log.info("edge_superseded", parent_id=parent_id)
            return []
        # Verbatim, because the service that owns the parent compares this text with its own.
        return [ParentEdge(parent_id, arguments.constraints or ANY_VERSION)]
