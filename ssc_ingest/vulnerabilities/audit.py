"""Whether versions have what advisories say about them: some packages, drawn by chance.

Every package that was read is drawn with the same chance, and evaluated from scratch. So the share
of wrong packages among those that were drawn says how many there can be in the whole graph.
"""

import asyncio
import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import structlog
from redis.asyncio import Redis

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.graph.attributions import AttributionReader
from ssc_ingest.models import Purl
from ssc_ingest.vulnerabilities.attributor import BATCH_SIZE, Attributor
from ssc_ingest.vulnerabilities.unattributed import Unattributed

AUDIT = "vulnerabilities.audit"
"""Public name of the task."""

DAILY = 1000
"""Packages of the daily audit."""

LAST = "vulnerabilities:audit"
"""The report of the last audit, as JSON, in the state database."""

CONFIDENCE = 0.95

SETTLING_TIME = 2.0
"""Seconds after which a package that differs is looked at again: it may be under way."""

MAX_EXAMPLES = 20

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What an audit found."""

    at: datetime
    """When it began; aware, in UTC."""
    packages: int
    """Packages of the graph that were read."""
    examined: int
    versions: int
    """Versions of those that were examined."""
    differing: int
    """Packages of which a version has something else than the advisories say."""
    examples: tuple[Purl, ...]
    """Some of them. They are attributed again by the next sweep."""
    waiting: int
    """Packages that waited for their attribution, and may be among those that differ."""

    @property
    def bound(self) -> float:
        """The share of the graph's packages that differ is at most this, with 95% confidence."""
        return upper_bound(self.differing, self.examined, of=self.packages)

    def to_json(self) -> str:
        """As text, for :meth:`from_json`."""
        return json.dumps({**asdict(self), "at": self.at.isoformat()})

    @classmethod
    def from_json(cls, text: str) -> "AuditReport":
        """The inverse of :meth:`to_json`."""
        fields = json.loads(text)
        fields |= {"at": datetime.fromisoformat(fields["at"]), "examples": (*fields["examples"],)}
        return cls(**fields)


class Auditor:
    """Audits, for the tasks of one event loop. ``redis`` is the state database."""

    def __init__(
        self,
        ecosystems: Mapping[str, type[Ecosystem]],
        reader: AttributionReader,
        attributor: Attributor,
        unattributed: Unattributed,
        redis: Redis,
    ) -> None:
        self._ecosystems = ecosystems
        self._reader = reader
        self._attributor = attributor
        self._unattributed = unattributed
        self._redis = redis

    async def audit(self, packages: int, chance: random.Random | None = None) -> AuditReport:
        """Examine so many packages, or all if there are no more; keep the report.

        Raises:
            StoreUnavailable: MongoDB or the graph is away or busy.
        """
        at = datetime.now(UTC)
        waiting = await self._unattributed.count()
        totals = {
            name: await self._reader.count(cls.identity.label)
            for name, cls in self._ecosystems.items()
        }
        drawn = await self._draw(totals, packages, chance or random.SystemRandom())
        examined, versions = 0, 0
        differing: list[Purl] = []
        for name, purls in drawn.items():
            for start in range(0, len(purls), BATCH_SIZE):
                wrong, of, having = await self._examine(name, purls[start : start + BATCH_SIZE])
                if wrong:
                    await asyncio.sleep(SETTLING_TIME)
                    wrong, *_ = await self._examine(name, wrong)
                differing += wrong
                examined += of
                versions += having
        report = AuditReport(
            at=at,
            packages=sum(totals.values()),
            examined=examined,
            versions=versions,
            differing=len(differing),
            examples=tuple(sorted(differing)[:MAX_EXAMPLES]),
            waiting=waiting,
        )
        await self._unattributed.add(differing)
        await self._redis.set(LAST, report.to_json())
        if differing:
            log.warning("attribution_differs", packages=len(differing), examples=differing[:3])
        return report

    async def _draw(
        self, totals: Mapping[str, int], packages: int, chance: random.Random
    ) -> dict[str, list[Purl]]:
        """So many packages, of each registry about as many as its part of the graph."""
        total = sum(totals.values())
        if not total:
            return {}
        # Some more are drawn than are needed, since their number depends on chance as well.
        share = min(1.0, (packages + 5 * math.sqrt(packages) + 10) / total)
        found = [
            (name, purl)
            for name, cls in self._ecosystems.items()
            if totals[name]
            for purl in await self._reader.draw(cls.identity.label, share)
        ]
        drawn: dict[str, list[Purl]] = {}
        for name, purl in chance.sample(found, min(packages, len(found))):
            drawn.setdefault(name, []).append(purl)
        return drawn

    async def _examine(self, name: str, purls: Sequence[Purl]) -> tuple[list[Purl], int, int]:
        """Those that differ, and how many packages and versions were examined."""
        packages = await self._reader.packages(self._ecosystems[name].identity.label, purls)
        wrong = await self._attributor.differing(name, packages)
        return wrong, len(packages), sum(len(package.versions) for package in packages)


async def last_audit(redis: Redis) -> AuditReport | None:
    """The report of the last audit; ``None`` if there was none. ``redis``: the state database."""
    text = await redis.get(LAST)
    return AuditReport.from_json(str(text)) if text else None


def upper_bound(found: int, examined: int, *, of: int, confidence: float = CONFIDENCE) -> float:
    """The share that is not exceeded with this confidence, by Clopper and Pearson.

    Args:
        found: how many of those that were examined.
        examined: how many were examined.
        of: how many there are; if all were examined, the share is known.
        confidence: 0 to 1.
    """
    if not examined:
        return 1.0 if of else 0.0
    if found >= examined or examined >= of:
        return found / examined
    low, high = found / examined, 1.0
    while high - low > 1e-9:  # noqa: PLR2004 - as exact as anybody reads it
        middle = (low + high) / 2
        if _at_most(found, examined, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _at_most(found: int, examined: int, share: float) -> float:
    """The chance to find at most so many, if this share is wrong."""
    logs = (
        math.lgamma(examined + 1)
        - math.lgamma(k + 1)
        - math.lgamma(examined - k + 1)
        + k * math.log(share)
        + (examined - k) * math.log1p(-share)
        for k in range(found + 1)
    )
    return sum(math.exp(each) for each in logs) if 0 < share < 1 else float(share <= 0)
