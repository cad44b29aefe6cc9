"""Maven Central: lists of versions, POMs with parents and bills of materials, and the index.

https://maven.apache.org/repositories/layout.html
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any
from urllib.parse import unquote

from tests.simulator.ecosystem import Document, Ecosystem, Route, Shelf
from tests.simulator.maven import facts, forms, poms
from tests.simulator.maven.model import Coordinates
from tests.simulator.maven.poms import Page
from tests.simulator.maven.publisher import FILE, Publisher
from tests.simulator.maven.ranges import NOISE, ORDINARY, RARE, SIBLING, UNRESOLVED
from tests.simulator.options import Options
from tests.simulator.universe import Link, Package, Release, Requirement, Spelling
from tests.simulator.versions import Number, Stage
from tests.simulator.words import words

FORMS = (
    forms.PROPERTY,
    forms.NESTED,
    forms.MANAGED,
    forms.PROFILE,
    forms.PARENT_PROPERTY,
    forms.PARENT_MANAGED,
    forms.INHERITED,
    forms.BOM,
    forms.EXCLUDING,
)
"""Places where a version can stand, other than in the dependency itself; and exclusions."""

OLD_NAMES = 40
"""One package in so many has capitals in its name..."""
TWINS = 2 * OLD_NAMES
"""...and one in so many of all has a twin in lower case."""

NOT_FOUND = Document(
    b"<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found"
    b"</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n",
    "text/html",
    status=404,
)

# By style: between number and qualifier; what each stage is called; before the serial number;
# after a final release.
STYLES: Sequence[tuple[str, dict[Stage, str], str, str]] = (
    ("-", {Stage.ALPHA: "alpha", Stage.BETA: "beta", Stage.RC: "rc", Stage.POST: "sp"}, "-", ""),
    (
        ".",
        {Stage.ALPHA: "Alpha", Stage.BETA: "Beta", Stage.RC: "CR", Stage.POST: "SP"},
        "",
        ".Final",
    ),
    ("-", {Stage.ALPHA: "alpha", Stage.BETA: "M", Stage.RC: "RC", Stage.POST: "sp"}, "", ""),
    (
        ".",
        {Stage.ALPHA: "Alpha", Stage.BETA: "M", Stage.RC: "RC", Stage.POST: "SR"},
        "",
        ".RELEASE",
    ),
)


class Maven(Ecosystem):
    """Spellings of Maven Central.

    Nothing is ever withdrawn. Of an incomplete list see :attr:`Page.hidden`; ``decoys`` are
    versions that it names as the latest although they are nowhere.
    """

    name = "maven"
    prefix = "maven-sim"
    ordinary = ORDINARY
    rare = RARE
    styles = len(STYLES)
    has_post_releases = True
    can_yank = False
    tells_facts = True
    release_forms = (forms.ORDINARY, forms.ORPHAN, forms.RELOCATED)

    def __init__(self) -> None:
        self._publisher = Publisher()

    def name_of(self, options: Options, index: int) -> str:
        """``org.amber:falcon-12``, ``io.github.amber.falcon:amber-falcon-12``.

        A few old ones have capitals; some of those have a twin, the package with the next index,
        whose name is the same in lower case. The repository's paths tell the two apart.
        """
        if not options.plain and index % TWINS == OLD_NAMES // 2 + 1:
            return self.name_of(options, index - 1).lower()
        first, second, more = words(options.seed, self.name, index)
        if not options.plain and index % OLD_NAMES == OLD_NAMES // 2:
            return f"org.{first}:{first.capitalize()}{second.capitalize()}-{index}"
        match more % 4:
            case 0:
                return f"{first}:{first}_{second}.{index}"
            case 1:
                return f"io.github.{first}-dev.{second}:{first}-{second}-{index}"
        return f"org.{first}:{second}-{index}"

    def candidates(self, name: str) -> Sequence[int]:
        """The index in the name, or the next one, for the lower-case name."""
        return [index + more for index in super().candidates(name) for more in (0, 1)]

    def name_in_graph(self, options: Options, index: int) -> str:
        """Lower case, unless that is the name of another package."""
        name = self.name_of(options, index)
        has_twin = index % TWINS == OLD_NAMES // 2 and index + 1 < options.packages
        return name if has_twin else name.lower()

    def missing_name(self, target: int) -> str:
        """In a group of its own."""
        return f"org.nowhere:never-published-{target}"

    def purl(self, name: str) -> str:
        """``pkg:maven/<group>/<artifact>``."""
        return f"pkg:maven/{name.replace(':', '/')}"

    def settings(self, base_url: str) -> dict[str, str]:
        """Two base URLs."""
        return {"MAVEN_REPOSITORY_URL": base_url, "MAVEN_INDEX_URL": f"{base_url}/.index"}

    def version(self, number: Number, style: int) -> str:
        """Styles: 1.2.0-rc-1; 1.2.0.Final and .CR1; 1.2-M1; 1.2.0.RELEASE and .RC1."""
        separator, stages, before_serial, final = STYLES[style]
        text = f"{number.major}.{number.minor}"
        if number.patch or style != 2:
            text += f".{number.patch}"
        if number.stage is Stage.FINAL:
            return text + final
        return f"{text}{separator}{stages[number.stage]}{before_serial}{number.serial}"

    def link(self, rng: Random, name: str, owner: str, repository: str) -> Link:
        """In one of the elements of ``scm``, or ``url``."""
        fallback = self.no_link(name).vendor
        github = f"https://github.com/{owner}/{repository}"
        gitlab = f"https://gitlab.com/{owner}/{repository}"
        ssh = f"git@github.com:{owner}/{repository}.git"
        choices = (
            ("url", github, github, owner),
            ("scm.url", github, github, owner),
            ("scm.url", f"{github}/tree/main", github, owner),
            ("scm.url", f"scm:git:{github}.git", github, owner),
            ("scm.connection", f"scm:git:git://github.com/{owner}/{repository}.git", github, owner),
            ("scm.connection", f"scm:git:{gitlab}.git", gitlab, owner),
            ("scm.connection", f"scm:git:ssh://{ssh.replace(':', '/')}", github, owner),
            ("scm.developerConnection", f"scm:git:{ssh}", github, owner),
            ("scm.url", f"https://github.com/{owner}/${{project.artifactId}}", "", owner),
            ("url", "https://example.org/product", "n/a", fallback),
            ("", "", "n/a", fallback),
        )
        field, wire, repository_url, vendor = rng.choice(choices)
        if not repository_url:
            repository_url = f"https://github.com/{owner}/{name.partition(':')[2]}"
        return Link(field.removeprefix("scm."), wire, repository_url, vendor)

    def no_link(self, name: str) -> Link:
        """By default the vendor is the first word of the group."""
        return Link("", "", "n/a", name.partition(":")[0].partition(".")[0])

    def requirement(self, rng: Random, *, plain: bool) -> tuple[Spelling, str]:
        """The text of a version, and its position in the POM."""
        spelling, form = super().requirement(rng, plain=plain)
        choice = 0.0 if plain else rng.random()
        if choice > 0.95:
            return rng.choice(UNRESOLVED), forms.PLAIN
        if choice > 0.88:
            return rng.choice(SIBLING), forms.SIBLING
        if choice > 0.5 and "\n" not in spelling.wire:
            return spelling, rng.choice(FORMS)
        return spelling, form

    def settled(
        self, version: str, form: str, requirements: tuple[Requirement, ...]
    ) -> tuple[Requirement, ...]:
        """The values that depend on the release: its version, its parent, its relocation."""
        if form == forms.RELOCATED and requirements:
            return (requirements[0]._replace(constraint=f"[{version}]"),)
        orphan = form == forms.ORPHAN
        if not orphan and all(r.form != forms.SIBLING for r in requirements):
            return requirements
        found = []
        for requirement in requirements:
            if requirement.form == forms.SIBLING:
                requirement = requirement._replace(constraint=f"[{version}]")  # noqa: PLW2901
            elif orphan and requirement.form in forms.IN_PARENT:
                requirement = requirement._replace(  # noqa: PLW2901
                    constraint=None if requirement.form == forms.INHERITED else "any"
                )
            found.append(requirement)
        return tuple(found)

    def noise(self, rng: Random) -> Sequence[tuple[Spelling, str]]:
        """Scopes that an install ignores, and all other elements with coordinates."""
        return [(NOISE, form) for form in forms.NO_DEPENDENCIES if rng.random() < 0.15]

    def release_form(self, rng: Random, number: Number, style: int, *, plain: bool) -> str:
        """Mostly ordinary; see :data:`release_forms`."""
        del number, style
        weights = (94, 4, 2)
        return forms.ORDINARY if plain else rng.choices(self.release_forms, weights)[0]

    def decoys(self, rng: Random, releases: Sequence[Release]) -> tuple[Release, ...]:
        """A version that is named but does not exist, as after a failed deployment."""
        if rng.random() > 0.05:
            return ()
        return (
            Release(
                "9999.0",
                releases[-1].released,
                Stage.FINAL,
                yanked=False,
                form=poms.PHANTOM,
                requirements=(),
            ),
        )

    def facts(self, package: Package, release: Release) -> dict[str, Any]:
        """Licence, and the message of a relocation."""
        return facts.of_release(package, release)

    def edge(self, release: Release, requirement: Requirement) -> dict[str, Any]:
        """Scope, and all that is ``declared``."""
        return facts.of_requirement(release, requirement)

    def import_names(self, package: Package) -> frozenset[str]:
        """The only package of classes; none if the latest version only names another project."""
        release = package.latest
        if release is None or not poms.has_jar(release):
            return frozenset()
        return frozenset({poms.java_package(package)})

    def page(self, package: Package, base_url: str) -> Page:
        """The package's list of versions and POMs."""
        del base_url
        return Page(package)

    def route(self, path: str, shelf: Shelf) -> Route | None:
        """Lists (``maven-metadata.xml``), POMs (``<version>/<a>-<v>.pom``), files of the index."""
        match [unquote(segment) for segment in path.split("/")[1:]]:
            case [".index", file] if file.startswith(f"{FILE}."):
                return self._index_route(file.removeprefix(f"{FILE}."), shelf)
            case [*group, artifact, "maven-metadata.xml"] if group:
                name = f"{'.'.join(group)}:{artifact}"
                return Route("maven.metadata", self.purl(name), Metadata(shelf, name))
            case [*group, artifact, version, file] if group and file == f"{artifact}-{version}.pom":
                place = Coordinates(".".join(group), artifact, version)
                purl = self.purl(f"{place.group}:{artifact}")
                return Route("maven.pom", purl, Pom(shelf, place))
            case [*group, artifact, version, file] if group and file == f"{artifact}-{version}.jar":
                name = f"{'.'.join(group)}:{artifact}"
                return Route("maven.jar", self.purl(name), Jar(shelf, name, version))
        return None

    def _index_route(self, file: str, shelf: Shelf) -> Route | None:
        """A file of the index: ``properties``, ``gz``, ``<number>.gz``."""
        publisher = self._publisher
        match file.split("."):
            case ["properties"]:
                return Route("maven.properties", None, lambda _: publisher.properties(shelf))
            case ["gz"]:
                return Route("maven.index", None, lambda _: publisher.whole(shelf))
            case [number, "gz"] if number.isdecimal():

                def chunk(_: Mapping[str, str]) -> Document:
                    return publisher.chunk(shelf, int(number)) or NOT_FOUND

                return Route("maven.chunk", None, chunk)
        return None


class Metadata:
    """The list of a package's versions."""

    def __init__(self, shelf: Shelf, name: str) -> None:
        self.shelf, self.name = shelf, name

    def __call__(self, headers: Mapping[str, str]) -> Document:
        """Answer a request with these headers."""
        del headers
        package = self.shelf.find(self.name)
        page: Page | None = self.shelf.page(package) if package else None
        return page.metadata if page else NOT_FOUND


class Pom:
    """The POM of a release, a project's parent, a bill of materials, or a shared parent."""

    def __init__(self, shelf: Shelf, place: Coordinates) -> None:
        self.shelf, self.place = shelf, place

    def __call__(self, headers: Mapping[str, str]) -> Document:
        """Answer a request with these headers."""
        del headers
        group, artifact, version = self.place
        if group.startswith(poms.SHARED_GROUP):
            return poms.shared(self.place) or NOT_FOUND
        owner = artifact.removesuffix("-parent").removesuffix("-bom")
        package = self.shelf.find(f"{group}:{owner}")
        page: Page | None = self.shelf.page(package) if package else None
        return (page and page.pom(artifact, version)) or NOT_FOUND


class Jar:
    """The main file of a release."""

    def __init__(self, shelf: Shelf, name: str, version: str) -> None:
        self.shelf, self.name, self.version = shelf, name, version

    def __call__(self, headers: Mapping[str, str]) -> Document:
        """Answer a request with these headers."""
        del headers
        package = self.shelf.find(self.name)
        page: Page | None = self.shelf.page(package) if package else None
        return (page and page.jar(self.version)) or NOT_FOUND
