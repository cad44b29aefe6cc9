"""An empty vulnerability store on the test server, and records for the tests."""

import json
import zipfile
from base64 import b64decode
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.graph.schema import ensure_schema
from ssc_ingest.http.client import open_transport
from ssc_ingest.metrics import Metrics
from ssc_ingest.resources import Resources, State
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings, load_settings
from ssc_ingest.vulnerabilities.changed import ChangedPackages
from ssc_ingest.vulnerabilities.sources import LocalCopy, Source, open_source
from ssc_ingest.vulnerabilities.store import VulnerabilityStore
from ssc_ingest.vulnerabilities.sync import SyncReport, sync_ecosystem
from tests.integration.scripted import resources_with
from tests.integration.test_vulnerabilities.attributing import Scripted
from tests.simulator.client import Simulator

Record = dict[str, Any]


@pytest.fixture
def changed(state: State) -> ChangedPackages:
    """The empty outbox."""
    return ChangedPackages(state.redis, state.queues)


class Syncing:
    """Syncs from one source; has the packages that were queued for attribution."""

    def __init__(self, store: VulnerabilityStore, state: State, source: Source) -> None:
        self.store = store
        self.state = state
        self.source = source
        self.settings = load_settings(None)

    async def sync(self, name: str = "pypi", **options: Any) -> SyncReport:
        """One sync of one ecosystem."""
        changed = ChangedPackages(self.state.redis, self.state.queues)
        identity = ecosystem(name).identity
        return await sync_ecosystem(
            self.store, changed, self.source, identity, self.settings, **options
        )

    async def queued(self, name: str = "pypi") -> list[str]:
        """Names of the packages queued for attribution; empties the queue."""
        broker = self.state.queues._redis
        found: list[str] = []
        while message := await broker.rpop(f"{name}.fresh"):
            headers = json.loads(str(message))["headers"]
            assert headers["task"] == "vulnerabilities.attribute"
            body = json.loads(b64decode(json.loads(str(message))["body"]))
            assert body[1]["ecosystem"] == name
            found += body[1]["names"]
        return sorted(found)


class LocalRecords:
    """A folder in the form of a bucket, which a test writes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, records: Iterable[Record | bytes], ecosystem: str = "PyPI") -> None:
        """Replace the ecosystem's records."""
        folder = self.path / ecosystem
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(folder / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for number, record in enumerate(records):
                if isinstance(record, bytes):
                    archive.writestr(f"BAD-{number}.json", record)
                else:
                    archive.writestr(f"{record['id']}.json", json.dumps(record))


def advisory(record_id: str, *packages: str, ecosystem: str = "PyPI", **fields: Any) -> Record:
    """A record that affects all versions below 2 of these packages."""
    return {
        "schema_version": "1.7.4",
        "id": record_id,
        "modified": "2026-01-01T00:00:00Z",
        "details": f"About {record_id}.",
        "affected": [
            {
                "package": {"ecosystem": ecosystem, "name": name},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2"}]}],
                "versions": ["1.0"],
            }
            for name in packages
        ],
        **fields,
    }


@pytest.fixture
def local(tmp_path: Path) -> LocalRecords:
    """An empty folder."""
    return LocalRecords(tmp_path / "osv")


@pytest.fixture
def syncing(store: VulnerabilityStore, state: State, local: LocalRecords) -> Syncing:
    """Syncs from that folder."""
    return Syncing(store, state, LocalCopy(local.path))


@pytest.fixture
async def bucket(
    store: VulnerabilityStore, state: State, simulator: Simulator
) -> AsyncIterator[Syncing]:
    """Syncs from the simulated bucket."""
    settings = load_settings(None, osv_url=simulator.environment()["OSV_URL"])
    async with open_transport(settings) as transport:
        source = open_source(transport, state.limiter, settings, Metrics())
        syncing = Syncing(store, state, source)
        syncing.settings = settings
        yield syncing


def dated(record: Record, minutes: int) -> Record:
    """The record, modified this number of minutes ago."""
    moment = datetime.now(UTC) - timedelta(minutes=minutes)
    return record | {"modified": moment.isoformat().replace("+00:00", "Z")}


@pytest.fixture
async def resources(
    clean_redis: None,
    clean_graph: None,
    store: VulnerabilityStore,
    settings: Settings,
    servers: Servers,
) -> AsyncIterator[Resources]:
    """Real, empty stores, and the scripted registry."""
    async with resources_with(Scripted, settings, servers) as resources:
        await ensure_schema(resources.driver, ["NPMPackage"])
        yield resources


@pytest.fixture
def synced(resources: Resources, local: LocalRecords) -> Syncing:
    """Syncs into the same stores."""
    return Syncing(resources.vulnerabilities, resources.state, LocalCopy(local.path))
