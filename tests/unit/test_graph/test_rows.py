"""Rows: their contents, order and chunks."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.errors import ParentNotFound
from ssc_ingest.graph import rows
from ssc_ingest.graph.changes import Change, ParentEdge, Row, check_edges
from ssc_ingest.graph.values import iso_date, naive_utc
from ssc_ingest.models import PackageRef, Purl

SIZES = st.lists(st.lists(st.integers(0, 9), max_size=8), max_size=8)


def change(label: str, name: str) -> Change:
    """An empty change of a package."""
    return Change(
        ref=PackageRef(
            ecosystem="e", label=label, purl=Purl(f"pkg:e/{name}"), name=name, registry_name=name
        )
    )


@given(SIZES, st.integers(1, 12))
def test_chunks_hold_everything_once_and_in_order(sizes: list[list[int]], limit: int) -> None:
    """No version is lost, duplicated or moved, and chunks are not too large."""
    packages: list[tuple[str, list[Row]]] = [
        (
            f"p{n}",
            [{"name": f"{n}.{m}", "requirements": [["d", "any"]] * k} for m, k in enumerate(part)],
        )
        for n, part in enumerate(sizes)
    ]

    chunks = list(rows.version_chunks(packages, limit))

    sent = [(row["purl"], v["name"]) for chunk in chunks for row in chunk for v in row["versions"]]
    assert sent == [(purl, v["name"]) for purl, versions in packages for v in versions]
    for chunk in chunks:
        weights = [1 + len(v["requirements"]) for row in chunk for v in row["versions"]]
        assert weights
        assert sum(weights) <= limit or len(weights) == 1
        assert len({row["purl"] for row in chunk}) == len(chunk)


@given(st.lists(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("<>")), max_size=5)))
def test_required_packages_are_known_by_their_place(sets: list[list[tuple[str, str]]]) -> None:
    """Each is named once, and every version keeps its requirements."""
    versions: list[Row] = [{"name": str(n), "requirements": part} for n, part in enumerate(sets)]
    chunk: list[Row] = [{"purl": f"p{n}", "versions": [v]} for n, v in enumerate(versions)]

    sent = rows.version_parameters(chunk)

    required = sent["required"]
    assert len(set(required)) == len(required)
    back = [
        {**v, "requirements": [(required[place], text) for place, text in v["requirements"]]}
        for row in sent["rows"]
        for v in row["versions"]
    ]
    assert back == versions
    assert [row["purl"] for row in sent["rows"]] == [row["purl"] for row in chunk]


@given(st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from("abcd"))), st.randoms())
def test_locks_are_taken_in_one_order(pairs: list[tuple[str, str]], rng: object) -> None:
    """The order is by label, then purl, without duplicates, for any order of changes."""
    changes = [change(label, name) for label, name in pairs]

    locks = rows.locks(changes, [("A", "pkg:e/other"), ("B", "pkg:e/a")])

    assert list(locks) == sorted(locks)
    assert set(locks) >= {(c.ref.label, c.ref.purl) for c in changes}
    statements = list(rows.lock_rows(locks))
    assert [label for label, _ in statements] == sorted({label for label, _ in locks})
    assert [row["purl"] for _, part in statements for row in part] == [purl for _, purl in locks]


def test_a_lock_for_its_own_sake_gives_a_node_no_properties() -> None:
    """A package that only loses an edge exists, so its row sets no properties."""
    locks = rows.locks([change("A", "a")], [("A", "pkg:e/b")])

    assert locks["A", "pkg:e/b"] == {"purl": "pkg:e/b", "stub": {}, "changes": False}
    assert locks["A", "pkg:e/a"]["stub"]["vendor"] == "n/a"


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_dates_as_text_order_like_dates(one: datetime, other: datetime) -> None:
    """The text of a date breaks ties of serial numbers."""
    first, second = iso_date(one), iso_date(other)
    assert first
    assert second
    if one <= other:
        assert first <= second


def test_moments_are_utc_in_the_graph() -> None:
    """Text and LocalDateTime are in UTC, for dates with any zone."""
    east = datetime(2026, 5, 4, 9, 0, tzinfo=timezone(timedelta(hours=9)))

    assert iso_date(east) == "2026-05-04T00:00:00.000Z"
    assert naive_utc(east) == datetime(2026, 5, 4)  # noqa: DTZ001
    assert iso_date(None) is None


@given(st.text())
def test_only_element_ids_reach_the_server(text: str) -> None:
    """Any other text is a missing parent."""
    with pytest.raises(ParentNotFound):
        check_edges([ParentEdge(text, "any")])


def test_element_ids_of_neo4j_pass() -> None:
    """Neo4j's element ids have a store version, a database id and a node number."""
    check_edges([ParentEdge("4:ad6879bb-c33f-46db-98e2-f1850523b5f6:8468", "any")])
