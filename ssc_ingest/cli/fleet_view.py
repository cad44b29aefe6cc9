"""``status`` for people: the parts of the report, in the order in which they are shown."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from ssc_ingest.cli import output
from ssc_ingest.cli.fleet_report import FleetReport, ServerStatus
from ssc_ingest.cli.work_view import work_parts

if TYPE_CHECKING:
    from ssc_ingest.graph.views import Counts
    from ssc_ingest.vulnerabilities.state import SyncState

DAY = 24 * 3600


def report(fleet: FleetReport) -> Iterator[RenderableType]:
    """All parts."""
    yield _servers(fleet.servers)
    if fleet.work:
        yield ""
        yield from work_parts(fleet.work)
    if fleet.counts:
        surveyed = fleet.work.facts_surveyed if fleet.work else {}
        yield ""
        yield _graph(fleet.counts, surveyed)
        yield ""
        yield _freshness(fleet.counts, fleet.looks)
    if fleet.syncs is not None:
        yield ""
        yield from _advisories(fleet.syncs)


def _servers(servers: dict[str, ServerStatus]) -> RenderableType:
    return output.table(
        ["server", "address", "version"],
        [
            (
                name,
                server.uri,
                server.version if server.reachable else Text(str(server.error), "red"),
            )
            for name, server in servers.items()
        ],
    )


def _graph(counts: "dict[str, Counts]", surveyed: dict[str, bool]) -> RenderableType:
    return output.table(
        ["graph", "packages", "stubs", "versions", "requirements", "to fill"],
        [
            (
                name,
                output.number(count.packages),
                output.number(count.stubs),
                output.number(count.versions),
                output.number(count.requirements),
                _to_fill(count, surveyed=surveyed.get(name, False)),
            )
            for name, count in counts.items()
        ],
        right=["packages", "stubs", "versions", "requirements", "to fill"],
    )


def _freshness(counts: "dict[str, Counts]", looks: dict[str, float | None]) -> RenderableType:
    return output.table(
        ["freshness", "read in 24 h", "newest", "re-checked", "guessed names"],
        [
            (
                name,
                output.number(count.read_last_day),
                output.age(count.newest),
                "never" if days is None else f"every {output.duration(days * DAY)}",
                output.number(count.packages - count.named),
            )
            for name, count in counts.items()
            for days in [looks[name]]
        ],
        right=["read in 24 h", "guessed names"],
        whole=["re-checked"],
    )


def _to_fill(count: "Counts", *, surveyed: bool) -> str:
    """The number of versions that an earlier release read without facts; it may be provisional."""
    found = count.versions_without_facts
    if surveyed or not count.packages:
        return output.number(found)
    return f"{output.number(found)} so far" if found else "not counted yet"


def _advisories(syncs: "dict[str, SyncState]") -> Iterator[RenderableType]:
    """Print the age of each ecosystem's sync on one line, then the problems."""
    from ssc_ingest.models import now
    from ssc_ingest.monitoring.advisories import advisory_problems

    ages = [
        f"{name} {output.age(state.synced_at)}" for name, state in syncs.items() if state.synced_at
    ]
    yield output.facts([("advisories synced", ", ".join(ages) or "never")])
    for problem in advisory_problems(syncs, list(syncs), now=now()):
        yield Text(problem.finding, "yellow")
        yield Text(f"  {problem.remedy}")
