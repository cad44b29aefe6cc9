"""The pages of a staleness run: packages that nobody has looked at for long.

A feed may lose an entry, and then nothing ever tells of that change. So each day a portion of all
packages is looked at again: stubs first, which were never read, with half of the day's requests at
most; then the packages that were read longest ago. Left out are stubs that their registry lacked a
short time ago, packages that failed and are to be left alone for now, and packages that were read
within ``FRESHNESS_GOAL_DAYS``.

Stubs are found by a walk over all packages in the order of their purls, which ends where it began:
``staleness:<ecosystem>`` is the purl behind which the next day's walk begins.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict
from redis.asyncio import Redis

from ssc_ingest.ecosystems.base import Change, Ecosystem
from ssc_ingest.ecosystems.purls import reference_of
from ssc_ingest.graph.staleness import LAST_PURL, Aged, StalenessReader
from ssc_ingest.models import Purl
from ssc_ingest.runs.model import Run
from ssc_ingest.runs.pages import Page
from ssc_ingest.work.cooldowns import Cooldowns
from ssc_ingest.work.not_found import NegativeCache

PAGE = 1_000
"""Packages on a page of those that were read."""

SCAN_SIZE = 10_000
"""Packages that the walk looks at with one read: some hundredths of a second."""

SHARE_OF_STUBS = 0.5
"""Of the day's requests, so that many stubs do not keep everything else from being looked at."""


class Cursor(BaseModel):
    """How far a run is."""

    model_config = ConfigDict(frozen=True)

    stage: Literal["walk", "rest of the walk", "read", "end"] = "walk"
    begun: Purl
    """Behind which purl the walk began."""
    walked: Purl
    """Behind which it goes on."""
    moment: datetime | None = None
    purl: Purl = Purl("")
    """The package last looked at of those that were read, and when it was."""
    spent: float = 0
    """Requests that what was found will cost, about."""

    def to(self, **fields: object) -> "Cursor":
        """The cursor with other fields."""
        return self.model_copy(update=fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class StalePackages:
    """Where staleness runs of one ecosystem get their pages from."""

    reader: StalenessReader
    not_found: NegativeCache
    cooldowns: Cooldowns
    redis: Redis
    ecosystem: type[Ecosystem]
    goal: timedelta
    """Packages that were read so lately are not stale."""

    async def pages(self, run: Run) -> AsyncGenerator[Page, None]:
        """The pages behind the run's cursor; its limit is the day's requests.

        Raises:
            StoreUnavailable: the graph is away or busy.
        """
        budget = run.limit or 0
        position = f"staleness:{run.ecosystem}"
        if run.cursor:
            cursor = Cursor.model_validate_json(run.cursor)
        else:
            begun = Purl(str(await self.redis.get(position) or ""))
            cursor = Cursor(begun=begun, walked=begun)
        while cursor.stage in {"walk", "rest of the walk"}:
            found, cursor = await self._walk(cursor, budget * SHARE_OF_STUBS)
            if found:
                yield self._page(found, cursor)
            await self.redis.set(position, cursor.walked)  # the page is done with
        while cursor.stage == "read":
            found, cursor = await self._read(cursor, budget, run.created_at - self.goal)
            if found:
                yield self._page(found, cursor)

    async def _walk(self, cursor: Cursor, budget: float) -> tuple[list[Aged], Cursor]:
        """The stubs of the next stride that are worth a look, and the cursor behind it."""
        cost = self.ecosystem.requests_per_package
        room = int((budget - cursor.spent) / cost)
        if room < 1:
            return [], cursor.to(stage="read")
        is_first = cursor.stage == "walk"
        through = LAST_PURL if is_first else cursor.begun
        walked = await self.reader.stubs(
            self.ecosystem.identity.label, cursor.walked, SCAN_SIZE, through=through
        )
        purls = [stub.purl for stub in walked.stubs]
        out = await self.not_found.filter(purls) | await self.cooldowns.active(purls)
        found = [stub for stub in walked.stubs if stub.purl not in out]
        spent = cursor.spent + min(len(found), room) * cost
        if len(found) > room:
            return found[:room], cursor.to(stage="read", walked=found[room - 1].purl, spent=spent)
        if walked.last:
            return found, cursor.to(walked=walked.last, spent=spent)
        if is_first and cursor.begun:
            return found, cursor.to(stage="rest of the walk", walked=Purl(""), spent=spent)
        return found, cursor.to(stage="read", walked=cursor.begun, spent=spent)

    async def _read(
        self, cursor: Cursor, budget: int, before: datetime
    ) -> tuple[list[Aged], Cursor]:
        """The next of the packages that were read, and the cursor behind them."""
        room = int(budget - cursor.spent)
        if room < 1:
            return [], cursor.to(stage="end")
        behind = (cursor.moment, cursor.purl) if cursor.moment else None
        aged = await self.reader.read_before(self.ecosystem.identity.label, before, behind, PAGE)
        resting = await self.cooldowns.active([package.purl for package in aged])
        found = [package for package in aged if package.purl not in resting][:room]
        cursor = cursor.to(spent=cursor.spent + len(found))
        if len(aged) < PAGE or len(found) == room:
            return found, cursor.to(stage="end")
        return found, cursor.to(moment=aged[-1].moment, purl=aged[-1].purl)

    def _page(self, found: Sequence[Aged], cursor: Cursor) -> Page:
        refs = [(package, reference_of(package.purl, package.name)) for package in found]
        # The run itself says of a name that it is none.
        names = (ref.registry_name if ref else package.name for package, ref in refs)
        return Page(tuple(map(Change, names)), cursor.model_dump_json(exclude_none=True))
