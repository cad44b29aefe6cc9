"""Real stores, and a registry with one package whose versions a test sets."""

from typing import Any

from ssc_ingest.ecosystems.pypi import PyPI
from ssc_ingest.extraction.extract import Attempt
from ssc_ingest.graph.attributions import AttributionReader
from ssc_ingest.models import Package, Purl
from ssc_ingest.resources import Resources
from ssc_ingest.vulnerabilities.attributor import AdvisorySource, Attributor
from ssc_ingest.work.arguments import ExtractPackage
from tests.integration.scripted import package_of

THING = Purl("pkg:pypi/thing")


class Scripted(PyPI):
    """A registry with one package; a test sets its versions."""

    reads_import_names = False

    versions: tuple[str, ...] = ("1.0", "2.0")

    async def fetch(self, *_: Any, **__: Any) -> Package:
        """The package ``thing``."""
        return package_of(self.ref("thing"), self.versions)


async def extract(resources: Resources, *versions: str) -> None:
    """Extract the package with these versions in its registry."""
    scripted = resources.ecosystems["pypi"]
    assert isinstance(scripted, Scripted)
    scripted.versions = versions
    arguments = ExtractPackage(ecosystem="pypi", name="thing", refresh=True)
    await resources.extractor().extract(arguments, Attempt(urgent=True, requested=True))


def attributor(resources: Resources, source: AdvisorySource) -> Attributor:
    """An attributor with another source."""
    return Attributor(
        {"pypi": PyPI},
        source,
        AttributionReader(resources.driver),
        resources.writer,
        resources.state.unattributed,
    )
