"""The inventory of simulated registries, and access without a server."""

from typing import Any

from tests.simulator.crates import Crates
from tests.simulator.ecosystem import Ecosystem
from tests.simulator.maven import Maven
from tests.simulator.npm import Npm
from tests.simulator.nuget import NuGet
from tests.simulator.options import Options
from tests.simulator.pypi import PyPI
from tests.simulator.registry import Registry
from tests.simulator.rubygems import RubyGems

ECOSYSTEMS: tuple[type[Ecosystem], ...] = (PyPI, Npm, Maven, Crates, RubyGems, NuGet)

BY_NAME: dict[str, Ecosystem] = {cls.name: cls() for cls in ECOSYSTEMS}


def open_registries(options: Options, base_url: str) -> dict[str, Registry]:
    """All registries by the name of the ecosystem."""
    return {cls.name: Registry(cls(), options, base_url) for cls in ECOSYSTEMS}


def open_registry(
    ecosystem: str, base_url: str = "http://simulator.invalid", **options: Any
) -> Registry:
    """One registry in this process, equal to that of a server with the same options."""
    return open_registries(Options(**options), base_url)[ecosystem]
