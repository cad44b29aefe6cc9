"""The feed of new versions: RSS, rewritten with each new version.

https://static.crates.io/rss/updates.xml has the versions of the last 60 minutes, and at least the
last 100. It does not report yanked versions and deleted crates.
"""

from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from lxml import etree

from ssc_ingest.ecosystems.wire import in_utc
from ssc_ingest.ecosystems.xml import parse_xml
from ssc_ingest.errors import MalformedMetadata

_CRATES = "{https://crates.io/}"


class Published(NamedTuple):
    """A version published at ``moment`` (UTC, whole seconds)."""

    moment: datetime
    name: str
    version: str

    @property
    def key(self) -> str:
        """Identifies the version."""
        return f"{self.name}@{self.version}"


def parse_feed(body: bytes, url: str) -> tuple[Published, ...]:
    """The versions in the feed, oldest first; at least one.

    Raises:
        MalformedMetadata: the body is not a feed of versions. An unreadable item is an error too:
            skipping it would hide a gap in the feed.
    """
    root = parse_xml(body, "rss", url)
    found = sorted(_read(item, url) for item in root.iterfind("channel/item"))
    if not found:
        raise MalformedMetadata("the feed has no items", url=url)
    return tuple(found)


def _read(item: etree._Element, url: str) -> Published:
    name = item.findtext(f"{_CRATES}name", "").strip()
    version = item.findtext(f"{_CRATES}version", "").strip()
    try:
        moment = in_utc(parsedate_to_datetime(item.findtext("pubDate", "")))
    except (TypeError, ValueError, OverflowError) as error:
        raise MalformedMetadata("the feed has an item without a date", url=url) from error
    if not name or not version:
        raise MalformedMetadata("the feed has an item without a crate's version", url=url)
    return Published(moment, name, version)
