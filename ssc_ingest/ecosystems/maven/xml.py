"""Parses the repository's XML, including its mistakes.

The repository has old documents that no XML parser accepts: Latin-1 letters in a document declared
as UTF-8, HTML's entities, undeclared prefixes (``<Xlint:-unchecked/>``,
``combine:children="append"``). Maven reads these. So a document that is not well-formed is parsed
again with those mistakes repaired.

Like Maven, it ignores a document type declaration. The declaration is removed, so none of its
references is fetched. An entity that it declares is then unknown, which makes the document
unreadable.
"""

import re
from html.entities import html5

from lxml import etree

from ssc_ingest.ecosystems import xml

_DECLARATION = re.compile(r"\s*<\?xml\b[^>]*\?>")
_ENCODING = re.compile(rb"""<\?xml\b[^>]*encoding\s*=\s*["']([\w.-]+)["']""")
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]*;)")
_OF_XML = frozenset({"amp;", "lt;", "gt;", "quot;", "apos;"})
_BEFORE_ROOT = re.compile(r"\s+|<!--.*?-->|<\?.*?\?>", re.DOTALL)
_BRACKET = re.compile(r"[\[\]>]")
_PREFIX = re.compile(r"\sxmlns:([\w.-]+)\s*=")
_TAG = re.compile(r"(</?)([\w.-]+):([\w.:-]+)")
_ATTRIBUTE = re.compile(r"""(\s)([\w.-]+):([\w.:-]+)(?=\s*=\s*["'])""")
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def parse_xml(body: bytes, root: str, url: str) -> etree._Element:
    """The root element of a document of the repository."""
    return xml.parse_xml(body, root, url, repair=_repaired)


def child(element: etree._Element | None, *path: str) -> etree._Element | None:
    """The first descendant at that path of local names."""
    for name in path:
        if element is None:
            return None
        element = next(element.iterchildren(f"{{*}}{name}"), None)
    return element


def elements(element: etree._Element, *path: str) -> list[etree._Element]:
    """The children of the first descendant at that path."""
    parent = child(element, *path)
    return [] if parent is None else list(parent)


def children(element: etree._Element, *path: str) -> list[etree._Element]:
    """All elements of the last name, in the first descendant at the path before it."""
    parent = child(element, *path[:-1])
    return [] if parent is None else list(parent.iterchildren(f"{{*}}{path[-1]}"))


def text(element: etree._Element | None, *path: str) -> str:
    """The text at that path without surrounding space; empty if there is none."""
    found = child(element, *path)
    return "" if found is None else (found.text or "").strip()


def _repaired(body: bytes) -> bytes:
    match = _ENCODING.search(body[:200])
    encoding = match[1].decode() if match else "utf-8"
    try:
        content = body.decode(encoding, "replace")
    except LookupError:
        content = body.decode("utf-8", "replace")
    content = _DECLARATION.sub("", content.removeprefix("\ufeff"), count=1).lstrip()
    content = _without_doctype(_NOT_IN_XML.sub("\ufffd", content))
    content = _without_prefixes(content, {"xml", "xmlns", *_PREFIX.findall(content)})
    return _ENTITY.sub(_character, content).encode()


def _without_doctype(content: str) -> str:
    """Remove the document type declaration before the root; Maven finds its end in the same way."""
    start = 0
    while found := _BEFORE_ROOT.match(content, start):
        start = found.end()
    if not content.startswith("<!DOCTYPE", start):
        return content
    depth = 0
    for found in _BRACKET.finditer(content, start):
        depth += {"[": 1, "]": -1, ">": 0}[found[0]]
        if found[0] == ">" and depth == 0:
            return content[:start] + content[found.end() :]
    return content


def _without_prefixes(content: str, declared: set[str]) -> str:
    """Remove the colons of undeclared prefixes."""

    def plain(found: re.Match[str]) -> str:
        before, prefix, name = found.groups()
        return found[0] if prefix in declared else f"{before}{prefix}_{name.replace(':', '_')}"

    return _ATTRIBUTE.sub(plain, _TAG.sub(plain, content))


def _character(entity: re.Match[str]) -> str:
    return entity[0] if entity[1] in _OF_XML else html5.get(entity[1], entity[0])
