"""The public namespaces of a release's assemblies: what C# code has in its ``using`` lines.

A package has assemblies for several target frameworks; those of one are enough. A project compiles
against ``ref/`` if the package has it, and else ``lib/``. Nothing else is for the compiler:
``runtimes/``, ``analyzers/``, ``build/``, ``tools/``, and satellites with texts of one language,
which are in folders below the framework's.
https://learn.microsoft.com/nuget/create-packages/select-assemblies-referenced-by-projects
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from ssc_ingest.archives.source import ByteSource
from ssc_ingest.archives.zip_archive import ZipArchive
from ssc_ingest.archives.zip_directory import Member
from ssc_ingest.ecosystems.concurrency import off_loop
from ssc_ingest.ecosystems.endpoints import Endpoints
from ssc_ingest.ecosystems.nuget.assembly import public_namespaces
from ssc_ingest.errors import ArchiveTooLarge, PackageNotFound, ResourceNotFound
from ssc_ingest.http.remote_file import RemoteFile, TransferBudget
from ssc_ingest.models import PackageRef, VersionName

if TYPE_CHECKING:
    from ssc_ingest.http.client import RegistryClient

MAX_WHOLE_FILE = 64 * 1024 * 1024
"""Maximum bytes of a file that is read as a whole, if its server does not support ranges."""

BUDGET = 40, 160 * 1024 * 1024
"""Maximum requests and bytes for one release."""

MAX_ASSEMBLY = 64 * 1024 * 1024
"""Maximum bytes of an assembly, packed or not. The largest have about 40 MB."""

MAX_ASSEMBLIES = 400
"""Maximum assemblies for one framework; .NET itself has about 170."""

MAX_ALL = 128 * 1024 * 1024
"""Maximum bytes of these assemblies together, packed or not."""

READ_TOGETHER = 2
"""Several assemblies are read with one request if that needs at most this many times the bytes."""

_LOCAL_HEADER = 1024
"""Bytes before the content of a member, generously."""

# Kinds of target frameworks, in ascending order of what we prefer.
# https://learn.microsoft.com/dotnet/standard/frameworks
_FRAMEWORKS = (
    re.compile(r"net(\d)(\d)(\d?)"),  # .NET Framework: net48, net472
    re.compile(r"netstandard(\d+)\.(\d+)()"),
    re.compile(r"netcoreapp(\d+)\.(\d+)()"),
    re.compile(r"net(\d+)\.(\d+)()"),
)

Preference = tuple[bool, int, tuple[int, ...], str]


class ImportNamesReader:
    """Reads the releases of one source."""

    def __init__(self, client: "RegistryClient", endpoints: Endpoints) -> None:
        self._client = client
        self._endpoints = endpoints

    async def read(self, ref: PackageRef, version: VersionName) -> frozenset[str]:
        """The namespaces of a release; raises the errors of :meth:`Ecosystem.read_import_names`."""
        name, number = quote(ref.name), quote(version.lower(), safe="")
        url = self._endpoints.url("content", name, number, f"{name}.{number}.nupkg")
        file = RemoteFile(
            self._client, url, budget=TransferBudget(*BUDGET), max_whole=MAX_WHOLE_FILE
        )
        try:
            return await namespaces_of_package(file)
        except ResourceNotFound as error:
            raise PackageNotFound(f"{ref.purl}@{version}", url=url) from error


async def namespaces_of_package(package: ByteSource) -> frozenset[str]:
    """The namespaces of a ``.nupkg``; empty if it has no assemblies for the compiler.

    Raises:
        MalformedArchive: the package or an assembly is damaged.
        ArchiveTooLarge: the package exceeds a limit.
        IngestError: the errors of the source.
    """
    archive = await ZipArchive.open(package, wanted=lambda path: _folder(path) is not None)
    assemblies = _for_one_framework(archive.members)
    if len(assemblies) > MAX_ASSEMBLIES:
        raise ArchiveTooLarge(f"{len(assemblies)} assemblies for one framework")
    for sizes in ([m.size for m in assemblies], [m.packed_size for m in assemblies]):
        if sum(sizes) > MAX_ALL:
            raise ArchiveTooLarge(f"assemblies of {sum(sizes)} bytes for one framework")
    await _read_together(package, assemblies)
    found: set[str] = set()
    for member in assemblies:
        content = await archive.read(member, MAX_ASSEMBLY)
        found |= await off_loop(len(content), public_namespaces, content)
    return frozenset(found)


def _folder(path: str) -> tuple[str, str] | None:
    """``ref`` or ``lib`` and the target framework of an assembly; ``None`` for other members."""
    match unquote(path).replace("\\", "/").lower().split("/"):
        case [("ref" | "lib") as kind, *framework, file] if (
            len(framework) <= 1
            and file.endswith((".dll", ".exe", ".winmd"))
            and not file.endswith(".resources.dll")
        ):
            return kind, framework[0] if framework else ""
    return None


def _for_one_framework(members: Iterable[Member]) -> list[Member]:
    """The assemblies of the preferred framework, from ``ref`` if there are any."""
    folders: defaultdict[tuple[str, str], list[Member]] = defaultdict(list)
    for member in members:
        if folder := _folder(member.name):
            folders[folder].append(member)
    if not folders:
        return []
    return folders[max(folders, key=lambda folder: (folder[0] == "ref", _preference(folder[1])))]


def _preference(framework: str) -> Preference:
    """Order of frameworks: without a platform first, then the newest kind and version."""
    name, _, platform = framework.partition("-")
    for kind, form in enumerate(_FRAMEWORKS, start=1):
        if version := form.fullmatch(name):
            return not platform, kind, tuple(int(part or 0) for part in version.groups()), framework
    return False, 0, (), framework


async def _read_together(package: ByteSource, assemblies: list[Member]) -> None:
    """Let a remote file keep all assemblies, which usually are beside each other."""
    if len(assemblies) < 2:  # noqa: PLR2004 - nothing to join
        return
    start = min(member.offset for member in assemblies)
    end = max(member.offset + member.packed_size for member in assemblies) + _LOCAL_HEADER
    end = min(end, await package.size())
    if end - start <= READ_TOGETHER * sum(member.packed_size for member in assemblies):
        await package.read(start, end - start)
