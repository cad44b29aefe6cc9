"""Reads the import names of a source distribution, without building it.

The modules of an installation are found in this order:

1. setuptools' ``top_level.txt``, the result of the build that made the source distribution;
2. the build files (:mod:`.build_hints`);
3. the layout: packages and modules in ``src``, or else beside the build files, without those that
   only serve the build, tests or documentation.

Names that ``PKG-INFO`` declares are added. A gzipped tar archive is read from its start. Reading
ends after ``top_level.txt`` and ``SOURCES.txt``, which has all paths; without them at its end. An
archive that is too large still has the names that were found before, if its ``top_level.txt`` was
among them.
"""

from collections.abc import Iterable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

from ssc_ingest.archives.gzip_stream import GzipStream
from ssc_ingest.archives.source import ByteSource
from ssc_ingest.archives.tar_stream import tar_members
from ssc_ingest.archives.zip_archive import ZipArchive
from ssc_ingest.ecosystems.concurrency import off_loop
from ssc_ingest.ecosystems.pypi.archive_metadata import (
    MAX_METADATA,
    MAX_PACKED,
    MAX_UNPACKED,
    is_egg_info,
    is_pkg_info,
    member_path,
)
from ssc_ingest.ecosystems.pypi.import_names.build_hints import BuildHints, hints_of
from ssc_ingest.ecosystems.pypi.import_names.declared import DeclaredNames, declared_names
from ssc_ingest.ecosystems.pypi.import_names.modules import (
    LEFT_OUT,
    MAX_PATH,
    Namespaces,
    import_names,
    is_own,
    is_shared_by_name,
)
from ssc_ingest.errors import ArchiveTooLarge, MalformedArchive, ResponseTooLarge

MAX_SMALL = 256 * 1024
"""Maximum bytes of a build file; larger ones give no hints."""

BUILD_FILES = ("pyproject.toml", "setup.cfg", "setup.py")

NOT_INSTALLED = LEFT_OUT | {
    "benchmark", "benchmarks", "bench", "build", "ci", "conftest", "demo", "demos", "dist",
    "distribute_setup", "doc", "ez_setup", "fabfile", "noxfile", "runtests", "sample", "samples",
    "script", "scripts", "setup", "setupbase", "tasks", "testing", "tool", "tools", "versioneer",
}  # fmt: skip
"""Top-level names that serve the build, tests or documentation, except of a project with that
name."""

_EXTENSION_SOURCE = ".pyx"
_FOLDERS = ("", "src", "lib", "python")


@dataclass(slots=True)
class _Found:
    """The data read from a source distribution."""

    paths: list[str] = field(default_factory=list)
    """Paths below the project's folder."""
    hints: BuildHints = field(default_factory=BuildHints)
    top_level: frozenset[str] | None = None
    """The lines of ``top_level.txt``; ``None`` if there is none."""
    top_folder: str = ""
    """The folder that has the modules, by the place of ``top_level.txt``."""
    has_all_paths: bool = False
    declared: DeclaredNames = field(default_factory=DeclaredNames)

    @property
    def is_complete(self) -> bool:
        """Whether the rest of the archive cannot add anything."""
        return self.has_all_paths and self.top_level is not None


async def sdist_names(sdist: ByteSource, filename: str, project: str) -> set[str]:
    """The import names of a source distribution of the project (normalized name).

    Raises:
        MalformedArchive: the source distribution is damaged, or neither a gzipped tar nor a zip
            archive.
        ArchiveTooLarge: the source distribution exceeds a limit.
        IngestError: the errors of the source.
    """
    found = _Found()
    read = _read_zip if filename.lower().endswith(".zip") else _read_tar
    try:
        await read(sdist, project, found)
    except ResponseTooLarge:
        if found.top_level is None:
            raise
    names = await off_loop(100 * len(found.paths), _names, found, project)
    return names | found.declared.names


async def _read_tar(sdist: ByteSource, project: str, found: _Found) -> None:
    stream = GzipStream(sdist, max_packed=MAX_PACKED, max_unpacked=MAX_UNPACKED)
    async with aclosing(tar_members(stream)) as members:
        async for member in members:
            if len(member.name) > MAX_PATH:
                continue
            found.paths.append(_below(member.name))
            if _is_read(member.name, project):
                with suppress(ArchiveTooLarge):
                    content = await member.read(MAX_METADATA)
                    await off_loop(len(content), _take, member.name, content, project, found)
            if found.is_complete:
                return


async def _read_zip(sdist: ByteSource, project: str, found: _Found) -> None:
    archive = await ZipArchive.open(sdist)
    found.paths = [_below(member.name) for member in archive.members]
    for member in archive.members:
        if _is_read(member.name, project) and not is_egg_info(member.name, project, "SOURCES.txt"):
            with suppress(ArchiveTooLarge, MalformedArchive):
                content = await archive.read(member, MAX_METADATA)
                await off_loop(len(content), _take, member.name, content, project, found)


def _below(name: str) -> str:
    """The path below the project's folder."""
    return "/".join(member_path(name)[1:])


def _is_read(name: str, project: str) -> bool:
    return (
        is_pkg_info(name)
        or _below(name) in BUILD_FILES
        or is_egg_info(name, project, "top_level.txt")
        or is_egg_info(name, project, "SOURCES.txt")
    )


def _take(name: str, content: bytes, project: str, found: _Found) -> None:
    """Use a file that :func:`_is_read`."""
    if is_pkg_info(name):
        found.declared = declared_names(content)
    elif is_egg_info(name, project, "top_level.txt"):
        found.top_level = frozenset(content.decode(errors="replace").split())
        found.top_folder = "/".join(member_path(name)[1:-2])
    elif is_egg_info(name, project, "SOURCES.txt"):
        found.paths += content.decode(errors="replace").splitlines()
        found.has_all_paths = True
    elif len(content) <= MAX_SMALL:
        found.hints |= hints_of(_below(name), content)


def _names(found: _Found, project: str) -> set[str]:
    namespaces = Namespaces(declared=found.declared.shared)
    roots = found.top_level if found.top_level is not None else found.hints.roots
    folders = {found.top_folder, *found.hints.folders, *_FOLDERS}
    below = {folder: list(_inside(found.paths, folder)) for folder in folders}
    names: set[str] = set()
    for folder in (found.top_folder, *sorted(found.hints.folders), *_FOLDERS):
        wanted = {root for root in roots if root not in names and _is_installed(root, project)}
        names |= import_names(
            (path for path in below[folder] if _root(path) in wanted), project, namespaces
        )
    if found.top_level is not None:
        # A root without a file is an extension module that only a build makes.
        files = {_root(path) for paths in below.values() for path in paths}
        return names | {
            root for root in roots - files if root.isidentifier() and _is_installed(root, project)
        }
    return names or _by_layout(below, found.hints.folders, project, namespaces)


def _by_layout(
    below: dict[str, list[str]], folders: Iterable[str], project: str, namespaces: Namespaces
) -> set[str]:
    """The names in the folders of the build files, in ``src`` or beside the build files."""
    for folder in (*sorted(folders), "src", "", "lib", "python"):
        paths = below[folder]
        packages = {root for path in paths if (root := _root(path)) and _is_package_file(path)}
        found = import_names(
            (
                path
                for path in paths
                if (root := _root(path))
                and _is_installed(root, project)
                and (root in packages or "/" not in path or is_shared_by_name(root, project))
            ),
            project,
            namespaces,
        )
        if found:
            return found
    return set()


def _inside(paths: Iterable[str], folder: str) -> Iterable[str]:
    prefix = f"{folder}/" if folder else ""
    for path in paths:
        if path.startswith(prefix):
            yield _as_module(path.removeprefix(prefix))


def _as_module(path: str) -> str:
    """The source of an extension module under the name of a module."""
    if path.endswith(_EXTENSION_SOURCE):
        return path.removesuffix(_EXTENSION_SOURCE) + ".py"
    return path


def _root(path: str) -> str:
    """The top-level module or package of a path."""
    return path.partition("/")[0].partition(".")[0].removesuffix("-stubs")


def _is_package_file(path: str) -> bool:
    return path.count("/") == 1 and path.endswith(("/__init__.py", "/__init__.pyi"))


def _is_installed(root: str, project: str) -> bool:
    return root not in NOT_INSTALLED or is_own(root, project)
