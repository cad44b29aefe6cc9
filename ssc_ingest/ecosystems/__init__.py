"""The registries, one module each; :data:`_BUILT_IN` is the inventory.

Another distribution adds an ecosystem with an entry point of the group
``ssc_ingest.ecosystems`` whose object is a subclass of :class:`~.base.Ecosystem`.
"""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import NamedTuple

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.errors import ConfigurationError, UnknownEcosystem

ENTRY_POINT_GROUP = "ssc_ingest.ecosystems"


class _BuiltIn(NamedTuple):
    """Where a registry's class is; its module is imported when it is first needed."""

    purl_type: str
    folder: str
    cls: str

    def load(self) -> type[Ecosystem]:
        """Import the module."""
        found: type[Ecosystem] = getattr(import_module(f"{__name__}.{self.folder}"), self.cls)
        return found


_BUILT_IN = {
    "pypi": _BuiltIn("pypi", "pypi", "PyPI"),
    "npm": _BuiltIn("npm", "npm", "Npm"),
    "maven": _BuiltIn("maven", "maven", "Maven"),
    "cargo": _BuiltIn("cargo", "crates", "Crates"),
    "rubygems": _BuiltIn("gem", "rubygems", "RubyGems"),
    "nuget": _BuiltIn("nuget", "nuget", "NuGet"),
}
"""By name. The parsers of all registries take a third of a second, those of one much less."""


def built_in() -> tuple[type[Ecosystem], ...]:
    """The ecosystems of this distribution; imports all their modules."""
    return tuple(found.load() for found in _BUILT_IN.values())


@cache
def ecosystems() -> Mapping[str, type[Ecosystem]]:
    """All ecosystems by name: the built-in ones, then the installed plug-ins by name.

    Raises:
        ConfigurationError: a plug-in is broken or takes a name that is already taken.
    """
    found = {cls.identity.name: cls for cls in built_in()}
    for entry_point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda e: e.name):
        cls = entry_point.load()
        if not (isinstance(cls, type) and issubclass(cls, Ecosystem)):
            raise ConfigurationError(f"plug-in {entry_point.value} is not an Ecosystem")
        if cls.identity.name in found:
            raise ConfigurationError(
                f"plug-in {entry_point.value}: there is already an ecosystem {cls.identity.name!r}"
            )
        found[cls.identity.name] = cls
    return MappingProxyType(found)


def ecosystem(name: str) -> type[Ecosystem]:
    """The ecosystem of that name.

    Raises:
        UnknownEcosystem: no ecosystem has this name.
    """
    if name in _BUILT_IN:
        return _BUILT_IN[name].load()
    try:
        return ecosystems()[name]
    except KeyError:
        known = ", ".join(ecosystems())
        raise UnknownEcosystem(f"unknown ecosystem {name!r}; known are: {known}") from None


def of_purl_type(purl_type: str) -> type[Ecosystem] | None:
    """The ecosystem whose package URLs have this type (``gem`` for RubyGems)."""
    for found in _BUILT_IN.values():
        if found.purl_type == purl_type:
            return found.load()
    return next((c for c in ecosystems().values() if c.identity.purl_type == purl_type), None)
