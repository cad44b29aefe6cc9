"""RubyGems.org: the compact index and two documents of the JSON API.

https://guides.rubygems.org/rubygems-org-compact-index-api/ and
https://guides.rubygems.org/rubygems-org-api/
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from random import Random
from typing import Any
from urllib.parse import unquote

from tests.simulator import gem_builds, gem_lists
from tests.simulator.ecosystem import Document, Ecosystem, Route, Shelf
from tests.simulator.gem_builds import JAVA_ONLY, NATIVE, PLATFORMS, RUBY, Build, builds_of
from tests.simulator.gem_files import digest, gem_file
from tests.simulator.options import Options
from tests.simulator.universe import Link, Package, Release, Requirement, Spelling
from tests.simulator.versions import Number, Stage
from tests.simulator.words import words

# (requirement in the compact index, what the graph holds). The index joins clauses with ``&``,
# in the order of their text. https://docs.ruby-lang.org/en/master/Gem/Requirement.html
ORDINARY = (
    Spelling(">= 0", "any"),
    Spelling("~> {M}.{m}", "~> {M}.{m}"),
    Spelling("~> {M}.{m}.{p}", "~> {M}.{m}.{p}"),
    Spelling(">= {M}.{m}", ">= {M}.{m}"),
    Spelling(">= {M}.{m}.{p}", ">= {M}.{m}.{p}"),
    Spelling("< {M1}&>= {M}.{m}", ">= {M}.{m}, < {M1}"),
)
RARE = (
    Spelling("~> {M}", "~> {M}"),
    Spelling("= {M}.{m}.{p}", "= {M}.{m}.{p}"),
    Spelling("!= {M}.{m}.{p}", "!= {M}.{m}.{p}"),
    Spelling("> {M}.{m}", "> {M}.{m}"),
    Spelling("<= {M}.{m}", "<= {M}.{m}"),
    Spelling("< {M1}", "< {M1}"),
    Spelling(">= {M}.{m}.{p}&< {M1}.0", ">= {M}.{m}.{p}, < {M1}.0"),
    Spelling("<= {M1}.{m}&>= {M}.{m}", ">= {M}.{m}, <= {M1}.{m}"),
    # Without "~>", prereleases of the version where it ends are admitted.
    Spelling("> {M}.{m}&~> {M}.{m}", "> {M}.{m}, < {M1}", "> {M}.{m}, ~> {M}.{m}"),
    Spelling(
        ">= {M}.{m}.{p1}&~> {M}.{m}", ">= {M}.{m}.{p1}, < {M1}", ">= {M}.{m}.{p1}, ~> {M}.{m}"
    ),
    Spelling("!= {M}.{m1}.0&~> {M}.{m}", "~> {M}.{m}, != {M}.{m1}.0"),
    Spelling("!= {M}.{m1}.0&< {M1}&>= {M}.{m}", ">= {M}.{m}, < {M1}, != {M}.{m1}.0"),
    # The readers know one lower and one upper bound: what is tighter counts.
    Spelling("< {M1}&< {M}.{m1}.5&>= {M}.{m}", ">= {M}.{m}, < {M}.{m1}.5"),
    Spelling(">= 0&~> {M}.{m}", "~> {M}.{m}"),
    # Of a prerelease after "~>" the readers take the release.
    Spelling("~> {M}.{m}.0.rc1", ">= {M}.{m}.0.rc1, < {M}.{m1}", "~> {M}.{m}.0.rc1"),
    Spelling(">= {M}.{m}.0.beta2", ">= {M}.{m}.0.beta2"),
    Spelling("< {M1}.a&>= {M}.{m}", ">= {M}.{m}, < {M1}.a"),
    Spelling(">= 0.a", ">= 0.a"),
)

NOISE = ((Spelling("= 9.9.9", None), JAVA_ONLY), (Spelling("~> 9.9", None), JAVA_ONLY))

OLD_NAMES = 40
"""One gem in so many has capitals in its name..."""
TWINS = 2 * OLD_NAMES
"""...and one in so many of all has a twin in lower case."""

TEXT = "text/plain; charset=utf-8"
NOT_FOUND = Document(b"This rubygem could not be found.", TEXT, status=404)


class RubyGems(Ecosystem):
    """Spellings of RubyGems.org.

    A yanked version is no longer in any document; what read it before keeps it.
    """

    name = "rubygems"
    prefix = "rubygems-sim"
    ordinary = ORDINARY
    rare = RARE
    styles = 4
    has_empty_packages = True
    can_yank = False
    release_forms = (RUBY, PLATFORMS, NATIVE)
    resolution = timedelta(seconds=1)
    tells_facts = True

    def name_of(self, options: Options, index: int) -> str:
        """``amber-falcon12``, ``amber_falcon12``; a few old ones are ``AmberFalcon12``.

        Some of those have a twin, the gem with the next index, whose name is the same in lower
        case. The registry tells the two apart.
        """
        if not options.plain and index % TWINS == OLD_NAMES // 2 + 1:
            return self.name_of(options, index - 1).lower()
        first, second, more = words(options.seed, self.name, index)
        if not options.plain and index % OLD_NAMES == OLD_NAMES // 2:
            return f"{first.capitalize()}{second.capitalize()}{index}"
        return f"{first}{'-_-.'[more % 4]}{second}{index}"

    def candidates(self, name: str) -> Sequence[int]:
        """The index in the name, or the next one, for the lower-case name."""
        return [index + more for index in super().candidates(name) for more in (0, 1)]

    def name_in_graph(self, options: Options, index: int) -> str:
        """Lower case, unless that is the name of another gem."""
        name = self.name_of(options, index)
        has_twin = index % TWINS == OLD_NAMES // 2 and index + 1 < options.packages
        return name if has_twin else name.lower()

    def purl(self, name: str) -> str:
        """``pkg:gem/<name>``."""
        return f"pkg:gem/{name}"

    def settings(self, base_url: str) -> dict[str, str]:
        """The index and the API have two hosts."""
        return {
            "RUBYGEMS_INDEX_URL": f"{base_url}/index",
            "RUBYGEMS_API_URL": f"{base_url}/api/v1",
            "RUBYGEMS_DOWNLOADS_URL": f"{base_url}/downloads",
        }

    def version(self, number: Number, style: int) -> str:
        """Styles: 1.2.0.rc.1, 1.2 (rc1), four places (1.2.0.0), calendar (2021.2.0)."""
        _, major, minor, patch, stage, serial, _ = number
        if style == 3:
            major += 2015
        text = f"{major}.{minor}" if style == 1 and patch == 0 else f"{major}.{minor}.{patch}"
        if style == 2:
            text += ".0"
        if stage is Stage.FINAL:
            return text
        separator = "." if style == 0 else ""
        return f"{text}.{stage.name.lower()}{separator}{serial}"

    def link(self, rng: Random, name: str, owner: str, repository: str) -> Link:
        """In the gemspec's metadata, or in a field of only the gem (``field`` begins with gem.)."""
        del name
        github = f"https://github.com/{owner}/{repository}"
        gitlab = f"https://gitlab.com/{owner}/{repository}"
        choices = (
            ("source_code_uri", github, github, owner),
            ("source_code_uri", f"{github}/tree/v1.2.3", github, owner),
            ("source_code_uri", f"{gitlab}.git", gitlab, owner),
            ("gem.source_code_uri", f"http://github.com/{owner}/{repository}", github, owner),
            ("homepage_uri", github, github, owner),
            ("gem.homepage_uri", f"{github}/", github, owner),
            ("gem.homepage_uri", "https://example.org", "n/a", "n/a"),
            ("bug_tracker_uri", f"{github}/issues", github, owner),
            ("gem.bug_tracker_uri", f"{github}/issues", github, owner),
            ("", "", "n/a", "n/a"),
        )
        return Link(*(choices[0] if rng.random() < 0.4 else rng.choice(choices)))

    def noise(self, rng: Random) -> Sequence[tuple[Spelling, str]]:
        """Additional requirements of a platform's build."""
        return [entry for entry in NOISE if rng.random() < 0.4]

    def release_form(self, rng: Random, number: Number, style: int, *, plain: bool) -> str:
        """Mostly pure Ruby; see :data:`release_forms`."""
        del number, style
        return RUBY if plain else rng.choices(self.release_forms, weights=(80, 14, 6))[0]

    def facts(self, package: Package, release: Release) -> dict[str, Any]:
        """The Ruby that it needs, its builds where they differ, and its licence."""
        return gem_builds.facts_of(release) | gem_builds.license_facts(package, release)

    def edge(self, release: Release, requirement: Requirement) -> dict[str, Any]:
        """Platforms where none is pure Ruby, and requirements of which the constraint says less."""
        return gem_builds.edge_of(release, requirement)

    def import_names(self, package: Package) -> frozenset[str]:
        """The only file and its constant."""
        return frozenset({package.name, "Simulated"})

    def page(self, package: Package, base_url: str) -> "Page":
        """The gem's file of the index, and both documents of the API."""
        del base_url
        return Page(package)

    def route(self, path: str, shelf: Shelf) -> Route | None:
        """``/index/info/<gem>``, ``/api/v1/versions/<gem>.json``, ``/api/v1/gems/<gem>.json``."""
        match [unquote(segment) for segment in path.split("/")[1:]]:
            case ["index", "names"]:
                return Route("rubygems.names", None, gem_lists.names(shelf))
            case ["index", "versions"]:
                return Route("rubygems.list", None, gem_lists.versions(shelf))
            case ["index", "info", name]:
                kind = "info"
            case ["downloads", filename] if filename.endswith(".gem"):
                return self._file(shelf, filename)
            case ["api", "v1", "versions" | "gems" as kind, filename] if filename.endswith(".json"):
                name = filename.removesuffix(".json")
            case _:
                return None
        return Route(f"rubygems.{kind}", self.purl(name), Gem(shelf, name, kind))

    def _file(self, shelf: Shelf, filename: str) -> Route:
        """``/downloads/<gem>-<version>[-<platform>].gem``."""
        stem = filename.removesuffix(".gem")
        dashes = [place for place, sign in enumerate(stem) if sign == "-"]
        # Versions have no dash, but names and platforms have.
        name = next((stem[:place] for place in dashes if shelf.find(stem[:place])), stem)
        return Route("rubygems.file", self.purl(name), GemFile(shelf, name, stem))


class GemFile:
    """The file of one build."""

    def __init__(self, shelf: Shelf, name: str, stem: str) -> None:
        self.shelf, self.name, self.stem = shelf, name, stem

    def __call__(self, headers: Mapping[str, str]) -> Document:
        """Answer a request with these headers."""
        del headers
        package = self.shelf.find(self.name)
        page: Page | None = self.shelf.page(package) if package else None
        for build in page.builds if page else ():
            if page and _full_name(page.package, build) == self.stem:
                content = gem_file(page.package.name, build.release.version, build.platform)
                return Document.tagged(content, "application/octet-stream")
        return NOT_FOUND


class Gem:
    """A document of one gem."""

    def __init__(self, shelf: Shelf, name: str, kind: str) -> None:
        self.shelf, self.name, self.kind = shelf, name, kind

    def __call__(self, headers: Mapping[str, str]) -> Document:
        """Answer a request with these headers."""
        del headers
        package = self.shelf.find(self.name)
        if package is None:
            return NOT_FOUND
        page: Page = self.shelf.page(package)
        if self.kind == "info":
            return page.info
        if not page.builds:
            return NOT_FOUND
        return page.versions if self.kind == "versions" else page.gem


class Page:
    """The documents of one gem. Yanked versions are in none of them."""

    def __init__(self, package: Package) -> None:
        self.package = package
        self.dated = gem_builds.is_dated(package)
        """Whether the lines of its file tell dates, as those do that were written since 2026."""

    @cached_property
    def builds(self) -> list[Build]:
        """In the order of publication."""
        published = sorted(self.package.releases, key=lambda r: r.released)
        return [build for r in published if not r.yanked for build in builds_of(r)]

    def numbers(self, version: str | None) -> list[str]:
        """The builds of one version, or of all, in the form of the list of versions."""
        return [_number(b) for b in self.builds if version in {None, b.release.version}]

    @cached_property
    def info(self) -> Document:
        """The compact index's file."""
        text = "---\n" + "".join(f"{self._line(build)}\n" for build in self.builds)
        return gem_lists.list_document(text.encode())

    @cached_property
    def versions(self) -> Document:
        """``versions/<gem>.json``: the newest first."""
        return Document.json([self._version_json(build) for build in reversed(self.builds)])

    @cached_property
    def gem(self) -> Document:
        """``gems/<gem>.json``: the latest version with its links."""
        latest, name = self.package.latest, self.package.name
        assert latest is not None
        build = next(build for build in self.builds if build.release is latest)
        version = self._version_json(build)
        links = dict.fromkeys(("homepage_uri", "source_code_uri", "bug_tracker_uri"), None)
        if self.package.link.field:
            links[self.package.link.field.removeprefix("gem.")] = self.package.link.wire
        return Document.json(
            {
                "name": name,
                "downloads": 1000,
                "version": latest.version,
                "version_created_at": version["created_at"],
                "version_downloads": 100,
                "platform": build.platform,
                "authors": "Sim Author",
                "info": "A simulated gem",
                "licenses": version["licenses"],
                "metadata": version["metadata"],
                "yanked": False,
                "sha": version["sha"],
                "project_uri": f"https://rubygems.org/gems/{name}",
                "gem_uri": f"https://rubygems.org/gems/{_full_name(self.package, build)}.gem",
                "wiki_uri": None,
                "documentation_uri": f"https://www.rubydoc.info/gems/{name}/{latest.version}",
                "mailing_list_uri": None,
                **links,
                "dependencies": {
                    "development": [{"name": "rake", "requirements": "~> 13.0"}],
                    "runtime": [
                        {"name": r.name, "requirements": ", ".join(r.wire.split("&"))}
                        for r in build.requirements
                    ],
                },
            }
        )

    def _line(self, build: Build) -> str:
        dependencies = ",".join(f"{r.name}:{r.wire}" for r in build.requirements)
        facts = [f"checksum:{digest(self.package, build)}"]
        facts += [f"{name}:{text}" for name, text in build.engines.items()]
        if self.dated:
            facts.append(f"created_at:{_moment(build)}Z")
        return f"{_number(build)} {dependencies}|{','.join(facts)}"

    def _version_json(self, build: Build) -> dict[str, Any]:
        release, link = build.release, self.package.link
        metadata = {}
        if link.field and not link.field.startswith("gem."):
            # A gem may move house: only what the latest version says is true.
            moved = release is not self.package.latest
            metadata = {link.field: "https://github.com/before/it-moved" if moved else link.wire}
        return {
            "authors": "Sim Author",
            "built_at": f"{release.released.date()}T00:00:00.000Z",
            "created_at": f"{_moment(build)}.000Z",
            "description": "A simulated gem.",
            "downloads_count": 100,
            "metadata": metadata | {"rubygems_mfa_required": "true"},
            "number": release.version,
            "summary": "A simulated gem",
            "platform": build.platform,
            "rubygems_version": ">= 0",
            "ruby_version": ">= 2.7.0",
            "prerelease": release.prerelease,
            "licenses": gem_builds.licenses(self.package, release),
            "requirements": [],
            "sha": digest(self.package, build),
        }


def _number(build: Build) -> str:
    version, platform = build.release.version, build.platform
    return version if platform == RUBY else f"{version}-{platform}"


def _full_name(package: Package, build: Build) -> str:
    return f"{package.name}-{_number(build)}"


def _moment(build: Build) -> str:
    return (build.release.released + build.later).isoformat()[:19]
