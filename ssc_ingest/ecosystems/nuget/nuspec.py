"""A package's manifest, read for the address of its repository, which registrations lack.

https://learn.microsoft.com/nuget/reference/nuspec#repository. The document's namespace changes with
the version of its schema, and is missing in some: elements are matched by their local names.
"""

import codecs

from lxml import etree

from ssc_ingest.errors import MalformedMetadata


def read_repository(body: bytes, url: str) -> str | None:
    """The ``url`` of the manifest's ``<repository>``.

    Nothing that the XML names is resolved, expanded or fetched.

    Raises:
        MalformedMetadata: not XML, with a document type declaration, or another document.
    """
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,  # libxml2's own limits on depth and expansion
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(body.removeprefix(codecs.BOM_UTF8), parser)
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        raise MalformedMetadata(f"nuspec is not XML: {error}", url=url) from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise MalformedMetadata("nuspec with a document type declaration", url=url)
    if etree.QName(root).localname != "package":
        raise MalformedMetadata("nuspec is another document", url=url)
    repository = root.find("{*}metadata/{*}repository")
    return None if repository is None else repository.get("url")
