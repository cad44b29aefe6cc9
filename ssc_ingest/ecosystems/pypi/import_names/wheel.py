"""Reads the import names of a wheel or egg, with as few bytes as possible.

The central directory has all paths, as ``RECORD`` has them, so ``RECORD`` is not read. Further
members are small and mostly lie in the part at the end that is read anyway:

- ``METADATA``, for ``Import-Name``;
- ``*.pth`` at the top, which add folders to Python's search path
  (https://docs.python.org/3/library/site.html);
- ``namespace_packages.txt``, and an ``__init__.py`` that may declare a namespace
  (https://packaging.python.org/guides/packaging-namespace-packages/).

``top_level.txt`` is not read: many wheels have none, and it says less than the paths.

https://packaging.python.org/specifications/binary-distribution-format/
"""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from ssc_ingest.archives.source import ByteSource
from ssc_ingest.archives.zip_archive import ZipArchive
from ssc_ingest.archives.zip_directory import Member
from ssc_ingest.ecosystems.concurrency import off_loop
from ssc_ingest.ecosystems.pypi.archive_metadata import MAX_METADATA, find_wheel_metadata
from ssc_ingest.ecosystems.pypi.import_names.declared import DeclaredNames, declared_names
from ssc_ingest.ecosystems.pypi.import_names.modules import (
    Namespaces,
    import_names,
    is_own,
    roots_with_little_code,
)
from ssc_ingest.errors import ArchiveTooLarge, MalformedArchive

MAX_SMALL = 4096
"""Bytes; an ``__init__.py`` that only declares a namespace is smaller, with its licence."""

MAX_PATH_FILES = 5
"""Maximum ``.pth`` files, and maximum ``__init__.py`` files, to read in an archive."""

MAX_PATH_LINES = 50

_USED = (".py", ".pyi", ".pyc", ".so", ".pyd", ".pth", "METADATA", "PKG-INFO", ".txt")
_INSTALLED = re.compile(r"[^/]+\.data/(?:purelib|platlib)/")
_DECLARES = re.compile(rb"\b(?:declare_namespace|extend_path)\s*\(")


async def wheel_names(wheel: ByteSource, project: str) -> set[str]:
    """The import names of a wheel or egg of the project (normalized name).

    Raises:
        MalformedArchive: the file is damaged.
        ArchiveTooLarge: the file exceeds a limit.
        IngestError: the errors of the source.
    """
    archive = await ZipArchive.open(wheel, wanted=lambda name: name.endswith(_USED))
    files = _Files(archive, project)
    declared = await files.declared()
    namespaces = Namespaces(
        extended=frozenset(await files.extended()),
        declared=declared.shared | frozenset(await files.legacy_namespaces()),
    )
    folders = await files.added_folders()
    size = 100 * len(files.members)
    return (
        await off_loop(size, _names, files.members, folders, project, namespaces) | declared.names
    )


def _names(
    paths: Iterable[str], folders: Iterable[str], project: str, namespaces: Namespaces
) -> set[str]:
    names = import_names(paths, project, namespaces)
    for folder in folders:
        below = [path.removeprefix(folder) for path in paths if path.startswith(folder)]
        names |= import_names(below, project, namespaces)
    return names


class _Files:
    """The members of an archive by the path at which they are installed."""

    def __init__(self, archive: ZipArchive, project: str) -> None:
        self._archive = archive
        self._project = project
        self.members = {_INSTALLED.sub("", each.name, count=1): each for each in archive.members}

    async def declared(self) -> DeclaredNames:
        """The names that the metadata declares."""
        try:
            member = find_wheel_metadata(self._archive, self._project)
        except MalformedArchive:  # several: nobody knows which one counts
            return DeclaredNames()
        content = await self._read(member, MAX_METADATA) if member else None
        if not content:
            return DeclaredNames()
        return await off_loop(len(content), declared_names, content)

    async def legacy_namespaces(self) -> list[str]:
        """The namespaces of setuptools' ``namespace_packages.txt``."""
        for path, member in self.members.items():
            match path.split("/"):
                case [folder, "namespace_packages.txt"] if folder.endswith((".dist-info", "-INFO")):
                    content = await self._read(member, MAX_SMALL) or b""
                    return content.decode(errors="replace").split()
        return []

    async def extended(self) -> list[str]:
        """The top-level packages whose ``__init__.py`` declares a namespace."""
        sizes = ((path, member.size) for path, member in self.members.items())
        roots = [
            root
            for root in roots_with_little_code(sizes, MAX_SMALL)
            if not is_own(root, self._project)
        ]
        found = []
        for root in roots[:MAX_PATH_FILES]:
            member = self.members.get(f"{root}/__init__.py")
            content = await self._read(member, MAX_SMALL) if member else None
            if content and _DECLARES.search(content):
                found.append(root)
        return found

    async def added_folders(self) -> list[str]:
        """The folders that ``.pth`` files add to the search path, each with ``/`` at its end."""
        folders: list[str] = []
        names = [path for path in self.members if "/" not in path and path.endswith(".pth")]
        for name in sorted(names)[:MAX_PATH_FILES]:
            content = await self._read(self.members[name], MAX_SMALL) or b""
            folders += _folders(content.decode(errors="replace"))
        return list(dict.fromkeys(folders))

    async def _read(self, member: Member, max_size: int) -> bytes | None:
        """The content of a member; ``None`` if it is unreadable; only its facts are lost then."""
        try:
            return await self._archive.read(member, max_size)
        except (ArchiveTooLarge, MalformedArchive):
            return None


def _folders(content: str) -> Iterable[str]:
    """The folders in a ``.pth`` file; lines with ``import`` are code."""
    for raw in content.splitlines()[:MAX_PATH_LINES]:
        line = raw.strip()
        if line and not line.startswith(("#", "import ", "import\t")):
            folder = PurePosixPath(line.replace("\\", "/"))
            if not folder.is_absolute() and ".." not in folder.parts and folder.parts:
                yield f"{folder}/"
