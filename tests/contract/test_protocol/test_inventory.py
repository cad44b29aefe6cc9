"""Which ecosystems there are: each is simulated, and known to the graph's readers."""

from ssc_ingest.ecosystems import BUILT_IN
from tests.contract.test_protocol.registries import REGISTRIES
from tests.simulator.registries import ECOSYSTEMS


def test_all_ecosystems_are_simulated() -> None:
    """An ecosystem of the program without a simulated registry would escape this suite."""
    built_in = {cls.identity.name for cls in BUILT_IN}
    assert built_in == REGISTRIES.keys() == {cls.name for cls in ECOSYSTEMS}


def test_identities_are_those_of_the_readers() -> None:
    """Labels and types of package URLs that the graph's readers know, each once."""
    identities = {cls.identity.name: cls.identity for cls in BUILT_IN}
    assert {name: (i.label, i.purl_type, i.osv_name) for name, i in identities.items()} == {
        "pypi": ("PyPIPackage", "pypi", "PyPI"),
        "npm": ("NPMPackage", "npm", "npm"),
        "maven": ("MavenPackage", "maven", "Maven"),
        "cargo": ("CargoPackage", "cargo", "crates.io"),
        "rubygems": ("RubyGemsPackage", "gem", "RubyGems"),
        "nuget": ("NuGetPackage", "nuget", "NuGet"),
    }
