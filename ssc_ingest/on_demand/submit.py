"""The submission of packages: creates a job, and one urgent message for each package."""

from collections.abc import Iterable

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.ecosystems.purls import PackageName, parse_purl
from ssc_ingest.errors import InvalidArguments
from ssc_ingest.models import PackageRef
from ssc_ingest.on_demand.jobs import Jobs, new_job_id
from ssc_ingest.on_demand.messages import job_message
from ssc_ingest.work.arguments import Dependencies, ExtractPackage
from ssc_ingest.work.queues import Queues


def named_packages(purls: Iterable[str]) -> list[PackageName]:
    """Parse package URLs; each package occurs once, in the order of its first URL.

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
    ref: PackageRef,
    *,
    dependencies: Dependencies,
    refresh: bool = False,
    job_id: str | None = None,
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


async def submit(requests: Iterable[ExtractPackage], *, jobs: Jobs, queues: Queues) -> str:
    """Create a job and publish a message for each package of it.

    Args:
        requests: the arguments of each package, once per package.
        jobs: stores the job.
        queues: receives the messages.

    Returns:
        The job's id.
    """
    job_id = new_job_id()
    messages = []
    for request in requests:
        member = request.model_copy(update={"job_id": job_id})
        purl = ecosystem(member.ecosystem).ref(member.name).purl
        await jobs.enter(
            job_id,
            purl,
            request=member.keywords(),
            dependencies=member.dependencies,
            force=member.refresh or member.parent_id is not None,
        )
        messages.append(job_message(purl, member))
    await queues.publish(messages)
    return job_id
