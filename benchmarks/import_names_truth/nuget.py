"""The judge of NuGet: dnfile, on the real assemblies that packages of Python bring.

Each assembly is put into a package of its own. The names are those that a reader of the package
finds, the truth are the namespaces of public and exported types in dnfile's tables. Installed
packages have assemblies with types. Facades, whose types are in other assemblies, are in .NET's own
folder, which a wheel of 31 MB has: only these members are requested.
"""

from collections.abc import AsyncIterator
from importlib.metadata import files, version
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import dnfile

from benchmarks.import_names_truth.clients import stored
from benchmarks.import_names_truth.judged import Judged
from benchmarks.import_names_truth.live import reading
from ssc_ingest.archives.source import BytesSource
from ssc_ingest.archives.zip_archive import ZipArchive
from ssc_ingest.ecosystems.nuget.import_names import MAX_ASSEMBLY, namespaces_of_package
from ssc_ingest.ecosystems.pypi import PyPI
from ssc_ingest.ecosystems.pypi.simple_index import MEDIA_TYPE, parse_project_page
from ssc_ingest.http.remote_file import RemoteFile, TransferBudget

WITH_ASSEMBLIES = ("pythonnet", "clr-loader")

RUNTIME, RUNTIME_VERSION = "dotnetcore2", "3.1.23"
"""A wheel with all of .NET Core 3.1."""

FACADES = ("netstandard.dll", "mscorlib.dll", "System.Runtime.dll", "System.Threading.Tasks.dll")
"""Assemblies that mostly or only forward types."""


async def judge() -> AsyncIterator[Judged]:
    """Compare each assembly."""
    for package in WITH_ASSEMBLIES:
        for name, content in assemblies(package).items():
            yield await _judged(f"{package}: {name}", version(package), content)
    for name, content in (await facades()).items():
        yield await _judged(f"{RUNTIME}: {name}", RUNTIME_VERSION, content)


async def _judged(package: str, number: str, content: bytes) -> Judged:
    buffer = BytesIO()
    file = package.rpartition("/")[2]
    with ZipFile(buffer, "w", ZIP_DEFLATED) as made:
        made.writestr(f"lib/netstandard2.0/{file}", content)
    ours = await namespaces_of_package(BytesSource(buffer.getvalue()))
    return Judged(
        package=package,
        version=number,
        ours=ours,
        stored=stored(ours, Path(file).stem),
        truth=by_dnfile(content),
    )


def assemblies(package: str) -> dict[str, bytes]:
    """The assemblies of an installed package of Python, by folder and file."""
    found = [Path(str(file.locate())) for file in files(package) or () if file.suffix == ".dll"]
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in found}


async def facades() -> dict[str, bytes]:
    """The facades of .NET, by folder and file; a few range requests."""
    async with reading(PyPI) as (pypi, _):
        url = pypi.endpoints.url("index", RUNTIME, "")
        page = await pypi.client.get(url, max_bytes=10**7, accept=MEDIA_TYPE)
        (wheel,) = (
            file
            for release in parse_project_page(page.body, page.url, RUNTIME).releases
            for file in release.files
            if release.name == RUNTIME_VERSION and "manylinux" in file.filename
        )
        remote = RemoteFile(
            pypi.client, wheel.url, budget=TransferBudget(20, 10**7), max_whole=0, size=wheel.size
        )
        archive = await ZipArchive.open(remote, wanted=lambda path: path.endswith(FACADES))
        return {
            "/".join(member.name.split("/")[-2:]): await archive.read(member, MAX_ASSEMBLY)
            for member in archive.members
            if member.name.rpartition("/")[2] in FACADES
        }


def by_dnfile(content: bytes) -> frozenset[str]:
    """The namespaces of public and exported types."""
    file = dnfile.dnPE(data=content, clr_lazy_load=True)  # type: ignore[no-untyped-call]
    assert file.net
    assert file.net.mdtables
    tables = file.net.mdtables
    types = [row for row in tables.TypeDef.rows if row.Flags.tdPublic] if tables.TypeDef else []
    exported = list(tables.ExportedType.rows) if tables.ExportedType else []
    return frozenset(str(row.TypeNamespace) for row in (*types, *exported)) - {""}
