"""XML documents of registries, parsed without anything that they may refer to."""

from collections.abc import Callable

from lxml import etree

from ssc_ingest.errors import MalformedMetadata


def parse_xml(
    body: bytes, root: str, url: str, repair: Callable[[bytes], bytes] | None = None
) -> etree._Element:
    """The root element of an XML document, which must have the local name ``root``.

    No external or internal entity is resolved. ``repair`` corrects a document that is not
    well-formed, or has a document type declaration, for a second attempt.

    Raises:
        MalformedMetadata: the document is not XML, has a document type declaration (where
            entities come from), is nested too deeply, or has another root.
    """
    try:
        element = _parse(body)
    except etree.XMLSyntaxError as error:
        if repair is None:
            raise MalformedMetadata(f"<{root}> is not XML: {error.msg}", url=url) from error
        return parse_xml(repair(body), root, url)
    if element.getroottree().docinfo.internalDTD is not None:
        if repair:
            return parse_xml(repair(body), root, url)
        raise MalformedMetadata(f"<{root}> has a document type declaration", url=url)
    if local_name(element) != root:
        raise MalformedMetadata(f"<{local_name(element):.100}> instead of <{root}>", url=url)
    return element


def local_name(element: etree._Element) -> str:
    """The element's name without its namespace, because documents have different ones or none."""
    return str(element.tag).rpartition("}")[2]


def _parse(body: bytes) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,  # libxml2's own limits on depth and expansion
        remove_comments=True,
        remove_pis=True,
    )
    return etree.fromstring(body, parser)
