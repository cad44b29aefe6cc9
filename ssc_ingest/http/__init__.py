"""HTTP to registries: one client with rate limits, size caps, retries and a document cache.

The modules of registries, plug-ins included, import the names below.
"""

from ssc_ingest.http.client import RegistryClient
from ssc_ingest.http.document_cache import Document
from ssc_ingest.http.responses import Download, Response

__all__ = ["Document", "Download", "RegistryClient", "Response"]
