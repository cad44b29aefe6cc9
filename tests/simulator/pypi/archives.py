"""Wheels and source distributions, with the metadata for installers."""

import gzip
import io
import tarfile
import zipfile
from random import Random

from tests.simulator.pypi.facts import SDIST_REQUIRES, SDIST_STATIC

PADDING = 100_000
"""Bytes of a file that nobody needs: reading all of an archive is a mistake."""


def wheel(name: str, version: str, metadata: bytes, *, padding: int = PADDING) -> bytes:
    """A wheel, with its metadata last, as the specification recommends."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in (
            (f"{name}/__init__.py", b""),
            (f"{name}/data.bin", Random(name).randbytes(padding)),
            (f"{name}-{version}.dist-info/METADATA", metadata),
            (f"{name}-{version}.dist-info/WHEEL", b"Wheel-Version: 1.0\n"),
        ):
            archive.writestr(zipfile.ZipInfo(path), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def sdist(name: str, version: str, form: str, metadata: bytes, lines: list[str]) -> bytes:
    """A source distribution in one of three forms, including that of distutils."""
    folder, written = f"{name}-{version}", b"2.2" if form == SDIST_STATIC else b"1.2"
    headers = [
        line
        for line in metadata.split(b"\n\n", maxsplit=1)[0].split(b"\n")
        if not line.startswith(b"Metadata-Version")
        and (form == SDIST_STATIC or not line.startswith((b"Requires-Dist", b"Provides-Extra")))
    ]
    members = {
        f"{folder}/README": b"A simulated project.\n",
        f"{folder}/PKG-INFO": b"\n".join([b"Metadata-Version: " + written, *headers, b""]),
        f"{folder}/src/{name}/__init__.py": b"",
        f"{folder}/src/{name}/data.bin": Random(name).randbytes(PADDING),
    }
    if form == SDIST_REQUIRES:
        members[f"{folder}/src/{name}.egg-info/requires.txt"] = requires(lines).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, content in members.items():
            header = tarfile.TarInfo(path)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), 6, mtime=0)


def requires(lines: list[str]) -> str:
    """The lines in setuptools' form: in sections for markers and extras."""
    sections: dict[str, list[str]] = {}
    for line in lines:
        requirement, _, marker = (part.strip() for part in line.partition(";"))
        *conditions, last = marker.split(" and ")
        if last.startswith("extra == "):
            section = last.removeprefix("extra == ").strip('"')
        else:
            conditions, section = [marker] if marker else [], ""
        if conditions:
            section += ":" + " and ".join(conditions)
        sections.setdefault(section, []).append(requirement)
    parts = sections.pop("", [])
    for section, requirements in sections.items():
        parts += ["", f"[{section}]", *requirements]
    return "\n".join(parts) + "\n"
