"""The pages of a staleness run: packages that were not read for a long time, within a daily budget.

A feed may lose an entry, and no other source reports that change. So some packages are read again
each day, in this order: packages with unknown requirements that are due (at most a quarter of the
day's requests, :mod:`ssc_ingest.work.rereading`), packages with versions from earlier releases
without facts (at most two fifths), stubs (at most half of the rest), then the packages that were
read longest ago. Stubs in the not-found cache, packages in a cooldown, and packages that were read
within ``FRESHNESS_GOAL_DAYS`` are skipped.

A scan over all packages in the order of their purls finds the stubs. It wraps around:
``staleness:<ecosystem>`` is the purl after which the next day's scan starts. Packages with versions
without facts are found in the same way, after ``filled`` of :mod:`.facts`. If each version has its
own document, a package's newest :data:`VERSIONS_TO_FILL` of these versions are read again per turn.
"""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from ssc_ingest.ecosystems.base import Change
from ssc_ingest.ecosystems.purls import reference_of
from ssc_ingest.graph.facts import FactsReader
from ssc_ingest.graph.staleness import LAST_PURL, Aged, StalenessReader
from ssc_ingest.models import Purl
from ssc_ingest.runs import facts
from ssc_ingest.runs.pages import Page

if TYPE_CHECKING:
    from ssc_ingest.runs.model import Run
    from ssc_ingest.runs.publisher import RunServices

PAGE = 1_000
"""Number of packages on a page, except stubs."""

SCAN_SIZE = 10_000
"""Number of packages per read of the scan, which takes some hundredths of a second."""

SHARE_OF_UNKNOWN = 0.25
SHARE_OF_FACTS = 0.4
SHARE_OF_STUBS = 0.5
"""Shares of the day's requests, or of the remaining ones, so that each kind leaves some for the
next."""

VERSIONS_TO_FILL = 5
"""Number of documents of versions without facts that are read per package and turn."""


class Cursor(BaseModel):
    """The position of a run."""

    model_config = ConfigDict(frozen=True)

    stage: Literal[
        "unknown", "facts", "rest of the facts", "walk", "rest of the walk", "read", "end"
    ] = "unknown"
    begun: Purl
    """The purl after which the scan started."""
    walked: Purl
    """The purl after which it continues."""
    moment: datetime | None = None
    purl: Purl = Purl("")
    """The last package on a page, except stubs, and its ``moment``."""
    spent: float = 0
    """Estimated requests of the packages found so far."""
    reread: float = 0
    """Part of them for packages with unknown requirements."""
    filled: Purl = Purl("")
    """The last package with versions without facts."""
    fill_begun: Purl = Purl("")
    """The purl after which that part started."""
    fill: float = 0
    """Part of them for versions without facts."""

    def to(self, **fields: object) -> "Cursor":
        """A copy of the cursor with these fields changed."""
        return self.model_copy(update=fields)


class StalePackages:
    """The pages of one run; the run's limit is the day's number of requests."""

    def __init__(self, services: "RunServices", run: "Run") -> None:
        self._reader = StalenessReader(services.driver)
        self._not_found = services.not_found
        self._cooldowns = services.cooldowns
        self._rereading = services.rereading
        self._redis = services.runs.redis
        self._facts = FactsReader(services.driver)
        self._cost = services.ecosystem.requests_per_package
        self._fills = VERSIONS_TO_FILL if services.ecosystem.reads_each_version else 0
        self._label = services.ecosystem.identity.label
        self._run = run
        self._before = run.created_at - timedelta(days=services.settings.freshness_goal_days)

    async def pages(self) -> AsyncGenerator[Page, None]:
        """The pages after the run's cursor.

        Raises:
            StoreUnavailable: the graph is unavailable or busy.
        """
        run, budget = self._run, self._run.limit or 0
        position = f"staleness:{run.ecosystem}"
        if run.cursor:
            cursor = Cursor.model_validate_json(run.cursor)
        else:
            start = Purl(str(await self._redis.get(position) or ""))
            fill = Purl(str(await self._redis.hget(facts.key(run.ecosystem), "filled") or ""))
            cursor = Cursor(begun=start, walked=start, filled=fill, fill_begun=fill)
        if cursor.stage == "unknown":
            found, cursor = await self._unknown(cursor, budget * SHARE_OF_UNKNOWN)
            if found:
                yield self._page(found, cursor)
        while cursor.stage in {"facts", "rest of the facts"}:
            found, cursor = await self._without_facts(cursor, budget * SHARE_OF_FACTS)
            if found:
                yield self._page(found, cursor, versions_to_fill=self._fills)
            await self._redis.hset(facts.key(run.ecosystem), "filled", cursor.filled)
        before = cursor.reread + cursor.fill
        stubs = before + (budget - before) * SHARE_OF_STUBS
        while cursor.stage in {"walk", "rest of the walk"}:
            found, cursor = await self._walk(cursor, stubs)
            if found:
                yield self._page(found, cursor)
            await self._redis.set(position, cursor.walked)  # the page is complete
        while cursor.stage == "read":
            found, cursor = await self._read(cursor, budget)
            if found:
                yield self._page(found, cursor)

    async def _unknown(self, cursor: Cursor, budget: float) -> tuple[list[Aged], Cursor]:
        """The due packages with unknown requirements, and the cursor after them."""
        room = min(int(budget / self._cost), SCAN_SIZE)
        purls = await self._rereading.due(self._run.ecosystem, room) if room else []
        resting = await self._cooldowns.active(purls)
        found = [Aged(purl, "", None) for purl in purls if purl not in resting]
        spent = len(found) * self._cost
        return found, cursor.to(stage="facts", spent=spent, reread=spent)

    async def _without_facts(self, cursor: Cursor, budget: float) -> tuple[list[Aged], Cursor]:
        """The next packages with versions without facts, and the cursor after them."""
        is_first = cursor.stage == "facts"
        through = LAST_PURL if is_first else cursor.fill_begun
        aged = await self._facts.without_facts(self._label, cursor.filled, PAGE, through=through)
        resting = await self._cooldowns.active([package.purl for package in aged])
        rested = [package for package in aged if package.purl not in resting]
        found, cost = self._affordable(rested, budget - cursor.fill)
        cursor = cursor.to(spent=cursor.spent + cost, fill=cursor.fill + cost)
        if len(found) < len(rested):
            return found, cursor.to(stage="walk", filled=found[-1].purl if found else cursor.filled)
        if len(aged) == PAGE:
            return found, cursor.to(filled=aged[-1].purl)
        if is_first and cursor.fill_begun:
            return found, cursor.to(stage="rest of the facts", filled=Purl(""))
        return found, cursor.to(stage="walk", filled=cursor.fill_begun)

    def _affordable(self, packages: Sequence[Aged], budget: float) -> tuple[list[Aged], float]:
        """The first of some packages, up to this number of requests, and their total requests."""
        spent = 0.0
        for count, package in enumerate(packages):
            cost = 1 + min(package.without_facts, self._fills)
            if spent + cost > budget:
                return list(packages[:count]), spent
            spent += cost
        return list(packages), spent

    async def _walk(self, cursor: Cursor, budget: float) -> tuple[list[Aged], Cursor]:
        """The stubs of the next read that are not skipped, and the cursor after it."""
        room = int((budget - cursor.spent) / self._cost)
        if room < 1:
            return [], cursor.to(stage="read")
        is_first = cursor.stage == "walk"
        through = LAST_PURL if is_first else cursor.begun
        walked = await self._reader.stubs(self._label, cursor.walked, SCAN_SIZE, through=through)
        purls = [stub.purl for stub in walked.stubs]
        out = await self._not_found.filter(purls) | await self._cooldowns.active(purls)
        found = [stub for stub in walked.stubs if stub.purl not in out]
        spent = cursor.spent + min(len(found), room) * self._cost
        if len(found) > room:
            return found[:room], cursor.to(stage="read", walked=found[room - 1].purl, spent=spent)
        if walked.last:
            return found, cursor.to(walked=walked.last, spent=spent)
        if is_first and cursor.begun:
            return found, cursor.to(stage="rest of the walk", walked=Purl(""), spent=spent)
        return found, cursor.to(stage="read", walked=cursor.begun, spent=spent)

    async def _read(self, cursor: Cursor, budget: int) -> tuple[list[Aged], Cursor]:
        """The next packages that are not stubs, and the cursor after them."""
        room = int(budget - cursor.spent)
        if room < 1:
            return [], cursor.to(stage="end")
        behind = (cursor.moment, cursor.purl) if cursor.moment else None
        aged = await self._reader.read_before(self._label, self._before, behind, PAGE)
        resting = await self._cooldowns.active([package.purl for package in aged])
        found = [package for package in aged if package.purl not in resting][:room]
        cursor = cursor.to(spent=cursor.spent + len(found))
        if len(aged) < PAGE or len(found) == room:
            return found, cursor.to(stage="end")
        return found, cursor.to(moment=aged[-1].moment, purl=aged[-1].purl)

    def _page(self, found: Sequence[Aged], cursor: Cursor, *, versions_to_fill: int = 0) -> Page:
        refs = [(package, reference_of(package.purl, package.name)) for package in found]
        # The run itself reports invalid names.
        names = (ref.registry_name if ref else package.name for package, ref in refs)
        return Page(
            tuple(map(Change, names)),
            cursor.model_dump_json(exclude_none=True),
            versions_to_fill=versions_to_fill,
        )
