"""The changes of old packages and versions, computed without a server."""

from collections.abc import Sequence
from datetime import datetime
from itertools import permutations
from typing import Any

import pytest
from neo4j.time import DateTime

from ssc_ingest.ecosystems import built_in, ecosystem
from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.graph.properties import VERSION
from ssc_ingest.migration.identities import (
    Identity,
    PackageNode,
    identify,
    iso_release_date,
    local_moment,
)
from ssc_ingest.migration.releases import VersionNode, plan_releases
from ssc_ingest.migration.requirements import Owned, chunks, join_texts


def package(number: int, of: str, name: str, **more: Any) -> PackageNode:
    """A node with that number in its element id."""
    return PackageNode(
        id=f"4:x:{number}",
        properties={"name": name, **more},
        labels=(ecosystem(of).identity.label,),
        edges=1,
        strays=0,
        ecosystem=ecosystem(of),
    )


def version(number: int, name: str | None, **more: Any) -> VersionNode:
    """A node with that number in its element id."""
    properties = dict.fromkeys(VERSION.names) | {"name": name, **more}
    return VersionNode(f"4:x:{number}", properties, ("Version",), 1, 1, 0)


def names(identities: Sequence[Identity]) -> dict[str, str]:
    """Name by spelling, after the changes."""
    return {
        i.survivor.spelling: i.properties.get("name", i.survivor.properties["name"])
        for i in identities
    }


def test_the_lower_case_package_owns_the_name_whatever_the_order() -> None:
    """Without a lower-case package, the first one in the order of spelling owns the name."""
    nodes = [package(1, "npm", "FOO"), package(2, "npm", "Foo"), package(3, "npm", "foo")]
    for order in permutations(nodes):
        assert names(identify(order, ())) == {"FOO": "FOO", "Foo": "Foo", "foo": "foo"}
    for order in permutations(nodes[:2]):
        assert names(identify(order, ())) == {"FOO": "foo", "Foo": "Foo"}


def test_a_name_that_was_given_on_an_earlier_page_stays_given() -> None:
    """A given name stays unless the package with that spelling appears."""
    given = package(2, "npm", "foo", registry_name="FOO")
    assert names(identify([package(1, "npm", "Foo")], [given])) == {"Foo": "Foo"}
    both = identify([package(3, "npm", "foo"), given], ())
    assert names(both) == {"foo": "foo", "FOO": "FOO"}


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_merging_in_any_order_gives_one_package(order: tuple[int, ...]) -> None:
    """The oldest node stays, with a spelling that is not normalised, preferably with capitals."""
    nodes = [
        package(5, "pypi", "typing-extensions", vendor="n/a"),
        package(7, "pypi", "typing_extensions", vendor="python"),
        package(9, "pypi", "Typing_Extensions"),
    ]
    (found,) = identify([nodes[i] for i in order], ())

    assert found.survivor.id == "4:x:5"
    assert [node.id for node in found.duplicates] == ["4:x:7", "4:x:9"]
    assert found.properties["registry_name"] == "Typing_Extensions"
    assert found.properties["name"] == "typing_extensions"
    assert found.properties["purl"] == "pkg:pypi/typing-extensions"
    assert found.properties["vendor"] == "python"


@pytest.mark.parametrize("cls", built_in())
def test_what_is_in_order_is_not_changed(cls: type[Ecosystem]) -> None:
    """Properties that were set make no row the next time; also for invalid names."""
    for name in ("group:Some.Name", "some-name", "no name at all!", "?7"):
        node = package(1, cls.identity.name, name, moment=DateTime(2025, 11, 20, 1, 2, 3))
        (found,) = identify([node], ())
        properties = {**node.properties, **found.properties}
        if properties["moment"] is None:
            del properties["moment"]

        (again,) = identify([package(1, cls.identity.name, **properties)], ())

        assert again.properties == {}
        assert properties["purl"].startswith(f"pkg:{cls.identity.purl_type}/")


def test_moments() -> None:
    """Any stored form becomes naive UTC; invalid values are removed."""
    expected = datetime(2025, 1, 2, 3, 4, 5)  # noqa: DTZ001 - the graph's are naive
    assert local_moment(DateTime(2025, 1, 2, 3, 4, 5)) == expected
    assert local_moment("2025-01-02T04:04:05+01:00") == expected
    assert local_moment("yesterday") is None
    assert local_moment(7) is None


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (1420070400000, "2015-01-01T00:00:00.000Z"),
        ("1420070400000", "2015-01-01T00:00:00.000Z"),
        ("2015-01-01T00:00:00", "2015-01-01T00:00:00.000Z"),
        ("2015-01-01T01:00:00.1234+01:00", "2015-01-01T00:00:00.123Z"),
        ("2015-01-01T00:00:00Z", "2015-01-01T00:00:00.000Z"),
        (DateTime(2015, 1, 1), "2015-01-01T00:00:00.000Z"),
        (10**30, None),
        (float("nan"), None),
        (True, None),
        ("", None),
        ("soon", None),
        (None, None),
        ([1], None),
    ],
)
def test_release_dates(stored: Any, expected: str | None) -> None:
    """Every stored form becomes the current one."""
    assert iso_release_date(stored) == expected


def test_versions_are_merged_numbered_and_filled() -> None:
    """Numbers have no gaps, unparsable ones come first, and every property is set."""
    nodes = [
        version(1, "1.10", serial_number=-1),
        version(2, "1.9", vulnerabilities=["a"], mean=float("inf"), weighted_mean=2),
        version(3, "1.10", vulnerabilities=["b"], mean=4.0, weighted_mean=5.0),
        version(4, "odd version"),
        version(5, None),
    ]

    plan = plan_releases(ecosystem("pypi"), ecosystem("pypi").ref("a"), nodes)

    assert [node.id for node in plan.kept] == ["4:x:4", "4:x:2", "4:x:1"]
    assert plan.merged == [("4:x:3", "4:x:1")]
    assert plan.nameless == ["4:x:5"]
    serials = [plan.changed[node.id]["serial_number"] for node in plan.kept]
    assert serials == [0, 1, 2]
    assert plan.changed["4:x:1"]["vulnerabilities"] == ["b"]
    assert plan.changed["4:x:1"]["mean"] == 4.0
    assert plan.changed["4:x:2"]["mean"] == 0.0
    assert plan.changed["4:x:2"]["weighted_mean"] == 2.0
    assert plan.changed["4:x:4"]["purl"] == "pkg:pypi/a@odd%20version"


def test_versions_of_another_package_are_copied() -> None:
    """Versions are not copied if the package has a version of that name."""
    nodes = [version(1, "1.0"), version(2, "2.0"), version(3, "2.0")]
    ref = ecosystem("pypi").ref("a")

    plan = plan_releases(ecosystem("pypi"), ref, nodes, frozenset({"4:x:1", "4:x:2"}))

    assert [row["purl"] for row in plan.copied] == ["pkg:pypi/a@1.0"]
    assert [node.id for node in plan.kept] == ["4:x:3"]
    assert plan.merged == []


def test_texts_of_doubled_requirements() -> None:
    """Missing texts do not count; otherwise the smallest range around all."""
    pypi = ecosystem("pypi")
    assert join_texts(pypi, ["", ">=1,<2", ""]) == ">= 1, < 2"
    assert join_texts(pypi, [">=1,<2", "==3"]) == ">= 1, <= 3"
    assert join_texts(pypi, [">=1", "any"]) == "any"
    assert join_texts(pypi, ["", ""]) == "any"


def test_chunks_are_bounded() -> None:
    """The limit is the number of edges; a larger version is its own chunk."""
    versions = [Owned(str(n), "p", "pkg:p", edges) for n, edges in enumerate([3, 3, 9, 1, 4])]

    found = [[version.edges for version in chunk] for chunk in chunks(versions, 6)]

    assert found == [[3, 3], [9], [1, 4]]
