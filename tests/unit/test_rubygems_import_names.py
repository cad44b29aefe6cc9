"""Import names of gems: files on the load path, compiled libraries, and constants."""

import gzip
import io
import re
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.archives import tar_stream
from ssc_ingest.ecosystems.rubygems import RubyGems, gem_file, gemspec
from ssc_ingest.ecosystems.rubygems.gemspec import lists_of, require_paths
from ssc_ingest.ecosystems.rubygems.import_names import names_of_gem, preferred
from ssc_ingest.ecosystems.rubygems.info import PURE_RUBY, parse_info
from ssc_ingest.errors import ArchiveTooLarge, MalformedArchive
from ssc_ingest.models import VersionName
from ssc_ingest.source_code import isolated
from ssc_ingest.source_code.ruby_constants import names as constants_of
from tests.unit.archives import tarred

SPECIFICATION = """--- !ruby/object:Gem::Specification
name: demo
version: !ruby/object:Gem::Version
  version: 1.0.0
platform: ruby
dependencies:
- !ruby/object:Gem::Dependency
  name: rake
  requirement: &1 !ruby/object:Gem::Requirement
    requirements:
    - - ">="
      - !ruby/object:Gem::Version
        version: '0'
  type: :runtime
  version_requirements: *1
executables: []
files:
- lib/demo.rb
rdoc_options: []
require_paths:
{paths}
required_ruby_version: !ruby/object:Gem::Requirement
  requirements: []
"""


def specification(paths: Sequence[str] = ("lib",)) -> bytes:
    """A specification with these folders on the load path."""
    return SPECIFICATION.format(paths="\n".join(f'- "{path}"' for path in paths)).encode()


def gem(
    files: Mapping[str, str | bytes], paths: Sequence[str] = ("lib",), spec: bytes | None = None
) -> bytes:
    """A gem with these files."""
    data = {
        path: content.encode() if isinstance(content, str) else content
        for path, content in files.items()
    }
    members = {
        "metadata.gz": gzip.compress(spec or specification(paths)),
        "data.tar.gz": tarred(data),
        "checksums.yaml.gz": gzip.compress(b"---\n"),
    }
    return tarred(members, mode="w")


async def read(files: Mapping[str, str | bytes], paths: Sequence[str] = ("lib",)) -> frozenset[str]:
    """The names of a gem with these files."""
    return await names_of_gem(gem(files, paths), "demo", "1.0.0")


# The load path --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {
                "lib/active_support.rb": "module ActiveSupport\nend",
                "lib/active_support/core_ext/string.rb": "class String\n def x; end\nend",
                "lib/active_support/cache.rb": "module ActiveSupport\n  module Cache\n end\nend",
            },
            {
                "active_support",
                "active_support/core_ext/string",
                "active_support/cache",
                "ActiveSupport",
                "ActiveSupport::Cache",
            },
        ),
        ({"lib/google/protobuf.rb": ""}, {"google/protobuf"}),
        ({"lib/google/3.1/protobuf_c.so": b"\x7fELF"}, {"google/3.1/protobuf_c"}),
        (
            {"lib/net/http/persistent.rb": "class Net::HTTP::Persistent\nclass Error\nend\nend"},
            {"net/http/persistent", "Net::HTTP::Persistent", "Net::HTTP::Persistent::Error"},
        ),
        ({"README.md": "rails", "lib/tasks.rake": ""}, set()),
        ({"bin/demo": "", "exe/demo": "#!ruby", "demo.rb": ""}, set()),
        ({}, set()),
        ({"lib/demo-x.rb": "", "lib/demo/x_spec.rb": "", "lib/demo/y_test.rb": ""}, {"demo-x"}),
        ({"./lib/demo.rb": ""}, {"demo"}),
        ({"lib/demo.jar": b"PK", "lib/demo.bundle": b"", "lib/demo.txt": b""}, {"demo"}),
        ({"ext/demo/extconf.rb": "create_makefile('demo/demo_ext')"}, {"demo/demo_ext"}),
        ({"ext/x/extconf.rb": 'create_rust_makefile("x/x")', "lib/x.rb": ""}, {"x/x", "x"}),
        ({"lib/a/extconf.rb": "create_makefile name"}, set()),
    ],
)
async def test_names(files: dict[str, str | bytes], expected: set[str]) -> None:
    """The names are files under ``lib``, by path without the ending, and what they define."""
    assert await read(files) == expected


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["lib", "ext"], {"a", "b/c"}),
        (["./lib/"], {"a"}),
        (["ext/b"], {"c"}),
        (["."], {"lib/a", "ext/b/c", "root"}),
        ([], {"a"}),
        (["../elsewhere", "/usr/lib/ruby"], set()),
        (["lib/**/*"], set()),
    ],
)
async def test_other_load_paths(paths: list[str], expected: set[str]) -> None:
    """Gems with extensions, and old ones, have other folders."""
    files = {"lib/a.rb": "", "ext/b/c.rb": "", "root.rb": "", "test/t.rb": "", "../up.rb": ""}
    assert await read(files, paths) == expected


def test_specifications() -> None:
    """Only the outermost fields of a specification are read; tags and aliases mean nothing."""
    assert require_paths(specification(["lib", "ext"])) == ("lib", "ext")
    assert require_paths(b"--- {}") == require_paths(b"") == ("lib",)
    assert require_paths(b"require_paths: lib2") == ("lib2",)
    assert require_paths(b"x: {require_paths: [no]}\nrequire_paths: !a [b, [c], d]") == ("b", "d")
    assert require_paths(b"a: &1 [x]\nrequire_paths: *1\nz: 1") == ("lib",)
    assert require_paths(b"? [a, b]\n: c\nrequire_paths: [d]") == ("d",)
    assert require_paths("author: J\xf6rg\x01\nrequire_paths: [a]".encode("latin-1")) == ("a",)
    assert lists_of(b"*x : 1\nb: 2", ["b"]) == {"b": ("2",)}


@pytest.mark.parametrize(
    "text",
    [b"[" * 100_000, b"{a: " * 50_000, b"- " * 50_000, b"a: 'x", b"\x00\xff", b"!" * 9 + b"\n: :"],
    ids=range(6),
)
def test_specifications_that_are_none(text: bytes) -> None:
    """Invalid specifications raise the typed error, or have no folders."""
    try:
        assert require_paths(text) == ("lib",)
    except MalformedArchive:
        return


def test_aliases_are_not_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a bomb of aliases nor a long list allocates much."""
    bomb = b"a: &a [x,x,x]\n" + b"".join(
        b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(20)
    )
    assert require_paths(bomb + b"require_paths: [y]") == ("y",)
    monkeypatch.setattr(gemspec, "MAX_EVENTS", 100)
    with pytest.raises(MalformedArchive, match="more than 100 parts"):
        require_paths(b"files: [" + b"x," * 200 + b"x]")


@given(st.binary(max_size=60))
def test_any_specification(text: bytes) -> None:
    """Any bytes give folders or the typed error."""
    try:
        assert all(isinstance(each, str) for each in require_paths(text))
    except MalformedArchive:
        return


# Constants ------------------------------------------------------------------------------


def test_constants() -> None:
    """Modules and classes of two levels have names; those of Ruby itself have none."""
    source = """
    module A
      class B < C; class D; end; end
      module E::F; end
      class << self; class No; end; end
      def m; Class.new; end
    end
    class ::G; end
    class H::I < Struct.new(:x); end
    class String; class J; end; end
    module Kernel; end
    unless defined?(K) then module K; end end
    if true
      class L; end
    else
      begin
        class M; end
      end
    end
    class self::N; end
    O = Struct.new(:x)
    describe "x" do
      class P; end
    end
    """
    assert constants_of({"lib/a.rb": source.encode()}) == {
        *("A", "A::B", "A::E::F", "G", "H::I", "K", "L", "M")
    }


@pytest.mark.parametrize(
    "text", ["module A\n" * 5_000, "class A < " * 5_000, "#{" * 9_000, "(" * 9999]
)
async def test_malicious_sources(text: str) -> None:
    """Malicious sources are read within the limits; the path is found in any case."""
    assert "a" in await read({"lib/a.rb": text, "lib/b.rb": b"\xff\xfe module"})


async def test_a_parser_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """If parsing takes too long, only the paths are known."""
    monkeypatch.setattr(isolated, "TIME_LIMIT", 0.001)
    assert await read({"lib/a.rb": "module A; end"}) == {"a"}


# Builds ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platforms", "expected"),
    [
        (["-java", "", "-x86_64-linux"], PURE_RUBY),
        (["-java", "-x86_64-linux", "-arm64-darwin"], "x86_64-linux"),
        (["-x64-mingw32", "-java"], "java"),
    ],
)
def test_the_build_that_is_read(platforms: list[str], expected: str) -> None:
    """It is pure Ruby, otherwise Linux, otherwise the first; it has the digest of the index."""
    digest = "ab" * 32
    body = "---\n" + "".join(f"1.0.0{each} |checksum:{digest}\n" for each in platforms)
    releases = parse_info(body.encode(), RubyGems.ref("demo"), "")
    platform, build = preferred(releases[VersionName("1.0.0")].builds)
    assert (platform, build.sha256) == (expected, digest)


# Archives -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "made",
    [
        b"",
        b"<html>not found</html>",
        b"MD5SUM = 'x'\nif $0 == __FILE__\n" * 50,  # the first format of gems
        gzip.compress(b"x"),
        tarred({"metadata.gz": gzip.compress(specification())}, mode="w"),
        tarred({"data.tar.gz": tarred({"lib/a.rb": b""})}, mode="w"),
        tarred({"metadata.gz": specification(), "data.tar.gz": tarred({})}, mode="w"),
        tarred({"metadata.gz": gzip.compress(b"'"), "data.tar.gz": tarred({})}, mode="w"),
        tarred({"metadata.gz": gzip.compress(b"a: b"), "data.tar.gz": b"x"}, mode="w"),
        gem({"lib/a.rb": Random(1).randbytes(3000)})[:2500],
    ],
    ids=range(10),
)
async def test_what_is_no_gem(made: bytes) -> None:
    """Any other file is a typed error."""
    with pytest.raises(MalformedArchive):
        await names_of_gem(made, "demo", "1.0.0")


async def test_an_old_gem() -> None:
    """The first ones have the specification uncompressed."""
    made = tarred(
        {"data.tar.gz": tarred({"a.rb": b""}), "metadata": specification(["."])}, mode="w"
    )
    assert await names_of_gem(made, "demo", "1.0.0") == {"a"}


async def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The specification, unpacked bytes, paths and members have limits."""
    monkeypatch.setattr(gem_file, "MAX_UNPACKED", 3_000_000)
    monkeypatch.setattr(gem_file, "MAX_PATHS", 5_000)
    monkeypatch.setattr(tar_stream, "MAX_MEMBERS", 100)
    for made in (
        gem({"bomb": bytes(4_000_000)}),
        gem({f"{number}": b"" for number in range(101)}),
        gem({f"{number}{'x' * 200}": b"" for number in range(30)}),
        gem({}, spec=b"#" * (gem_file.MAX_SPECIFICATION + 1)),
    ):
        with pytest.raises(ArchiveTooLarge):
            await names_of_gem(made, "demo", "1.0.0")


async def test_large_sources_are_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The paths of large sources are names nevertheless."""
    monkeypatch.setattr(gem_file, "MAX_SOURCE", 100)
    files = {"lib/a.rb": "module A; end" + " " * 100, "lib/b.rb": "module B; end"}
    assert await read(files) == {"a", "b", "B"}


async def test_links_and_odd_names() -> None:
    """Links and nested archives are no files of the gem; odd names are kept, and cleaned later."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as made:
        link = tarfile.TarInfo("lib/link.rb")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        made.addfile(link)
        for name in ("/lib/absolute.rb", "../lib/parent.rb", "lib/nested.tar.gz", "lib/\udcff.rb"):
            made.addfile(tarfile.TarInfo(name))
    members = {"metadata.gz": gzip.compress(specification()), "data.tar.gz": buffer.getvalue()}
    assert await names_of_gem(tarred(members, mode="w"), "demo", "1.0.0") == {"\ufffd"}


# Recorded gems --------------------------------------------------------------------------

RECORDED = {
    "a_okay-0.1.0": {"a_okay"},
    "archive-tar-minitar-0.5.2": {"archive/tar/minitar", "Archive::Tar"},
    "blankslate-3.1.3": {"blankslate", "BlankSlate"},
    "business-1.5.0": {"business", "business/calendar", "Business::Calendar"},
    "m2r-2.1.0": {"m2r", "m2r/request", "M2R", "M2R::Request"},
    "ng-rails-csrf-0.1.0": {"ng-rails-csrf", "ng-rails-csrf/version"},
    "small-0.2": {"small", "small/array"},
    "statesman-1.2.1": {"statesman", "statesman/machine", "Statesman::Machine"},
}


@pytest.mark.recordings
@pytest.mark.parametrize("stem", RECORDED)
async def test_recorded_gems(stem: str, recordings: Path) -> None:
    """Real gems: all files that their authors list on the load path, and some constants."""
    content = _recorded(recordings, stem)
    found = await names_of_gem(content, *stem.rsplit("-", 1))
    with tarfile.open(fileobj=io.BytesIO(content)) as outer:
        packed = outer.extractfile("metadata.gz")
        assert packed
        listed = lists_of(gzip.decompress(packed.read()), ["files"])["files"]
    assert {
        each.removeprefix("lib/").removesuffix(".rb")
        for each in listed
        if re.fullmatch(r"lib/.*\.rb", each)
    } <= found
    assert RECORDED[stem] <= found


def _recorded(recordings: Path, stem: str) -> bytes:
    (path,) = recordings.glob(f"**/{stem}.gem")
    return path.read_bytes()
