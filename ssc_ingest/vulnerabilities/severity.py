"""Base scores of CVSS vectors, and the field ``severity`` in the form for readers.

Readers use the first entry of type ``CVSS_V3`` and its ``base_score``, which is not in OSV's
schema: https://ossf.github.io/osv-schema/#severity-field. Scores: https://www.first.org/cvss/.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cvss import CVSS2, CVSS3, CVSS4
from cvss.exceptions import CVSSError

V3 = "CVSS_V3"

MAX_VECTOR_LENGTH = 500
"""Characters; a vector with all metrics of version 4 has about 200."""

BASE_METRICS_V4 = frozenset(["AV", "AC", "AT", "PR", "UI", "VC", "VI", "VA", "SC", "SI", "SA"])
"""The base metrics of version 4; the library's base score would include all others."""


def base_score(kind: str, vector: object) -> float | None:
    """The base score of a vector, from 0.0 to 10.0.

    ``None`` if the type is not ``CVSS_V2``, ``CVSS_V3`` or ``CVSS_V4``, or the vector is invalid.
    """
    compute = _SCORES.get(kind)
    if compute is None or not isinstance(vector, str) or len(vector) > MAX_VECTOR_LENGTH:
        return None
    try:
        # Some vectors end with a slash, which the library refuses.
        return compute(vector.removesuffix("/"))
    except CVSSError:
        return None


def _v4(vector: str) -> float:
    prefix, *metrics = vector.split("/")
    base = [metric for metric in metrics if metric.partition(":")[0] in BASE_METRICS_V4]
    return float(CVSS4("/".join((prefix, *base))).base_score)


_SCORES: Mapping[str, Callable[[str], float]] = {
    "CVSS_V2": lambda vector: float(CVSS2(vector).base_score),
    V3: lambda vector: float(CVSS3(vector).base_score),
    "CVSS_V4": _v4,
}


def readable_severity(entries: Iterable[object]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the entries with their ``base_score``, and the problems of entries without a score.

    At most one entry has type ``CVSS_V3``: the one with the highest score. It comes first and
    always has a score. The others follow in the order of the record.
    """
    v3: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    problems = []
    for entry in entries:
        if not isinstance(entry, Mapping) or not isinstance(kind := entry.get("type"), str):
            problems.append(f"severity without type: {entry!r:.80}")
            continue
        score = base_score(kind, entry.get("score"))
        if score is None and kind in _SCORES:
            problems.append(f"{kind} vector without score: {entry.get('score')!r:.80}")
        readable = {"type": kind, "score": entry.get("score")}
        if score is not None:
            readable["base_score"] = score
        if kind != V3:
            others.append(readable)
        elif score is not None:
            v3.append(readable)
    highest = sorted(v3, key=lambda entry: -entry["base_score"])[:1]
    return [*highest, *others], problems


def v3_score(severity: Iterable[Mapping[str, Any]]) -> float | None:
    """The score for the means, from the result of :func:`readable_severity`."""
    return next((entry["base_score"] for entry in severity if entry["type"] == V3), None)
