"""The vulnerability store: MongoDB protocol, shared with other services."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pymongo
from pymongo import ASCENDING, AsyncMongoClient, IndexModel
from pymongo.errors import PyMongoError

from ssc_ingest.errors import ConfigurationError
from ssc_ingest.settings import Settings
from ssc_ingest.vulnerabilities.bookkeeping import Bookkeeping
from ssc_ingest.vulnerabilities.documents import Documents
from ssc_ingest.vulnerabilities.mongo import (
    ADVISORIES,
    CWES,
    DATABASE,
    EXPLOITS,
    SYNCS,
    Document,
    translated,
)
from ssc_ingest.vulnerabilities.state import SyncStates
from ssc_ingest.vulnerabilities.weaknesses import Weaknesses

PING_TIMEOUT = 5.0
"""Seconds until a ping fails; ``DB_DEFAULT_QUERY_TIMEOUT_MS`` is for queries. A shorter
``serverSelectionTimeoutMS`` in the address applies instead, which the driver would ignore."""


class VulnerabilityStore:
    """A client of the store. It connects with the first request."""

    def __init__(self, client: AsyncMongoClient[Document], settings: Settings) -> None:
        self._client = client
        self.database = client[DATABASE]
        self._advisories = self.database[settings.db_vulnerabilities_collection]
        self.documents = Documents(self._advisories)
        self.bookkeeping = Bookkeeping(self.database[ADVISORIES], self._advisories.name)
        self.syncs = SyncStates(self.database[SYNCS])
        self.weaknesses = Weaknesses(self.database[CWES])

    async def ping(self) -> str:
        """The server's version.

        Raises:
            StoreUnavailable: the server does not respond.
        """
        seconds = min(PING_TIMEOUT, self._client.options.server_selection_timeout)
        with translated(), pymongo.timeout(seconds):
            return str((await self._client.server_info())["version"])

    async def without_id(self) -> dict[str, int]:
        """The number of documents without an ``id`` in other services' collections.

        Readers join these documents to every advisory without weaknesses or exploits.

        Raises:
            StoreUnavailable: the server does not respond.
        """
        with translated():
            return {
                name: await self.database[name].count_documents({"id": None})
                for name in (CWES, EXPLOITS)
            }

    async def ensure_indexes(self) -> None:
        """Create the indexes for the readers' queries and for this program (repeatable).

        Raises:
            StoreUnavailable: the server does not respond.
        """
        with translated():
            await self._advisories.create_indexes(
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
            for name in (CWES, EXPLOITS):
                await self.database[name].create_indexes(
                    [
                        IndexModel([("id", ASCENDING)], unique=True),
                        IndexModel([("cvelist", ASCENDING)]),
                    ]
                )
            await self.bookkeeping.ensure_indexes()


@asynccontextmanager
async def open_store(uri: str, settings: Settings) -> AsyncIterator[VulnerabilityStore]:
    """Open a client for the block.

    Raises:
        ConfigurationError: the driver does not accept the address.
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
        # Without the driver's text, which may contain the password.
        raise ConfigurationError(
            "the MongoDB driver does not accept the address in VULN_DB_URI; are the user name and "
            "the password percent-encoded?"
        ) from None
    try:
        yield VulnerabilityStore(client, settings)
    finally:
        await client.close()
