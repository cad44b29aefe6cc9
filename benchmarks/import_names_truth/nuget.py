"""The judge of NuGet: dnfile, on the real assemblies that packages of Python bring.

Each assembly is put into a package of its own. The names are those that a reader of the package
finds, the truth are the namespaces of public and exported types in dnfile's tables.
"""

from collections.abc import AsyncIterator
from importlib.metadata import files, version
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import dnfile

from benchmarks.import_names_truth.judged import Judged
from ssc_ingest.archives.source import BytesSource
from ssc_ingest.ecosystems.nuget.import_names import namespaces_of_package

WITH_ASSEMBLIES = ("pythonnet", "clr-loader")


async def judge() -> AsyncIterator[Judged]:
    """Compare each assembly."""
    for package in WITH_ASSEMBLIES:
        for name, content in assemblies(package).items():
            buffer = BytesIO()
            with ZipFile(buffer, "w", ZIP_DEFLATED) as made:
                made.writestr(f"lib/netstandard2.0/{Path(name).name}", content)
            yield Judged(
                package=f"{package}: {name}",
                version=version(package),
                ours=await namespaces_of_package(BytesSource(buffer.getvalue())),
                truth=by_dnfile(content),
            )


def assemblies(package: str) -> dict[str, bytes]:
    """The assemblies of an installed package of Python, by folder and file."""
    found = [Path(str(file.locate())) for file in files(package) or () if file.suffix == ".dll"]
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in found}


def by_dnfile(content: bytes) -> frozenset[str]:
    """The namespaces of public and exported types."""
    file = dnfile.dnPE(data=content, clr_lazy_load=True)  # type: ignore[no-untyped-call]
    assert file.net
    assert file.net.mdtables
    tables = file.net.mdtables
    types = [row for row in tables.TypeDef.rows if row.Flags.tdPublic] if tables.TypeDef else []
    exported = list(tables.ExportedType.rows) if tables.ExportedType else []
    return frozenset(str(row.TypeNamespace) for row in (*types, *exported)) - {""}
