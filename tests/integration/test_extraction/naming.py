"""A registry with one package, whose import names a test scripts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ssc_ingest.ecosystems.endpoints import Endpoints
from ssc_ingest.ecosystems.pypi import PyPI
from ssc_ingest.http.client import RegistryClient
from ssc_ingest.models import Package, PackageRef, VersionName
from tests.integration.scripted import package_of


@dataclass(slots=True)
class Names:
    """The import names that the registry knows."""

    versions: Sequence[str] = ("1",)
    document: tuple[str, ...] = ()
    """Those in the package's document."""
    artifacts: dict[str, frozenset[str] | Exception] = field(default_factory=dict)
    """Those in the files of a version, or what reading them raises."""
    read: list[str] = field(default_factory=list)
    """The versions whose files were read."""


class Named(PyPI):
    """PyPI's names and versions, with the scripted import names."""

    reads_import_names = True

    def __init__(self, client: RegistryClient, endpoints: Endpoints, names: Names) -> None:
        super().__init__(client, endpoints)
        self.names = names

    async def fetch(self, *_: Any, **__: Any) -> Package:
        """Read the package ``web-kit``."""
        ref = self.ref("web-kit")
        return package_of(ref, self.names.versions, import_names=self.names.document)

    async def read_import_names(self, ref: PackageRef, version: VersionName) -> frozenset[str]:
        """Read the scripted names."""
        del ref
        self.names.read.append(version)
        found = self.names.artifacts.get(version, frozenset())
        if isinstance(found, Exception):
            raise found
        return found
