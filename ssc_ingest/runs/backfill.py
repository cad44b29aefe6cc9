"""The pages of a backfill of import names: packages of the graph whose names must be read.

The graph is scanned by purl, some thousand packages at a time, so a run continues after its last
page in any process.
"""

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from ssc_ingest.ecosystems.base import Change, Ecosystem
from ssc_ingest.errors import InvalidName
from ssc_ingest.graph.import_names import ImportNamesGraph, NamedPackage
from ssc_ingest.import_names.knowledge import is_guess
from ssc_ingest.models import Purl
from ssc_ingest.runs.pages import Page
from ssc_ingest.work.arguments import BackfillImportNames

if TYPE_CHECKING:
    from ssc_ingest.runs.model import Run
    from ssc_ingest.runs.publisher import RunServices

STRIDE = 2_000
"""Number of packages that one read scans, and that one page has at most."""


async def read_unnamed(services: "RunServices", run: "Run") -> AsyncGenerator[Page, None]:
    """The pages after the run's cursor, which is a purl.

    Raises:
        StoreUnavailable: the graph is unavailable or busy.
    """
    ecosystem = services.ecosystem
    options = run.backfill or BackfillImportNames(ecosystem=run.ecosystem)
    graph = ImportNamesGraph(services.driver)
    behind = Purl(run.cursor or "") if ecosystem.reads_import_names else None
    while behind is not None:
        part = await graph.lacking(
            ecosystem.identity.label, behind, STRIDE, everything=options.refresh
        )
        found = [each for each in part.packages if _is_wanted(type(ecosystem), each, options)]
        behind = part.last
        if found or behind:
            changes = tuple(Change(each.name) for each in found)
            yield Page(changes, behind or found[-1].purl)


def _is_wanted(
    ecosystem: type[Ecosystem], package: NamedPackage, options: BackfillImportNames
) -> bool:
    """Whether the options select a package of the scan."""
    if not options.missing_only or not package.names:
        return True
    try:
        ref = ecosystem.ref(package.name)
    except InvalidName:  # the run counts it
        return True
    return is_guess(ecosystem, ref, package.names, package.names_from)
