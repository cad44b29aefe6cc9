"""The headers of core metadata files, judged against the email package."""

import codecs
from email.parser import HeaderParser
from email.policy import compat32
from importlib.metadata import distributions
from pathlib import Path
from zipfile import ZipFile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ssc_ingest.ecosystems.pypi.headers import header_part, parse_headers

NAMES = ("Name", "Requires-Dist", "Project-URL", "License", "Classifier", "Metadata-Version")


def by_email(body: bytes) -> dict[str, list[str]]:
    """The headers as the email package reads them.

    Its versions differ in the white space before a value that starts on the next line.
    """
    content = body.lstrip().removeprefix(codecs.BOM_UTF8).lstrip()
    message = HeaderParser(policy=compat32).parsestr(content.decode(errors="replace"))
    found: dict[str, list[str]] = {}
    for name, value in message.raw_items():
        lines = value.replace("\r\n", "\n").replace("\r", "\n").lstrip("\t\n ")
        found.setdefault(name.lower(), []).append(lines)
    return found


def check(body: bytes) -> int:
    """Compare all headers, with and without the description; returns their number."""
    expected = by_email(body)
    for found in (parse_headers(body), parse_headers(header_part(body))):
        for name in {*expected, *map(str.lower, NAMES)}:
            values = expected.get(name, [])
            assert list(found.all(name)) == values, name
            assert found.one(name) == (values[0] if len(values) == 1 else None), name
    return len(expected)


spaces = st.text("\t ", max_size=3)
texts = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=12)
names = st.one_of(
    st.sampled_from(NAMES).flatmap(lambda n: st.sampled_from([n, n.lower(), n.upper()])),
    st.text(max_size=5),
)
values = st.one_of(texts, st.sampled_from(["=?utf-8?q?a=20b?=", "a\x0bb", "a\x85b", "a\u2028b"]))
lines = st.one_of(
    st.builds("{}:{}{}".format, names, spaces, values),
    st.builds("{}{}".format, st.text("\t ", min_size=1, max_size=3), values),  # folded
    st.builds(":{}".format, values),
    st.builds("From {}".format, values),
    st.builds("{}{}:{}".format, names, spaces, values),
    values,
)
ends = st.sampled_from(["\n", "\n", "\n", "\r\n", "\r"])
documents = st.lists(st.tuples(lines, ends), max_size=12).map(
    lambda parts: "".join(line + end for line, end in parts).encode()
)


@given(documents, st.binary(max_size=4), st.integers(0, 200))
@example(b"Name: a\r\rLicense: b", b"", 0)
@example(b"License:\n MIT\n \t\nName: a", b"", 0)
@example(b"From here\n on\nName: a\n:b\n c\nFrom there\n on\nLicense: d\nFrom ", b"", 0)
@example(b"Name: a\r", b"\n b", 8)
def test_any_headers_are_read_as_by_the_email_package(
    document: bytes, noise: bytes, at: int
) -> None:
    """Both read folded, encoded, repeated, broken and nameless headers, bodies and any bytes."""
    check(document[:at] + noise + document[at:])


def test_the_metadata_of_installed_projects() -> None:
    """The files of the projects that are installed beside this one."""
    paths = [Path(str(d.locate_file(f"{d.name}.dist-info"))).parent for d in distributions()]
    files = [file for folder in {*paths} for file in folder.glob("*.dist-info/METADATA")]
    assert len(files) > 50
    assert min(check(file.read_bytes()) for file in files) > 3


@pytest.mark.recordings
def test_recorded_metadata(recordings: Path, cases: Path) -> None:
    """Recorded files are read, and those that once caused errors."""
    bodies = [path.read_bytes() for path in cases.glob("pypi-*/*.metadata")]
    for wheel in recordings.rglob("*.whl"):
        with ZipFile(wheel) as archive:
            members = archive.namelist()
            bodies += [archive.read(name) for name in members if name.endswith("/METADATA")]
    assert len(bodies) >= 6
    assert min(map(check, bodies)) > 1


def test_a_header_at_the_end_of_a_piece() -> None:
    """The email package reads pieces of 8 KiB; a line end across two of them is one line end."""
    for size in range(8180, 8196):
        assert check(b"License: " + b"x" * size + b"\r\n y\r\nName: demo\r\n\r\nbody: b") == 2
