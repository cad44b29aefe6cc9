"""Attributes advisories to the versions of one package: ids, scores, malware, notices.

All values of a version depend only on its name and the advisories of its package. So the order of
advisories and versions does not matter, and neither do other versions.
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
"""Default score of a malicious record without one. Otherwise a solver would prefer its versions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """The values of one version."""

    vulnerabilities: tuple[str, ...] = ()
    """Sorted ids of the advisories that affect it."""
    mean: float = 0.0
    weighted_mean: float = 0.0
    malicious: bool = False
    notices: tuple[str, ...] = ()
    """Sorted ids of the warnings about it."""
    scored: bool = False
    """Whether a flaw has a score; otherwise both means are 0.0 and meaningless."""

    def row(self) -> Row:
        """The properties as the graph stores them; ``None`` removes one."""
        return VERSION.elsewhere_row(self)


UNAFFECTED = Attribution()


@dataclass(slots=True)
class Attributions:
    """The values of a package's versions."""

    versions: dict[VersionName, Attribution]
    """All requested versions."""
    unusable: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By advisory id: the parts that could not be evaluated."""


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
        advisories: all advisories in force for the package, each once.
        malware_score: the score of a malicious record without one.
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
    # Most versions have the same values as a neighbour.
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
    """Ids, and the means over the flaws with a score; each flaw counts once."""
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

    Both are 0.0 without scores, or if all are 0.
    """
    values = sorted(scores.values())  # the sum of floats depends on their order
    total = sum(values)
    if not total:
        return 0.0, 0.0
    return round(total / len(values), 2), round(sum(v * v for v in values) / total, 2)
