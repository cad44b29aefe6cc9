"""Reading what registries send: JSON models, moments, and XML that is parsed without risk."""

from collections.abc import Callable
from datetime import UTC, datetime

from lxml import etree
from pydantic import BaseModel, ConfigDict, ValidationError

from ssc_ingest.errors import MalformedMetadata


class WireModel(BaseModel):
    """Base of the models of documents: only the fields that are used, others are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def malformed(error: ValidationError, url: str, document: str = "") -> MalformedMetadata:
    """The error for a document that does not fit its model: its first problem with the field."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = ".".join(map(str, first["loc"]))
    return MalformedMetadata(": ".join(filter(None, (document, field, first["msg"]))), url=url)


def in_utc(moment: datetime) -> datetime:
    """The moment in UTC; a moment without a time zone is in UTC already.

    Raises:
        OverflowError: its time zone moves it out of the years 1 to 9999.
    """
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def parse_xml(
    body: bytes, root: str, url: str, repair: Callable[[bytes], bytes] | None = None
) -> etree._Element:
    """The root element of an XML document, which must have the local name ``root``.

    Nothing that the document names is resolved, expanded or fetched. ``repair`` mends a document
    that is not well-formed, or has a document type declaration, for a second attempt.

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
    """The element's name without its namespace: the same document comes with several or none."""
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
