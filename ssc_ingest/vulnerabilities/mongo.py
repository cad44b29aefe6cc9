"""MongoDB: names of databases and collections, and its driver's errors as ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymongo.errors import PyMongoError

from ssc_ingest.errors import StoreUnavailable

DATABASE = "vulnerabilities"
"""The database of the readers; the one in the URI is for authentication."""

CWES, EXPLOITS = "cwes", "exploits"
"""Collections of other services; the catalogue of CWEs can be imported."""

ADVISORIES, SYNCS = "ssc_ingest_advisories", "ssc_ingest_syncs"
"""Collections of ours: what this program knows about each record, and about each ecosystem. They
are apart because one reader returns the readers' documents whole."""

Document = dict[str, Any]


@contextmanager
def translated() -> Iterator[None]:
    """Raise the driver's errors as :class:`StoreUnavailable`."""
    try:
        yield
    except PyMongoError as error:
        raise StoreUnavailable("vulnerabilities", str(error).partition(", Timeout:")[0]) from error
