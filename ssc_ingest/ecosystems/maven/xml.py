"""Reading the repository's XML, of which nothing is resolved, expanded or fetched.

The repository has documents that no XML parser takes, from times when nobody checked them: Latin
letters in what claims to be UTF-8, HTML's entities, an undeclared ``xsi``. Maven reads these, so
what a strict reading refuses gets a second one with those mistakes put right. A document type
declaration, where entities come from, is always refused.
"""

import re
from html.entities import html5

from lxml import etree

from ssc_ingest.errors import MalformedMetadata

_DECLARATION = re.compile(r"\s*<\?xml\b[^>]*\?>")
_ENCODING = re.compile(rb"""<\?xml\b[^>]*encoding\s*=\s*["']([\w.-]+)["']""")
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]*;)")
_OF_XML = frozenset({"amp;", "lt;", "gt;", "quot;", "apos;"})
_XSI = re.compile(r"""\sxsi:\w+\s*=\s*(?:"[^"]*"|'[^']*')""")
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def parse_xml(body: bytes, root: str, url: str) -> etree._Element:
    """The root element, which must have this local name.

    Raises:
        MalformedMetadata: not XML, with a document type declaration, nested too deeply, or
            another document.
    """
    try:
        element = _parse(body)
    except etree.XMLSyntaxError:
        try:
            element = _parse(_tidied(body))
        except etree.XMLSyntaxError as error:
            raise MalformedMetadata(f"not XML: {error.msg}", url=url) from error
    if element.getroottree().docinfo.internalDTD is not None:
        raise MalformedMetadata("XML with a document type declaration", url=url)
    if local_name(element) != root:
        raise MalformedMetadata(f"<{local_name(element)}> instead of <{root}>", url=url)
    return element


def local_name(element: etree._Element) -> str:
    """The element's name without its namespace, of which documents have several or none."""
    return str(element.tag).rpartition("}")[2]


def child(element: etree._Element | None, *path: str) -> etree._Element | None:
    """The first descendant at that path of local names."""
    for name in path:
        if element is None:
            return None
        element = next(element.iterchildren(f"{{*}}{name}"), None)
    return element


def elements(element: etree._Element, *path: str) -> list[etree._Element]:
    """What is in the first descendant at that path."""
    parent = child(element, *path)
    return [] if parent is None else list(parent)


def children(element: etree._Element, *path: str) -> list[etree._Element]:
    """All elements of the last name, in the first descendant at the path before it."""
    parent = child(element, *path[:-1])
    return [] if parent is None else list(parent.iterchildren(f"{{*}}{path[-1]}"))


def text(element: etree._Element | None, *path: str) -> str:
    """The text at that path, without space around it; empty where there is none."""
    found = child(element, *path)
    return "" if found is None else (found.text or "").strip()


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


def _tidied(body: bytes) -> bytes:
    match = _ENCODING.search(body[:200])
    encoding = match[1].decode() if match else "utf-8"
    try:
        content = body.decode(encoding, "replace")
    except LookupError:
        content = body.decode("utf-8", "replace")
    content = _DECLARATION.sub("", content.removeprefix("\ufeff"), count=1).lstrip()
    content = _NOT_IN_XML.sub("\ufffd", _XSI.sub("", content))
    return _ENTITY.sub(_character, content).encode()


def _character(entity: re.Match[str]) -> str:
    return entity[0] if entity[1] in _OF_XML else html5.get(entity[1], entity[0])
