"""Versions and ranges: their order, and their evaluation by the graph's readers."""

from functools import cache
from itertools import combinations
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.models import VersionName
from tests.contract.test_protocol.registries import REGISTRIES, every_ecosystem, registry, truths


@cache
def versions(name: str) -> tuple[str, ...]:
    """Versions of many packages, including unparsable ones."""
    return tuple(dict.fromkeys(v.name for truth in truths(name) for v in truth.versions))


@every_ecosystem
@given(data=st.data())
def test_the_order_is_total(name: str, data: st.DataObject) -> None:
    """Two keys are less, equal or greater; "less" is transitive."""
    one, two, three = (data.draw(st.sampled_from(versions(name))) for _ in range(3))
    cls = ecosystem(name)
    keys = [key for key in map(cls.sort_key, (one, two, three)) if key is not None]
    for a, b in combinations(keys, 2):
        assert [a < b, a == b, b < a].count(True) == 1
    if len(keys) == 3:
        low, middle, high = sorted(keys)
        assert not middle < low
        assert not high < middle
        assert not high < low


@every_ecosystem
@given(data=st.data())
def test_the_order_does_not_depend_on_where_it_begins(name: str, data: st.DataObject) -> None:
    """A package's versions are sorted equally from any initial order."""
    truth = data.draw(st.sampled_from(truths(name)))
    shuffled = list(truth.versions)
    Random(data.draw(st.integers())).shuffle(shuffled)
    dated = [
        (VersionName(v.name), v.release_date.isoformat() if v.release_date else None)
        for v in shuffled
    ]
    assert ecosystem(name).order(dated) == [version.name for version in truth.versions]


@every_ecosystem
def test_prereleases_are_told(name: str) -> None:
    """Prereleases are the versions that a plain install skips, before a release."""
    cls = ecosystem(name)
    packages = filter(None, map(registry(name).package, range(300)))
    releases = [release for package in packages for release in package.releases]
    assert {release.prerelease for release in releases} == {True, False}
    for release in releases:
        assert cls.is_prerelease(release.version) is release.prerelease
        assert (cls.sort_key(release.version) is None) is (release.stage is None)


@every_ecosystem
def test_constraints_are_understood_by_the_readers(name: str) -> None:
    """Every constraint is ``any``, or a range in which ``univers`` finds versions."""
    native, kind = REGISTRIES[name].readers
    candidates = [kind(v) for v in versions(name) if ecosystem(name).sort_key(v) is not None][:20]
    constraints = {
        constraint
        for truth in truths(name)
        for version in truth.versions
        for constraint in version.requirements.values()
    }
    assert len(constraints) > 100
    for constraint in constraints - {"any"}:
        found = native.from_native(constraint)  # type: ignore[attr-defined]
        assert {candidate in found for candidate in candidates} <= {True, False}
        assert found.constraints
