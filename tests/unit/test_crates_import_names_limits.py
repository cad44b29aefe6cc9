"""Import names of crates that are too large, hostile or damaged."""

import asyncio
import gzip
import tarfile
from contextlib import suppress

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ssc_ingest.archives import tar_stream
from ssc_ingest.ecosystems.crates import import_names
from ssc_ingest.ecosystems.crates.import_names import names_of_crate
from ssc_ingest.errors import ArchiveTooLarge, MalformedArchive
from ssc_ingest.source_code import isolated
from tests.unit.archives import tarred
from tests.unit.crate_files import MANIFEST, crate, exported


async def test_names_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths nearer to the root come first."""
    modules = "".join(f"pub mod m{n} {{ pub use super::*; }}" for n in range(60))
    found = exported(lib=modules + "pub struct A;")
    assert len(found) == isolated.MAX_NAMES - 1
    assert {"A", "m59::A", "m0::m59"} <= found


@pytest.mark.parametrize(
    "text",
    [
        "(" * 20_000,
        "mod a {" * 20_000,
        "use a::{" * 2_000,
        "m!{" * 5_000,
        'r#"' * 1_000,
        "a<" * 5_000,
        "#[cfg(" + "all(" * 20_000,
        "pub use self::a::b as a;" * 500,
        "\0\xff pub",
        "macro_rules! m { () => { pub mod x; m!(); m!(); } } m!();",
    ],
    ids=range(10),
)
async def test_malicious_sources(text: str) -> None:
    """Malicious sources are read within the limits, and the library's name is found."""
    assert "demo" in await names_of_crate(crate({"src/lib.rs": text}), "demo", "1.0.0")


@given(st.text(st.sampled_from("{}()[]<>;:,!#*=\"' ab"), max_size=60), st.data())
def test_any_source(noise: str, data: st.DataObject) -> None:
    """Any text is read without an error; items before damage are found."""
    words = ["pub ", "mod ", "use ", "fn ", "struct ", "enum ", "crate::", "self::", "super::"]
    text = "".join(data.draw(st.lists(st.sampled_from([*words, noise, "a", "{", "}"]))))
    assert "A" in exported(lib=f"pub struct A;\n{text}")


async def test_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that takes too long is stopped; the library's name is known."""
    monkeypatch.setattr(isolated, "TIME_LIMIT", 0.001)
    with capture_logs() as logs:
        made = crate({"src/lib.rs": "pub struct A;"})
        assert await names_of_crate(made, "demo", "1.0.0") == {"demo"}
    assert [log["event"] for log in logs] == ["import_names_incomplete"]


def _children() -> list[psutil.Process]:
    """The running children that parse."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if "ssc_ingest.source_code" in child.cmdline():
                found.append(child)
    return found


async def test_a_cancelled_task_leaves_no_child() -> None:
    """A worker that stops does not wait for the parser."""
    endless = crate({"src/lib.rs": 'r#"' * 200_000})
    task = asyncio.create_task(names_of_crate(endless, "demo", "1.0.0"))
    while not _children():  # noqa: ASYNC110 - another process has no event
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert _children() == []


async def test_a_crash_of_the_parser() -> None:
    """A crash of the parser is an error of the package, not of the process."""
    with pytest.raises(isolated.ParserFailed, match="the parser ended"):
        await isolated.parse_isolated("rust", {"unknown": 1}, {})


@pytest.mark.parametrize(
    "made",
    [
        b"",
        gzip.compress(b"<html>"),
        tarred({"other-1.0.0/Cargo.toml": MANIFEST.encode()}),
        tarred({"demo-1.0.0/../demo-1.0.0/Cargo.toml": MANIFEST.encode()}),
        tarred({"/demo-1.0.0/Cargo.toml": MANIFEST.encode()}),
        crate({"Cargo.toml": "x = "}),
        crate({"Cargo.toml": "x = " + "[" * 100_000}),
        crate({"Cargo.toml": b"\xff\xfe"}),
        crate({"src/lib.rs": ""})[:-30],
    ],
    ids=range(9),
)
async def test_what_is_no_crate(made: bytes) -> None:
    """Any other file is a typed error."""
    with pytest.raises(MalformedArchive):
        await names_of_crate(made, "demo", "1.0.0")


async def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unpacked bytes, one source, all sources and members have limits."""
    monkeypatch.setattr(import_names, "MAX_UNPACKED", 3_000_000)
    monkeypatch.setattr(import_names, "MAX_SOURCE", 100_000)
    monkeypatch.setattr(import_names, "MAX_SOURCES", 150_000)
    monkeypatch.setattr(tar_stream, "MAX_MEMBERS", 100)
    for files in (
        {"bomb": bytes(4_000_000)},
        {"src/lib.rs": bytes(100_001)},
        {"src/a.rs": bytes(80_000), "src/b.rs": bytes(80_000)},
        {f"{number}": b"" for number in range(101)},
    ):
        with pytest.raises(ArchiveTooLarge):
            await names_of_crate(crate(files), "demo", "1.0.0")


async def test_links_and_odd_names() -> None:
    """Links are not followed; a name that is not UTF-8 is only not found."""
    link = tarfile.TarInfo("demo-1.0.0/src/lib.rs")
    link.type, link.linkname = tarfile.SYMTYPE, "../../etc/passwd"
    plain = gzip.decompress(crate({"src/\N{SNOWMAN}.rs": "pub struct A;"}))
    odd = plain.replace("\N{SNOWMAN}".encode(), b"\xff\xfe\xfd")
    made = gzip.compress(link.tobuf() + odd)
    assert await names_of_crate(made, "demo", "1.0.0") == frozenset()
