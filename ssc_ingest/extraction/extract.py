"""Extracting one package: what the graph has, what the registry says, what is written."""

import asyncio
from dataclasses import dataclass, replace

import structlog

from ssc_ingest.ecosystems.base import Ecosystem, NotModified
from ssc_ingest.errors import (
    DeadlineExceeded,
    InconsistentAnswers,
    IngestError,
    PackageGone,
    PackageNotFound,
    StaleAnswer,
    StoreUnavailable,
)
from ssc_ingest.graph.changes import ParentEdge
from ssc_ingest.http.checkpoint import FetchCheckpoint
from ssc_ingest.http.request_scope import RequestScope, request_scope
from ssc_ingest.models import ANY_VERSION, Package, PackageRef, now
from ssc_ingest.on_demand.jobs import Ending
from ssc_ingest.resources import Resources
from ssc_ingest.work.arguments import ExtractPackage

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """What one extraction did."""

    ref: PackageRef
    ending: Ending
    versions: int = 0
    """Versions in the registry's answer."""
    requirements: int = 0
    """Requirement edges written."""
    requests: int = 0
    """HTTP requests sent."""
    unchanged: bool = False
    """The registry's document was the one that the graph was filled from."""
    new_versions: int = 0
    """Versions that the graph lacked."""
    total_versions: int = 0
    """Versions that the graph has now, unless the package was there and not asked for."""


async def extract(
    request: ExtractPackage, resources: Resources, *, urgent: bool, asked: bool, carried: bool
) -> Extracted:
    """Bring one package into the graph. Safe to repeat: everything is matched by purl.

    Args:
        request: what is wanted.
        resources: the process's clients.
        urgent: somebody waits for it.
        asked: it was asked for by name, not found as a requirement.
        carried: an earlier execution may have left documents that it had read.

    Raises:
        PackageNotFound: the registry does not have it.
        PackageGone: the registry does not have it any more; the graph says so now.
        ParentNotFound: ``request.parent_id`` is not in the graph; nothing was written.
        DeadlineExceeded: reading took longer than ``TASK_TIMEOUT``; what was read is kept.
        RegistryError, StoreUnavailable, GraphRefused: see :mod:`ssc_ingest.errors`.
    """
    ecosystem = resources.ecosystems[request.ecosystem]
    ref = ecosystem.ref(request.name)
    cache = resources.state.cache
    carryover = await FetchCheckpoint.load(cache, ref.purl) if carried else FetchCheckpoint()
    scope = RequestScope(urgent=urgent, carryover=carryover)
    try:
        with request_scope(scope):
            async with asyncio.timeout(resources.settings.task_timeout):
                extracted = await _extract(request, ref, ecosystem, resources, scope, asked=asked)
    except TimeoutError:
        await carryover.save(cache, ref.purl)
        reason = f"{ref.purl} took longer than {resources.settings.task_timeout:g} s"
        if scope.reading:
            raise DeadlineExceeded(reason, progressed=carryover.has_grown) from None
        raise StoreUnavailable("graph", reason) from None
    except IngestError as error:
        # An answer that is too old would be no better the next time.
        outdated = isinstance(error, StaleAnswer | InconsistentAnswers)
        await carryover.save(cache, ref.purl, answers=not outdated)
        raise
    if carried:
        await carryover.discard(cache, ref.purl)
    return replace(extracted, requests=scope.requests)


async def _extract(
    request: ExtractPackage,
    ref: PackageRef,
    ecosystem: Ecosystem,
    resources: Resources,
    scope: RequestScope,
    *,
    asked: bool,
) -> Extracted:
    writer, urgent = resources.writer, scope.urgent
    edges = _parent_edges(request)
    state = await resources.reader.package_state(ref)
    is_read = state is not None and not state.is_stub
    if is_read and not request.refresh:
        if edges:
            await writer.link(ref, edges, urgent=urgent)
        return Extracted(ref=ref, ending=Ending.PRESENT)
    # What is asked for by name, or that its registry's feed names, is worth another look.
    known_missing = not is_read and await resources.state.not_found.contains(ref.purl)
    if known_missing and not asked and not request.refresh:
        raise PackageNotFound(ref.purl)

    scope.reading = True
    try:
        found = await ecosystem.fetch(
            ref,
            known=state.known if state else frozenset(),
            etag=state.etag if state else None,
            thorough=asked,
            expected=request.expected,
            links=None if request.links is None else tuple(request.links),
        )
    except PackageNotFound as error:
        scope.reading = False
        await resources.state.not_found.add(ref.purl)
        if not is_read:
            raise
        await writer.mark_gone(ref, now(), urgent=urgent)
        log.info("package_gone")
        raise PackageGone(ref.purl, url=error.url) from error
    if known_missing:
        await resources.state.not_found.forget(ref.purl)
    # What was read before, and not now, is as old as that: the graph may have something newer.
    found = replace(found, fetched_at=min(scope.as_of or found.fetched_at, found.fetched_at))
    if isinstance(found, NotModified):
        scope.reading = False
        outcome = await writer.touch(ref, found.fetched_at, urgent=urgent)
        if edges:
            await writer.link(ref, edges, urgent=urgent)
        return Extracted(
            ref=ref,
            ending=Ending.EXTRACTED,
            unchanged=True,
            total_versions=outcome.total_versions,
        )
    found = replace(found, import_names=await _import_names(ecosystem, found, resources))
    scope.reading = False
    outcome = await writer.write(found, order=ecosystem.order, edges=edges, urgent=urgent)
    if outcome.stale and scope.as_of is None:
        log.warning("clock_behind", read_at=found.fetched_at.isoformat())
    log.debug("package_extracted", versions=len(found.versions))
    return Extracted(
        ref=found.ref,
        ending=Ending.EXTRACTED,
        versions=len(found.versions),
        requirements=outcome.requirements_written,
        new_versions=outcome.new_versions,
        total_versions=outcome.total_versions,
    )


async def _import_names(
    ecosystem: Ecosystem, package: Package, resources: Resources
) -> tuple[str, ...]:
    """The import names of the latest version, from the cache if they cost more than a guess."""
    if (version := package.latest) is None:
        return package.import_names
    if type(ecosystem).import_names is Ecosystem.import_names:
        return await ecosystem.import_names(package, version)
    return await resources.import_names.get(
        package.ref, version, lambda: ecosystem.import_names(package, version)
    )


def _parent_edges(request: ExtractPackage) -> list[ParentEdge]:
    if not request.parent_id:
        return []
    # Verbatim: the service that owns the parent compares this text with its own.
    return [ParentEdge(request.parent_id, request.constraints or ANY_VERSION)]
