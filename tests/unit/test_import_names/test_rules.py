"""The selection and the order of the stored import names."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.import_names.rules import SAFE, select

PARTS = st.sampled_from(["a", "b", "c", "Core", "x-y", "é", "(", "r#fn", ""])
NAMES = st.builds(
    lambda parts, separators, ending: (
        "".join(p + s for p, s in zip(parts, separators, strict=False)) + ending
    ),
    st.lists(PARTS, max_size=4),
    st.lists(st.sampled_from([".", "/", "::"]), max_size=4),
    st.sampled_from(["", "z", "z.js", "z.mjs"]),
)


@given(st.lists(NAMES, max_size=60), st.integers(1, 30))
def test_every_selection_is_safe_ordered_and_limited(names: list[str], most: int) -> None:
    """Each name once; the top-level ones first, each part sorted; what is left out is counted."""
    selected = select(names, most)

    assert len(selected.names) <= most
    assert len(set(selected.names)) == len(selected.names)
    assert set(selected.names) <= set(names)
    assert len(selected.names) + selected.unsafe + selected.beyond == len(set(names))
    safe = {name for name in names if SAFE.fullmatch(name)}
    tops = [name for name in selected.names if not parents(name) & safe]
    assert list(selected.names[: len(tops)]) == sorted(tops)
    rest = list(selected.names[len(tops) :])
    assert rest == sorted(rest)
    assert select(reversed(selected.names), most).names == selected.names


def parents(name: str) -> set[str]:
    """All names that a name is below."""
    return {name[: match.start()] for match in re.finditer(r"::|[./]", name)}


@given(st.text(max_size=40), st.text(max_size=10))
def test_stored_names_are_safe_in_every_pattern(name: str, text: str) -> None:
    """Stored names can be put into a regular expression as they are."""
    for each in select([name], 1).names:
        re.compile(rf"(from|import) {each}\b").search(text)
        assert each.isascii()
        assert not set(each) & set("\\()[]{}*+?^$|#'\" \t\r\n\x00")


@pytest.mark.parametrize(
    ("names", "most", "expected"),
    [
        pytest.param(
            ["google.cloud.storage", "google.cloud", "google.cloud.storage.blob"],
            2,
            ["google.cloud", "google.cloud.storage"],
            id="parents-first",
        ),
        pytest.param(
            ["lodash", "lodash/merge.js", "lodash/merge", "lodash/fp.js", "lodash/fp"],
            3,
            ["lodash", "lodash/fp", "lodash/merge"],
            id="without-extension-first",
        ),
        pytest.param(
            ["lodash", "lodash/merge.js", "lodash/merge"],
            5,
            ["lodash", "lodash/merge", "lodash/merge.js"],
            id="all-forms-below-the-limit",
        ),
        pytest.param(
            ["serde::de::Error", "serde", "serde::Serialize", "serde::de"],
            3,
            ["serde", "serde::Serialize", "serde::de"],
            id="rust",
        ),
        pytest.param(
            ["yaml", "_yaml", "yaml.nodes"], 9, ["_yaml", "yaml", "yaml.nodes"], id="two-roots"
        ),
        pytest.param(["node:fs", "fs"], 9, ["fs", "node:fs"], id="node-scheme"),
        pytest.param(["@types/node", "@types/node/fs"], 1, ["@types/node"], id="scope"),
    ],
)
def test_the_order_and_the_limit(names: list[str], most: int, expected: list[str]) -> None:
    """The selected names are the expected ones, in the expected order."""
    assert list(select(names, most).names) == expected


@pytest.mark.parametrize("name", ["", "next/(group", "a b", "r#type", "módulo", "x" * 301, "a\n"])
def test_names_that_would_break_a_pattern_are_left_out(name: str) -> None:
    """Unsafe names are counted, and hide no others."""
    selected = select([name, "good"], 9)
    assert (selected.names, selected.unsafe) == (("good",), 1)
