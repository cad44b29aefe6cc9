"""The compact index's lists of all gems, with any contents."""

import io
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems.base import Change
from ssc_ingest.ecosystems.rubygems import lists
from ssc_ingest.ecosystems.rubygems.lists import NO_VERSIONS, OVERLAP, Lists, head_of, tail_of
from ssc_ingest.errors import MalformedMetadata

URL = "https://index.rubygems.org/versions"
HEAD = "created_at: 2026-11-01T00:00:05Z\n---\n"
ONE, TWO = "1" * 32, "2" * 32


def opened(text: str | bytes, base: int = 0) -> Lists:
    """A list in memory."""
    return Lists(io.BytesIO(text.encode() if isinstance(text, str) else text), URL, base)


def told(text: str, offset: int = len(HEAD)) -> list[Change]:
    """The gems reported after a position."""
    return [line.change for line in opened(text).latest_lines(offset)]


def test_a_gems_last_line_counts() -> None:
    """A gem's last line has the digest of the file, yanked or not.

    Gems without versions are deleted.
    """
    text = (
        f"{HEAD}rake 0.8.0,0.8.1-java {ONE}\n.cat 1 {ONE}\ngone 1 {ONE}\n"
        f"rake -0.8.0 {TWO}\ngone -1 {NO_VERSIONS}\n"
    )
    assert told(text) == [
        Change(".cat", expected=ONE, etag=f'"{ONE}"'),
        Change("rake", expected=TWO, etag=f'"{TWO}"'),
        Change("gone", deleted=True, expected=NO_VERSIONS, etag=f'"{NO_VERSIONS}"'),
    ]


def test_lines_that_are_odd_lose_no_gem() -> None:
    """A gem without a digest is reported; an incomplete line waits."""
    text = f"{HEAD}a\nb 1.0\r\nc 1.0 {'X' * 32}\n\nd 1.0 {ONE} {TWO}\ne 1.0 {ONE}"
    assert told(text) == [
        Change("a"), Change("b"), Change("c"), Change("d", expected=TWO, etag=f'"{TWO}"'),
    ]  # fmt: skip


def test_names_are_read() -> None:
    """A list of names has one name per line, after the head."""
    assert list(opened("---\n-\n.cat\nZenTest\n").names()) == ["-", ".cat", "ZenTest"]
    assert list(opened(f"{HEAD}rake\r\n").names()) == ["rake"]
    with pytest.raises(MalformedMetadata, match="empty"):
        list(opened("---\n").names())


@pytest.mark.parametrize("text", ["", "rake\n", "<html>---\n", "--- \nrake\n", "x\n" * 5000])
def test_a_list_without_a_head_is_none(text: str) -> None:
    """A text without a head, for example an error page, is an error."""
    with pytest.raises(MalformedMetadata, match="---"):
        opened(text).head()


@given(st.binary(max_size=200) | st.text("-\n\ra ", max_size=30).map(str.encode))
def test_anything_is_a_list_or_none(data: bytes) -> None:
    """The head ends with its line, and lines follow."""
    try:
        head = head_of(data, URL)
    except MalformedMetadata:
        return
    assert data.startswith(head.encode("latin-1"))
    found = [line.name for line in opened(data).latest_lines(len(head))]
    assert len(found) == len(set(found))


lines = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", ".d", "E-f"]), st.sampled_from([ONE, TWO])),
    max_size=30,
)


@given(lines, st.data())
def test_nothing_is_lost_wherever_reading_stops(
    written: list[tuple[str, str]], data: st.DataObject
) -> None:
    """From the end of any line the rest is reported; a part gives the same result."""
    text = HEAD + "".join(f"{name} 1.0 {md5}\n" for name, md5 in written)
    whole = list(opened(text).latest_lines(len(HEAD)))
    assert {line.name: line.md5 for line in whole} == dict(written)
    assert len(whole) == len({line.name for line in whole})
    assert all(one.end < other.end for one, other in pairwise(whole))
    assert opened(text).end() == len(text)
    number = data.draw(st.integers(0, len(written)))
    offset = len(HEAD + "".join(f"{name} 1.0 {md5}\n" for name, md5 in written[:number]))
    rest = list(opened(text).latest_lines(offset))
    assert {line.name: line.md5 for line in rest} == dict(written[number:])
    base = data.draw(st.integers(0, offset))
    part = opened(text[base:], base)
    assert list(part.latest_lines(offset)) == rest
    assert part.end() == len(text)
    if base <= max(0, offset - OVERLAP):
        assert part.place(offset) == opened(text).place(offset)
        assert part.place(offset).tail == tail_of(text[:offset].encode())


def test_a_place_is_found_while_somebody_reads() -> None:
    """A look back does not lose the next line."""
    text = HEAD + "".join(f"gem{n} 1.0 {ONE}\n" for n in range(1000))
    whole = opened(text)
    found = []
    for line in whole.latest_lines(len(HEAD)):
        found.append(line.name)
        assert whole.place(line.end).tail == tail_of(text[: line.end].encode())
    assert found == [f"gem{n}" for n in range(1000)]


def test_lists_have_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line without end, and lines without end, are errors."""
    text = f"{HEAD}a 1.0 {ONE}\nb 1.0 {ONE}\n"
    monkeypatch.setattr(lists, "MAX_LINES", 2)
    with pytest.raises(MalformedMetadata, match="more than"):
        told(text)
    monkeypatch.undo()
    monkeypatch.setattr(lists, "MAX_LINE_LENGTH", 20)
    with pytest.raises(MalformedMetadata, match="more than"):
        told(text)
