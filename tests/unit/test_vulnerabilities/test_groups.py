"""Groups of records of one flaw, by aliases."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.vulnerabilities.groups import MAX_GROUP, Group, Member, assign


def member(*aliases: str, score: float | None = None, counts: bool = True) -> Member:
    """A record."""
    return Member(aliases, score, counts)


def test_aliases_are_transitive_in_both_directions() -> None:
    """Two records with the same CVE id are one flaw with the highest score."""
    groups = assign(
        {
            "PYSEC-1": member("CVE-1"),
            "GHSA-1": member("CVE-1", score=5.0),
            "GHSA-2": member("GHSA-1", score=9.8),
            "GHSA-3": member(score=3.0),
        }
    )
    assert {groups[i] for i in ("PYSEC-1", "GHSA-1", "GHSA-2")} == {Group("CVE-1", 9.8)}
    assert groups["GHSA-3"] == Group("GHSA-3", 3.0)


def test_records_with_many_aliases_connect_nothing() -> None:
    """Five aliases of a record connect records, six do not.

    A record that names a record with six aliases is still in that record's group.
    """
    five, six = [f"CVE-{n}" for n in range(5)], [f"CVE-1{n}" for n in range(6)]
    groups = assign(
        {
            "A": member(*five),
            "B": member("CVE-4"),
            "C": member(*six),
            "D": member("CVE-15"),
            "E": member("C"),
        }
    )
    assert groups["A"] == groups["B"]
    assert groups["C"] != groups["D"]
    assert groups["C"] == groups["E"]


def test_large_groups_are_none() -> None:
    """Above 32 ids, each record is separate, with its own score."""
    chain = [f"X-{n:02}" for n in range(MAX_GROUP)]
    records = {a: member(b, score=float(n % 10)) for n, (a, b) in enumerate(pairwise(chain))}
    assert {group.name for group in assign(records).values()} == {"X-00"}
    records[chain[-1]] = member("Y", score=1.0)
    groups = assign(records)
    assert all(group.name == record_id for record_id, group in groups.items())
    assert groups["X-03"].score == 3.0


def test_records_that_are_not_in_force_connect_nothing() -> None:
    """The score of a record that is not in force does not count, either."""
    groups = assign(
        {
            "A": member("CVE-1", score=1.0),
            "B": member("CVE-1", "CVE-2", score=9.0, counts=False),
            "C": member("CVE-2"),
        }
    )
    assert groups["A"] == Group("A", 1.0)
    assert groups["C"] == Group("C", None)
    assert groups["B"] == Group("B", 9.0)


@given(
    st.dictionaries(
        st.sampled_from("ABCDEFGH"),
        st.builds(
            member,
            st.sampled_from("ABCDEFGHXYZ"),
            st.sampled_from("ABCDEFGHXYZ"),
            score=st.none() | st.floats(0, 10),
            counts=st.booleans(),
        ),
    )
)
def test_groups_do_not_depend_on_the_order(members: dict[str, Member]) -> None:
    """Groups are the connected components, in any order of the records."""
    groups = assign(members)
    assert groups.keys() == members.keys()
    assert assign(dict(reversed(members.items()))) == groups
    for record_id, each in members.items():
        for alias in each.edges:
            if alias in members and members[alias].counts:
                assert groups[alias] == groups[record_id]
