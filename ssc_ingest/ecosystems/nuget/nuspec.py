"""A package's manifest, with the address of the repository, which registrations lack.

https://learn.microsoft.com/nuget/reference/nuspec#repository. The document's namespace changes with
the version of its schema, and is missing in some: elements are matched by their local names.
"""

import codecs

from ssc_ingest.ecosystems.xml import parse_xml


def read_repository(body: bytes, url: str) -> str | None:
    """The ``url`` of the manifest's ``<repository>``.

    Raises:
        MalformedMetadata: the body is not a manifest, or has a document type declaration.
    """
    root = parse_xml(body.removeprefix(codecs.BOM_UTF8), "package", url)
    repository = root.find("{*}metadata/{*}repository")
    return None if repository is None else repository.get("url")
