"""Reads the import names of one version and writes them to the graph."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.graph.import_names import ImportNamesGraph
from ssc_ingest.graph.writer import GraphWriter
from ssc_ingest.http.checkpoint import FetchCheckpoint
from ssc_ingest.http.request_scope import RequestScope, request_scope
from ssc_ingest.import_names.reading import NamesReader
from ssc_ingest.models import PackageRef, VersionName

NamesOutcome = Literal["named", "without_names", "unchanged", "absent"]
"""``without_names``: nothing in the version can be imported. ``unchanged``: the graph had the
names. ``absent``: the graph lacks the package or the version, or the ecosystem has no reader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """The result for one version."""

    outcome: NamesOutcome
    version: VersionName | None = None
    names: tuple[str, ...] = ()
    """Those that were read; empty also if they were not read."""
    requests: int = 0


class Naming:
    """Reads and stores the import names of packages and versions.

    For the tasks of one event loop.
    """

    def __init__(
        self,
        ecosystems: Mapping[str, Ecosystem],
        graph: ImportNamesGraph,
        writer: GraphWriter,
        reader: NamesReader,
    ) -> None:
        self._ecosystems = ecosystems
        self._graph = graph
        self._writer = writer
        self._reader = reader

    async def name(
        self,
        ref: PackageRef,
        version: str | None = None,
        *,
        refresh: bool = False,
        seconds: float | None = None,
        urgent: bool = False,
    ) -> Named:
        """Read the names of a version, unless the graph has them. Safe to repeat.

        The names of the latest version are written to the package, those of another version to
        that version.

        Args:
            ref: the package.
            version: its name; by default that of the latest version in the graph.
            refresh: read them even if the graph or the cache has them.
            seconds: the time limit for reading; by default ``IMPORT_NAMES_TIMEOUT``.
            urgent: a caller waits.

        Raises:
            DeadlineExceeded: reading took too long.
            RegistryError: see :meth:`Ecosystem.read_import_names`.
            StoreUnavailable, GraphRefused: see :mod:`ssc_ingest.errors`.
        """
        ecosystem = self._ecosystems[ref.ecosystem]
        name = ecosystem.version_name(version) if version else None
        state = await self._graph.state(ref, ecosystem.version_purl(ref, name or ""))
        if state is None or not ecosystem.reads_import_names:
            return Named(outcome="absent", version=name)
        wanted = name or state.latest
        if wanted is None or (name and not state.has_version):
            return Named(outcome="absent", version=wanted)
        is_latest = wanted == state.latest
        is_known = state.names_from == wanted if is_latest else state.names is not None
        if is_known and not refresh:
            return Named(outcome="unchanged", version=wanted)
        scope = RequestScope(urgent=urgent, checkpoint=FetchCheckpoint())
        with request_scope(scope):
            names = await self._reader.read(ref, wanted, seconds=seconds, again=refresh)
        if is_latest:
            fallback = ecosystem.fallback_import_name(ref)
            await self._writer.name_imports(ref, wanted, names, fallback)
        else:
            rows = {ecosystem.version_purl(ref, wanted): {"import_names": list(names)}}
            await self._writer.attribute(ref, rows, urgent=urgent)
        outcome: NamesOutcome = "named" if names else "without_names"
        return Named(outcome=outcome, version=wanted, names=names, requests=scope.requests)
