"""npm: names, addresses and answers.

https://github.com/npm/registry/blob/main/docs/REGISTRY-API.md and
https://github.com/npm/registry/blob/main/docs/responses/package-metadata.md
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from random import Random
from typing import Any
from urllib.parse import unquote

from tests.simulator import npm_archives
from tests.simulator import npm_feed as feed
from tests.simulator import npm_manifest as manifest
from tests.simulator.ecosystem import Ecosystem, Route, Shelf
from tests.simulator.npm_documents import Manifest, Packument, Page, tags
from tests.simulator.npm_manifest import (
    COPIED,
    DEPRECATED,
    DEV,
    OPTIONAL,
    OPTIONAL_PEER,
    PEER,
    TWICE,
)
from tests.simulator.npm_ranges import ORDINARY, RARE
from tests.simulator.options import Options
from tests.simulator.universe import Link, Package, Release, Requirement, Spelling
from tests.simulator.versions import Number, Stage
from tests.simulator.words import words

FORMS = (OPTIONAL, OPTIONAL, COPIED, TWICE)
NOISE = (
    (Spelling("^9.9.9", None), DEV),
    (Spelling(">=9", None), PEER),
    (Spelling("^8 || ^9", None), OPTIONAL_PEER),
    (Spelling("*", None), DEV),
)

OLD_NAMES = 40
"""One in so many packages is from the time when names could have capitals..."""

TWINS = 2 * OLD_NAMES
"""...and one in so many of all has a twin in lower case."""


class Npm(Ecosystem):
    """Spellings of npm."""

    name = "npm"
    prefix = "npm-sim"
    ordinary = ORDINARY
    rare = RARE
    has_empty_packages = True
    allows_self = True
    can_yank = False
    unparsable = ("first-one", "latest-build", "v-next")
    unparsable_share = 0.01
    release_forms = ("plain", DEPRECATED)
    tells_facts = True
    resolution = timedelta(milliseconds=1)

    def name_of(self, options: Options, index: int) -> str:
        """``amber-falcon-12`` or ``@amber/falcon-12``; a few old ones have capitals.

        Some of those have a twin, the package with the next index, whose name is the same in
        lower case. The registry tells the two apart.
        """
        if not options.plain and index % OLD_NAMES == OLD_NAMES // 2:
            first, second, _ = words(options.seed, self.name, index)
            return f"{first.capitalize()}{second.capitalize()}-{index}"
        if not options.plain and index % TWINS == OLD_NAMES // 2 + 1:
            return self.name_of(options, index - 1).lower()
        first, second, more = words(options.seed, self.name, index)
        match more % 10:
            case 0 | 1 | 2:
                return f"@{first}/{second}-{index}"
            case 3:
                return f"{first}.{second}{index}"
            case 4:
                return f"{first}_{second}-{index}"
        return f"{first}-{second}-{index}"

    def candidates(self, name: str) -> Sequence[int]:
        """The index in the name, or the next one, for the lower-case name."""
        return [index + more for index in super().candidates(name) for more in (0, 1)]

    def name_in_graph(self, options: Options, index: int) -> str:
        """Lower case, unless that is the name of another package."""
        name = self.name_of(options, index)
        has_twin = index % TWINS == OLD_NAMES // 2 and index + 1 < options.packages
        return name if has_twin else name.lower()

    def purl(self, name: str) -> str:
        """``pkg:npm/%40scope/name``."""
        return f"pkg:npm/{name.replace('@', '%40')}"

    def settings(self, base_url: str) -> dict[str, str]:
        """The registry, and the replica with the feed of changes."""
        return {
            "NPM_REGISTRY_URL": base_url,
            "NPM_REPLICATE_URL": f"{base_url}/_replicate",
            "NPM_CHANGES_URL": f"{base_url}/_replicate/registry/_changes",
        }

    def version(self, number: Number, style: int) -> str:
        """SemVer 2."""
        del style
        return semver(number)

    def link(self, rng: Random, name: str, owner: str, repository: str) -> Link:
        """In ``repository`` (address, object, short form), ``homepage`` or ``bugs``."""
        fallback = self.no_link(name).vendor
        github = f"https://github.com/{owner}/{repository}"
        gitlab = f"https://gitlab.com/{owner}/{repository}"
        choices = (
            ("repository.url", f"git+{github}.git", github, owner),
            ("repository.url", f"git://github.com/{owner}/{repository}.git", github, owner),
            ("repository.url", f"git+ssh://git@github.com/{owner}/{repository}.git", github, owner),
            ("repository.url", f"git@github.com:{owner}/{repository}.git", github, owner),
            ("repository.url", f"{github}/tree/main/packages/core", github, owner),
            ("repository.url", f"git+{gitlab}.git", gitlab, owner),
            ("repository", f"{github}.git#main", github, owner),
            ("repository", f"{owner}/{repository}", github, owner),
            ("repository", f"github:{owner}/{repository}", github, owner),
            ("repository", f"gitlab:{owner}/{repository}", gitlab, owner),
            ("homepage", f"{github}#readme", github, owner),
            ("bugs", f"{github}/issues", github, owner),
            ("homepage", "https://example.org", "n/a", fallback),
            self.no_link(name),
        )
        # Most packages have what `npm init` writes.
        return Link(*(choices[0] if rng.random() < 0.5 else rng.choice(choices)))

    def no_link(self, name: str) -> Link:
        """The vendor is the scope."""
        return Link("", "", "n/a", name.partition("/")[0] if name.startswith("@") else "n/a")

    def requirement(self, rng: Random, *, plain: bool) -> tuple[Spelling, str]:
        """Ranges as everywhere; some are optional, and some packages have two names in the code."""
        spelling, form = super().requirement(rng, plain=plain)
        if plain or spelling.wire.startswith("npm:") or rng.random() < 0.8:
            return spelling, form
        form = rng.choice(FORMS)
        # An alias can have a range only.
        return (rng.choice(self.ordinary) if form == TWICE else spelling), form

    def noise(self, rng: Random) -> Sequence[tuple[Spelling, str]]:
        """Packages that only developers, or only users, install."""
        return [entry for entry in NOISE if rng.random() < 0.4]

    def release_form(self, rng: Random, number: Number, style: int, *, plain: bool) -> str:
        """Some are deprecated, which is only a note."""
        del number, style
        return DEPRECATED if not plain and rng.random() < 0.05 else "plain"

    def decoys(self, rng: Random, releases: Sequence[Release]) -> tuple[Release, ...]:
        """Unpublished versions, which have only a date."""
        if rng.random() > 0.05:
            return ()
        first = releases[0]
        return (
            Release(
                "0.0.0-unpublished",
                first.released,
                None,
                yanked=False,
                form="plain",
                requirements=(),
            ),
        )

    def facts(self, package: Package, release: Release) -> dict[str, Any]:
        """The facts of the manifest."""
        return manifest.facts(package, release)

    def edge(self, release: Release, requirement: Requirement) -> dict[str, Any]:
        """Optional ones are marked; ``declared`` has aliases and what is no range."""
        del release
        return manifest.edge(requirement)

    def dist_tags(self, package: Package) -> dict[str, str] | None:
        """``latest``, and ``next`` where the highest version is a prerelease."""
        return tags(package) or None

    def import_names(self, package: Package) -> frozenset[str]:
        """All files of the archive, by every path that Node.js resolves."""
        return frozenset(package.name + subpath for subpath in npm_archives.SUBPATHS)

    def page(self, package: Package, base_url: str) -> "Page":
        """Both packuments."""
        return Page(package, base_url)

    def answer(self, path: str, query: Mapping[str, str], shelf: Shelf) -> Route | None:
        """Responses of the replica, and those without a query."""
        match path:
            case "/_replicate":
                return Route("npm.database", None, lambda _: feed.database(shelf))
            case "/_replicate/registry/_changes":
                return Route("npm.changes", None, lambda _: feed.changes(shelf, query))
        return self.route(path, shelf)

    def route(self, path: str, shelf: Shelf) -> Route | None:
        """``/<name>``, ``/<name>/<version>`` and ``/<name>/-/<archive>``.

        A scoped name is ``@scope%2fname`` or ``@scope/name``.
        """
        parts = unquote(path[1:]).split("/")
        length = 2 if parts[0].startswith("@") else 1
        name = "/".join(parts[:length])
        if not name or name.startswith("_") or len(parts) < length:
            return None
        match parts[length:]:
            case []:
                return Route("npm.packument", self.purl(name), Packument(shelf, name))
            case [version]:
                about = Manifest(shelf, name, version)
                return Route("npm.manifest", self.purl(name), about)
            case ["-", _]:
                return Route("npm.archive", self.purl(name), lambda _: npm_archives.DOCUMENT)
        return None


def semver(number: Number) -> str:
    """Spell a version as SemVer 2."""
    text = f"{number.major}.{number.minor}.{number.patch}"
    if number.stage is not Stage.FINAL:
        text += f"-{number.stage.name.lower()}.{number.serial}"
    return f"{text}+build.{number.build}" if number.build else text
