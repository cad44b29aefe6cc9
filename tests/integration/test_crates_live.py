"""A few small crates, read from crates.io itself; Cargo checks our ranges."""

import random
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ssc_ingest.ecosystems.base import FetchRequest, NotModified
from ssc_ingest.ecosystems.crates import Crates
from ssc_ingest.ecosystems.crates.ranges import to_constraints
from ssc_ingest.ecosystems.endpoints import host_names, load_endpoints
from ssc_ingest.errors import PackageNotFound, RegistryUnavailable
from ssc_ingest.http.client import RegistryClient, open_transport
from ssc_ingest.models import Package
from ssc_ingest.resources import State
from ssc_ingest.settings import Settings
from tests.missing import skip
from tests.unit.semver_readers import PRERELEASES, RELEASES, selected

pytestmark = pytest.mark.live


@pytest.fixture
async def crates(state: State, settings: Settings) -> AsyncIterator[Crates]:
    """The ecosystem, reading crates.io within our rate limits."""
    endpoints = load_endpoints("cargo", Crates.identity.endpoints, None)
    async with open_transport(settings, host_names([endpoints])) as transport:
        yield Crates(RegistryClient(transport, state.limiter, endpoints.hosts), endpoints)


async def fetch(crates: Crates, name: str) -> Package:
    """Read a crate with its links; skips without a network."""
    try:
        package = await crates.fetch(FetchRequest(crates.ref(name), full=True))
    except RegistryUnavailable as error:
        if error.status is None:
            pytest.skip(f"crates.io cannot be reached: {error}")
        raise
    assert isinstance(package, Package)
    return package


async def test_a_small_crate(crates: Crates) -> None:
    """Order, dates, requirements, vendor and repository are found; dev dependencies are not."""
    package = await fetch(crates, "itoa")
    assert package.repository_url == "https://github.com/dtolnay/itoa"
    assert (package.vendor, package.ref.purl) == ("dtolnay", "pkg:cargo/itoa")
    names = [str(version.name) for version in package.versions]
    assert names.index("0.1.0") < names.index("0.4.8") < names.index("1.0.16")
    released = next(v for v in package.versions if v.name == "1.0.16")
    assert released.release_date
    assert [(r.package.purl, r.constraints) for r in released.requirements or ()] == [
        ("pkg:cargo/no-panic", "^0.1")
    ]
    if package.etag:
        answer = await crates.fetch(FetchRequest(package.ref, etag=package.etag))
        assert isinstance(answer, NotModified)


async def test_a_crate_with_capitals(crates: Crates) -> None:
    """The index has the registry's spelling and the yanked versions."""
    package = await fetch(crates, "inflector")
    assert (package.ref.name, package.ref.registry_name) == ("inflector", "Inflector")
    assert package.repository_url == "https://github.com/whatisinternet/inflector"
    assert "0.3.2" in {version.name for version in package.versions if version.yanked}


async def test_a_crate_that_does_not_exist(crates: Crates) -> None:
    """The registry's 404 is a typed error."""
    with pytest.raises(PackageNotFound):
        await fetch(crates, "ssc-ingest-no-such-crate")


JUDGE = """
fn main() {
    let mut lines = std::io::stdin().lines().map(Result::unwrap);
    let versions = lines.next().unwrap();
    for line in lines {
        match semver::VersionReq::parse(&line) {
            Err(_) => println!("invalid"),
            Ok(requirement) => {
                let taken = |v: &&str| requirement.matches(&semver::Version::parse(v).unwrap());
                println!("{}", versions.split(' ').filter(taken).collect::<Vec<_>>().join(" "));
            }
        }
    }
}
"""
MANIFEST = """
[package]
name = "judge"
version = "0.0.0"
edition = "2021"
[dependencies]
semver = "1"
"""


@pytest.fixture(scope="session")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A program around the crate with which Cargo parses requirements."""
    cargo = shutil.which("cargo")
    if cargo is None or subprocess.run([cargo, "--version"], check=False).returncode:
        skip("cargo is needed to compare with Cargo's own reading of requirements")
    folder = tmp_path_factory.mktemp("judge")
    (folder / "src").mkdir()
    (folder / "src" / "main.rs").write_text(JUDGE)
    (folder / "Cargo.toml").write_text(MANIFEST)
    fetched = subprocess.run(
        [cargo, "fetch", "--quiet"], cwd=folder, capture_output=True, text=True, check=False
    )
    if fetched.returncode:
        pytest.skip(f"crates.io cannot be reached: {fetched.stderr[-300:]}")
    subprocess.run([cargo, "build", "--quiet", "--offline"], cwd=folder, check=True)
    yield folder / "target" / "debug" / "judge"
    shutil.rmtree(folder)


def requirements(count: int) -> Iterator[str]:
    """Requirements of every kind, close together so that bounds coincide."""
    rng = random.Random(20)
    for _ in range(count):
        comparators = []
        for _ in range(rng.choice([1, 1, 1, 2, 2, 3])):
            numbers = [rng.choice("0012") for _ in range(rng.choice([1, 2, 3, 3]))]
            if len(numbers) > 1 and rng.random() < 0.15:
                numbers[-1] = rng.choice("*xX")
            text = ".".join(numbers)
            if len(numbers) == 3 and numbers[-1].isdecimal():
                text += rng.choice(["", "", "", "", "-0", "-alpha", "-beta.2", "+b1.x"])
            operator = rng.choice(["", "", "^", "~", "=", ">", ">=", "<", "<=", ">= "])
            comparators.append(operator + text)
        yield rng.choice([",", ", "]).join(comparators)


def test_constraints_select_what_cargo_takes(judge: Path) -> None:
    """The readers select Cargo's releases and prereleases.

    The exception is contradictions such as ``1, =1.0.0-rc``, in which ``1`` means the prereleases
    of 1.0.0 for Cargo.
    """
    versions = (*RELEASES, *PRERELEASES)
    asked = [*requirements(1000), "*", "1.*.*"]
    answers = subprocess.run(
        [judge],
        input="\n".join([" ".join(versions), *asked]) + "\n",
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert len(answers) == len(asked)
    for requirement, answer in zip(asked, answers, strict=True):
        assert answer != "invalid", requirement
        taken = set(answer.split())
        found = selected(to_constraints(requirement), versions)
        assert found & set(RELEASES) == taken & set(RELEASES), requirement
        assert "," in requirement or taken <= found, requirement
