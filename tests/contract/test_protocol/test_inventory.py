"""The inventory of ecosystems: each is simulated and has the readers' label."""

from ssc_ingest.ecosystems import built_in, ecosystem, of_purl_type
from tests.contract.test_protocol.registries import REGISTRIES
from tests.simulator.registries import ECOSYSTEMS


def test_all_ecosystems_are_simulated() -> None:
    """An ecosystem without a simulated registry would not be tested here."""
    names = {cls.identity.name for cls in built_in()}
    assert names == REGISTRIES.keys() == {cls.name for cls in ECOSYSTEMS}


def test_identities_are_those_of_the_readers() -> None:
    """Labels and purl types are those of the graph's readers, without duplicates."""
    identities = {cls.identity.name: cls.identity for cls in built_in()}
    assert {name: (i.label, i.purl_type, i.osv_name) for name, i in identities.items()} == {
        "pypi": ("PyPIPackage", "pypi", "PyPI"),
        "npm": ("NPMPackage", "npm", "npm"),
        "maven": ("MavenPackage", "maven", "Maven"),
        "cargo": ("CargoPackage", "cargo", "crates.io"),
        "rubygems": ("RubyGemsPackage", "gem", "RubyGems"),
        "nuget": ("NuGetPackage", "nuget", "NuGet"),
    }


def test_one_ecosystem_is_found_without_the_others() -> None:
    """The inventory's names and purl types are those of the registries' modules."""
    for cls in built_in():
        assert ecosystem(cls.identity.name) is cls
        assert of_purl_type(cls.identity.purl_type) is cls
    assert of_purl_type("golang") is None
