"""Submitting packages: a job, and one message on the urgent queues for each package."""

from collections.abc import Iterable

from ssc_ingest.ecosystems.purls import PackageName, parse_purl
from ssc_ingest.errors import InvalidArguments
from ssc_ingest.models import PackageRef
from ssc_ingest.on_demand.jobs import Jobs, job_message, new_job_id
from ssc_ingest.work.arguments import Dependencies, ExtractPackage
from ssc_ingest.work.queues import Queues


def named_packages(purls: Iterable[str]) -> list[PackageName]:
    """Parse package URLs; each package is there once, in the order of the first URL that names it.

    Raises:
        InvalidArguments: some are not package URLs; the text explains each.
    """
    packages: dict[str, PackageName] = {}
    problems = []
    for text in purls:
        try:
            named = parse_purl(text)
        except InvalidArguments as error:
            problems.append(str(error))
        else:
            packages.setdefault(named.ref.purl, named)
    if problems:
        raise InvalidArguments("\n".join(problems))
    return list(packages.values())


def request_for(
    ref: PackageRef, job_id: str, *, dependencies: Dependencies, refresh: bool = False
) -> ExtractPackage:
    """The arguments of the task that extracts a package for a job."""
    return ExtractPackage.parse(
        {
            "ecosystem": ref.ecosystem,
            "name": ref.registry_name,
            "refresh": refresh,
            "dependencies": dependencies,
            "job_id": job_id,
        }
    )


async def submit(
    packages: Iterable[PackageRef],
    *,
    jobs: Jobs,
    queues: Queues,
    dependencies: Dependencies,
    refresh: bool,
) -> str:
    """Create a job for the packages and publish their messages.

    Args:
        packages: what to extract.
        jobs: where the job is kept.
        queues: where the messages go.
        dependencies: whose requirements are extracted, too.
        refresh: whether to ask the registries also for packages that the graph has.

    Returns:
        The job's id.
    """
    job_id = new_job_id()
    messages = []
    for ref in packages:
        request = request_for(ref, job_id, dependencies=dependencies, refresh=refresh)
        await jobs.enter(
            job_id,
            ref.purl,
            request=request.keywords(),
            dependencies=dependencies,
            force=refresh,
        )
        messages.append(job_message(ref.purl, request))
    await queues.publish(messages)
    return job_id
