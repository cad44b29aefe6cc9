"""The import names that an extraction writes, and those that a separate task reads."""

import pytest

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.import_names.policy import NamesPolicy, ReadVersions
from ssc_ingest.models import VersionName
from ssc_ingest.work.arguments import BackfillImportNames
from tests.toy.toy import Toy

ONE, TWO, THREE = map(VersionName, "123")


class Guessing(Toy):
    """A registry without a reader of files."""

    reads_import_names = False


@pytest.mark.parametrize(
    ("read", "latest", "names_from", "new", "expected"),
    [
        ("latest", TWO, None, [ONE, TWO], (None,)),
        ("latest", TWO, ONE, [TWO], (None,)),
        ("latest", TWO, TWO, [], ()),
        ("latest", None, None, [ONE], ()),
        ("all", THREE, None, [ONE, TWO, THREE], (None, ONE, TWO)),
        ("all", THREE, THREE, [ONE, THREE], (ONE,)),
        ("none", TWO, None, [ONE, TWO], ()),
    ],
)
def test_versions_whose_files_are_read(
    read: ReadVersions,
    latest: VersionName | None,
    names_from: VersionName | None,
    new: list[VersionName],
    expected: tuple[VersionName | None, ...],
) -> None:
    """The latest version is read unless its names are known; new versions by a setting."""
    ecosystem: Ecosystem = object.__new__(Toy)
    policy = NamesPolicy(10, read)
    assert policy.unread(ecosystem, latest=latest, names_from=names_from, new=new) == expected
    without = object.__new__(Guessing)
    assert policy.unread(without, latest=latest, names_from=names_from, new=new) == ()


def test_names_of_documents_obey_the_rules() -> None:
    """Names of documents are cleaned, ordered and limited."""
    assert NamesPolicy(2, "latest").stored(["b/c", "(", "b", "a"]) == ("a", "b")


def test_a_backfill_is_small_unless_asked() -> None:
    """Without options it reads 100 packages, ten at once, with half a minute for each."""
    small = BackfillImportNames.parse({"ecosystem": "pypi"})
    assert (small.limit, small.concurrency, small.timeout) == (100, 10, 30)
    assert (small.missing_only, small.refresh) == (False, False)
