"""The vulnerability store: MongoDB protocol, shared with the services that read it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pymongo
from pymongo import ASCENDING, AsyncMongoClient, IndexModel
from pymongo.errors import PyMongoError

from ssc_ingest.errors import ConfigurationError, StoreUnavailable
from ssc_ingest.settings import Settings

DATABASE = "vulnerabilities"
"""The readers' database; the one in the URI is for logging in."""

PING_TIMEOUT = 5.0
"""Seconds for the server to say that it is there; ``DB_DEFAULT_QUERY_TIMEOUT_MS`` is for work."""

Document = dict[str, Any]


class VulnerabilityStore:
    """One client of the store. Opening it connects to nothing yet."""

    def __init__(self, client: AsyncMongoClient[Document], settings: Settings) -> None:
        self._client = client
        self._collection = settings.db_vulnerabilities_collection

    async def ping(self) -> str:
        """The server's version.

        Raises:
            StoreUnavailable: it does not answer.
        """
        with _translated(), pymongo.timeout(PING_TIMEOUT):
            return str((await self._client.server_info())["version"])

    async def ensure_indexes(self) -> None:
        """Create the indexes that the readers' look-ups need (repeatable).

        Raises:
            StoreUnavailable: it does not answer.
        """
        database = self._client[DATABASE]
        with _translated():
            await database[self._collection].create_indexes(
                [
                    IndexModel([("id", ASCENDING)], unique=True),
                    IndexModel(
                        [
                            ("affected.package.ecosystem", ASCENDING),
                            ("affected.package.name", ASCENDING),
                        ]
                    ),
                    IndexModel([("affected.versions", ASCENDING)]),
                    IndexModel([("cwes", ASCENDING)]),
                    IndexModel([("exploits", ASCENDING)]),
                ]
            )
            for name in ("cwes", "exploits"):
                await database[name].create_indexes(
                    [
                        IndexModel([("id", ASCENDING)], unique=True),
                        IndexModel([("cvelist", ASCENDING)]),
                    ]
                )


@asynccontextmanager
async def open_store(uri: str, settings: Settings) -> AsyncIterator[VulnerabilityStore]:
    """A client for the time of the block.

    Raises:
        ConfigurationError: the address makes no sense to the driver.
    """
    try:
        client: AsyncMongoClient[Document] = AsyncMongoClient(
            uri,
            minPoolSize=settings.db_min_pool_size,
            maxPoolSize=settings.db_max_pool_size,
            maxIdleTimeMS=settings.db_max_idle_time_ms,
            timeoutMS=settings.db_default_query_timeout_ms,
            tz_aware=True,
            appname="ssc-ingest",
        )
    except (PyMongoError, ValueError):
        # Not with the driver's words, which may hold the password.
        raise ConfigurationError(
            "VULN_DB_URI is no address that the driver of MongoDB understands; are the user name "
            "and the password percent-encoded?"
        ) from None
    try:
        yield VulnerabilityStore(client, settings)
    finally:
        await client.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except PyMongoError as error:
        raise StoreUnavailable("vulnerabilities", str(error).partition(", Timeout:")[0]) from error
