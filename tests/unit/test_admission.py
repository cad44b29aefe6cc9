"""The versions that a constraint admits: intervals equal univers' results version by version."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems import ecosystem, ecosystems
from ssc_ingest.ecosystems.admission import Admission, overlap, spans_of
from ssc_ingest.models import VersionName
from tests.properties import examples

number = st.sampled_from(["0", "1", "2", "10"])
triple = st.lists(number, min_size=3, max_size=3).map(".".join)
short = st.lists(number, min_size=1, max_size=4).map(".".join)


def suffixed(numbers: st.SearchStrategy[str], *suffixes: str) -> st.SearchStrategy[str]:
    """Numbers, about half of them with a suffix."""
    return st.builds("{}{}".format, numbers, st.sampled_from(["", "", *suffixes]))


VERSIONS = {
    "pypi": suffixed(short, "a1", "rc2", ".post1", ".dev3", "+local"),
    "npm": suffixed(triple, "-alpha.1", "-rc.2", "+build.1", "-0"),
    "cargo": suffixed(triple, "-alpha.1", "-rc.2", "+build.1", "-0"),
    "maven": suffixed(short, "-alpha", "-rc1", "-SNAPSHOT", "-jre"),
    "rubygems": suffixed(short, ".pre", ".rc1", ".a"),
    "nuget": suffixed(triple, "-alpha", "-rc.2", ".5"),
}

TEXTS = {
    "pypi": [
        "{0}",
        ">={0}",
        "<{0}",
        ">={0},<{1}",
        "=={0}",
        "!={0}",
        "!={0},>{1}",
        "<={0}",
        "~={0}",
    ],
    "npm": [
        "^{0}",
        "~{0}",
        ">={0} <{1}",
        "{0}",
        "^{0} || ^{1}",
        "<={0}",
        "{0} - {1}",
        "*",
        "=={0}",
    ],
    "cargo": ["^{0}", "~{0}", ">={0}, <{1}", "={0}", "{0}", "<={0}", "*"],
    "maven": ["[{0}]", "[{0},{1})", "(,{0}]", "({0},)", "[{0},{1}),[{1},)", "{0}", "[{0}],[{1}]"],
    "rubygems": ["~> {0}", ">= {0}", "< {0}", ">= {0}, < {1}", "= {0}", "!= {0}", "== {0}"],
    "nuget": ["[{0}]", "[{0}, {1})", "(, {0}]", "({0}, )", "{0}", "[{0}, )", "1.0.*"],
}
"""As registries have them, and some that readers cannot read; the latter are taken as they are."""


def asked(name: str, names: list[VersionName], constraints: str) -> set[int]:
    """What the graph's readers do: one question for each version, all if anything is wrong."""
    everything = set(range(len(names)))
    kind: Any = ecosystem(name).range_class
    if constraints == "any":
        return everything
    try:
        parsed = kind.from_native(constraints)
        return {i for i, each in enumerate(names) if kind.version_class(each) in parsed}
    except Exception:  # noqa: BLE001 - as the readers
        return everything


@pytest.mark.parametrize("name", VERSIONS)
@given(data=st.data())
@examples(4)
def test_equal_to_brute_force(name: str, data: st.DataObject) -> None:
    """Intervals equal univers for valid and invalid constraints, with versions in serial order."""
    cls = ecosystem(name)
    odd = st.sampled_from(["x", "2004d", "1.0.0+a", "v1.0.0", "1..2"])
    found = data.draw(st.lists(VERSIONS[name], unique=True, max_size=12))
    if data.draw(st.integers(0, 9)) == 0 and name != "maven":  # univers' order there is not total
        found = [*found, data.draw(odd.filter(lambda text: text not in found))]
    names = cls.order((VersionName(each), None) for each in found)
    bounds = st.sampled_from(found) if found else VERSIONS[name]
    text = data.draw(st.sampled_from(TEXTS[name]))
    text = text.format(data.draw(bounds | VERSIONS[name]), data.draw(bounds | VERSIONS[name]))
    constraints = data.draw(st.sampled_from([text, cls.constraints(text)]))
    admission = Admission(cls, names)
    spans = admission.spans(constraints)
    assert {i for first, last in spans for i in range(first, last + 1)} == asked(
        name, names, constraints
    )
    assert spans == spans_of(sorted(i for first, last in spans for i in range(first, last + 1)))


@pytest.mark.parametrize("name", ecosystems())
def test_whatever_cannot_be_read_admits_everything(name: str) -> None:
    """An invalid constraint or version admits every version; a package may have no versions."""
    cls = ecosystem(name)
    names = [VersionName("1.0.0"), VersionName("2.0.0")]
    assert Admission(cls, names).spans("any") == [(0, 1)]
    unreadable = "[1.0.0" if name == "maven" else "\x00"
    assert Admission(cls, names).spans(unreadable) == [(0, 1)]
    assert Admission(cls, []).spans("any") == []
    if name == "pypi":
        assert Admission(cls, [VersionName("2004d"), *names]).spans("== 1.0.0") == [(0, 2)]


@given(
    first=st.sets(st.integers(0, 15)),
    second=st.sets(st.integers(0, 15)),
)
def test_spans(first: set[int], second: set[int]) -> None:
    """Sets become spans, and the overlap of two sets is found."""
    spans = spans_of(sorted(first))
    assert {i for low, high in spans for i in range(low, high + 1)} == first
    assert overlap(spans, spans_of(sorted(second))) is bool(first & second)
