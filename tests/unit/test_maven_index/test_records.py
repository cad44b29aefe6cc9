"""The records of an index: packages, versions, removals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems.maven.index.records import Changes, Names
from ssc_ingest.ecosystems.maven.index.sorted_lines import SortedLines
from tests.simulator.maven.index_format import index_file
from tests.unit.test_maven_index.reading import gathered, versions


def names_in(*uinfos: str | bytes) -> tuple[list[str], int]:
    """Names of packages in these records, and the number of unusable ones."""
    records = Names()
    return gathered(index_file([[("u", uinfo)] for uinfo in uinfos]), records), records.skipped


def test_packages_are_those_with_a_version() -> None:
    """An artifact with a classifier is a further file and no package."""
    assert names_in(
        "org.example|b|1.0|sources|jar",
        "org.example|b|1.0|NA|jar",
        "org.example|b|1.0|javadoc|jar",
        "org.example|B|1.0|NA",
        "org.example|a|1.0|NA|tar.gz",
        "org.example|b|2.0|NA",
        "org.example|c|1.0|tests",
        "org.example|b-more|1.0|NA",
    ) == (["org.example:B", "org.example:a", "org.example:b", "org.example:b-more"], 0)


@pytest.mark.parametrize(
    "uinfo",
    ["", "a", "a|b", "a|b|1", "|b|1|NA", "a||1|NA", "a|b||NA", "a:b|c|1|NA", "a|b c|1|NA",
     "a|b\n|1|NA", "a|größe|1|NA", b"a|\xff|1|NA", "a|b|\0|NA", "a|b\t|1|NA"],
)  # fmt: skip
def test_unusable_coordinates_are_counted(uinfo: str | bytes) -> None:
    """Unusable coordinates name no package, and the others are read."""
    assert names_in("a|x|1|NA", uinfo, "a|y|1|NA") == (["a:x", "a:y"], 1)


def test_examples_of_the_unusable_can_be_shown() -> None:
    """Examples of unusable coordinates are few and short, without control characters."""
    records = Names()
    gathered(index_file([{"u": "\0ö" + "x" * 1000}] * 20), records)
    assert records.skipped == 20
    assert len(records.examples) == 5
    assert records.examples[0].startswith(r"\xc0\x80\xc3\xb6xxx")
    assert max(map(len, records.examples)) < 200


def test_a_removal_is_no_artifact_of_a_listing() -> None:
    """A document with ``del`` is a removal, whatever other fields it has."""
    removed = [("del", "a|gone|1|NA"), ("u", "a|gone|1|NA")]
    records = Names()
    assert gathered(index_file([removed, {"u": "a|b|1|NA"}]), records) == ["a:b"]
    assert records.skipped == 0


def test_descriptions_of_the_index_come_first() -> None:
    """Documents about the index describe no artifact."""
    both = [("u", "a|b|1|NA"), ("allGroups", "allGroups")]
    assert gathered(index_file([both]), Names()) == []


def test_changes_have_versions_and_removals() -> None:
    """A removal is a change without versions; sources are no change."""
    content = index_file(
        [
            {"u": "a|b|1.0|NA", "m": "10"},
            {"u": "a|b|1.0|sources|jar", "m": "11"},
            {"u": "a|b|1.1|NA|jar", "m": "12"},
            {"del": "a|b|0.9|NA|jar", "m": "13"},
            {"del": "a|gone|1|NA", "m": "14"},
            {"del": "a|c|1|sources|jar", "m": "14"},
            {"u": "a|b|1.0|NA", "m": "15"},
            {"u": "nonsense", "m": "15"},
        ]
    )
    records = Changes()
    lines = gathered(content, records)
    assert versions(lines) == {"a:b": ("1.0", "1.1"), "a:gone": ()}
    assert versions(lines, most=1) == {"a:b": ("1.1",), "a:gone": ()}
    assert records.skipped == 1


def test_changes_since_a_moment() -> None:
    """Earlier documents are known; documents without a time may be new."""
    found = [("a|old|1|NA", "99"), ("a|at|1|NA", "100"), ("a|new|1|NA", "101"),
             ("a|odd|1|NA", "x"), ("a|none|1|NA", "")]  # fmt: skip
    content = index_file([{"u": u, "m": m} for u, m in found] + [{"u": "a|unsaid|1|NA"}])
    lines = gathered(content, Changes(since=100))
    assert list(versions(lines)) == ["a:new", "a:none", "a:odd", "a:unsaid"]


def test_news_of_packages_that_were_listed() -> None:
    """Up to a name only new documents count, after it all."""
    found = [("a|a|1|NA", "1"), ("a|b|1|NA", "1"), ("a|b|2|NA", "9"), ("a|b|3|NA", "1"),
             ("a|c|1|NA", "1"), ("a|a|2|NA", "5"), ("a|B|1|NA", "6")]  # fmt: skip
    content = index_file([{"u": u, "m": m} for u, m in found])
    assert gathered(content, Names(b"a:b", since=5)) == ["a:B", "a:b", "a:c"]


@given(
    st.lists(st.binary(min_size=1, max_size=6).filter(lambda line: b"\n" not in line)),
    st.integers(1, 5),
    st.integers(2, 3),
)
def test_lines_are_sorted_on_disk(lines: list[bytes], in_memory: int, files: int) -> None:
    """Lines are distinct and ordered, from any start, with any memory limit."""
    with SortedLines(in_memory, files) as sorted_lines:
        for line in lines:
            sorted_lines.add([line])
        assert sorted_lines.finish() == len(set(lines))
        assert list(sorted_lines.after(b"")) == sorted(set(lines))
        for line in set(lines):
            assert list(sorted_lines.after(line)) == [x for x in sorted(set(lines)) if x > line]
