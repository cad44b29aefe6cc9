"""The tasks for the packages of a job."""

import uuid

from ssc_ingest.models import Purl
from ssc_ingest.work.arguments import ExtractPackage
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import EXTRACT, queue_name


def job_message(purl: Purl, request: ExtractPackage, *, followed: bool = False) -> TaskMessage:
    """The task for one package of a job (``request.job_id``).

    It is urgent, unless the job follows the requirements of all versions: other jobs must not wait
    for such a large job. The task id of one package of one job is always the same.
    """
    in_bulk = followed and request.dependencies == "all"
    return TaskMessage(
        task=EXTRACT,
        task_id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{request.job_id}/{purl}")),
        kwargs=request.keywords(),
        queue=queue_name(request.ecosystem, "fresh" if in_bulk else "urgent"),
    )


def direct_message(purl: Purl, ecosystem: str, name: str, job_id: str) -> TaskMessage:
    """The task for a direct requirement that a job fills beyond its budget."""
    request = ExtractPackage(ecosystem=ecosystem, name=name, dependencies="none", fills=job_id)
    return TaskMessage(
        task=EXTRACT,
        task_id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{job_id}/direct/{purl}")),
        kwargs=request.keywords(),
        queue=queue_name(ecosystem, "fresh"),
    )
