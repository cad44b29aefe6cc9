"""TOML of unknown origin: real documents are read, and hostile ones are refused in time."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems.toml import MAX_PARTS, parse_toml

SIZE = 1024 * 1024
"""Bytes of the largest manifest that is read."""


def dotted(parts: int, part: str = "a", dot: str = ".") -> str:
    """A key with this number of parts."""
    return dot.join([part] * parts)


@pytest.mark.parametrize(
    "text",
    [
        '[target."cfg(any(unix, windows))".dependencies.libc]\nversion = "0.2"\n',
        f'description = "{dotted(20, "1")} a long. text. with. many. dots."\n',
        f"{dotted(MAX_PARTS)} = 1\n",
        f'x = ["{dotted(20)}", "{dotted(20)}", "{dotted(20)}"]\n',
    ],
)
def test_documents(text: str) -> None:
    """Those of real packages, and those below the limit."""
    assert parse_toml(text) == tomllib.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        f"{dotted(SIZE // 2)} = 1",
        f"[{dotted(SIZE // 4)}]\n" + "b=1\n" * (SIZE // 8),
        f"[[{dotted(MAX_PARTS + 1)}]]",
        dotted(SIZE // 4, '"\\""') + " = 1",
        dotted(SIZE // 4, "''") + " = 1",
        dotted(SIZE // 8, "a", " \t. ") + " = 1",
        f"x = {{{dotted(SIZE // 2)} = 1}}",
        "x = " + "[" * SIZE,
        "x = " + "{a=" * (SIZE // 3),
    ],
    ids=range(9),
)
def test_hostile_documents(text: str) -> None:
    """Deep keys and values are refused; the parser would take minutes or hours for the keys."""
    with pytest.raises(ValueError, match=r"parts|deeply"):
        parse_toml(text)


@pytest.mark.parametrize(
    "text",
    ["a" * SIZE, "a " * (SIZE // 2), '"' * SIZE, "'" * SIZE, '"\\' * (SIZE // 2), "a" + " " * SIZE,
     (dotted(MAX_PARTS - 1) + " ") * (SIZE // 128), "a.\n" * (SIZE // 3)],
    ids=range(8),
)  # fmt: skip
def test_the_search_for_deep_keys_is_linear(text: str) -> None:
    """No text takes long before it is refused."""
    with pytest.raises(tomllib.TOMLDecodeError):
        parse_toml(text)


@given(st.text("abc.=\"'[]{}\n# \\1", max_size=80))
def test_any_text(text: str) -> None:
    """The same as by the standard library."""
    try:
        expected = tomllib.loads(text)
    except ValueError:
        with pytest.raises(ValueError, match=r"."):
            parse_toml(text)
    else:
        assert parse_toml(text) == expected
