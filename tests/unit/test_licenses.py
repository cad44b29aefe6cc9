"""Licences as publishers write them, and SPDX expressions among them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.licenses import canonicalize_license_expression

from ssc_ingest.ecosystems.licenses import MAX_LICENSE, license_facts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MIT", ("MIT", "MIT")),
        ("mit or apache-2.0", ("mit or apache-2.0", "MIT OR Apache-2.0")),
        ("(MIT OR\n  CC0-1.0)", ("(MIT OR CC0-1.0)", "(MIT OR CC0-1.0)")),
        ("LicenseRef-Mine", ("LicenseRef-Mine", "LicenseRef-Mine")),
        ("Apache 2.0", ("Apache 2.0", None)),
        ("MIT/Apache-2.0", ("MIT/Apache-2.0", None)),
        ("SEE LICENSE IN LICENSE.md", ("SEE LICENSE IN LICENSE.md", None)),
        ("UNLICENSED", ("UNLICENSED", None)),
        (" \n", (None, None)),
        (None, (None, None)),
    ],
)
def test_known_texts(text: str | None, expected: tuple[str | None, str | None]) -> None:
    """Expressions get their canonical spelling; other texts are not guessed."""
    assert license_facts(text) == expected


def test_the_whole_text_of_a_licence_is_cut() -> None:
    """A long text is cut, and is no expression."""
    license_, expression = license_facts("Permission is hereby granted " * 10_000)
    assert license_ is not None
    assert len(license_) <= MAX_LICENSE
    assert expression is None


def test_an_expression_longer_than_what_is_kept_is_still_one() -> None:
    """Only a licence's text is cut; the expression stays complete."""
    text = " AND ".join(["Apache-2.0"] * 20)
    assert license_facts(text) == (text[:MAX_LICENSE].rstrip(), text)


_WORDS = st.sampled_from(["(", ")", "MIT", "isc", "or", "AND", "with", "LLVM-exception", "x", "+"])


@given(st.text() | st.lists(_WORDS, max_size=2000).map(" ".join) | st.just("(" * 900 + ")" * 100))
@settings(deadline=None)
def test_any_text_is_taken_and_only_valid_expressions_are_expressions(text: str) -> None:
    """No text raises, and every returned expression is valid."""
    license_, expression = license_facts(text)
    assert (license_ is None) == (not text.strip())
    assert license_ is None or (license_ == license_.strip() and len(license_) <= MAX_LICENSE)
    if expression is not None:
        assert canonicalize_license_expression(expression) == expression
