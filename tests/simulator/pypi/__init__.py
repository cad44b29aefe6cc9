"""PyPI: the Simple API in JSON and HTML, the JSON API, core metadata files, and some archives.

https://docs.pypi.org/api/index-api/ (PEP 503, 691, 700, 714),
https://docs.pypi.org/api/json/ and https://peps.python.org/pep-0658/.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from random import Random
from typing import Any
from urllib.parse import quote, unquote

from tests.simulator.ecosystem import Document, Ecosystem, Route, Shelf, moved
from tests.simulator.options import Options
from tests.simulator.pypi import facts
from tests.simulator.pypi.documents import (
    LABELS,
    SIMPLE_JSON,
    Page,
    has_archive,
    negotiate,
    project_list,
)
from tests.simulator.pypi.facts import (
    OLD_KEY,
    SDIST,
    SDIST_BARE,
    SDIST_REQUIRES,
    SDIST_STATIC,
    WHEEL,
    WHEEL_BARE,
    WHEELS,
)
from tests.simulator.pypi.ranges import DECLARED, NOISE, ORDINARY, RARE
from tests.simulator.universe import Link, Package, Release, Requirement, Spelling
from tests.simulator.versions import Number, Stage
from tests.simulator.words import words

NOT_FOUND = Document(b'{"message": "Not Found"}', status=404)


class PyPI(Ecosystem):
    """Spellings of PyPI."""

    name = "pypi"
    prefix = "pypi-sim"
    ordinary = ORDINARY
    rare = RARE
    styles = 4
    prerelease_stages = (Stage.DEV, Stage.ALPHA, Stage.BETA, Stage.RC)
    has_post_releases = True
    has_epochs = True
    has_empty_packages = True
    allows_self = True
    unparsable = ("0.1-final-cut", "0.1.banana", "2004d", "1.0-x86-build", "r2012-test")
    unparsable_share = 0.02
    form_of_unparsable = SDIST
    release_forms = (
        WHEEL,
        WHEELS,
        OLD_KEY,
        SDIST,
        SDIST_BARE,
        WHEEL_BARE,
        SDIST_STATIC,
        SDIST_REQUIRES,
    )
    form_without_metadata = SDIST_BARE
    tells_facts = True
    resolution = timedelta(microseconds=1)

    def name_of(self, options: Options, index: int) -> str:
        """``Amber_Falcon.12``: any case, and any of the three separators."""
        first, second, more = words(options.seed, self.name, index)
        left, right = "-_."[more % 3], "-_."[more // 3 % 3]
        form = more // 9 % 10
        if form == 0:
            first, second = first.capitalize(), second.capitalize()
        elif form == 1:
            first = first.upper()
        elif form > 4:
            left = right = "-"
        return f"{first}{left}{second}{right}{index}"

    def normalize(self, name: str) -> str:
        """PEP 503."""
        return re.sub(r"[-_.]+", "-", name).lower()

    def purl(self, name: str) -> str:
        """``pkg:pypi/<PEP 503 name>``."""
        return f"pkg:pypi/{self.normalize(name)}"

    def settings(self, base_url: str) -> dict[str, str]:
        """Three base URLs."""
        return {
            "PYPI_INDEX_URL": f"{base_url}/simple",
            "PYPI_JSON_URL": f"{base_url}/pypi",
            "PYPI_FILES_URL": f"{base_url}/files",
        }

    def version(self, number: Number, style: int) -> str:
        """Styles: 1.2.0, 1.2, calendar (2021.2.0), and the long form of prereleases (1.2-beta1)."""
        epoch, major, minor, patch, stage, serial, _ = number
        if style == 2:
            major += 2015
        text = f"{epoch}!" if epoch else ""
        text += f"{major}.{minor}" if style == 1 and patch == 0 else f"{major}.{minor}.{patch}"
        if stage is Stage.FINAL:
            return text
        if style == 3 and stage in {Stage.ALPHA, Stage.BETA}:
            return f"{text}-{stage.name.lower()}{serial}"
        suffix = {Stage.DEV: ".dev", Stage.ALPHA: "a", Stage.BETA: "b", Stage.RC: "rc"}
        return f"{text}{suffix.get(stage, '.post')}{serial}"

    def link(self, rng: Random, name: str, owner: str, repository: str) -> Link:
        """In Home-page or one of the Project-URLs, on one of three hosts, in several spellings."""
        host = rng.choice(("github.com", "github.com", "gitlab.com", "bitbucket.org"))
        url = f"https://{host}/{owner}/{repository}"
        wire = url + rng.choice(("", "", "/", ".git", "/tree/main/src", "#readme", "?tab=code"))
        if rng.random() < 0.1:
            field, wire = rng.choice(
                (
                    ("", ""),
                    ("home_page", f"https://{name.lower().replace('_', '-')}.readthedocs.io/"),
                    ("home_page", f"https://github.com/{owner}"),
                    ("Source", f"https://github.com/orgs/{owner}/repositories"),
                )
            )
            return Link(field, wire, "n/a", "n/a")
        return Link(rng.choice(("home_page", *LABELS)), wire, url, owner)

    def respell(self, rng: Random, name: str) -> str:
        """Authors write the normalised name, the project's own, or something else."""
        choice = rng.random()
        if choice < 0.6:
            return name
        if choice < 0.9:
            return self.normalize(name)
        return name.upper().replace("-", "_")

    def requirement(self, rng: Random, *, plain: bool) -> tuple[Spelling, str]:
        """Ranges, and what stands beside them: extras, markers, several lines."""
        if not plain and rng.random() < 0.15:
            form = rng.choice(list(DECLARED))
            return DECLARED[form].spelling, form
        return super().requirement(rng, plain=plain)

    def noise(self, rng: Random) -> Sequence[tuple[Spelling, str]]:
        """Extras, and environments that nobody has any more; the form is the extra."""
        return [(spelling, extra) for extra, spelling in NOISE.items() if rng.random() < 0.25]

    def is_unknown(self, release: Release) -> bool:
        """Of source distributions, the JSON API tells no difference between none and unknown."""
        tells_nothing = release.form == SDIST and not (release.requirements or release.noise)
        return tells_nothing or release.form in {SDIST_BARE, SDIST_REQUIRES}

    def facts(self, package: Package, release: Release) -> dict[str, Any]:
        """Pythons, licence, status of the project, requirements of extras."""
        return facts.facts(package, release)

    def edge(self, release: Release, requirement: Requirement) -> dict[str, Any]:
        """Markers, extras, and ranges that constraints cannot say."""
        del release
        return facts.edge(requirement)

    def release_form(self, rng: Random, number: Number, style: int, *, plain: bool) -> str:
        """Mostly a wheel and an sdist; see :data:`release_forms`."""
        if plain:
            return WHEEL
        if style == 3 and number.stage in {Stage.ALPHA, Stage.BETA}:
            return SDIST  # a wheel's name would have the normalised version
        return rng.choices(self.release_forms, weights=(66, 12, 5, 9, 2, 2, 2, 2))[0]

    def import_names(self, package: Package) -> frozenset[str] | None:
        """The only module, if the latest release has a wheel, or its file has all metadata."""
        if package.latest is None or not has_archive(package, package.latest):
            return None
        return frozenset({self.normalize(package.name).replace("-", "_")})

    def page(self, package: Package, base_url: str) -> "Page":
        """All documents of a project."""
        return Page(package, self.normalize(package.name), base_url)

    def route(self, path: str, shelf: Shelf) -> Route | None:
        """``/simple/[<p>/]``, ``/pypi/<p>[/<v>]/json``, ``/files/packages/...``."""
        match [unquote(segment) for segment in path.split("/")[1:]]:
            case ["simple", ""]:
                return Route("pypi.projects", None, Projects(shelf))
            case ["simple", name] | ["simple", name, ""]:
                return Route("pypi.simple", self.purl(name), Simple(self, shelf, name, path))
            case ["pypi", name, "json"]:
                answer = Project(self, shelf, name, None)
                return Route("pypi.json", self.purl(name), answer)
            case ["pypi", name, version, "json"]:
                answer = Project(self, shelf, name, version)
                return Route("pypi.version_json", self.purl(name), answer)
            case ["files", "packages", _, _, _, filename]:
                name = filename.partition("-")[0]
                endpoint = "pypi.metadata" if filename.endswith(".metadata") else "pypi.file"
                return Route(endpoint, self.purl(name), File(self, shelf, name, filename))
        return None


class Projects:
    """``/simple/``: all projects, JSON or HTML by Accept."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    def __call__(self, headers: Mapping[str, str]) -> Document:
        """Answer a request with these headers."""
        return project_list(self.shelf, negotiate(headers.get("Accept")))


class Simple:
    """``/simple/<p>/``: JSON or HTML by Accept; other spellings are redirected."""

    def __init__(self, eco: PyPI, shelf: Shelf, name: str, path: str) -> None:
        self.eco, self.shelf, self.name, self.path = eco, shelf, name, path

    def __call__(self, headers: Mapping[str, str]) -> Document:
        """Answer a request with these headers."""
        normalized = self.eco.normalize(self.name)
        if self.path != f"/simple/{normalized}/":
            return moved(f"/{self.eco.prefix}/simple/{quote(normalized)}/")
        package = self.shelf.find(self.name)
        if package is None:
            return NOT_FOUND
        page: Page = self.shelf.page(package)
        media_type = negotiate(headers.get("Accept"))
        return page.simple_json if media_type == SIMPLE_JSON else page.simple_html(media_type)


class Project:
    """``/pypi/<p>/json`` and ``/pypi/<p>/<v>/json``."""

    def __init__(self, eco: PyPI, shelf: Shelf, name: str, version: str | None) -> None:
        self.eco, self.shelf, self.name, self.version = eco, shelf, name, version

    def __call__(self, headers: Mapping[str, str]) -> Document:
        """Answer a request with these headers."""
        del headers
        package = self.shelf.find(self.name)
        normalized = self.eco.normalize(self.name)
        if package is None:
            return NOT_FOUND
        if self.name != normalized:
            middle = f"/{quote(self.version)}" if self.version else ""
            return moved(f"/{self.eco.prefix}/pypi/{normalized}{middle}/json")
        page: Page = self.shelf.page(package)
        if self.version is None:
            return page.project(package.latest) if package.latest else NOT_FOUND
        release = next((r for r in package.releases if r.version == self.version), None)
        return page.project(release, whole=False) if release else NOT_FOUND


class File:
    """``<file url>.metadata``, or the file itself."""

    def __init__(self, eco: PyPI, shelf: Shelf, name: str, filename: str) -> None:
        self.eco, self.shelf, self.name, self.filename = eco, shelf, name, filename

    def __call__(self, headers: Mapping[str, str]) -> Document:
        """Answer a request with these headers."""
        del headers
        package = self.shelf.find(self.name)
        page: Page | None = self.shelf.page(package) if package else None
        if page is None:
            return NOT_FOUND
        return page.metadata.get(self.filename) or page.archives.get(self.filename, NOT_FOUND)
