"""The feed of new versions: RSS, rewritten with each of them.

https://static.crates.io/rss/updates.xml has the versions of the last 60 minutes, and at least the
last 100. Yanked versions and deleted crates are no news there.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from lxml import etree

from ssc_ingest.errors import MalformedMetadata

_CRATES = "{https://crates.io/}"


class Published(NamedTuple):
    """A version that came out at ``moment`` (UTC; the feed tells full seconds)."""

    moment: datetime
    name: str
    version: str

    @property
    def key(self) -> str:
        """What tells it from all others."""
        return f"{self.name}@{self.version}"


def parse_feed(body: bytes, url: str) -> tuple[Published, ...]:
    """The versions in the feed, oldest first; at least one.

    Raises:
        MalformedMetadata: not such a feed. An item that cannot be read is not passed over: the
            feed would seem to be without gap.
    """
    parser = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise MalformedMetadata(f"the feed is not XML: {error.msg}", url=url) from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise MalformedMetadata("the feed has a document type declaration", url=url)
    if root.tag != "rss":
        raise MalformedMetadata(f"<{root.tag!s:.100}> instead of <rss>", url=url)
    found = sorted(_read(item, url) for item in root.iterfind("channel/item"))
    if not found:
        raise MalformedMetadata("the feed has no items", url=url)
    return tuple(found)


def _read(item: etree._Element, url: str) -> Published:
    name = item.findtext(f"{_CRATES}name", "").strip()
    version = item.findtext(f"{_CRATES}version", "").strip()
    try:
        moment = parsedate_to_datetime(item.findtext("pubDate", ""))
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise MalformedMetadata("the feed has an item without a date", url=url) from error
    if not name or not version:
        raise MalformedMetadata("the feed has an item without a crate's version", url=url)
    return Published(moment, name, version)
