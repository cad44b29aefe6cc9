"""Base scores, and three pitfalls of the library that computes them."""

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.vulnerabilities.severity import base_score, readable_severity, v3_score

V2 = "AV:N/AC:L/Au:N/C:P/I:P/A:P"
V3 = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
LOWER = "CVSS:3.0/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"
V4 = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"


@pytest.mark.parametrize(
    ("kind", "vector", "score"),
    [
        ("CVSS_V2", V2, 7.5),
        ("CVSS_V3", V3, 9.8),
        ("CVSS_V3", V3.replace("3.1", "3.0"), 9.8),
        ("CVSS_V3", f"{V3}/E:P/RL:O", 9.8),
        ("CVSS_V4", V4, 9.3),
        ("CVSS_V4", f"{V4}/E:P", 9.3),
        ("CVSS_V4", f"{V4}/E:U/CR:L/IR:L/AR:L/MAV:P", 9.3),
        ("CVSS_V3", f"{V3}/", 9.8),
        ("CVSS_V4", f"{V4}/", 9.3),
        ("CVSS_V3", f"{V3}//", None),
        ("CVSS_V3", V2, None),
        ("CVSS_V3", V4, None),
        ("CVSS_V3", "", None),
        ("CVSS_V3", None, None),
        ("CVSS_V3", 9.8, None),
        ("CVSS_V3", V3 * 100, None),
        ("Ubuntu", "medium", None),
    ],
)
def test_base_scores(kind: str, vector: object, score: float | None) -> None:
    """Only base metrics count; one trailing slash is ignored; an invalid vector has no score."""
    assert base_score(kind, vector) == score


@pytest.mark.parametrize(("kind", "vector"), [("CVSS_V2", V2), ("CVSS_V3", V3), ("CVSS_V4", V4)])
def test_scores_can_be_stored(kind: str, vector: str) -> None:
    """The library's numbers are Decimal, which MongoDB's driver refuses."""
    score = base_score(kind, vector)
    assert type(score) is float
    assert bson.decode(bson.encode({"score": score})) == {"score": score}


@given(
    st.sampled_from(["CVSS_V2", "CVSS_V3", "CVSS_V4"]),
    st.one_of(
        st.text(max_size=80),
        st.lists(
            st.tuples(
                st.sampled_from([*"ACISU", "AV", "PR", "UI", "MAV", "E", "VC"]), st.text("NLHX:/")
            ),
        ).map(lambda pairs: "CVSS:3.1/" + "/".join(f"{k}:{v}" for k, v in pairs)),
        st.text("AVCPRUISNLH:/.340 ", max_size=60).map(lambda text: f"CVSS:4.0/{text}"),
    ),
)
def test_no_vector_is_an_error(kind: str, vector: str) -> None:
    """Any text has a score or none."""
    score = base_score(kind, vector)
    assert score is None or 0.0 <= score <= 10.0


def test_readers_find_one_v3_entry_first() -> None:
    """The highest of several comes first; the others follow in their order, also unknown types."""
    entries = [
        {"type": "CVSS_V4", "score": V4},
        {"type": "CVSS_V3", "score": LOWER},
        {"type": "Ubuntu", "score": "medium"},
        {"type": "CVSS_V3", "score": V3},
        {"type": "CVSS_V2", "score": V2},
    ]
    severity, problems = readable_severity(entries)
    assert [entry["type"] for entry in severity] == ["CVSS_V3", "CVSS_V4", "Ubuntu", "CVSS_V2"]
    assert [entry.get("base_score") for entry in severity] == [9.8, 9.3, None, 7.5]
    assert v3_score(severity) == 9.8
    assert problems == []


def test_a_broken_vector_is_no_score_and_a_problem() -> None:
    """A version 3 entry without a score would break readers, so it is omitted."""
    severity, problems = readable_severity(
        [{"type": "CVSS_V3", "score": "high"}, {"type": "CVSS_V2", "score": "?"}, "text", {}]
    )
    assert severity == [{"type": "CVSS_V2", "score": "?"}]
    assert v3_score(severity) is None
    assert len(problems) == 4
