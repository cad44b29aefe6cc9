"""Estimate the work and duration of a run: lists and compares without publishing."""

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from ssc_ingest.ecosystems.base import Change, Ecosystem
from ssc_ingest.errors import CursorExpired, InvalidName
from ssc_ingest.http.rate_limit import is_loopback
from ssc_ingest.http.request_scope import RequestScope, request_scope
from ssc_ingest.models import Purl
from ssc_ingest.runs.comparison import BATCH, Named, Selection
from ssc_ingest.runs.kinds import KINDS, Kind
from ssc_ingest.runs.pages import Page, closing, read_feed, read_listing
from ssc_ingest.runs.publisher import RunServices


@dataclass(slots=True, kw_only=True)
class Estimate:
    """The estimated work of a run."""

    kind: Kind
    ecosystem: str
    listed: int = 0
    """Number of names or changes read."""
    total: int | None = None
    """Number of names in the whole listing, if the registry states it."""
    packages: int = 0
    """Number of packages to read."""
    pages_requests: int = 0
    """Requests sent for the listing or feed by this estimate."""
    packages_requests: int = 0
    """Requests for the packages, by the ecosystem's own estimate."""
    hours: float = 0.0
    """Hours for the packages' requests, at the rate of the registry's main host."""
    note: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Counts of the other names; see :data:`~ssc_ingest.runs.model.COUNTERS`."""


async def estimate(
    services: RunServices,
    kind: Kind,
    *,
    limit: int | None = None,
    on_progress: Callable[[Estimate], None] = lambda _: None,
) -> Estimate:
    """List and compare like a run.

    Args:
        services: the clients; nothing is published or stored.
        kind: the kind of run; its pages must come from the registry.
        limit: maximum number of packages that the run would publish.
        on_progress: called after every page.

    Raises:
        RegistryError: the listing cannot be read.
        StoreUnavailable: the graph is unavailable.
    """
    found = Estimate(kind=kind, ecosystem=services.ecosystem.identity.name)
    scope = RequestScope(timeout=services.settings.http_timeout_long)
    selection = KINDS[kind].selection(services)
    met: set[bytes] = set()
    with request_scope(scope):
        try:
            async with closing(_pages(services, found)) as pages:
                async for page in pages:
                    await _compare(services, selection, found, page, met)
                    found.pages_requests = scope.requests
                    on_progress(found)
                    if limit is not None and found.packages >= limit:
                        found.packages = limit
                        break
        except CursorExpired:
            found.listed, found.packages, found.counts = 0, 0, {}
            found.note = "the feed may have lost an entry: all packages of the graph are read again"
            async with closing(read_listing(services.ecosystem, None)) as pages:
                async for page in pages:
                    await _compare(services, selection, found, page, met)
                    on_progress(found)
    found.pages_requests = scope.requests
    found.packages_requests = round(found.packages * services.ecosystem.requests_per_package)
    found.hours = round(found.packages_requests / _rate(services.ecosystem) / 3600, 2)
    return found


async def _pages(services: RunServices, found: Estimate) -> AsyncGenerator[Page, None]:
    if not KINDS[found.kind].follows_feed:
        async with closing(read_listing(services.ecosystem, None)) as pages:
            async for page in pages:
                yield page
        return
    feed = await services.runs.feed(found.ecosystem)
    if feed is None:
        found.note = "the first update only stores the end of the feed"
        return
    async with closing(read_feed(services.ecosystem, feed.cursor)) as pages:
        async for page in pages:
            yield page


async def _compare(
    services: RunServices, selection: Selection, found: Estimate, page: Page, met: set[bytes]
) -> None:
    """Add a page to the counts; ``met``: digests of the packages counted so far."""
    counts = Counter(found.counts)
    changes = page.changes
    if page.repeats and not selection.replaces:
        changes = tuple(_met_first(services.ecosystem, changes, met))
    for start in range(0, len(changes), BATCH):
        named: dict[Purl, Named] = {}
        for change in changes[start : start + BATCH]:
            try:
                ref = services.ecosystem.ref(change.name)
            except InvalidName:
                counts["invalid"] += 1
            else:
                named[ref.purl] = ref, change
        counts.update((await selection.verdicts(list(named.values()))).values() if named else ())
    found.packages += counts.pop("selected", 0)
    found.counts = dict(counts)
    found.listed += len(changes)
    found.total = page.total or found.total


def _met_first(
    ecosystem: Ecosystem, changes: Iterable[Change], met: set[bytes]
) -> Iterator[Change]:
    """The packages that were on no earlier page."""
    for change in changes:
        try:
            name: str = ecosystem.ref(change.name).purl
        except InvalidName:
            name = change.name
        digest = blake2b(name.encode(errors="replace"), digest_size=8).digest()
        if digest not in met:
            met.add(digest)
            yield change


def _rate(ecosystem: Ecosystem) -> float:
    """Maximum requests a second to the first host; unlimited for a registry on loopback."""
    host, rate = next(iter(ecosystem.endpoints.hosts.items()), ("localhost", 1.0))
    return float("inf") if is_loopback(host) else rate
