"""The HTTP requests of a job: reserved before they are sent, counted when an attempt ends.

So concurrent attempts together never exceed ``JOB_MAX_REQUESTS``. A package that needs more than is
left is abandoned and left over; what it has sent is counted. Packages that a caller named are read
in full even beyond the limit, and are counted, too. The reservation of a killed attempt remains,
because the attempt may have sent those requests.
"""

from dataclasses import dataclass

from ssc_ingest.errors import BudgetExhausted
from ssc_ingest.on_demand.jobs import Jobs


@dataclass(slots=True)
class Spending:
    """The requests of one attempt at one package of a job."""

    jobs: Jobs
    job_id: str
    portion: int
    """Requests that are reserved at once."""
    most: int | None
    """The job's limit; ``None`` for a package that is read in any case."""
    reserved: int = 0

    async def more(self) -> int:
        """Reserve further requests; returns their number.

        Raises:
            BudgetExhausted: none are left.
            RedisError: the job's state cannot be read.
        """
        granted = await self.jobs.reserve(self.job_id, self.portion, self.most)
        if not granted:
            raise BudgetExhausted(f"the requests of job {self.job_id} are used up")
        self.reserved += granted
        return granted

    async def settle(self, sent: int) -> None:
        """Count the requests that the attempt has sent, and end the reservation."""
        if reserved := self.reserved:
            self.reserved = 0
            await self.jobs.settle(self.job_id, reserved=reserved, sent=sent)
