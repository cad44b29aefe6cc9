"""The inventory of ecosystems: each is simulated and has the readers' label."""

from ssc_ingest.ecosystems import BUILT_IN
from tests.contract.test_protocol.registries import REGISTRIES
from tests.simulator.registries import ECOSYSTEMS


def test_all_ecosystems_are_simulated() -> None:
    """An ecosystem without a simulated registry would not be tested here."""
    built_in = {cls.identity.name for cls in BUILT_IN}
    assert built_in == REGISTRIES.keys() == {cls.name for cls in ECOSYSTEMS}


def test_identities_are_those_of_the_readers() -> None:
    """Labels and purl types are those of the graph's readers, without duplicates."""
    identities = {cls.identity.name: cls.identity for cls in BUILT_IN}
    assert {name: (i.label, i.purl_type, i.osv_name) for name, i in identities.items()} == {
        "pypi": ("PyPIPackage", "pypi", "PyPI"),
        "npm": ("NPMPackage", "npm", "npm"),
        "maven": ("MavenPackage", "maven", "Maven"),
        "cargo": ("CargoPackage", "cargo", "crates.io"),
        "rubygems": ("RubyGemsPackage", "gem", "RubyGems"),
        "nuget": ("NuGetPackage", "nuget", "NuGet"),
    }
