"""Inputs that once caused errors, read as documents of their registries, without servers."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from ssc_ingest.models import Package
from tests.unit.documents import read

pytestmark = pytest.mark.recordings

LEAF = {"1.0.0": {"acme-leaf": "^1.0.0"}, "1.1.0": {"acme-leaf": "^1.0.0"}}
VERSION_PATTERN = r"pkg:[a-z]+(/[^/]+)+@[^@]+"


def requirements(package: Package) -> dict[str, dict[str, str] | None]:
    """Constraints by version and required package; ``None`` for unknown ones."""
    return {
        v.name: None
        if v.requirements is None
        else {r.package.name: r.constraints for r in v.requirements}
        for v in package.versions
    }


def dates(package: Package) -> dict[str, datetime | None]:
    """Release dates by version."""
    return {version.name: version.release_date for version in package.versions}


# npm ------------------------------------------------------------------------------------


async def npm(cases: Path, case: str) -> Package:
    """Read the package of a folder with one packument."""
    (path,) = (cases / f"npm-{case}").glob("*.json")
    return await read("npm", path.stem, {f"/{path.stem}": path.read_bytes()})


@pytest.mark.parametrize(
    "case", ["lone-surrogate", "time-out-of-range", "one-version-null", "odd-version-keys"]
)
async def test_npm(cases: Path, case: str) -> None:
    """Both good versions are read, in spite of the bad ones."""
    package = await npm(cases, case)
    assert requirements(package) == LEAF
    assert package.latest == "1.1.0"
    assert (dates(package)["1.0.0"] is None) == (case == "time-out-of-range")


async def test_npm_skips_are_told(cases: Path) -> None:
    """The skipped versions are logged once per package, with their number."""
    with capture_logs() as logs:
        await npm(cases, "odd-version-keys")
    assert [(log["event"], log["count"]) for log in logs] == [("entries_skipped", 4)]


async def test_npm_optional_dependencies(cases: Path) -> None:
    """An installation fetches them from both fields; an optional entry wins."""
    (path,) = (cases / "npm-optional-dependencies").glob("*.json")
    apart, copied = json.loads(path.read_bytes()), json.loads(path.read_bytes())
    copied["versions"]["1.1.0"]["dependencies"] = {"acme-leaf": "^9.0.0"}
    for document in (apart, copied):
        package = await read("npm", path.stem, {f"/{path.stem}": json.dumps(document).encode()})
        found = {
            v.name: [(r.constraints, r.optional) for r in v.requirements or ()]
            for v in package.versions
        }
        assert found == {"1.0.0": [("^1.0.0", False)], "1.1.0": [("=1.0.0", True)]}


@pytest.mark.parametrize(
    ("tags", "latest"),
    [({"latest": "1.0.0"}, "1.0.0"), ({"latest": "9.9.9"}, "1.1.0"), ({}, "1.1.0"), (5, "1.1.0")],
)
async def test_npm_latest_is_what_the_tag_says(cases: Path, tags: Any, latest: str) -> None:
    """The tagged version is the latest if it exists, even if it is not the highest."""
    (path,) = (cases / "npm-lone-surrogate").glob("*.json")
    document = json.loads(path.read_bytes()) | {"dist-tags": tags}
    package = await read("npm", path.stem, {f"/{path.stem}": json.dumps(document).encode()})
    assert package.latest == latest
    assert package.dist_tags == ('{"latest":"1.0.0"}' if latest == "1.0.0" else None)


# PyPI -----------------------------------------------------------------------------------


def project(
    folder: Path, page: str = "page.json", served: Mapping[str, int] | None = None
) -> tuple[str, dict[str, bytes | int]]:
    """A page and its metadata files; files without requirements if the folder has none."""
    document = json.loads((folder / page).read_bytes())
    name = document["name"]
    found: dict[str, bytes | int] = {}
    for file in document["files"]:
        version = file["filename"].split("-")[1]
        path = urlsplit(file["url"]).path + ".metadata"
        own = folder / f"{version}.metadata"
        body = own.read_bytes() if own.exists() else b"Metadata-Version: 2.1\nName: x\n\n"
        if not own.exists():
            file["core-metadata"]["sha256"] = hashlib.sha256(body).hexdigest()
        found[path] = (served or {}).get(version, body)
    return name, {f"/simple/{name}/": json.dumps(document).encode(), **found}


async def test_pypi_hash_mismatch(cases: Path) -> None:
    """A wrong digest makes the requirements unknown, without another source."""
    name, served = project(cases / "pypi-metadata-hash-mismatch")
    with capture_logs() as logs:
        package = await read("pypi", name, served)
    assert requirements(package) == {"1.0": None, "1.1": {"acme-leaf": ">= 1"}}
    assert [v.requirements_unknown for v in package.versions] == [True, False]
    assert [(log["event"], log["versions"]) for log in logs] == [("release_metadata_missing", 1)]


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize(
    ("said", "found"), [(["six"], {"six": "any"}), ([], {}), (None, None), (403, None)]
)
async def test_pypi_other_source(cases: Path, status: int, said: Any, found: Any) -> None:
    """The JSON API replaces a missing file; its ``null`` means unknown."""
    name, served = project(cases / "pypi-metadata-hash-mismatch", served={"1.1": status})
    info = {"name": name, "version": "1.1", "requires_dist": said}
    body: bytes | int = said if said == 403 else json.dumps({"info": info}).encode()
    package = await read("pypi", name, {**served, f"/pypi/{name}/1.1/json": body})
    assert requirements(package) == {"1.0": None, "1.1": found}


@pytest.mark.parametrize("case", ["lockfile-markers", "long-requirement"])
async def test_pypi_lines(cases: Path, case: str) -> None:
    """A line for lock files does not apply; a long one does."""
    package = await read("pypi", *project(cases / f"pypi-{case}"))
    assert requirements(package)["1.1"] == {"acme-leaf": ">= 1"}


@pytest.mark.parametrize("page", ["a", "b", "c"])
async def test_pypi_one_bad_entry(cases: Path, page: str) -> None:
    """The other versions are read; ``yanked: null`` is false; an invalid time is unknown."""
    name, served = project(cases / "pypi-one-bad-entry", f"{page}.json")
    package = await read("pypi", name, served)
    assert requirements(package) == {"1.0": {}, "1.1": {}}
    assert not any(version.yanked for version in package.versions)
    assert (dates(package)["1.0"] is None) == (page == "c")


# crates.io ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "versions", "latest"),
    [
        ("one-bad-line", ["1.0.0", "1.2.0"], "1.2.0"),
        ("crlf", ["1.0.0", "1.1.0"], "1.1.0"),
        ("pubtime", ["1.0.0", "1.1.0"], "1.1.0"),
        ("all-yanked", ["1.0.0", "1.1.0", "1.2.0-rc.1"], "1.1.0"),
    ],
)
async def test_cargo(cases: Path, case: str, versions: list[str], latest: str) -> None:
    """The requirements are those that Cargo reads."""
    body = (cases / f"cargo-{case}" / "index").read_bytes()
    name = json.loads(body.split(b"\n")[0])["name"]
    package = await read("cargo", name, {f"/ac/me/{name}": body})
    assert [version.name for version in package.versions] == versions
    assert package.latest == latest
    if case != "all-yanked":
        assert set(map(str, requirements(package).values())) == {"{'acmeleaf': '^1'}"}


# NuGet ----------------------------------------------------------------------------------

GOOD = {"acme.good": "[2.0.0, )"}


@pytest.mark.parametrize(
    ("case", "name", "found"),
    [
        ("dependency-without-id", "acme.blankid", {"1.0.0": GOOD}),
        ("dependency-without-id", "acme.noid", {"1.0.0": GOOD, "2.0.0": GOOD}),
        (
            "range-is-a-list",
            "acme.rangelist",
            {"1.0.0": {"acme.good": "[1.0.0, )", "acme.other": "[3.0.0, )"}, "2.0.0": GOOD},
        ),
    ],
)
async def test_nuget(cases: Path, case: str, name: str, found: Any) -> None:
    """The odd dependency is skipped; several ranges become the interval around them."""
    body = (cases / f"nuget-{case}" / "reg" / name / "index.json").read_bytes()
    path = f"/v3/registration5-gz-semver2/{name}/index.json"
    assert requirements(await read("nuget", name, {path: body})) == found


# RubyGems -------------------------------------------------------------------------------


async def test_gem_dash_in_version(cases: Path) -> None:
    """A prerelease after the dash is no platform of the release."""
    body = (cases / "gem-dash-in-version/gems/info/dashver").read_bytes()
    package = await read("rubygems", "dashver", {"/info/dashver": body})
    assert dates(package) == {"1.0.0": datetime(2022, 4, 1, tzinfo=UTC)}
    assert package.latest == "1.0.0"


async def test_gem_case_twins(cases: Path) -> None:
    """Gems that differ in case are two packages.

    The graph's writer gives the lower-case name to one of them.
    """
    served = {
        f"/info/{path.name}": path.read_bytes()
        for path in (cases / "gem-case-twins/gems/info").iterdir()
    }
    found = {name: await read("rubygems", name, served) for name in ("O_o", "O_O")}
    assert {name: twin.ref.purl for name, twin in found.items()} == {
        "O_o": "pkg:gem/O_o",
        "O_O": "pkg:gem/O_O",
    }
    assert [twin.latest for twin in found.values()] == ["1.0.0", "0.5"]


# All ------------------------------------------------------------------------------------

TESTS = (
    Path(__file__),
    Path(__file__).with_name("test_maven_model_rules.py"),
    Path(__file__).parents[1] / "contract/test_maven_fetch/test_refusals.py",
)


def test_every_folder_is_tested(cases: Path) -> None:
    """Each folder's name, or its part after the ecosystem, is in one of the tests."""
    text = "".join(path.read_text() for path in TESTS)
    folders = {path.name for path in cases.iterdir() if path.is_dir()}
    unnamed = {
        name for name in folders if name not in text and f'"{name.partition("-")[2]}"' not in text
    }
    assert folders
    assert not unnamed
