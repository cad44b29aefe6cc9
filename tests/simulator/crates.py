"""crates.io: the sparse index and the crate files; see :mod:`.crates_static` for the rest.

https://doc.rust-lang.org/cargo/reference/registry-index.html
"""

import hashlib
import tarfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from random import Random
from typing import Any
from urllib.parse import unquote
from zlib import crc32

import orjson

from tests.simulator import crates_static
from tests.simulator.ecosystem import Document, Ecosystem, Route, Shelf
from tests.simulator.npm import semver
from tests.simulator.options import Options
from tests.simulator.tar import gzipped, member
from tests.simulator.universe import Link, Package, Release, Requirement, Spelling
from tests.simulator.versions import Number, Stage
from tests.simulator.words import words

# (``req`` in the index, what the graph holds).
# https://doc.rust-lang.org/cargo/reference/specifying-dependencies.html
ORDINARY = (
    Spelling("^{M}.{m}.{p}", "^{M}.{m}.{p}"),
    Spelling("^{M}.{m}", "^{M}.{m}"),
    Spelling("^{M}", "^{M}"),
    Spelling("^0.{m1}.{p}", "^0.{m1}.{p}"),
    Spelling("*", "any"),
)
RARE = (
    Spelling("~{M}.{m}", "~{M}.{m}"),
    Spelling("~{M}.{m}.{p}", "~{M}.{m}.{p}"),
    Spelling("={M}.{m}.{p}", "={M}.{m}.{p}"),
    Spelling(">={M}.{m}.{p}", ">={M}.{m}.{p}"),
    Spelling(">={M}.{m}.{p}, <{M1}.0.0", ">={M}.{m}.{p}, <{M1}.0.0"),
    Spelling("{M}.{m}.{p}", "^{M}.{m}.{p}"),
    Spelling("{M}.{m}", "^{M}.{m}"),
    Spelling("{M}.*", ">={M}.0.0, <{M1}.0.0"),
    Spelling("{M}.{m}.*", ">={M}.{m}.0, <{M}.{m1}.0"),
    Spelling("^0", ">=0.0.0, <1.0.0"),
    Spelling("0", ">=0.0.0, <1.0.0"),
    Spelling(">{M}", ">={M1}.0.0"),
    Spelling("<={M}.{m}", "<{M}.{m1}.0"),
    Spelling(">={M}.{m}.{p}, <{M1}.0.0, <{M}.{m1}.0", ">={M}.{m}.{p}, <{M}.{m1}.0"),
    Spelling("^{M}.{m}.{p}+b1", "^{M}.{m}.{p}"),
)

NORMAL, NULL_KIND, BUILD, OPTIONAL, TARGET, RENAMED, TWICE, FEATURES = (
    "normal", "null-kind", "build", "optional", "target", "renamed", "twice", "with-features",
)  # fmt: skip
FORMS = (NULL_KIND, BUILD, OPTIONAL, TARGET, RENAMED, TWICE, FEATURES)
WINDOWS, UNIX = 'cfg(target_os = "windows")', "cfg(unix)"
DEV, OTHER_REGISTRY = "dev", "other-registry"
NOISE = (
    (Spelling("^9.9.9", None), DEV),
    (Spelling("=9.9.9", None), DEV),
    (Spelling("^9.9.9", None), OTHER_REGISTRY),
)
FUTURE_FORMAT = "future-format"

INDEX_TYPE = "text/plain"
NOT_FOUND = Document(b"", INDEX_TYPE, status=404)
CRATE_TYPE = "application/gzip"


class Crates(Ecosystem):
    """Spellings of crates.io."""

    name = "cargo"
    prefix = "crates-sim"
    ordinary = ORDINARY
    rare = RARE
    has_builds = True
    tells_facts = True

    def name_of(self, options: Options, index: int) -> str:
        """``amber-falcon12``, ``Amber_Falcon12``, or one to three letters."""
        first, second, more = words(options.seed, self.name, index)
        if index % 50 == 7 and index < 26 + 26**2 + 26**3:
            return _letters(index)
        match more % 10:
            case 0:
                return f"{first.capitalize()}{second.capitalize()}{index}"
            case 1 | 2 | 3:
                return f"{first}_{second}{index}"
        return f"{first}-{second}{index}"

    def candidates(self, name: str) -> Sequence[int]:
        """Short names are numbers written in letters."""
        if len(name) <= 3 and name.isascii() and name.isalpha():
            return (_number(name.lower()),)
        return super().candidates(name)

    def normalize(self, name: str) -> str:
        """Names are case-insensitive, but the index distinguishes ``-`` and ``_``."""
        return name.lower()

    def purl(self, name: str) -> str:
        """``pkg:cargo/<lower-case name>``."""
        return f"pkg:cargo/{name.lower()}"

    def settings(self, base_url: str) -> dict[str, str]:
        """The three base URLs."""
        return {
            "CARGO_INDEX_URL": f"{base_url}/index",
            "CARGO_CRATES_URL": f"{base_url}/static/crates",
            "CARGO_STATIC_URL": f"{base_url}/static",
        }

    def version(self, number: Number, style: int) -> str:
        """SemVer 2."""
        del style
        return semver(number)

    def link(self, rng: Random, name: str, owner: str, repository: str) -> Link:
        """In ``repository`` or ``homepage`` of Cargo.toml; the index has neither."""
        del name
        github = f"https://github.com/{owner}/{repository}"
        gitlab = f"https://gitlab.com/{owner}/{repository}"
        choices = (
            ("repository", github, github, owner),
            ("repository", f"{github}.git", github, owner),
            ("repository", f"{github}/tree/master/crates/core", github, owner),
            ("repository", gitlab, gitlab, owner),
            ("homepage", github, github, owner),
            ("homepage", "https://example.org", "n/a", "n/a"),
            ("", "", "n/a", "n/a"),
        )
        return Link(*(choices[0] if rng.random() < 0.5 else rng.choice(choices)))

    def requirement(self, rng: Random, *, plain: bool) -> tuple[Spelling, str]:
        """Ranges as in other ecosystems, with the other columns of the index."""
        spelling, _ = super().requirement(rng, plain=plain)
        return spelling, NORMAL if plain or rng.random() < 0.7 else rng.choice(FORMS)

    def noise(self, rng: Random) -> Sequence[tuple[Spelling, str]]:
        """Development dependencies, and those from another registry."""
        return [entry for entry in NOISE if rng.random() < 0.4]

    def decoys(self, rng: Random, releases: Sequence[Release]) -> tuple[Release, ...]:
        """A line in a future format, which a reader must skip."""
        if rng.random() > 0.03:
            return ()
        released = releases[-1].released
        return (
            Release(
                "999.0.0", released, Stage.FINAL, yanked=False, form=FUTURE_FORMAT, requirements=()
            ),
        )

    def facts(self, package: Package, release: Release) -> dict[str, Any]:
        """The features, those that older versions of Cargo cannot read among them."""
        del package
        features, features2 = _features(release)
        return {"features": features | features2}

    def edge(self, release: Release, requirement: Requirement) -> dict[str, Any]:
        """Kind and ``optional``; the rest is ``declared``."""
        del release
        edges: dict[str, dict[str, Any]] = {
            BUILD: {"kind": "build"},
            OPTIONAL: {"optional": True},
            TARGET: {"declared": [{"target": WINDOWS}]},
            RENAMED: {"declared": [{"alias": f"{requirement.name}_renamed"}]},
            TWICE: {"declared": [{}, {"kind": "build", "target": UNIX}]},
            FEATURES: {"declared": [{"features": ["std", "extra"], "default_features": False}]},
        }
        return edges.get(requirement.form, {})

    def import_names(self, package: Package) -> frozenset[str]:
        """The library and its only function."""
        library = package.name.replace("-", "_")
        return frozenset({library, f"{library}::version"})

    def page(self, package: Package, base_url: str) -> "Page":
        """The index file and the crate files."""
        del base_url
        return Page(self, package)

    def route(self, path: str, shelf: Shelf) -> Route | None:
        """``/index/<prefix>/<name>``, ``/static/crates/<name>/<name>-<version>.crate`` and more."""
        match [unquote(segment) for segment in path.split("/")[1:]]:
            case ["static", "db-dump.tar.gz"]:
                return Route("cargo.dump", None, crates_static.dump(shelf))
            case ["static", "rss", "updates.xml"]:
                return Route("cargo.feed", None, crates_static.feed(shelf))
            case ["static", "crates", name, filename] if filename.endswith(".crate"):
                return Route("cargo.crate", self.purl(name), CrateFile(shelf, name, filename))
            case ["index", "config.json"]:
                return Route("cargo.config", None, _config)
            case ["index", *_, name]:
                return Route("cargo.index", self.purl(name), IndexFile(shelf, name, path))
        return None


class IndexFile:
    """``/<prefix>/<name>``."""

    def __init__(self, shelf: Shelf, name: str, path: str) -> None:
        self.shelf, self.name, self.path = shelf, name, path

    def __call__(self, headers: Mapping[str, str]) -> Document:
        """Answer a request with these headers."""
        del headers
        # The index is made of files: another case, or another folder, is another file.
        if self.path != f"/index/{index_path(self.name.lower())}":
            return NOT_FOUND
        package = self.shelf.find(self.name)
        page: Page | None = self.shelf.page(package) if package else None
        return page.index if page else NOT_FOUND


class CrateFile:
    """``/<name>/<name>-<version>.crate``."""

    def __init__(self, shelf: Shelf, name: str, filename: str) -> None:
        self.shelf, self.name, self.filename = shelf, name, filename

    def __call__(self, headers: Mapping[str, str]) -> Document:
        """Answer a request with these headers."""
        del headers
        package = self.shelf.find(self.name)
        if package is None or package.name != self.name:
            return NOT_FOUND
        page: Page = self.shelf.page(package)
        version = self.filename.removeprefix(f"{self.name}-").removesuffix(".crate")
        release = next((r for r in package.releases if r.version == version), None)
        if release is None:
            return NOT_FOUND
        return Document.tagged(page.crate(release), CRATE_TYPE, Cache_Control="public, immutable")


class Page:
    """The documents of one crate. The index announces the digests of the crate files."""

    def __init__(self, eco: Crates, package: Package) -> None:
        self.eco = eco
        self.package = package

    @cached_property
    def index(self) -> Document:
        """One line of JSON a version, in the order of publication."""
        releases = sorted((*self.package.releases, *self.package.decoys), key=lambda r: r.released)
        body = b"\n".join(orjson.dumps(self._line(release)) for release in releases) + b"\n"
        return Document.tagged(body, INDEX_TYPE, Cache_Control="public,max-age=600")

    def crate(self, release: Release) -> bytes:
        """A gzip'ed tar archive of Cargo.toml and src/lib.rs."""
        link, name = self.package.link, self.package.name
        manifest = [
            "[package]",
            'edition = "2021"',
            f'name = "{name}"',
            f'version = "{release.version}"',
            'description = "A simulated crate"',
            'license = "MIT"',
        ]
        if link.field:
            manifest.append(f'{link.field} = "{link.wire}"')
        source = (
            f'//! A simulated crate.\npub fn version() -> &\'static str {{ "{release.version}" }}\n'
        )
        folder = f"{name}-{release.version}"
        return gzipped(
            member(f"{folder}/Cargo.toml", "\n".join(manifest) + "\n")
            + member(f"{folder}/src/lib.rs", source)
            + bytes(2 * tarfile.BLOCKSIZE)
        )

    def _line(self, release: Release) -> dict[str, Any]:
        both = (*release.requirements, *release.noise)
        line: dict[str, Any] = {
            "name": self.package.name,
            "vers": release.version,
            "deps": [entry for requirement in both for entry in self._dependencies(requirement)],
            "cksum": hashlib.sha256(self.crate(release)).hexdigest(),
            "features": _features(release)[0],
            "yanked": release.yanked,
            "pubtime": release.released.isoformat()[:19] + "Z",
        }
        if release.form == FUTURE_FORMAT:
            line |= {"v": 3, "deps": {"of": "a shape that nobody knows yet"}}
        elif features2 := _features(release)[1]:
            line |= {"v": 2, "features2": features2, "rust_version": "1.74"}
        return line

    def _dependencies(self, requirement: Requirement) -> list[dict[str, Any]]:
        entry: dict[str, Any] = {
            "name": requirement.name,
            "req": requirement.wire,
            "features": [],
            "optional": False,
            "default_features": True,
            "target": None,
            "kind": "normal",
        }
        match requirement.form:
            case "null-kind":
                entry["kind"] = None
            case "build" | "dev" as kind:
                entry["kind"] = kind
            case "optional":
                entry["optional"] = True
            case "target":
                entry["target"] = WINDOWS
            case "renamed":
                entry |= {"name": f"{requirement.name}_renamed", "package": requirement.name}
            case "other-registry":
                entry["registry"] = "https://crates.example.org/index"
            case "twice":
                return [entry, entry | {"target": UNIX, "kind": "build"}]
            case "with-features":
                entry |= {"features": ["std", "extra"], "default_features": False}
        return [entry]


def _features(release: Release) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """``features`` and ``features2``; optional requirements have a feature that enables them."""
    features: dict[str, list[str]] = {"default": ["std"], "std": []}
    features2: dict[str, list[str]] = {}
    if crc32(release.version.encode()) % 3 == 0:
        features2["serde"] = ["dep:serde"]
        for r in release.requirements:
            if r.form == OPTIONAL:
                features2[f"with-{r.name}"] = [f"dep:{r.name}", f"{r.name}?/std"]
    return features, features2


def index_path(name: str) -> str:
    """The path of a lower-case name in the index."""
    if len(name) <= 2:
        return f"{len(name)}/{name}"
    if len(name) == 3:
        return f"3/{name[0]}/{name}"
    return f"{name[:2]}/{name[2:4]}/{name}"


def _config(headers: Mapping[str, str]) -> Document:
    del headers
    return Document.json({"dl": "https://static.crates.io/crates", "api": "https://crates.io"})


def _letters(number: int) -> str:
    """0 -> a, 25 -> z, 26 -> aa, ..."""
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("a") + rest) + text
    return text


def _number(letters: str) -> int:
    value = 0
    for letter in letters:
        value = value * 26 + ord(letter) - ord("a") + 1
    return value - 1
