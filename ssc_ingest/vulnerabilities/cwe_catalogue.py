"""Reads MITRE's CWE catalogue in its official XML form.

https://cwe.mitre.org/data/downloads.html (``cwec_v4.x.xml``, also zipped); schema:
https://cwe.mitre.org/data/xsd/cwe_schema_latest.xsd. It reads weaknesses and categories, because
advisories refer to both.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from ssc_ingest.archives.zip_entries import ZipEntries
from ssc_ingest.ecosystems.xml import local_name, parse_xml
from ssc_ingest.errors import MalformedMetadata, ResponseTooLarge
from ssc_ingest.vulnerabilities.records import CWE_ID

MAX_SIZE = 128 * 1024 * 1024
"""Maximum size of the XML in bytes; version 4.16 has 16 MB."""

MAX_TEXT_LENGTH = 20_000
"""Maximum length of a description; the longest has about 5,000 characters."""

PAGE = "https://cwe.mitre.org/data/definitions/{}.html"
"""The page of a weakness, which readers show as its id."""

ABSTRACTION_OF_CATEGORY = "Category"
"""The value for categories, which have no abstraction in the catalogue."""


def read_catalogue(path: Path) -> list[dict[str, Any]]:
    """The weaknesses and categories of a catalogue, as documents of the collection ``cwes``.

    ``path``: the XML file, or a zip file that contains it.

    Raises:
        MalformedMetadata: the file is not a catalogue, or has no readable weakness.
        ResponseTooLarge: the file is larger than :data:`MAX_SIZE`.
        RegistryUnavailable: the zip file is damaged.
        OSError: the file is unreadable.
    """
    catalogue = parse_xml(_content(path), "Weakness_Catalog", str(path))
    found: dict[str, dict[str, Any]] = {}
    for section in catalogue.iterchildren():
        if local_name(section) in {"Weaknesses", "Categories"}:
            for element in section.iterchildren():
                document = _document(element)
                if CWE_ID.fullmatch(document["id"]):
                    found[document["id"]] = document
    if not found:
        raise MalformedMetadata(f"{path} contains no CWE entries")
    return list(found.values())


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        if file.read(4) != b"PK\3\4":
            file.seek(0)
            content = file.read(MAX_SIZE + 1)
            if len(content) > MAX_SIZE:
                raise ResponseTooLarge(f"{path} is larger than {MAX_SIZE} bytes")
            return content
        archive = ZipEntries(file, str(path))
        for entry in archive:
            if entry.name.endswith(".xml"):
                return archive.read(entry, MAX_SIZE)
    raise MalformedMetadata(f"{path} contains no XML file")


def _document(element: etree._Element) -> dict[str, Any]:
    number = str(element.get("ID", ""))
    attributes = {f"@{name!s}": str(value) for name, value in element.attrib.items()}
    texts = dict(_texts(element))
    return {
        "@Abstraction": ABSTRACTION_OF_CATEGORY,
        **attributes,
        "id": f"CWE-{number}",
        "Description": texts.get("Description") or texts.get("Summary") or "",
        "ExtendedDescription": texts.get("Extended_Description", ""),
        "ExternalReference": PAGE.format(number),
    }


def _texts(element: etree._Element) -> Iterator[tuple[str, str]]:
    for child in element.iterchildren():
        if (name := local_name(child)) in {"Description", "Summary", "Extended_Description"}:
            yield name, " ".join("".join(map(str, child.itertext())).split())[:MAX_TEXT_LENGTH]
