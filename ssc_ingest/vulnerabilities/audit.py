"""Checks for random packages whether their versions match the advisories.

Every package in the graph is drawn with the same probability and evaluated again. So the share of
wrong packages in the sample gives an upper bound for the whole graph.
"""

import asyncio
import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from redis.asyncio import Redis

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.graph.attributions import AttributionReader
from ssc_ingest.logs import get_logger
from ssc_ingest.models import Purl
from ssc_ingest.vulnerabilities.attributor import BATCH_SIZE, Attributor
from ssc_ingest.vulnerabilities.state import SyncStates
from ssc_ingest.vulnerabilities.unattributed import Unattributed

LAST = "vulnerabilities:audit"
"""The report of the last audit, as JSON, in the state database."""

CONFIDENCE = 0.95

SETTLING_TIME = 2.0
"""Seconds after which a wrong package is checked again, because its attribution may be in
progress."""

MAX_EXAMPLES = 20

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """The result of an audit."""

    at: datetime
    """When it started; aware, in UTC."""
    packages: int
    """Packages in the graph, without stubs and without those of :attr:`unsynced` ecosystems."""
    examined: int
    versions: int
    """Versions of the examined packages."""
    differing: int
    """Packages with a version that does not match the advisories."""
    examples: tuple[Purl, ...]
    """Some of them. The next sweep attributes them again."""
    waiting: int
    """Packages that waited for attribution; they may be among the wrong ones."""
    unsynced: tuple[str, ...] = ()
    """Ecosystems with packages in the graph whose advisories were never synced: none of their
    packages was compared, because nothing is known about them."""

    @property
    def bound(self) -> float:
        """Upper bound of the share of wrong packages in the graph, with 95% confidence."""
        return upper_bound(self.differing, self.examined, of=self.packages)

    def to_json(self) -> str:
        """The report as text, for :meth:`from_json`."""
        return json.dumps({**asdict(self), "at": self.at.isoformat()})

    @classmethod
    def from_json(cls, text: str) -> "AuditReport":
        """The inverse of :meth:`to_json`."""
        fields = json.loads(text)
        fields |= {
            "at": datetime.fromisoformat(fields["at"]),
            "examples": (*fields["examples"],),
            "unsynced": (*fields.get("unsynced", ()),),
        }
        return cls(**fields)


class Auditor:
    """Audits packages, for the tasks of one event loop. ``redis`` is the state database."""

    def __init__(
        self,
        ecosystems: Mapping[str, type[Ecosystem]],
        reader: AttributionReader,
        attributor: Attributor,
        unattributed: Unattributed,
        redis: Redis,
        *,
        syncs: SyncStates,
    ) -> None:
        self._syncs = syncs
        self._ecosystems = ecosystems
        self._reader = reader
        self._attributor = attributor
        self._unattributed = unattributed
        self._redis = redis

    async def audit(self, packages: int, chance: random.Random | None = None) -> AuditReport:
        """Examine up to ``packages`` random packages, and store the report.

        Raises:
            StoreUnavailable: MongoDB or the graph is unavailable or busy.
        """
        at = datetime.now(UTC)
        waiting = await self._unattributed.count()
        totals = {
            name: await self._reader.count(cls.identity.label)
            for name, cls in self._ecosystems.items()
        }
        states = await self._syncs.all()
        synced = {name for name, state in states.items() if state.synced_at}
        unsynced = tuple(sorted(name for name in totals if totals[name] and name not in synced))
        totals = {name: total for name, total in totals.items() if name in synced}
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
            unsynced=unsynced,
        )
        await self._unattributed.add(differing)
        await self._redis.set(LAST, report.to_json())
        if differing:
            log.warning("attribution_differs", packages=len(differing), examples=differing[:3])
        return report

    async def _draw(
        self, totals: Mapping[str, int], packages: int, chance: random.Random
    ) -> dict[str, list[Purl]]:
        """Draw packages, from each registry in proportion to its share of the graph."""
        total = sum(totals.values())
        if not total:
            return {}
        # Draws a few more than needed, because their number is random.
        share = min(1.0, (packages + 5 * math.sqrt(packages) + 10) / total)
        found = [
            (name, purl)
            for name, cls in self._ecosystems.items()
            if totals.get(name)
            for purl in await self._reader.draw(cls.identity.label, share)
        ]
        drawn: dict[str, list[Purl]] = {}
        for name, purl in chance.sample(found, min(packages, len(found))):
            drawn.setdefault(name, []).append(purl)
        return drawn

    async def _examine(self, name: str, purls: Sequence[Purl]) -> tuple[list[Purl], int, int]:
        """The wrong packages, and the numbers of examined packages and versions."""
        packages = await self._reader.packages(self._ecosystems[name].identity.label, purls)
        wrong = await self._attributor.differing(name, packages)
        return wrong, len(packages), sum(len(package.versions) for package in packages)


async def last_audit(redis: Redis) -> AuditReport | None:
    """The report of the last audit; ``None`` if there was none. ``redis``: the state database."""
    text = await redis.get(LAST)
    return AuditReport.from_json(str(text)) if text else None


def upper_bound(found: int, examined: int, *, of: int, confidence: float = CONFIDENCE) -> float:
    """The upper confidence bound of a share, by Clopper and Pearson.

    Args:
        found: the number found in the sample.
        examined: the size of the sample.
        of: the size of the population; if all were examined, the share is exact.
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
    """The probability to find at most this number for a given share."""
    logs = (
        math.lgamma(examined + 1)
        - math.lgamma(k + 1)
        - math.lgamma(examined - k + 1)
        + k * math.log(share)
        + (examined - k) * math.log1p(-share)
        for k in range(found + 1)
    )
    return sum(math.exp(each) for each in logs) if 0 < share < 1 else float(share <= 0)
