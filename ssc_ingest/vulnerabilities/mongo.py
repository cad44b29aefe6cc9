"""MongoDB: names of databases and collections, and translation of its driver's errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymongo.errors import OperationFailure, PyMongoError

from ssc_ingest.errors import StoreRefusesAccess, StoreUnavailable
from ssc_ingest.work.waiting import VULNERABILITIES, waiting_for

DATABASE = "vulnerabilities"
"""The readers' database; the database in the URI is only for authentication."""

CWES, EXPLOITS = "cwes", "exploits"
"""Collections of other services; the CWE catalogue can be imported into the first."""

ADVISORIES, SYNCS = "ssc_ingest_advisories", "ssc_ingest_syncs"
"""The program's own data about each record and each ecosystem. These collections are separate
because one reader returns whole documents."""

REFUSED = frozenset({13, 18, 8000})
"""MongoDB's error codes Unauthorized and AuthenticationFailed, and the one of its cloud."""

REMEDY = (
    "correct the user name and the password in VULN_DB_URI, with special characters "
    "percent-encoded; its path is the database that has the user"
)

Document = dict[str, Any]


@contextmanager
def translated() -> Iterator[None]:
    """Convert the driver's exceptions.

    Raises:
        StoreUnavailable: the server does not respond.
        StoreRefusesAccess: it rejects the credentials of ``VULN_DB_URI``, or grants too few rights.
    """
    try:
        with waiting_for(VULNERABILITIES):
            yield
    except PyMongoError as error:
        reason = str(error).partition(", Timeout:")[0].partition(", full error:")[0]
        if isinstance(error, OperationFailure) and error.code in REFUSED:
            raise StoreRefusesAccess("vulnerabilities", reason, REMEDY) from error
        raise StoreUnavailable("vulnerabilities", reason) from error
