"""The import names of npm's packages: by ``exports``, by files, and of packages of types."""

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.archives import tar_stream
from ssc_ingest.archives.source import BytesSource, FileSource
from ssc_ingest.ecosystems.npm.import_names.archive import list_archive
from ssc_ingest.ecosystems.npm.import_names.exports import parse_exports
from ssc_ingest.ecosystems.npm.import_names.files import file_subpaths
from ssc_ingest.ecosystems.npm.import_names.manifest import names_without_download
from ssc_ingest.ecosystems.npm.import_names.types import declared_modules, described_package
from ssc_ingest.ecosystems.npm.packument import Manifest, parse_manifest
from ssc_ingest.errors import ArchiveTooLarge, IngestError, MalformedArchive
from tests.unit.archives import tarred

UUID = {
    ".": {
        "node": {"import": "./dist-node/index.js", "types": "./dist/index.d.ts"},
        "browser": {"import": "./dist/index.js"},
        "default": "./dist/index.js",
    },
    "./package.json": "./package.json",
}
REACT = {
    ".": {"react-server": "./react.react-server.js", "default": "./index.js"},
    "./package.json": "./package.json",
    "./jsx-runtime": {"default": "./jsx-runtime.js"},
    "./jsx-dev-runtime": {"default": "./jsx-dev-runtime.js"},
    "./compiler-runtime": {"default": "./compiler-runtime.js"},
}
RXJS = {
    ".": {"types": "./dist/types/index.d.ts", "default": "./dist/esm5/index.js"},
    "./ajax": {"node": "./dist/cjs/ajax/index.js"},
    "./internal/*": {"types": "./dist/types/internal/*.d.ts", "node": "./dist/cjs/internal/*.js"},
    "./package.json": "./package.json",
}


def manifest(**fields: Any) -> Manifest:
    """A version with these fields."""
    return parse_manifest(json.dumps(fields).encode(), "x", "")


def known(package: str, exports: Any) -> set[str] | None:
    """The names that need no download."""
    names = names_without_download(package, manifest(exports=exports))
    return None if names is None else set(names)


def expanded(exports: Any, files: str) -> set[str]:
    """The subpaths of a package with these files."""
    parsed = parse_exports(exports)
    assert parsed
    return parsed.subpaths(f"./{path}" for path in files.split())


@pytest.mark.parametrize(
    ("package", "exports", "names"),
    [
        ("uuid", UUID, "uuid"),
        ("react", REACT, "react react/jsx-runtime react/jsx-dev-runtime react/compiler-runtime"),
        ("chalk", "./source/index.js", "chalk"),
        ("@a/b", {".": "./b.js", "./c.js": "./c.js", "./c": "./c.js"}, "@a/b @a/b/c @a/b/c.js"),
        ("x", ["./x.mjs", "./x.js"], "x"),
        ("x", {"import": "./x.mjs", "require": "./x.js"}, "x"),
        # Conditions: a browser's, types, development
        ("x", {".": {"browser": "./x.js"}, "./y": {"types": "./y.d.ts"}}, "x x/y"),
        ("x", {"./a": {"node": None, "default": "./a.js"}}, "x/a"),
        ("x", {"./style.css": "./dist/style.css"}, "x/style.css"),
        # Nothing
        ("x", {".": None}, ""),
        ("x", {}, ""),
        ("x", {"./a": None, "./b": [], "./c": {"node": None}, ".": "./x.js"}, "x"),
        ("x", {".": "./x.js", "./i": None, "./i/*": None}, "x"),
        ("x", {".": "./x.js", "import": "./y.js"}, ""),
        ("x", {".": "../x.js", "./a": "a.js", "./b": "./node_modules/b.js", "./c": 1}, ""),
        ("x", False, ""),
        # Types of another package
        ("@types/react", {".": "./index.d.ts", "./canary": "./canary.d.ts"}, "react react/canary"),
        ("@types/babel__core", {".": {"types": "./index.d.ts"}}, "@babel/core"),
    ],
)  # fmt: skip
def test_exports_without_patterns(package: str, exports: Any, names: str) -> None:
    """The document is enough."""
    assert known(package, exports) == set(names.split())


@pytest.mark.parametrize("exports", [None, RXJS, {"./*": "./*"}, {"./lib/": "./lib/"}])
def test_names_that_need_the_files(exports: Any) -> None:
    """Without ``exports``, or with patterns, the archive is listed."""
    assert known("x", exports) is None


@pytest.mark.parametrize(
    ("exports", "files", "subpaths"),
    [
        (RXJS, "dist/cjs/internal/a.js dist/cjs/internal/b/c.js dist/types/internal/d.d.ts",
         ". ./ajax ./internal/a ./internal/b/c ./internal/d"),
        ({"./*": "./*"}, "a.js b/c.mjs README.md package.json d.json e.d.ts",
         "./a.js ./b/c.mjs ./d.json"),
        ({"./*": "./*.js"}, "a.js b/c.js d.mjs", "./a ./b/c"),
        ({"./*": "./dist/*/index.js"}, "dist/a/index.js dist/a/b/index.js dist/index.js",
         "./a ./a/b"),
        ({"./f/*.js": "./src/*.js"}, "src/a.js src/b/c.js src/d.ts", "./f/a.js ./f/b/c.js"),
        ({"./*.css": "./css/*.css"}, "css/a.css css/b.less", "./a.css"),
        ({"./*": "./*/*.js"}, "a/a.js a/b.js", "./a"),
        ({"./lib/": "./lib/"}, "lib/a.js src/b.js", "./lib/a.js"),
        # null excludes; the longest key counts
        ({"./*": "./src/*.js", "./internal/*": None}, "src/a.js src/internal/b.js", "./a"),
        ({"./*": "./src/*.js", "./b": None, "./c": "./x.js"}, "src/a.js src/b.js", "./a ./c"),
        ({"./i/*": None, "./i/open/*": "./i/open/*.js"}, "i/open/a.js i/b.js", "./i/open/a"),
        ({"./*": {"browser": "./web/*.js", "node": None}}, "web/a.js", "./a"),
    ],
)  # fmt: skip
def test_patterns(exports: Any, files: str, subpaths: str) -> None:
    """Patterns stand for the files that their targets match."""
    assert expanded(exports, files) == set(subpaths.split())


@pytest.mark.parametrize(
    ("files", "entries", "subpaths"),
    [
        ("index.js lib/a/index.js lib/b.js", [],
         ". ./index ./index.js ./lib/a ./lib/a/index ./lib/a/index.js ./lib/b ./lib/b.js"),
        ("lodash.js merge.js _baseMerge.js fp/add.js", ["lodash.js"],
         ". ./lodash ./lodash.js ./merge ./merge.js ./fp/add ./fp/add.js"),
        ("lib/x.js", ["./lib/x"], ". ./lib/x ./lib/x.js"),
        ("lib/index.js", ["lib"], ". ./lib ./lib/index ./lib/index.js"),
        ("lib/index.js", ["./lib/"], ". ./lib ./lib/index ./lib/index.js"),
        ("index.js", ["missing.js"], ". ./index ./index.js"),
        ("a.mjs b.cjs", ["a.mjs"], ". ./a.mjs ./b.cjs"),
        ("data.json package.json tsconfig.json", ["data.json"], ". ./data ./data.json"),
        ("index.js package.json bower.json rollup.config.mjs Gruntfile.js", [],
         ". ./index ./index.js"),
        ("index.js add/package.json add/add.js", [],
         ". ./index ./index.js ./add ./add/add ./add/add.js"),
        # No names
        ("index.js test/a.js tests/b.js __tests__/c.js node_modules/d/index.js .hidden.js", [],
         ". ./index ./index.js"),
        ("README.md package.json", ["index.js"], ""),
        # Only programs to run: the package's name leads to no file
        ("bin/run.js", [], "./bin/run ./bin/run.js"),
        # Only types
        ("index.d.ts lib/a.d.ts", [], ". ./index ./lib/a"),
        ("types/x.d.ts", ["types/x.d.ts"], ". ./types/x"),
        ("src/index.ts src/a.ts", ["src/index.ts"],
         ". ./src ./src/index ./src/index.ts ./src/a ./src/a.ts"),
        ("index.js index.d.ts src/a.ts", [], ". ./index ./index.js"),
    ],
)  # fmt: skip
def test_files(files: str, entries: list[str], subpaths: str) -> None:
    """A package without ``exports`` has the names of its files, with and without ending."""
    assert file_subpaths(set(files.split()), entries) == set(subpaths.split())


FS = b'// Types\ndeclare module "fs" {\n    import * as x from "y";\n}\n'
NODE_FS = b'declare module "node:fs" {\n    export * from "fs";\n}\n'
AUGMENTED = b'import * as e from "express";\ndeclare module "express" { }\n'


@pytest.mark.parametrize(
    ("content", "modules"),
    [
        (FS + NODE_FS, "fs node:fs"),
        (b'/// <reference path="fs.d.ts" />\n', ""),
        (b"declare module 'a' {}\n  declare module \"b/c\" {}\ndeclare module '*.css' {}", "a b/c"),
        (b'/*\nexport is a word here\ndeclare module "x" {}\n*/\ndeclare module "y";', "y"),
        (AUGMENTED, ""),
        (b"export {};\ndeclare global { var x: number; }\n", ""),
        (b"export {\n};\nimport * as e from 'e';\ndeclare module 'e' {}", ""),
        (AUGMENTED + b"export { e };\n", None),
        (b'export = x;\ndeclare module "z" {}', None),
    ],
)
def test_declarations(content: bytes, modules: str | None) -> None:
    """Only a file that is no module itself declares modules; comments do not count.

    A module without exports has nothing to import.
    """
    found = declared_modules(content)
    assert found == (None if modules is None else set(modules.split()))


def test_described_packages() -> None:
    """The name that a program imports."""
    names = {name: described_package(name) for name in ("@types/a", "@types/b__c", "d", "@e/f")}
    assert list(names.values()) == ["a", "@b/c", "d", "@e/f"]


@pytest.mark.parametrize("content", [b"/*" * 500_000, b"\n" * 10**6, b"export " * 10**5])
def test_hostile_declarations(content: bytes) -> None:
    """The time grows with the size, not with its square."""
    assert not declared_modules(content)


def test_hostile_lists_of_files() -> None:
    """The time grows with the number of files, not with its square."""
    folders = {f"d{n}/package.json" for n in range(20_000)} | {f"s{n}.ts" for n in range(20_000)}
    assert len(file_subpaths(folders, [])) == 40_000
    many = parse_exports({f"./{n}/*": "./*.js" for n in range(500)})
    assert many
    with pytest.raises(ArchiveTooLarge):
        many.subpaths(f"./{n}.md" for n in range(50_000))


async def test_an_archive_of_types() -> None:
    """Declarations without modules give the modules that they declare, others are files."""
    data = tarred(
        {
            "node/index.d.ts": b'/// <reference path="fs.d.ts" />\n',
            "node/fs.d.ts": FS + NODE_FS,
            "node/extra.d.ts": b"export const x: number;\n",
            "node/package.json": b"{}",
        }
    )
    contents = await list_archive(BytesSource(data), is_types=True)
    assert contents.declared == {"fs", "node:fs"}
    assert contents.paths == {"extra.d.ts", "package.json"}
    file = FileSource(io.BytesIO(data), len(data))
    assert "fs.d.ts" in (await list_archive(file, is_types=False)).paths


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param(b"<html>", MalformedArchive, id="page"),
        pytest.param(tarred({"package/a.js": bytes(5000)})[:-20], MalformedArchive, id="cut-off"),
    ],
)
async def test_damaged_archives(data: bytes, error: type[Exception]) -> None:
    """Each ends in a typed error."""
    with pytest.raises(error):
        await list_archive(BytesSource(data), is_types=False)


async def test_too_many_members(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of files is limited."""
    monkeypatch.setattr(tar_stream, "MAX_MEMBERS", 99)
    data = tarred({f"package/{n}.js": b"" for n in range(100)})
    with pytest.raises(ArchiveTooLarge):
        await list_archive(BytesSource(data), is_types=False)


def test_too_many_exports() -> None:
    """Neither keys nor names of ``exports`` grow without a limit."""
    with pytest.raises(ArchiveTooLarge):
        parse_exports({f"./{n}": "./x.js" for n in range(20_001)})
    many = parse_exports({f"./{n}/*": "./*.js" for n in range(20)})
    assert many
    with pytest.raises(ArchiveTooLarge):
        many.subpaths(f"./{n}.js" for n in range(10_000))
    deep: Any = "./x.js"
    for _ in range(50):
        deep = {"node": deep}
    assert known("x", deep) == set()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["./a.js", "./*.js", "./d/", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([".", "./a", "./*", "./d/", "./*/b", "node", "default", "../x"]),
            inner,
            max_size=4,
        )
    ),
)


@given(JSON, st.sets(st.sampled_from(["./a.js", "./b/c.js", "./d/e.mjs", "./x.d.ts"])))
def test_any_exports(exports: Any, files: set[str]) -> None:
    """Any value has subpaths of the package, and never its ``package.json``."""
    parsed = parse_exports(exports)
    if parsed is None:
        assert exports is None
        return
    for subpath in parsed.subpaths(files):
        assert subpath == "." or subpath.startswith("./")
        assert subpath != "./package.json"
        assert "*" not in subpath


@given(st.binary())
async def test_any_archive(content: bytes) -> None:
    """Any bytes have names or a typed error."""
    try:
        await list_archive(BytesSource(content), is_types=True)
    except IngestError:
        return
    await list_archive(BytesSource(tarred({"p/a.d.ts": content})), is_types=True)
