"""The contents of the stores that a command reads."""

from typing import Any

from ssc_ingest.errors import MalformedMetadata
from ssc_ingest.models import Package, PackageRef, Purl, Requirement, Version, VersionName, now
from ssc_ingest.resources import State
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import EXTRACT

FACTS: dict[str, Any] = {
    "requires_python": ">=3.9",
    "license": "MIT",
    "deprecated": "use required",
    "extra_requirements": '{"socks":["pysocks"]}',
    "peer_requirements": '{"react":{"range":"^18","optional":true}}',
}


def _required(ref: PackageRef) -> Requirement:
    declared = '[{"extras":["all","cli"],"marker":"sys_platform == \\"linux\\""}]'
    return Requirement(ref, ">= 2", optional=True, declared=declared)


def package(ref: PackageRef, required: PackageRef) -> Package:
    """A package of 12 versions, whose newest requires another package."""
    versions = tuple(
        Version(
            name=VersionName(f"1.{number}"),
            purl=Purl(f"{ref.purl}@1.{number}"),
            release_date=now(),
            requirements=(_required(required),) if number == 11 else () if number else None,
            yanked=number == 3,
            **(FACTS if number == 11 else {}),
        )
        for number in range(12)
    )
    return Package(
        ref=ref,
        vendor="Example Inc.",
        repository_url="https://example.org/example",
        versions=versions,
        latest=VersionName("1.11"),
        fetched_at=now(),
        import_names=("example",),
    )


async def dead_letter(state: State, name: str, ecosystem: str = "pypi") -> str:
    """Store a dead letter; returns its id."""
    message = TaskMessage(
        task=EXTRACT,
        kwargs={"ecosystem": ecosystem, "name": name},
        queue=f"{ecosystem}.urgent",
    )
    return await state.dead_letters.add(message, MalformedMetadata("no versions"), now=now())
