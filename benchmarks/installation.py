"""Counts the crates that a job with ``--dependencies latest`` takes from its budget.

``python -m benchmarks.installation serde tokio`` reads crates.io's index, ten files a
second, and follows what an installation pulls, by the rules of :mod:`ssc_ingest`. It needs no
servers. The direct requirements of all versions are counted beside them: a job fills them beyond
its budget (``JOB_MAX_DIRECT_REQUIREMENTS``).
"""

import argparse
import sys
import time

import httpx

from ssc_ingest.ecosystems.crates import Crates
from ssc_ingest.ecosystems.crates.index import index_path, parse_index
from ssc_ingest.models import Installable, Purl, RequiredPackage, Requirement, Version, VersionName

INDEX = "https://index.crates.io"
PAUSE = 0.1
"""Seconds between two requests."""


class Index:
    """The versions of crates, each read once."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._read: dict[Purl, tuple[Version, ...]] = {}

    def versions(self, name: str) -> tuple[Version, ...]:
        """The versions of a crate, in ascending order.

        Raises:
            httpx.HTTPError: the index does not answer, or lacks the crate.
        """
        ref = Crates.ref(name)
        if ref.purl not in self._read:
            time.sleep(PAUSE)
            response = self._client.get("/".join((INDEX, *index_path(ref.name))))
            response.raise_for_status()
            releases = parse_index(response.content, ref, str(response.url))
            dates = {VersionName(name): release.release_date for name, release in releases.items()}
            self._read[ref.purl] = tuple(
                Version(
                    name=version,
                    purl=Crates.version_purl(ref, version),
                    release_date=dates[version],
                    requirements=releases[version].requirements,
                    yanked=releases[version].yanked,
                    features=releases[version].features,
                )
                for version in Crates.by_date(dates)
            )
        return self._read[ref.purl]

    def installable(self, name: str) -> Installable:
        """The requirements and features of a crate's latest version."""
        versions = self.versions(name)
        latest = next(v for v in versions if v.name == Crates.latest(versions))
        required = tuple(map(_required, latest.requirements or ()))
        return Installable(requirements=required, features=latest.features)


def _required(requirement: Requirement) -> RequiredPackage:
    ref = requirement.package
    return RequiredPackage(
        label=ref.label,
        purl=ref.purl,
        name=ref.name,
        registry_name=ref.registry_name,
        is_stub=False,
        optional=bool(requirement.optional),
        declared=requirement.declared,
    )


def installation(index: Index, names: list[str]) -> set[Purl]:
    """The crates that an installation of these crates pulls, with themselves."""
    parts: dict[Purl, frozenset[str]] = {}
    waiting = [(name, Crates.default_parts) for name in names]
    while waiting:
        name, selected = waiting.pop()
        purl = Crates.ref(name).purl
        before = parts.get(purl)
        parts[purl] = (before or frozenset()) | selected
        if parts[purl] != before:
            pulled = Crates.installs(index.installable(name), parts[purl])
            waiting += [(each.registry_name, each.parts) for each in pulled]
    return set(parts)


def main() -> None:
    """Count the crates of an installation, and print a sentence."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.installation", description=main.__doc__
    )
    parser.add_argument("names", nargs="+", help="crates, in their latest versions")
    names = parser.parse_args().names
    agent = {"User-Agent": "ssc-ingest benchmarks"}
    with httpx.Client(headers=agent, timeout=30, follow_redirects=True) as client:
        index = Index(client)
        pulled = installation(index, names)
        versions = [version for name in names for version in index.versions(name)]
    direct = {r.package.purl for version in versions for r in version.requirements or ()}
    sys.stdout.write(
        f"{len(names)} crates: an installation has {len(pulled)}; "
        f"{len(direct - pulled)} more are direct requirements of a version\n"
    )


if __name__ == "__main__":
    main()
