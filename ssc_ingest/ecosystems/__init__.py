"""The registries, one module each; :func:`built_in` is the inventory.

Another distribution adds an ecosystem with an entry point of the group
``ssc_ingest.ecosystems`` whose object is a subclass of :class:`~.base.Ecosystem`.
"""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.errors import ConfigurationError, UnknownEcosystem

ENTRY_POINT_GROUP = "ssc_ingest.ecosystems"


def built_in() -> tuple[type[Ecosystem], ...]:
    """The ecosystems of this distribution.

    Their modules are imported by the first call, because their parsers take half a second.
    """
    from ssc_ingest.ecosystems.crates import Crates
    from ssc_ingest.ecosystems.maven import Maven
    from ssc_ingest.ecosystems.npm import Npm
    from ssc_ingest.ecosystems.nuget import NuGet
    from ssc_ingest.ecosystems.pypi import PyPI
    from ssc_ingest.ecosystems.rubygems import RubyGems

    return (PyPI, Npm, Maven, Crates, RubyGems, NuGet)


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
    try:
        return ecosystems()[name]
    except KeyError:
        known = ", ".join(ecosystems())
        raise UnknownEcosystem(f"unknown ecosystem {name!r}; known are: {known}") from None
