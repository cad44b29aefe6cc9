"""The comparison of a package with the graph, for any registry, graph and limit."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.graph.changes import Row, Write, prepare
from ssc_ingest.graph.diff import Plan, StoredEdge, compare_edges, plan
from ssc_ingest.graph.properties import REQUIREMENT, VERSION
from ssc_ingest.models import Package, PackageRef, Purl, Requirement, Version, VersionName

Names = st.lists(st.integers(0, 30), unique=True, max_size=15)
Requires = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["any", ">= 1"]), max_size=3)
Registry = st.dictionaries(st.integers(0, 30), st.none() | Requires, max_size=12)

FETCHED = datetime(2026, 1, 1, tzinfo=UTC)
NO_LIMIT = 10**9


def ref(name: str) -> PackageRef:
    """A package of a made-up ecosystem."""
    return PackageRef(
        ecosystem="e", label="EPackage", purl=Purl(f"pkg:e/{name}"), name=name, registry_name=name
    )


def order(versions: Iterable[tuple[VersionName, str | None]]) -> list[VersionName]:
    """Order versions by number."""
    return sorted((name for name, _ in versions), key=int)


def write_of(registry: Mapping[int, Mapping[str, str] | None]) -> Write:
    """A package with these versions and requirements."""
    versions = tuple(
        Version(
            name=VersionName(str(number)),
            purl=Purl(f"pkg:e/web@{number}"),
            release_date=None,
            requirements=None
            if required is None
            else tuple(Requirement(ref(name), text) for name, text in required.items()),
        )
        for number, required in registry.items()
    )
    package = Package(
        ref=ref("web"),
        vendor=None,
        repository_url=None,
        versions=versions,
        latest=None,
        fetched_at=FETCHED,
    )
    return prepare(package, order)


def edge(number: int, purl: str, text: str | None, owner: str = "pkg:e/web") -> StoredEdge:
    """An edge to a package in the graph."""
    return StoredEdge(str(number), "EPackage", purl, wanted(text, owner))


def wanted(text: str | None, owner: str = "pkg:e/web") -> Row:
    """The required properties of an edge."""
    said = {"constraints": text, "parent_version_name": owner}
    return dict.fromkeys(REQUIREMENT.written) | said


class Graph:
    """The contents of a graph after some plans."""

    def __init__(self) -> None:
        self.versions: dict[VersionName, Row] = {}
        self.edges: dict[str, dict[str, str]] = {}

    def carry_out(self, found: Plan) -> None:
        """Apply the rows of a plan."""
        for row in found.new_versions:
            assert row["name"] not in self.versions
            self.versions[row["name"]] = {key: row[key] for key in VERSION.written}
            self.edges[row["purl"]] = {edge[0]: edge[1] for edge in row["requirements"]}
        by_purl = {version["purl"]: version for version in self.versions.values()}
        for row in found.changed_versions:
            assert row["properties"].keys() <= set(VERSION.written)
            by_purl[row["purl"]] |= row["properties"]
        for purl, edges in found.compare.items():
            stored = [edge(n, *each) for n, each in enumerate(self.edges[purl].items())]
            written, vanished = compare_edges(purl, edges, stored)
            for row in written:
                self.edges[purl][row["purl"]] = row["properties"]["constraints"]
            for gone in vanished:
                del self.edges[purl][gone.purl]

    def assert_numbered(self) -> None:
        """Check that serial numbers are 0..n-1 in version order."""
        numbers = {name: version["serial_number"] for name, version in self.versions.items()}
        assert [numbers[VersionName(n)] for n in sorted(numbers, key=int)] == list(
            range(len(numbers))
        )


@given(st.lists(Registry, min_size=1, max_size=4), st.integers(1, 12))
def test_any_history_ends_in_the_union_with_the_last_requirements(
    history: list[dict[int, dict[str, str] | None]], limit: int
) -> None:
    """Numbers have no gaps after each transaction; after the last one, the graph is right."""
    graph = Graph()
    seen: set[str] = set()
    required: dict[str, dict[str, str]] = {}
    for registry in history:
        write = write_of(registry)
        while True:
            found = plan(write, graph.versions, limit)
            graph.carry_out(found)
            graph.assert_numbered()
            assert found.total_versions == len(graph.versions)
            if found.is_complete:
                break
        seen |= {str(number) for number in registry}
        for number, texts in registry.items():
            purl = f"pkg:e/web@{number}"
            if texts is not None:
                required[purl] = {f"pkg:e/{name}": text for name, text in texts.items()}
            required.setdefault(purl, {})
    assert set(graph.versions) == seen
    assert graph.edges == required


@given(Registry)
def test_what_is_equal_makes_no_rows(registry: dict[int, dict[str, str] | None]) -> None:
    """Reading the same package again writes nothing."""
    graph = Graph()
    write = write_of(registry)
    graph.carry_out(plan(write, graph.versions, NO_LIMIT))

    again = plan(write, graph.versions, NO_LIMIT)

    assert again == Plan(total_versions=len(registry))


@given(Registry, st.integers(1, 6))
def test_a_portion_has_at_most_the_limit_or_one_version(
    registry: dict[int, dict[str, str] | None], limit: int
) -> None:
    """The first version is always written, so every transaction makes progress."""
    found = plan(write_of(registry), {}, limit)

    size = sum(1 + len(row["requirements"]) for row in found.new_versions)
    assert size <= limit or len(found.new_versions) == 1
    assert bool(found.new_versions) == bool(registry)
    assert found.is_complete == (len(found.new_versions) == len(registry))


@given(Requires, st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from(["any", None]))))
def test_edges_become_what_is_wanted_once_each(
    required: dict[str, str], present: list[tuple[str, str | None]]
) -> None:
    """From any edges (duplicates, other owners), exactly the required ones result."""
    becomes = {f"pkg:e/{name}": wanted(text) for name, text in required.items()}
    edges = [edge(n, f"pkg:e/{name}", text) for n, (name, text) in enumerate(present)]

    written, vanished = compare_edges("v", becomes, edges)

    left = [each for each in edges if each not in vanished]
    result = {each.purl: each.properties for each in left}
    assert len(result) == len(left), "an edge is there twice"
    result |= {row["purl"]: row["properties"] for row in written}
    assert result == becomes
    untouched = {each.purl for each in left if each.properties == becomes[each.purl]}
    assert untouched.isdisjoint(row["purl"] for row in written)


def test_an_edge_that_names_another_owner_is_rewritten() -> None:
    """The reference implementation wrote package names where the readers need purls."""
    foreign = edge(1, "pkg:e/a", "any", owner="web")

    written, vanished = compare_edges("v", {"pkg:e/a": wanted("any")}, [foreign])

    assert [row["properties"]["parent_version_name"] for row in written] == ["pkg:e/web"]
    assert vanished == []


@given(Requires, st.randoms(use_true_random=False))
def test_requirements_in_another_order_are_the_same(
    required: dict[str, str], random: Random
) -> None:
    """The order of a registry's list causes no writes."""
    graph = Graph()
    graph.carry_out(plan(write_of({1: required}), graph.versions, NO_LIMIT))
    shuffled = random.sample(sorted(required.items()), len(required))

    again = plan(write_of({1: dict(shuffled)}), graph.versions, NO_LIMIT)

    assert again == Plan(total_versions=1)


def test_versions_stay_in_their_order_when_the_registry_forgets_a_date() -> None:
    """The graph keeps the date, so the version is not new and keeps its position."""

    def by_date(versions: Iterable[tuple[VersionName, str | None]]) -> list[VersionName]:
        return [name for name, _ in sorted(versions, key=lambda version: version[1] or "")]

    def reading(*days: int | None) -> Write:
        versions = tuple(
            Version(
                name=VersionName(f"v{number}"),
                purl=Purl(f"pkg:e/web@v{number}"),
                release_date=None if day is None else datetime(2025, 1, day, tzinfo=UTC),
                requirements=(),
            )
            for number, day in enumerate(days)
        )
        package = Package(
            ref=ref("web"),
            vendor=None,
            repository_url=None,
            versions=versions,
            latest=None,
            fetched_at=FETCHED,
        )
        return prepare(package, by_date)

    graph = Graph()
    graph.carry_out(plan(reading(3, 1, 2), {}, NO_LIMIT))

    again = plan(reading(3, 1, None), graph.versions, NO_LIMIT)

    assert again == Plan(total_versions=3)
    numbers = {name: version["serial_number"] for name, version in graph.versions.items()}
    assert numbers == {"v1": 0, "v2": 1, "v0": 2}


def test_a_fact_said_to_be_none_is_removed_from_known_versions() -> None:
    """An empty text in a document about all versions removes the fact, also of unread versions."""

    def reading(required: dict[str, str] | None, deprecated: str | None) -> Write:
        write = write_of({1: required})
        return replace(
            write,
            versions={
                name: row | {"deprecated": deprecated} for name, row in write.versions.items()
            },
        )

    graph = Graph()
    graph.carry_out(plan(reading({"a": "any"}, "archived"), {}, NO_LIMIT))
    unread = plan(reading(None, None), graph.versions, NO_LIMIT)
    assert unread.changed_versions == []
    withdrawn = plan(reading(None, ""), graph.versions, NO_LIMIT)
    assert [row["properties"] for row in withdrawn.changed_versions] == [{"deprecated": None}]
    graph.carry_out(withdrawn)
    assert plan(reading(None, ""), graph.versions, NO_LIMIT).changed_versions == []
    (new,) = plan(reading(None, ""), {}, NO_LIMIT).new_versions
    assert new["deprecated"] is None
