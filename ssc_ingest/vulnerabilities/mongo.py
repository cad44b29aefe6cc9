"""MongoDB: names of databases and collections, and translation of its driver's errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymongo.errors import PyMongoError

from ssc_ingest.errors import StoreUnavailable
from ssc_ingest.work.waiting import VULNERABILITIES, waiting_for

DATABASE = "vulnerabilities"
"""The readers' database; the database in the URI is only for authentication."""

CWES, EXPLOITS = "cwes", "exploits"
"""Collections of other services; the CWE catalogue can be imported into the first."""

ADVISORIES, SYNCS = "ssc_ingest_advisories", "ssc_ingest_syncs"
"""The program's own data about each record and each ecosystem. These collections are separate
because one reader returns whole documents."""

Document = dict[str, Any]


@contextmanager
def translated() -> Iterator[None]:
    """Raise the driver's errors as :class:`StoreUnavailable`."""
    try:
        with waiting_for(VULNERABILITIES):
            yield
    except PyMongoError as error:
        raise StoreUnavailable("vulnerabilities", str(error).partition(", Timeout:")[0]) from error
