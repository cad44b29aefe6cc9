"""The metadata in wheels and source distributions, read in parts."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.archives.source import BytesSource
from ssc_ingest.ecosystems.pypi import archive_metadata
from ssc_ingest.ecosystems.pypi.archive_metadata import (
    SourceFiles,
    requires_lines,
    source_metadata,
    wheel_metadata,
)
from ssc_ingest.ecosystems.pypi.metadata import parse_source_metadata
from ssc_ingest.ecosystems.pypi.requirements import requirements_of
from ssc_ingest.errors import ArchiveTooLarge, MalformedArchive, MalformedMetadata
from tests.unit.archives import CONTENT, Counted, archive, entry, tarred, zipped

PKG_INFO = b"Metadata-Version: 1.2\nName: demo\nVersion: 1.0\n"


@pytest.mark.parametrize(
    "members",
    [
        {"demo-1.0.dist-info/METADATA": CONTENT, "demo-1.0.dist-info/RECORD": b""},
        {"Demo-1.0.dist-info/METADATA": CONTENT},
        {"my_demo.x-1.0.dist-info/METADATA": CONTENT},
        # What is vendored, or somebody else's
        {"demo-1.0.dist-info/METADATA": CONTENT, "other-2.0.dist-info/METADATA": b"Name: other"},
        {"demo-1.0.dist-info/METADATA": CONTENT, "demo/x-1.dist-info/METADATA": b"Name: x"},
        # Wheels whose project was renamed
        {"formerly-1.0.dist-info/METADATA": CONTENT},
    ],
)
async def test_a_wheel(members: dict[str, bytes]) -> None:
    """The METADATA of its own project is read."""
    project = "my-demo-x" if any(name.startswith("my") for name in members) else "demo"
    assert await wheel_metadata(BytesSource(zipped(members)), project) == CONTENT


@pytest.mark.parametrize(
    "data",
    [
        b"<html>",
        zipped({"demo/METADATA": CONTENT}),
        zipped({"demo-1.0.dist-info/METADATA.json": CONTENT}),
        zipped({"a-1.dist-info/METADATA": CONTENT, "b-1.dist-info/METADATA": CONTENT}),
        zipped({"demo-1.dist-info/METADATA": CONTENT, "demo-2.dist-info/METADATA": CONTENT}),
        archive([entry(), entry()]),
    ],
)
async def test_a_wheel_without_metadata_of_its_own(data: bytes) -> None:
    """A wheel has no metadata file, or several: it is unclear which one counts."""
    with pytest.raises(MalformedArchive):
        await wheel_metadata(BytesSource(data), "demo")


def is_enough(pkg_info: bytes) -> bool:
    """Whether the file is final."""
    return parse_source_metadata(pkg_info, "").requires_dist is not None


async def source(data: bytes, name: str = "demo-1.0.tar.gz") -> SourceFiles:
    """The metadata files in a source distribution."""
    return await source_metadata(BytesSource(data), name, "demo", is_enough)


STATIC = b"Metadata-Version: 2.2\nName: demo\nRequires-Dist: six\n"
REQUIRES = b"six>=1\n"


@pytest.mark.parametrize("packed", [tarred, zipped])
@pytest.mark.parametrize(
    ("members", "found"),
    [
        ({"demo-1.0/PKG-INFO": STATIC}, (STATIC, None)),
        ({"./demo-1.0/PKG-INFO": STATIC}, (STATIC, None)),
        ({"demo-1.0/PKG-INFO": PKG_INFO}, (PKG_INFO, None)),
        (
            {"demo-1.0/PKG-INFO": PKG_INFO, "demo-1.0/demo.egg-info/requires.txt": REQUIRES},
            (PKG_INFO, REQUIRES),
        ),
        (
            {"demo-1.0/src/Demo.egg-info/requires.txt": REQUIRES, "demo-1.0/PKG-INFO": PKG_INFO},
            (PKG_INFO, REQUIRES),
        ),
        ({"demo-1.0/demo.egg-info/requires.txt": REQUIRES}, (None, REQUIRES)),
        # Those of others, elsewhere
        (
            {
                "PKG-INFO": STATIC,
                "demo-1.0/other/PKG-INFO": STATIC,
                "demo-1.0/other.egg-info/requires.txt": REQUIRES,
                "demo-1.0/requires.txt": REQUIRES,
                "demo-1.0/tests/data/x/demo.egg-info/requires.txt": REQUIRES,
            },
            (None, None),
        ),
    ],
)
async def test_a_source_distribution(
    packed: type, members: dict[str, bytes], found: tuple[bytes | None, bytes | None]
) -> None:
    """A source distribution's metadata files are found, in any order, in both formats."""
    name = "demo-1.0.tar.gz" if packed is tarred else "demo-1.0.ZIP"
    files = await source(packed(members), name)
    assert (files.pkg_info, files.requires) == found
    assert SourceFiles.unpack(files.pack()) == files


async def test_reading_ends_with_what_is_enough() -> None:
    """The rest of the archive does not matter: it may be damaged, large or without end."""
    data = tarred({"demo-1.0/PKG-INFO": STATIC, "demo-1.0/data": bytes(3_000_000)})
    assert (await source(data[:2000])).pkg_info == STATIC
    counted = Counted(data)
    await source_metadata(counted, "demo-1.0.tgz", "demo", is_enough)
    assert len(counted.reads) == 1


async def test_what_was_found_before_the_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found before the damage counts.

    If nothing was found, the damage or the limit is the reason.
    """
    members = {"demo-1.0/PKG-INFO": PKG_INFO, "demo-1.0/data": bytes(3_000_000)}
    assert (await source(tarred(members)[:2000])).pkg_info == PKG_INFO
    monkeypatch.setattr(archive_metadata, "MAX_UNPACKED", 2_000_000)
    assert (await source(tarred(members))).pkg_info == PKG_INFO
    late = tarred(dict(reversed(members.items())))
    with pytest.raises(ArchiveTooLarge):
        await source(late)
    with pytest.raises(MalformedArchive):
        await source(late[:2000])
    with pytest.raises(MalformedArchive):
        await source(b"<html>")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("Metadata-Version: 2.1\nName: demo\nRequires-Dist: six", None),
        ("Name: demo\nRequires-Dist: six", None),
        ("Metadata-Version: 2.2\nName: demo\nRequires-Dist: six", ("six",)),
        ("Metadata-Version: 2.2\nName: demo", ()),
        ("Metadata-Version: 2.10\nName: demo", ()),
        ("Metadata-Version: 3.0\nName: demo", ()),
        ("Metadata-Version: 2.4\nDynamic: license\nName: demo\nRequires-Dist: six", ("six",)),
        ("Metadata-Version: 2.2\nDynamic: requires-dist\nName: demo\nRequires-Dist: six", None),
        ("Metadata-Version: 2.2\nDynamic: Version\nDynamic: Requires-Dist \nName: demo", None),
        ("Metadata-Version: two\nName: demo", None),
    ],
)
def test_pkg_info(text: str, lines: tuple[str, ...] | None) -> None:
    """The requirements of ``PKG-INFO`` are final since version 2.2, unless they are dynamic."""
    assert parse_source_metadata(text.encode(), "").requires_dist == lines


def test_a_pkg_info_that_is_none() -> None:
    """An invalid PKG-INFO is refused."""
    with pytest.raises(MalformedMetadata):
        parse_source_metadata(b"<html>", "")


REQUIRES_TXT = b"""\
six>=1.5
idna

[:python_version < "3.12"]
tomli>=1; os_name == "nt"

# made by hand
[socks]
PySocks!=1.5.7,>=1.5.6

[socks:sys_platform == "win32" or os_name == "nt"]
win-inet-pton
"""


def test_requires_txt() -> None:
    """The sections of ``requires.txt`` are extras, markers, or both."""
    lines = requires_lines(REQUIRES_TXT)
    assert lines == [
        "six>=1.5",
        "idna",
        'tomli>=1; (os_name == "nt") and (python_version < "3.12")',
        'PySocks!=1.5.7,>=1.5.6; extra == "socks"',
        'win-inet-pton; (sys_platform == "win32" or os_name == "nt") and extra == "socks"',
    ]
    found = requirements_of(lines)
    assert [r.package.name for r in found.installed] == ["six", "idna", "tomli"]
    assert not found.unreadable
    assert found.extras
    assert json.loads(found.extras) == {"socks": lines[3:]}


@given(st.binary(max_size=60) | st.text("[]:;#= x\n'\"", max_size=40).map(str.encode))
def test_any_requires_txt(content: bytes) -> None:
    """Any content becomes lines that are read or reported."""
    requirements_of(requires_lines(content))
