"""The stores that the page reads, each opened by the command line for one read or change."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from neo4j import AsyncDriver

from ssc_ingest.resources import State
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from ssc_ingest.vulnerabilities.store import VulnerabilityStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The settings and the stores.

    Each function opens a store and raises StoreUnavailable or ConfigurationError if it does not
    respond.
    """

    settings: Settings
    servers: Servers
    env_file: Path | None
    """The file with the addresses and rates of registries, besides the environment."""
    state: Callable[[], AbstractAsyncContextManager[State]]
    graph: Callable[[], AbstractAsyncContextManager[AsyncDriver]]
    vulnerabilities: Callable[[], AbstractAsyncContextManager[VulnerabilityStore]]
