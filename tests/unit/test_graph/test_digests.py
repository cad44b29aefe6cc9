"""Digests of requirements: what their formats say about facts."""

import pytest

from ssc_ingest.graph.digests import closed, digest, has_facts, is_outdated, same_requirements

EDGE = ("pkg:e/a", ">= 1", None, False, None)
NOW = digest([EDGE])
EARLIER = NOW[-16:]


@pytest.mark.parametrize(
    ("stored", "unknown", "known", "outdated"),
    [
        (NOW, False, True, False),
        (NOW, True, False, False),
        (EARLIER, False, False, True),
        (closed(EARLIER), False, False, False),
        (None, False, False, False),
        (None, True, False, False),
        ("01" + EARLIER, False, False, True),
    ],
)
def test_an_absent_fact_is_none_only_where_all_was_read(
    stored: str | None, *, unknown: bool, known: bool, outdated: bool
) -> None:
    """An absent fact of a version of an earlier release is unknown.

    So is one of a version of which only a part is known.
    """
    assert has_facts(stored, unknown=unknown) is known
    assert is_outdated(stored) is outdated


@pytest.mark.parametrize(
    "other",
    [
        ("pkg:e/a", ">= 1", "build", False, None),
        ("pkg:e/a", ">= 1", None, True, None),
        ("pkg:e/a", ">= 1", None, False, "[]"),
        ("pkg:e/a", ">= 2", None, False, None),
    ],
)
def test_every_fact_of_an_edge_changes_the_digest(other: tuple[object, ...]) -> None:
    """Equal facts have the same digest, in any format; different facts have different digests."""
    assert not same_requirements(digest([other]), NOW)
    assert same_requirements(NOW, EARLIER)
    assert same_requirements(NOW, closed(EARLIER))
    assert not same_requirements(NOW, None)
