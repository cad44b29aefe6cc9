"""Attributes the advisories in MongoDB to the versions in the graph.

No lock covers both stores. A sync stores a changed advisory first and attributes its packages
afterwards, in a task that increments a counter (:meth:`Attributor.attribute`). An attribution or
extraction looks up the advisories, writes to the graph, and then reads the counter. If another
attribution has started since the look-up, it looks up again, until the counter is unchanged. So the
last writer has seen all advisories.
"""

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, Self

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.errors import StoreUnavailable
from ssc_ingest.graph.attributions import AttributedPackage, AttributionReader
from ssc_ingest.graph.changes import Row
from ssc_ingest.graph.coalescing import Coalescer
from ssc_ingest.graph.writer import GraphWriter
from ssc_ingest.logs import get_logger
from ssc_ingest.models import PackageRef, Purl, VersionName
from ssc_ingest.vulnerabilities.advisory import Advisory
from ssc_ingest.vulnerabilities.attribution import MALWARE_SCORE, Attributions, attribute
from ssc_ingest.vulnerabilities.unattributed import Unattributed
from ssc_ingest.work.waiting import VULNERABILITIES, waiting_for

LOOK_UP_TIMEOUT = 2.0
"""Seconds that an extraction waits for MongoDB before it continues without advisories."""

PAUSE = 5.0
"""Seconds after a failed look-up before extractions try again."""

BATCH_SIZE = 200
"""Packages per batch."""

SWEEP_TIME = 15.0
"""Seconds of attribution per sweep."""

_LARGE = 20_000
"""Product of versions and advisories above which a thread evaluates them (about 10 ms)."""

log = get_logger(__name__)

ByName = Mapping[str, Sequence[Advisory]]
"""Advisories by the name of the package, spelled by ``Ecosystem.advisory_name``."""


class AdvisorySource(Protocol):
    """A source of advisories."""

    async def naming(self, ecosystem: type[Ecosystem], names: Collection[str]) -> ByName:
        """The advisories in force of some packages (hundreds at a time), in one look-up.

        Args:
            ecosystem: of the packages.
            names: as ``Ecosystem.advisory_name`` spells them.

        Returns:
            The advisories by package name. While the stored data is unchanged, two results are
            equal.

        Raises:
            StoreUnavailable: the store does not respond.
        """


@dataclass(slots=True)
class Attributed:
    """The result of an attribution."""

    packages: int = 0
    """Packages in the graph; others are skipped."""
    versions: int = 0
    affected: int = 0
    """Vulnerable versions."""
    changed: int = 0
    """Versions with new values."""
    unusable: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By id, what of the advisories could not be evaluated."""

    def __iadd__(self, other: "Attributed") -> Self:
        self.packages += other.packages
        self.versions += other.versions
        self.affected += other.affected
        self.changed += other.changed
        self.unusable |= other.unusable
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUp:
    """The look-up of an extraction for its new versions."""

    rows: Mapping[VersionName, Row] = field(default_factory=dict)
    """For ``GraphWriter.write``."""
    begun: int | None = None
    """The counter before the look-up; ``None`` if there was none."""
    postponed: bool = False
    """Whether MongoDB did not respond."""


class Attributor:
    """Attributes packages, for the tasks of one event loop.

    Args:
        ecosystems: by name.
        source: the advisories.
        reader: of the graph.
        writer: of the graph.
        unattributed: the packages that wait for attribution.
        malware_score: the score of a malicious record without one.
    """

    def __init__(
        self,
        ecosystems: Mapping[str, type[Ecosystem]],
        source: AdvisorySource,
        reader: AttributionReader,
        writer: GraphWriter,
        unattributed: Unattributed,
        *,
        malware_score: float = MALWARE_SCORE,
    ) -> None:
        self._ecosystems = ecosystems
        self._source = source
        self._reader = reader
        self._writer = writer
        self._unattributed = unattributed
        self._malware_score = malware_score
        self._look_ups: dict[str, Coalescer[str, Sequence[Advisory]]] = {}
        self._away_until = 0.0

    # Packages whose advisories may have changed ---------------------------------------------

    async def attribute(self, ecosystem: str, purls: Collection[Purl]) -> Attributed:
        """Make all versions of some packages (hundreds at a time) equal to their advisories.

        Safe to repeat; stubs and packages that are not in the graph are skipped.

        Raises:
            StoreUnavailable: MongoDB or the graph is unavailable or busy.
        """
        cls = self._ecosystems[ecosystem]
        await self._unattributed.begin(ecosystem)
        waiting = await self._unattributed.tokens(purls)
        done = Attributed()
        seen: ByName | None = None
        while True:
            begun = await self._unattributed.begun(ecosystem)
            packages = await self._reader.packages(cls.identity.label, purls)
            names = {package.purl: _advisory_name(cls, package) for package in packages}
            advisories = await self._source.naming(cls, set(names.values()))
            if advisories == seen:
                break
            seen = advisories
            changed = done.changed
            done = await self._write(cls, packages, names, advisories)
            done.changed += changed
            if await self._unattributed.begun(ecosystem) == begun:
                break
        await self._unattributed.remove(waiting)
        return done

    async def attribute_waiting(self) -> int:
        """Attribute waiting packages for some seconds; returns their number.

        Raises:
            StoreUnavailable: MongoDB or the graph is unavailable or busy; the other packages wait.
        """
        done, until = 0, time.monotonic() + SWEEP_TIME
        while time.monotonic() < until:
            waiting = await self._unattributed.some(BATCH_SIZE)
            if not waiting:
                break
            known = {cls.identity.purl_type: name for name, cls in self._ecosystems.items()}
            by_ecosystem: dict[str, list[Purl]] = {}
            for purl, token in waiting.items():
                purl_type = purl.removeprefix("pkg:").partition("/")[0]
                if name := known.get(purl_type):
                    by_ecosystem.setdefault(name, []).append(Purl(purl))
                else:  # of a plug-in that is no longer installed
                    await self._unattributed.remove({purl: token})
            for name, purls in by_ecosystem.items():
                await self.attribute(name, purls)
                done += len(purls)
        return done

    async def differing(self, ecosystem: str, packages: Sequence[AttributedPackage]) -> list[Purl]:
        """The packages with a version that does not match the advisories; changes nothing.

        Raises:
            StoreUnavailable: MongoDB does not respond.
        """
        cls = self._ecosystems[ecosystem]
        names = {package.purl: _advisory_name(cls, package) for package in packages}
        advisories = await self._source.naming(cls, set(names.values()))
        return [
            package.purl
            for package in packages
            if differences(
                package, self.evaluate(cls, package, advisories.get(names[package.purl], ()))
            )
        ]

    def evaluate(
        self, cls: type[Ecosystem], package: AttributedPackage, advisories: Iterable[Advisory]
    ) -> Attributions:
        """Evaluate all advisories of a package in the graph."""
        return attribute(
            cls,
            cls.name_of_node(package.names),
            [version.name for version in package.versions],
            advisories,
            self._malware_score,
        )

    async def _write(
        self,
        cls: type[Ecosystem],
        packages: Iterable[AttributedPackage],
        names: Mapping[Purl, str],
        advisories: ByName,
    ) -> Attributed:
        done = Attributed()
        writes = []
        for package in packages:
            those = advisories.get(names[package.purl], ())
            if len(package.versions) * len(those) > _LARGE:
                found = await asyncio.to_thread(self.evaluate, cls, package, those)
            else:
                found = self.evaluate(cls, package, those)
            changes = differences(package, found)
            done += Attributed(
                packages=1,
                versions=len(package.versions),
                affected=sum(bool(each.vulnerabilities) for each in found.versions.values()),
                changed=len(changes),
                unusable=found.unusable,
            )
            if changes:
                writes.append(self._writer.attribute(_reference(cls, package), changes))
        await asyncio.gather(*writes)
        for record, reasons in done.unusable.items():
            log.warning("advisory_unusable", advisory=record, reasons=reasons[:3])
        return done

    # Versions that an extraction writes -------------------------------------------------------

    async def look_up(self, ref: PackageRef, versions: Collection[VersionName]) -> LookUp:
        """Look up the values of versions that are about to be written.

        If MongoDB does not respond, the package is recorded for the sweep, and the result is empty.
        """
        if not versions:
            return LookUp()
        cls = self._ecosystems[ref.ecosystem]
        name = cls.advisory_name(ref.registry_name)
        try:
            begun = await self._unattributed.begun(ref.ecosystem)
            advisories = await self._patiently(cls, name) or ()
        except StoreUnavailable as error:
            await self._unattributed.add([ref.purl])
            log.info("attribution_postponed", error=str(error))
            return LookUp(postponed=True)
        if not advisories:
            return LookUp(begun=begun)
        said = attribute(cls, ref.registry_name, versions, advisories, self._malware_score)
        rows = {version: each.row() for version, each in said.versions.items()}
        return LookUp(rows=rows, begun=begun)

    async def confirm(self, ref: PackageRef, looked_up: LookUp) -> None:
        """Attribute a package again if another attribution has started since the look-up.

        If MongoDB did not respond, the package is recorded once more: a sweep before the write, or
        during it, may not have seen the new versions.
        """
        if looked_up.postponed:
            await self._unattributed.add([ref.purl])
        if looked_up.begun is None:
            return
        if await self._unattributed.begun(ref.ecosystem) != looked_up.begun:
            await self.attribute_or_note(ref)

    async def attribute_or_note(self, ref: PackageRef) -> None:
        """Attribute a package; if a store does not respond, leave it to the sweep."""
        cls = self._ecosystems[ref.ecosystem]
        try:
            # `attribute` waits for as long as a query may take, which no extraction can.
            await self._patiently(cls, cls.advisory_name(ref.registry_name))
            await self.attribute(ref.ecosystem, [ref.purl])
        except StoreUnavailable as error:
            await self._unattributed.add([ref.purl])
            log.info("attribution_postponed", error=str(error))

    async def _patiently(self, cls: type[Ecosystem], name: str) -> Sequence[Advisory] | None:
        """Look up, in one query with simultaneous extractions.

        An unavailable store delays one extraction, not all.
        """
        if time.monotonic() < self._away_until:
            raise StoreUnavailable("vulnerabilities", "it did not respond a moment ago")
        look_up = self._look_ups.get(cls.identity.name)
        if look_up is None:
            look_up = self._look_ups[cls.identity.name] = Coalescer(
                partial(self._source.naming, cls)
            )
        try:
            async with asyncio.timeout(LOOK_UP_TIMEOUT):
                with waiting_for(VULNERABILITIES):
                    return await look_up.get(name)
        except TimeoutError:
            self._away_until = time.monotonic() + PAUSE
            raise StoreUnavailable(
                "vulnerabilities", f"no answer within {LOOK_UP_TIMEOUT:g} s"
            ) from None
        except StoreUnavailable:
            self._away_until = time.monotonic() + PAUSE
            raise


def differences(package: AttributedPackage, found: Attributions) -> dict[Purl, Row]:
    """By purl: version properties that do not match the advisories; ``None`` removes one."""
    changes: dict[Purl, Row] = {}
    for version in package.versions:
        wanted = found.versions[version.name].row()
        changed = {k: v for k, v in wanted.items() if version.properties[k] != v}
        if changed:
            changes[version.purl] = changed
    return changes


def outdated(
    cls: type[Ecosystem],
    package: AttributedPackage,
    advisories: Iterable[Advisory],
    malware_score: float,
) -> dict[Purl, Row]:
    """By purl: version properties that do not match these advisories, which are all in force."""
    names = [version.name for version in package.versions]
    name = cls.name_of_node(package.names)
    return differences(package, attribute(cls, name, names, advisories, malware_score))


def _advisory_name(cls: type[Ecosystem], package: AttributedPackage) -> str:
    return cls.advisory_name(cls.name_of_node(package.names))


def _reference(cls: type[Ecosystem], package: AttributedPackage) -> PackageRef:
    name = cls.name_of_node(package.names)
    return PackageRef(
        ecosystem=cls.identity.name,
        label=cls.identity.label,
        purl=package.purl,
        name=str(package.names.get("name") or name),
        registry_name=name,
    )
