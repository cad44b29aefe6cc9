"""Reads the metadata inside a release's files, with as few bytes as possible.

- https://packaging.python.org/specifications/binary-distribution-format/
- https://packaging.python.org/specifications/source-distribution-format/
- https://setuptools.pypa.io/en/latest/deprecated/python_eggs.html (``requires.txt``)
"""

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from ssc_ingest.archives.gzip_stream import GzipStream
from ssc_ingest.archives.source import ByteSource
from ssc_ingest.archives.tar_stream import tar_members
from ssc_ingest.archives.zip_archive import ZipArchive
from ssc_ingest.archives.zip_directory import Member
from ssc_ingest.errors import ArchiveTooLarge, MalformedArchive

MAX_METADATA = 2 * 1024 * 1024
"""Maximum bytes of a metadata file, mostly its description, which is rarely above 100 kB."""

MAX_PACKED = 16 * 1024 * 1024
"""Maximum bytes to read of a gzipped source distribution."""

MAX_UNPACKED = 128 * 1024 * 1024
"""Maximum bytes to unpack of it."""


@dataclass(slots=True)
class SourceFiles:
    """The metadata files found in a source distribution."""

    pkg_info: bytes | None = None
    """Its core metadata."""
    requires: bytes | None = None
    """``requires.txt`` of setuptools: the result of the last build."""

    def pack(self) -> bytes:
        """The files as one text for a store."""
        first, second = (
            b"" if part is None else b"+" + part for part in (self.pkg_info, self.requires)
        )
        return b"%d\n%s%s" % (len(first), first, second)

    @classmethod
    def unpack(cls, packed: bytes) -> "SourceFiles":
        """The inverse of :meth:`pack`."""
        length, _, rest = packed.partition(b"\n")
        parts = rest[: int(length)], rest[int(length) :]
        return cls(*(part[1:] if part else None for part in parts))


async def wheel_metadata(wheel: ByteSource, project: str) -> bytes:
    """Read ``METADATA`` of a wheel of the project (normalized name).

    Raises:
        MalformedArchive: the wheel has no ``METADATA``, or several, or is damaged.
        ArchiveTooLarge: the wheel exceeds a limit.
        IngestError: the errors of the source.
    """
    archive = await ZipArchive.open(wheel, wanted=_is_wheel_metadata)
    if member := find_wheel_metadata(archive, project):
        return await archive.read(member, MAX_METADATA)
    raise MalformedArchive("the wheel has no METADATA file, or several")


def find_wheel_metadata(wheel: ZipArchive, project: str) -> Member | None:
    """``METADATA`` of the project (normalized name); ``None`` without one, or with several.

    Raises:
        MalformedArchive: several members have its name.
    """
    names = {member.name for member in wheel.members if _is_wheel_metadata(member.name)}
    own = [name for name in names if _is_of(name.split("/")[0], project)]
    for name in own if len(own) == 1 else names if len(names) == 1 else ():
        return wheel.find(name)
    return None


def _is_wheel_metadata(name: str) -> bool:
    folder, _, filename = name.partition("/")
    return folder.endswith(".dist-info") and filename == "METADATA"


def _is_of(folder: str, project: str) -> bool:
    """Whether ``<name>-<version>.dist-info`` belongs to the project."""
    return canonicalize_name(folder.rpartition("-")[0].rpartition("-")[0] or folder) == project


async def source_metadata(
    sdist: ByteSource, filename: str, project: str, is_enough: Callable[[bytes], bool]
) -> SourceFiles:
    """Read ``PKG-INFO`` and ``requires.txt`` of a project's source distribution.

    The project's name is normalized. Reading ends after a ``PKG-INFO`` for which ``is_enough`` is
    true.

    Raises:
        MalformedArchive: the archive is damaged, and nothing was found before.
        ArchiveTooLarge: the archive exceeds a limit, and nothing was found before.
        IngestError: the errors of the source.
    """
    found = SourceFiles()
    read = _read_zip if filename.lower().endswith(".zip") else _read_tar
    try:
        await read(sdist, project, is_enough, found)
    except (ArchiveTooLarge, MalformedArchive):
        if found.pkg_info is None and found.requires is None:
            raise
    return found


async def _read_zip(
    sdist: ByteSource, project: str, is_enough: Callable[[bytes], bool], found: SourceFiles
) -> None:
    archive = await ZipArchive.open(
        sdist, wanted=lambda name: is_pkg_info(name) or _is_requires(name, project)
    )
    names = [member.name for member in archive.members]
    for name in filter(is_pkg_info, names):
        if member := archive.find(name):
            found.pkg_info = await archive.read(member, MAX_METADATA)
            if is_enough(found.pkg_info):
                return
    for name in names:
        if not is_pkg_info(name) and (member := archive.find(name)):
            found.requires = await archive.read(member, MAX_METADATA)
            return


async def _read_tar(
    sdist: ByteSource, project: str, is_enough: Callable[[bytes], bool], found: SourceFiles
) -> None:
    stream = GzipStream(sdist, max_packed=MAX_PACKED, max_unpacked=MAX_UNPACKED)
    async with aclosing(tar_members(stream)) as members:
        async for member in members:
            if found.pkg_info is None and is_pkg_info(member.name):
                found.pkg_info = await member.read(MAX_METADATA)
                if is_enough(found.pkg_info):
                    return
            elif found.requires is None and _is_requires(member.name, project):
                found.requires = await member.read(MAX_METADATA)
            if found.pkg_info is not None and found.requires is not None:
                return


def member_path(name: str) -> list[str]:
    """The parts of a member's path."""
    return name.removeprefix("./").split("/")


def is_pkg_info(name: str) -> bool:
    """``<name>-<version>/PKG-INFO``."""
    return member_path(name)[1:] == ["PKG-INFO"]


def _is_requires(name: str, project: str) -> bool:
    return is_egg_info(name, project, "requires.txt")


def is_egg_info(name: str, project: str, filename: str) -> bool:
    """``<name>-<version>/[src/]<name>.egg-info/<filename>``."""
    match member_path(name):
        case [_, folder, last] | [_, _, folder, last] if last == filename:
            name, _, ending = folder.rpartition(".")
            return ending == "egg-info" and canonicalize_name(name) == project
    return False


def requires_lines(content: bytes) -> list[str]:
    """The lines of a ``requires.txt`` in the form of ``Requires-Dist``.

    It has sections for extras, markers, or both: ``[socks]``, ``[:os_name == "nt"]``.
    """
    lines, condition = [], ""
    for raw in content.decode(errors="replace").splitlines():
        line = raw.strip()
        if line.startswith("[") and line.endswith("]"):
            extra, _, marker = line[1:-1].partition(":")
            needed = [f"({marker.strip()})"] if marker.strip() else []
            if extra.strip():
                needed.append(f'extra == "{extra.strip()}"')
            condition = " and ".join(needed)
        elif line and not line.startswith("#"):
            requirement, _, marker = line.partition(";")
            needed = [f"({marker.strip()})"] if marker.strip() else []
            needed += [condition] if condition else []
            lines.append("; ".join(filter(None, (requirement.strip(), " and ".join(needed)))))
    return lines
