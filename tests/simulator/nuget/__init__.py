"""NuGet.org: the service index, registrations with SemVer 2 versions, nuspecs, and the catalog.

https://learn.microsoft.com/nuget/api/registration-base-url-resource and
https://learn.microsoft.com/nuget/api/package-base-address-resource
"""

from collections.abc import Mapping
from datetime import timedelta
from random import Random
from typing import Any
from urllib.parse import unquote

from tests.simulator.ecosystem import Document, Ecosystem, Route, Shelf
from tests.simulator.nuget import facts
from tests.simulator.nuget.catalog import CATALOG, CatalogDocument
from tests.simulator.nuget.documents import (
    ANONYMOUS,
    AS_IT_IS,
    AUTHOR,
    BUILD,
    CONTENT,
    FOUR_PARTS,
    LEADING_ZERO,
    NOT_FOUND,
    REGISTRATION,
    SHORT,
    Page,
    namespace,
)
from tests.simulator.nuget.facts import ONE_FRAMEWORK
from tests.simulator.nuget.ranges import ORDINARY, RARE
from tests.simulator.options import Options
from tests.simulator.universe import Link, Package, Release, Requirement, Spelling
from tests.simulator.versions import Number, Stage
from tests.simulator.words import words


class NuGet(Ecosystem):
    """Spellings of NuGet.org."""

    name = "nuget"
    prefix = "nuget-sim"
    ordinary = ORDINARY
    rare = RARE
    styles = 4
    forgets_dates = True
    tells_facts = True
    release_forms = (AS_IT_IS, SHORT, FOUR_PARTS, LEADING_ZERO, BUILD)
    resolution = timedelta(milliseconds=1)

    def name_of(self, options: Options, index: int) -> str:
        """``Amber.Falcon.12``, ``AmberFalcon12`` or ``amber-falcon-12``."""
        first, second, more = words(options.seed, self.name, index)
        match more % 5:
            case 0:
                return f"{first.capitalize()}{second.capitalize()}{index}"
            case 1:
                return f"{first}-{second}-{index}"
            case 2:
                return f"{first}_{second}{index}"
        return f"{first.capitalize()}.{second.capitalize()}.{index}"

    def normalize(self, name: str) -> str:
        """Ids are found in any case."""
        return name.lower()

    def purl(self, name: str) -> str:
        """``pkg:nuget/<lower-case id>``."""
        return f"pkg:nuget/{name.lower()}"

    def settings(self, base_url: str) -> dict[str, str]:
        """Three resources of the service index."""
        return {
            "NUGET_CATALOG_URL": f"{base_url}/{CATALOG}",
            "NUGET_REGISTRATION_URL": f"{base_url}/{REGISTRATION}",
            "NUGET_CONTENT_URL": f"{base_url}/{CONTENT}",
        }

    def version(self, number: Number, style: int) -> str:
        """Styles: SemVer (1.2.0-beta.1), four numbers, older (1.2.0-beta01), with capitals."""
        text = f"{number.major}.{number.minor}.{number.patch}"
        if style == 1 and (fourth := (number.minor + number.patch) % 3):
            text += f".{fourth}"
        if number.stage is Stage.FINAL:
            return text
        stage = number.stage.name.lower()
        return (
            text
            + (
                f"-{stage}.{number.serial}",
                f"-{stage}.{number.serial}",
                f"-{stage}{number.serial:02}",
                f"-{stage.capitalize()}-{number.serial:04}",
            )[style]
        )

    def link(self, rng: Random, name: str, owner: str, repository: str) -> Link:
        """In the nuspec's ``repository`` or, as a registration has it, in ``projectUrl``."""
        del name
        github = f"https://github.com/{owner}/{repository}"
        gitlab = f"https://gitlab.com/{owner}/{repository}"
        choices = (
            ("repository", github, github, owner),
            ("repository", f"{github}.git", github, owner),
            ("repository", f"{gitlab}.git", gitlab, owner),
            ("repository", f"git://github.com/{owner}/{repository}", github, owner),
            ("projectUrl", github, github, owner),
            ("projectUrl", f"{github}/blob/main/README.md", github, owner),
            ("projectUrl", "https://example.org/product", "n/a", AUTHOR),
            ("", "", "n/a", AUTHOR),
            (ANONYMOUS, "", "n/a", "n/a"),
        )
        return Link(*(choices[1] if rng.random() < 0.4 else rng.choice(choices)))

    def requirement(self, rng: Random, *, plain: bool) -> tuple[Spelling, str]:
        """Of all target frameworks or of one, if it does not differ by them anyway."""
        spelling, form = super().requirement(rng, plain=plain)
        if not plain and "\n" not in spelling.wire and rng.random() < 0.1:
            form = ONE_FRAMEWORK
        return spelling, form

    def respell(self, rng: Random, name: str) -> str:
        """Ids are case-insensitive, so authors use any case."""
        return name if rng.random() < 0.8 else name.lower()

    def release_form(self, rng: Random, number: Number, style: int, *, plain: bool) -> str:
        """Mostly normalised; see :data:`release_forms`."""
        del number, style
        return AS_IT_IS if plain else rng.choices(self.release_forms, weights=(80, 5, 5, 5, 5))[0]

    def facts(self, package: Package, release: Release) -> dict[str, Any]:
        """Target frameworks, licence and deprecation."""
        del package
        return facts.of_release(release)

    def edge(self, release: Release, requirement: Requirement) -> dict[str, Any]:
        """Target frameworks where they differ, and ranges of which the constraint says less."""
        return facts.of_requirement(release, requirement)

    def import_names(self, package: Package) -> frozenset[str]:
        """The namespace of the only public type."""
        return frozenset({namespace(package)})

    def page(self, package: Package, base_url: str) -> "Page":
        """The package's registration and nuspecs."""
        return Page(package, base_url)

    def route(self, path: str, shelf: Shelf) -> Route | None:
        """``/v3/index.json``, the registration's index and pages, nuspecs, and the catalog."""
        if path == "/v3/index.json":
            return Route("nuget.service", None, ServiceIndex(self))
        match [unquote(segment) for segment in path.split("/")[1:]]:
            case ["v3", "registration5-gz-semver2", name, "index.json"]:
                return Route("nuget.registration", self.purl(name), Blob(shelf, name, "index"))
            case ["v3", "registration5-gz-semver2", name, "page", lower, upper]:
                key = f"{lower}/{upper.removesuffix('.json')}"
                return Route("nuget.page", self.purl(name), Blob(shelf, name, "page", key))
            case ["v3-flatcontainer", name, version, file] if file in {
                f"{name}.nuspec",
                f"{name}.{version}.nupkg",
            }:
                kind = "nuspec" if file.endswith(".nuspec") else "content"
                return Route(f"nuget.{kind}", self.purl(name), Blob(shelf, name, kind, version))
            case ["v3", "catalog0", filename] if filename.endswith(".json"):
                document = filename.removesuffix(".json")
                endpoint = "index" if document == "index" else "page"
                answer = CatalogDocument(shelf, self.prefix, document, NOT_FOUND)
                return Route(f"nuget.catalog-{endpoint}", None, answer)
        return None


class ServiceIndex:
    """``/v3/index.json``: the addresses of all resources.

    The program takes them from its settings instead.
    """

    def __init__(self, eco: NuGet) -> None:
        self.eco = eco

    def __call__(self, headers: Mapping[str, str]) -> Document:
        """Answer a request with these headers."""
        base = f"http://{headers.get('Host', 'simulator.invalid')}/{self.eco.prefix}"
        return Document.json(
            {
                "version": "3.0.0",
                "resources": [
                    {"@id": f"{base}/{REGISTRATION}/", "@type": "RegistrationsBaseUrl/3.6.0"},
                    {"@id": f"{base}/{CONTENT}/", "@type": "PackageBaseAddress/3.0.0"},
                    {"@id": f"{base}/{CATALOG}/index.json", "@type": "Catalog/3.0.0"},
                ],
            }
        )


class Blob:
    """A document of one package, found only by its lower-case path."""

    def __init__(self, shelf: Shelf, name: str, kind: str, key: str = "") -> None:
        self.shelf, self.name, self.kind, self.key = shelf, name, kind, key

    def __call__(self, headers: Mapping[str, str]) -> Document:
        """Answer a request with these headers."""
        del headers
        package = self.shelf.find(self.name)
        if package is None or not package.releases or self.name != self.name.lower():
            return NOT_FOUND
        page: Page = self.shelf.page(package)
        match self.kind:
            case "index":
                return page.index
            case "page":
                return page.pages.get(self.key, NOT_FOUND)
            case "content":
                return page.content(self.key)
        return page.nuspec(self.key)
