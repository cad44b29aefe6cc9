"""What advisories say about the versions of one package: ids, scores, malware, notices.

Every value of a version follows from its name and the advisories of its package alone. So it is
the same in whatever order advisories and versions arrive, and other versions have no part in it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.graph.changes import Row
from ssc_ingest.graph.properties import VERSION
from ssc_ingest.models import VersionName
from ssc_ingest.vulnerabilities.advisory import Advisory
from ssc_ingest.vulnerabilities.affected import VersionLine, evaluate

MALWARE_SCORE = 10.0
"""Default for a malicious record without score. Without one, a solver would prefer its versions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """What advisories say about one version."""

    vulnerabilities: tuple[str, ...] = ()
    """Ids of the advisories that affect it, sorted."""
    mean: float = 0.0
    weighted_mean: float = 0.0
    malicious: bool = False
    notices: tuple[str, ...] = ()
    """Ids of the advisories that warn of it, sorted."""
    scored: bool = False
    """Whether a flaw has a score; without one, both means are 0.0 and say nothing."""

    def row(self) -> Row:
        """The properties as the graph stores them; ``None`` removes one."""
        return VERSION.elsewhere_row(self)


UNAFFECTED = Attribution()


@dataclass(slots=True)
class Attributions:
    """What advisories say about a package."""

    versions: dict[VersionName, Attribution]
    """All that were asked about."""
    unusable: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By id, what of the advisories could not be evaluated."""


def attribute(
    ecosystem: type[Ecosystem],
    name: str,
    versions: Iterable[VersionName],
    advisories: Iterable[Advisory],
    malware_score: float = MALWARE_SCORE,
) -> Attributions:
    """Attribute the advisories of a package to its versions.

    Args:
        ecosystem: of the package.
        name: as its registry spells it.
        versions: each once.
        advisories: those that are in force and name the package, each once.
        malware_score: what a malicious record without score counts in the means.
    """
    line = VersionLine(ecosystem, versions)
    found = Attributions({VersionName(version): UNAFFECTED for version in line.names})
    affecting: dict[int, list[Advisory]] = {}
    noticing: dict[int, list[str]] = {}
    for advisory in sorted(advisories, key=lambda each: each.id):
        said = evaluate(advisory, name, line)
        if said.unusable:
            found.unusable[advisory.id] = tuple(said.unusable)
        for index in said.affected:
            affecting.setdefault(index, []).append(advisory)
        for index in said.noticed - said.affected:
            noticing.setdefault(index, []).append(advisory.id)
    # Most versions share what is said of a neighbour.
    made: dict[tuple[tuple[str, ...], tuple[str, ...]], Attribution] = {}
    for index in affecting.keys() | noticing.keys():
        those = affecting.get(index, [])
        ids, notices = tuple(each.id for each in those), tuple(noticing.get(index, ()))
        attribution = made.get((ids, notices)) or _summary(those, ids, notices, malware_score)
        found.versions[VersionName(line.names[index])] = made[ids, notices] = attribution
    return found


def _summary(
    advisories: Iterable[Advisory],
    ids: tuple[str, ...],
    notices: tuple[str, ...],
    malware_score: float,
) -> Attribution:
    """Ids, and the means over the flaws that have a score; each flaw counts once."""
    scores: dict[str, float] = {}
    is_malicious = False
    for each in advisories:
        is_malicious = is_malicious or each.is_malware
        score = malware_score if each.is_malware and each.score is None else each.score
        if score is not None:
            scores[each.flaw] = max(score, scores.get(each.flaw, 0.0))
    mean, weighted_mean = means(scores)
    return Attribution(
        vulnerabilities=ids,
        mean=mean,
        weighted_mean=weighted_mean,
        malicious=is_malicious,
        notices=notices,
        scored=bool(scores),
    )


def means(scores: Mapping[str, float]) -> tuple[float, float]:
    """``sum(s)/n`` and ``sum(s^2)/sum(s)`` of the scores of flaws, rounded to two decimals.

    Both are 0.0 if there are none, or all are 0.
    """
    values = sorted(scores.values())  # floats add up to one sum in one order
    total = sum(values)
    if not total:
        return 0.0, 0.0
    return round(total / len(values), 2), round(sum(v * v for v in values) / total, 2)
