"""Damaged archives of every format have names, or end in a typed error.

``--hypothesis-profile=fuzz`` tries many times as many.
"""

import gzip
from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.archives.source import BytesSource
from ssc_ingest.ecosystems.crates.import_names import names_of_crate
from ssc_ingest.ecosystems.maven.import_names import packages_of_aar, packages_of_jar
from ssc_ingest.ecosystems.npm.import_names.archive import Contents, list_archive
from ssc_ingest.ecosystems.nuget.import_names import namespaces_of_package
from ssc_ingest.ecosystems.pypi.import_names.sdist import sdist_names
from ssc_ingest.ecosystems.pypi.import_names.wheel import wheel_names
from ssc_ingest.ecosystems.rubygems.import_names import names_of_gem
from ssc_ingest.errors import IngestError
from tests.assemblies import FORWARDER, PUBLIC, assembly
from tests.properties import examples
from tests.unit.archives import tarred, zipped

Damage = Callable[[bytes], bytes]
Archive = Callable[[list[Damage]], bytes]
"""An archive; each layer is given to a function of its own, the file first."""

KINDS = ("change", "cut", "insert", "far", "repeat")


def zip_of(members: dict[str, bytes], inner: str | None = None) -> Archive:
    """A zip archive; the second layer is one of its members, or each."""

    def made(layers: list[Damage]) -> bytes:
        names = members if inner is None else [inner]
        damaged = {name: layers[1](members[name]) for name in names}
        return layers[0](zipped(members | damaged, method=0))

    return made


def tar_of(members: dict[str, bytes]) -> Archive:
    """A gzipped tar archive; the second layer is unpacked."""
    return lambda layers: layers[0](gzip.compress(layers[1](tarred(members, mode="w")), 1))


def gem_of(data: dict[str, bytes], specification: bytes) -> Archive:
    """A gem; the second layer is the archive of its files, the third its specification."""

    def made(layers: list[Damage]) -> bytes:
        members = {
            "metadata.gz": gzip.compress(layers[2](specification), 1),
            "data.tar.gz": gzip.compress(layers[1](tarred(data, mode="w")), 1),
        }
        return layers[0](tarred(members, mode="w"))

    return made


METADATA = b"Metadata-Version: 2.5\nName: demo\nVersion: 1\nImport-Name: demo\n"
WHEEL = {
    "demo/__init__.py": b"__import__('pkgutil').extend_path(__path__, __name__)",
    "demo/a.cpython-312-x86_64-linux-gnu.so": b"",
    "demo.pth": b"demo\n",
    "demo-1.dist-info/namespace_packages.txt": b"demo\n",
    "demo-1.dist-info/METADATA": METADATA,
    "demo-1.dist-info/RECORD": b"demo/__init__.py,,\n",
}
SDIST = {
    "demo-1/PKG-INFO": METADATA,
    "demo-1/pyproject.toml": b'[tool.setuptools]\npackages = ["demo"]\n',
    "demo-1/setup.cfg": b"[options]\npackages = find:\n",
    "demo-1/demo/__init__.py": b"",
}
CRATE = {
    "demo-1/Cargo.toml": b'[package]\nname = "demo"\n[lib]\nname = "d"\n',
    "demo-1/src/lib.rs": b"pub mod a { pub struct B; }",
}
JAR = {"META-INF/versions/9/a/B.class": b"x", "a/C.class": b"x" * 300, "p/d/E.class": b""}
ASSEMBLY = assembly([(PUBLIC, "A.B", "C")], [(FORWARDER, "D", "E")])


async def of_npm_archive(data: bytes) -> AbstractSet[str]:
    """The files of a package of types, and what they declare."""
    found: Contents = await list_archive(BytesSource(data), is_types=True)
    return found.paths | found.declared


READERS: dict[str, tuple[Archive, Callable[[bytes], Awaitable[AbstractSet[str]]]]] = {
    "wheel": (zip_of(WHEEL), lambda data: wheel_names(BytesSource(data), "demo")),
    "sdist": (tar_of(SDIST), lambda data: sdist_names(BytesSource(data), "demo-1.tar.gz", "demo")),
    "zipped sdist": (
        zip_of(SDIST),
        lambda data: sdist_names(BytesSource(data), "demo-1.zip", "demo"),
    ),
    "npm": (
        tar_of({"p/package.json": b"{}", "p/a.d.ts": b'declare module "a" {}'}),
        of_npm_archive,
    ),
    "jar": (zip_of(JAR), lambda data: packages_of_jar(BytesSource(data))),
    "aar": (
        zip_of({"classes.jar": zipped(JAR), "libs/b.jar": zipped(JAR)}, "classes.jar"),
        lambda data: packages_of_aar(BytesSource(data)),
    ),
    "crate": (tar_of(CRATE), lambda data: names_of_crate(data, "demo", "1")),
    "gem": (
        gem_of({"lib/a/b.so": b"", "lib/c.txt": b"x"}, b"--- !ruby/object:X\nrequire_paths: [lib]"),
        lambda data: names_of_gem(data, "demo", "1"),
    ),
    "gem with a source": (
        gem_of({"lib/a.rb": b"module A; end"}, b"require_paths: [lib]\n"),
        lambda data: names_of_gem(data, "demo", "1"),
    ),
    "nupkg": (
        zip_of({"lib/net8.0/A.dll": ASSEMBLY, "ref/x/_._": b""}, "lib/net8.0/A.dll"),
        lambda data: namespaces_of_package(BytesSource(data)),
    ),
}

PARSED = ("crate", "gem with a source")
"""Their sources are parsed by a child process each time."""


def whole(content: bytes) -> bytes:
    """No damage."""
    return content


@st.composite
def damages(draw: st.DrawFn) -> Damage:
    """A few changes of some bytes, at places relative to the size."""
    change = st.tuples(st.sampled_from(KINDS), st.floats(0, 0.9999), st.binary(max_size=8))
    changes = draw(st.lists(change, min_size=1, max_size=4))

    def damaged(content: bytes) -> bytes:
        changed = bytearray(content)
        for what, share, data in changes:
            place = int(share * len(changed))
            match what:
                case "change":
                    changed[place : place + len(data)] = data
                case "cut":
                    del changed[place : place + 40 * len(data)]
                case "insert":
                    changed[place:place] = data
                case "far":
                    changed[place : place + 4] = b"\xff\xff\xff\xff"
                case _:
                    changed[place:place] = changed[place:]
        return bytes(changed)

    return damaged


@pytest.mark.parametrize("kind", READERS)
async def test_whole_archives(kind: str) -> None:
    """Without damage, all have names."""
    archive, read = READERS[kind]
    layers: list[Damage] = [whole] * 3
    assert await read(archive(layers))


@pytest.mark.parametrize("kind", [kind for kind in READERS if kind not in PARSED])
@given(damage=damages(), layer=st.integers(0, 2))
async def test_any_damage(kind: str, damage: Damage, layer: int) -> None:
    """One layer of an archive is damaged: there are names, or a typed error."""
    await _read_damaged(kind, damage, layer)


@pytest.mark.parametrize("kind", PARSED)
@examples(0.05)
@given(damage=damages(), layer=st.integers(0, 2))
async def test_any_damage_to_sources(kind: str, damage: Damage, layer: int) -> None:
    """The same of archives whose sources are parsed."""
    await _read_damaged(kind, damage, layer)


async def _read_damaged(kind: str, damage: Damage, layer: int) -> None:
    archive, read = READERS[kind]
    layers: list[Damage] = [whole] * 3
    layers[layer] = damage
    try:
        names = await read(archive(layers))
    except IngestError:
        return
    assert all(isinstance(name, str) for name in names)
