"""Gem files: their specification, and one Ruby file in the folder of their load path."""

import hashlib
import tarfile
from functools import lru_cache

from tests.simulator.gem_builds import Build
from tests.simulator.tar import gzipped, member
from tests.simulator.universe import Package

_END = bytes(2 * tarfile.BLOCKSIZE)

_SPECIFICATION = """--- !ruby/object:Gem::Specification
name: {name}
version: !ruby/object:Gem::Version
  version: {version}
platform: {platform}
require_paths:
- lib
"""


@lru_cache(maxsize=1024)
def gem_file(name: str, version: str, platform: str) -> bytes:
    """The file of one build."""
    specification = _SPECIFICATION.format(name=name, version=version, platform=platform)
    data = member(f"lib/{name}.rb", f"module Simulated\n  VERSION = '{version}'\nend\n") + _END
    return (
        member("metadata.gz", gzipped(specification.encode()))
        + member("data.tar.gz", gzipped(data))
        + _END
    )


def digest(package: Package, build: Build) -> str:
    """The SHA-256 of a build's file."""
    return _digest(package.name, build.release.version, build.platform)


@lru_cache(maxsize=100_000)  # of all gems: the list of versions needs them, after each reset
def _digest(name: str, version: str, platform: str) -> str:
    return hashlib.sha256(gem_file(name, version, platform)).hexdigest()
