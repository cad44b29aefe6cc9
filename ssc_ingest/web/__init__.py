"""The overview page: the state of the fleet for operators, and the usual remedies.

Reads need no login. Changes need the password of Flower (:mod:`.access`). The page queries the
servers only while it is open, and each at most once in some seconds (:mod:`.parts`), so an open
page causes little load. A server that does not respond is shown as unknown, never as zero.
"""

from ssc_ingest.web.access import Access
from ssc_ingest.web.application import application
from ssc_ingest.web.server import WebServer
from ssc_ingest.web.sources import Sources

__all__ = ["Access", "Sources", "WebServer", "application"]
