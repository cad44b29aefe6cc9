"""Reads listings and feeds to their ends."""

from dataclasses import dataclass, field

from ssc_ingest.ecosystems.base import Change, ChangesPage, Ecosystem, NamesPage
from ssc_ingest.http.request_scope import RequestScope, request_scope


@dataclass
class Listed:
    """A completely read listing."""

    pages: list[NamesPage] = field(default_factory=list)
    requests: int = 0

    @property
    def names(self) -> list[str]:
        """All names, page by page."""
        return [name for page in self.pages for name in page.names]


@dataclass
class Followed:
    """A completely read feed; ``cursor`` is the position after it."""

    cursor: str
    pages: list[ChangesPage] = field(default_factory=list)
    requests: int = 0

    @property
    def changes(self) -> list[Change]:
        """All changes, page by page."""
        return [change for page in self.pages for change in page.changes]

    @property
    def names(self) -> set[str]:
        """The packages that have changed; each was told once."""
        found = [change.name for change in self.changes]
        assert len(found) == len(set(found))
        return set(found)


async def listed(ecosystem: Ecosystem, cursor: str | None = None) -> Listed:
    """All names from the cursor on."""
    found = Listed()
    with request_scope(RequestScope()) as scope:
        found.pages = [page async for page in ecosystem.list_names(cursor)]
    found.requests = scope.requests
    return found


async def followed(ecosystem: Ecosystem, cursor: str) -> Followed:
    """All changes from the cursor on."""
    found = Followed(cursor)
    with request_scope(RequestScope()) as scope:
        found.pages = [page async for page in ecosystem.list_changes(cursor)]
    found.requests = scope.requests
    if found.pages:
        found.cursor = found.pages[-1].cursor
    return found
