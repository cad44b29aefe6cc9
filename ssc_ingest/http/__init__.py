"""HTTP to registries: one client with rate limits, size caps, retries and a document cache.

The modules of registries, plug-ins included, import the names below. Each is imported when it is
first used: the rate limits alone do not import an HTTP client.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ssc_ingest.http.client import RegistryClient
    from ssc_ingest.http.document_cache import Document
    from ssc_ingest.http.responses import Download, Response

__all__ = ["Document", "Download", "RegistryClient", "Response"]

_MODULES = {
    "Document": "document_cache",
    "Download": "responses",
    "RegistryClient": "client",
    "Response": "responses",
}


def __getattr__(name: str) -> Any:
    """Import a name of :data:`__all__` when it is first used (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
