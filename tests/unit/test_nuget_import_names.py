"""Namespaces of .NET assemblies, and the assemblies of a package that count."""

import logging
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.import_names_truth.nuget import WITH_ASSEMBLIES, assemblies, by_dnfile
from ssc_ingest.archives.source import BytesSource
from ssc_ingest.ecosystems.nuget.assembly import MAX_NAMESPACE, public_namespaces
from ssc_ingest.ecosystems.nuget.import_names import namespaces_of_package
from ssc_ingest.errors import ArchiveTooLarge, MalformedArchive
from tests.assemblies import FORWARDER, INTERNAL, NESTED, PUBLIC, assembly, image, metadata
from tests.unit.archives import Counted, archive, entry, local, zipped


def real_assemblies() -> dict[str, bytes]:
    """The assemblies of two packages of Python, by folder and file."""
    return {name: content for each in WITH_ASSEMBLIES for name, content in assemblies(each).items()}


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """The judge reports much that does not matter."""
    caplog.set_level(logging.ERROR, logger="dnfile")


def library(*namespaces: str) -> bytes:
    """An assembly with one public type in each namespace."""
    return assembly([(PUBLIC, namespace, "Api") for namespace in namespaces])


REAL = {
    "runtime/Python.Runtime.dll": {"Python.Runtime", "Python.Runtime.Codecs"},
    "amd64/ClrLoader.dll": {"ClrLoader"},
    "x86/ClrLoader.dll": {"ClrLoader"},
}


@pytest.mark.parametrize(("name", "expected"), REAL.items())
def test_real_assemblies(name: str, expected: set[str]) -> None:
    """As dnfile reads them; namespaces with internal types only are none."""
    content = real_assemblies()[name]
    assert public_namespaces(content) == expected == by_dnfile(content)


NAME = st.sampled_from(["", "A", "A.B", "Ünï.Cödé", "System.Text.Json", "_x.Y1"])
TYPES = st.lists(st.tuples(st.sampled_from([PUBLIC, INTERNAL, NESTED, 0x101]), NAME, NAME))


@given(types=TYPES, exported=TYPES, wide=st.booleans())
def test_written_assemblies(
    *, types: list[tuple[int, str, str]], exported: list[tuple[int, str, str]], wide: bool
) -> None:
    """Types that are public, and types that other assemblies have now, as dnfile reads them."""
    content = assembly(types, exported, wide=wide)
    expected = {namespace for flags, namespace, _ in types if flags & 7 == PUBLIC}
    expected |= {namespace for _, namespace, _ in exported}
    assert public_namespaces(content) == expected - {""} == by_dnfile(content)


def test_a_facade() -> None:
    """A facade has no types of its own, only forwarders."""
    forwarders = [(FORWARDER, "System.Text", "Rune"), (FORWARDER, "", "Nested")]
    assert public_namespaces(assembly((), forwarders)) == {"System.Text"}


def test_namespaces_that_are_none() -> None:
    """Compilers and obfuscators write others; none of them can be in a source file."""
    odd = ["<StartupCode$FSharp>", "a b", "1.2", "a..b", "a.", "\u200b", "x" * (MAX_NAMESPACE + 1)]
    assert public_namespaces(library("Good", *odd)) == {"Good"}


def test_native_code() -> None:
    """A PE file without a CLI header has no namespaces."""
    assert public_namespaces(image(b"x" * 100, header=0)) == set()


STRINGS = (b"#Strings", b"\0")
HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "text": b"not an assembly",
    "MZ": b"MZ",
    "no PE": b"MZ".ljust(200, b"\0"),
    "a header elsewhere": image(metadata([STRINGS]), header=0x9000_0000),
    "no root": image(b"BSJX" * 10),
    "a root cut off": image(b"BSJB"),
    "a long version": image(b"BSJB" + b"\xff" * 40),
    "no tables": assembly(streams=[STRINGS]),
    "no strings": assembly(streams=[(b"#~", b"\0" * 24)]),
    "empty tables": assembly(streams=[(b"#~", b""), STRINGS]),
    "rows that are not there": assembly(rows={2: 1000}),
    "billions of rows": assembly(rows={2: 0xFFFF_FFFF}),
    "billions of other rows": assembly(rows=dict.fromkeys(range(64), 4294967295)),
    "many streams": assembly(streams=[STRINGS] * 65_000),
    "cut off": library("A")[:0x250],
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_assemblies(content: bytes) -> None:
    """Each is one typed error."""
    with pytest.raises((MalformedArchive, ArchiveTooLarge)):
        public_namespaces(content)


@given(st.data())
def test_any_damage_to_an_assembly_is_a_typed_error(data: st.DataObject) -> None:
    """Bytes are changed or cut off: names, or a typed error."""
    changed = bytearray(assembly([(PUBLIC, "A.B", "C")], [(FORWARDER, "D", "E")]))
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(changed) - 5))
        changed[place : place + 4] = data.draw(
            st.sampled_from([b"\xff\xff\xff\xff", b"\0\0\0\0"]) | st.binary(min_size=4, max_size=4)
        )
    if data.draw(st.booleans()):
        del changed[data.draw(st.integers(0, len(changed))) :]
    try:
        public_namespaces(bytes(changed))
    except (MalformedArchive, ArchiveTooLarge):
        return


def test_strings_without_end() -> None:
    """A type's namespace may point anywhere in the heap; it is read up to a limit."""
    tables = struct.pack("<LBBBBQQ", 0, 2, 0, 0, 1, 1 << 2, 0) + struct.pack("<L", 9000)
    tables += b"".join(struct.pack("<L5H", PUBLIC, 0, n, 0, 1, 1) for n in range(9000))
    content = assembly(streams=[(b"#~", tables), (b"#Strings", b"A" * 10_000_000)])
    assert public_namespaces(content) == set()


# Packages -------------------------------------------------------------------------------

PACKAGES: dict[str, tuple[dict[str, bytes], set[str]]] = {
    "one framework": ({"lib/net8.0/Demo.dll": library("Demo.Core")}, {"Demo.Core"}),
    "no framework": ({"lib/Demo.dll": library("Demo")}, {"Demo"}),
    "the newest framework": (
        {
            "lib/net48/Demo.dll": library("Old"),
            "lib/netstandard2.0/Demo.dll": library("Standard"),
            "lib/netcoreapp3.1/Demo.dll": library("Core"),
            "lib/net8.0/Demo.dll": library("Eight"),
            "lib/net10.0/Demo.dll": library("Ten"),
        },
        {"Ten"},
    ),
    "without a platform": (
        {
            "lib/net8.0-windows10.0.19041/Demo.dll": library("Windows"),
            "lib/net6.0/Demo.dll": library("All"),
        },
        {"All"},
    ),
    "only with a platform": (
        {"lib/net8.0-windows7.0/Demo.Wpf.dll": library("Demo.Wpf")},
        {"Demo.Wpf"},
    ),
    "older names": (
        {
            "lib/net35/Demo.dll": library("Old"),
            "lib/net461/Demo.dll": library("New"),
            "lib/portable-net45%2Bwin8/Demo.dll": library("Portable"),
        },
        {"New"},
    ),
    "references first": (
        {
            "ref/netstandard1.3/Demo.dll": library("Reference"),
            "lib/net8.0/Demo.dll": library("Implementation"),
        },
        {"Reference"},
    ),
    "a place holder": (
        {"lib/net8.0/_._": b"", "ref/net8.0/_._": b"", "lib/netstandard2.0/Demo.dll": library("X")},
        {"X"},
    ),
    "several assemblies": (
        {
            "lib/net8.0/A.dll": library("A", "Shared"),
            "lib/net8.0/B.exe": library("B", "Shared"),
            "lib/net8.0/C.winmd": library("C"),
            "lib/net8.0/A.xml": b"<doc/>",
            "lib/net8.0/native.dll": image(b"", header=0),
        },
        {"A", "B", "C", "Shared"},
    ),
    "upper case and backslashes": ({"Lib\\NET48\\Demo.DLL": library("Demo")}, {"Demo"}),
    "a facade": (
        {"lib/net8.0/Demo.dll": assembly((), [(FORWARDER, "Moved.Here", "Api")])},
        {"Moved.Here"},
    ),
    "a meta package": ({"Demo.nuspec": b"<package/>", "lib/net8.0/_._": b""}, set()),
    "not for the compiler": (
        {
            "runtimes/win-x64/native/demo.dll": b"native",
            "runtimes/win/lib/net8.0/Demo.dll": library("Runtime"),
            "analyzers/dotnet/cs/Demo.Analyzers.dll": library("Analyzers"),
            "build/net8.0/Demo.Tasks.dll": library("Tasks"),
            "buildTransitive/Demo.Tasks.dll": library("Tasks"),
            "tools/net8.0/any/demo.dll": library("Tool"),
            "lib/net8.0/de/Demo.resources.dll": library("Texts"),
            "lib/net8.0/Demo.resources.dll": library("Texts"),
            "content/lib/net8.0/Demo.dll": library("Content"),
            "/lib/net8.0/Demo.dll": library("Absolute"),
            "../lib/net8.0/Demo.dll": library("Parent"),
        },
        set(),
    ),
}


@pytest.mark.parametrize(("members", "expected"), PACKAGES.values(), ids=PACKAGES)
async def test_packages(members: dict[str, bytes], expected: set[str]) -> None:
    """The assemblies that a compiler would read, for one framework."""
    assert await namespaces_of_package(BytesSource(zipped(members))) == expected


async def test_what_else_a_package_has_is_not_read() -> None:
    """Neither assemblies for other frameworks nor native libraries are read."""
    other = {f"runtimes/{n}/native/x.so": bytes(n for _ in range(90_000)) for n in range(9)}
    members = {"lib/net8.0/Demo.dll": library("Demo"), **other}
    source = Counted(zipped(members, method=0))
    assert await namespaces_of_package(source) == {"Demo"}
    assert source.bytes_read < 150_000 < len(source.content) / 5


HOSTILE_PACKAGES: dict[str, Callable[[], bytes]] = {
    "a page": lambda: b"<html>",
    "an assembly that is none": lambda: zipped({"lib/net8.0/Demo.dll": b"<html>"}),
    "one of two": lambda: zipped({"lib/net8/A.dll": library("A"), "lib/net8/B.dll": b"?"}),
    "encrypted": lambda: archive([entry(b"lib/a.dll", flags=1)], local(b"lib/a.dll", flags=1)),
    "too many": lambda: zipped({f"lib/net8.0/{n}.dll": b"" for n in range(401)}),
    "too large together": lambda: archive(
        [entry(b"lib/%d.dll" % n, size=60_000_000, method=8) for n in range(3)]
    ),
    "a bomb": lambda: zipped({"lib/net8.0/A.dll": b"\0" * 5_000_000}),
}


@pytest.mark.parametrize("build", HOSTILE_PACKAGES.values(), ids=HOSTILE_PACKAGES)
async def test_hostile_packages(build: Callable[[], bytes]) -> None:
    """A package that cannot be read completely has unknown names, not some of them."""
    with pytest.raises((MalformedArchive, ArchiveTooLarge)):
        await namespaces_of_package(BytesSource(build()))


async def test_a_package_inside_a_package() -> None:
    """A package inside a package is not opened."""
    inner = zipped({"lib/net8.0/Demo.dll": library("Demo")})
    assert await namespaces_of_package(BytesSource(zipped({"inner.nupkg": inner}))) == set()
