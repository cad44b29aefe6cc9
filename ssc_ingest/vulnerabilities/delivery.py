"""One delivery of an attribution task, and its outcome."""

from redis.exceptions import RedisError

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.errors import IngestError, InvalidName
from ssc_ingest.logs import get_logger
from ssc_ingest.models import now
from ssc_ingest.vulnerabilities.attributor import Attributor
from ssc_ingest.work.arguments import AttributePackages
from ssc_ingest.work.attempts import Attempts
from ssc_ingest.work.dead_letters import DeadLetters
from ssc_ingest.work.deliveries import Deliveries
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.queues import Queues
from ssc_ingest.work.results import Done, GaveUp, Result
from ssc_ingest.work.retry import Again

log = get_logger(__name__)


class AttributionHandler:
    """Handles all deliveries of one process.

    Raises, all methods:
        RedisError: the state cannot be stored; return the message to its queue.
    """

    def __init__(
        self,
        attributor: Attributor,
        attempts: Attempts,
        queues: Queues,
        deliveries: Deliveries,
        dead_letters: DeadLetters,
    ) -> None:
        self._attributor = attributor
        self._attempts = attempts
        self._queues = queues
        self._deliveries = deliveries
        self._dead_letters = dead_letters

    async def handle(self, message: TaskMessage, *, redelivered: bool = False) -> Result:  # noqa: ARG002 - as for other tasks
        """Attribute the packages of a message; safe to repeat.

        Args:
            message: the task.
            redelivered: has no effect.

        Raises:
            asyncio.CancelledError: the process stops; return the message to its queue.
        """
        try:
            return Done(summary=await self._attribute(message))
        except RedisError:
            raise
        except Exception as error:  # noqa: BLE001 - the boundary: every failure is decided here
            return await self._failed(message, error)

    async def crashed(self, message: TaskMessage, error: BaseException) -> Result:
        """Record that a message killed the process in which it was alone.

        The packages of the message are tried again in two halves, each alone. So only the package
        that kills the process becomes a dead letter in the end.
        """
        request = AttributePackages.parse(message.kwargs)
        names = request.names
        if len(names) == 1:
            return await self.give_up(message, error)
        middle = len(names) // 2
        halves = [
            TaskMessage(
                task=message.task,
                kwargs={"ecosystem": request.ecosystem, "names": half},
                queue=message.queue,
            )
            for half in (names[:middle], names[middle:])
        ]
        for half in halves:
            # As if it had been delivered before: a worker runs it alone.
            await self._deliveries.begin(half.task_id)
        await self._queues.publish(halves)
        log.warning("attribution_halved", packages=len(names), error=str(error))
        return Done(summary=f"crashed; {len(names)} packages are tried again in two halves")

    async def give_up(self, message: TaskMessage, error: BaseException) -> GaveUp:
        """Make a message a dead letter."""
        letter = await self._dead_letters.add(message, error, now=now())
        return GaveUp(dead_letter=letter, error_type=type(error).__name__, error=str(error))

    async def _failed(self, message: TaskMessage, error: Exception) -> Result:
        decision = self._attempts.decide(message, error)
        if isinstance(decision, Again):
            return await self._attempts.delay(message, decision, error)
        if not isinstance(error, IngestError):
            log.error("unexpected_error", exc_info=error)
        return await self.give_up(message, error)

    async def _attribute(self, message: TaskMessage) -> str:
        request = AttributePackages.parse(message.kwargs)
        cls = ecosystem(request.ecosystem)
        AttributePackages.log_unknown(message.kwargs)
        purls = set()
        for name in request.names:
            try:
                purls.add(cls.ref(name).purl)
            except InvalidName:  # some advisories have names that are invalid in the registry
                log.debug("package_unnamable", name=name)
        done = await self._attributor.attribute(request.ecosystem, purls)
        log.info("packages_attributed", packages=done.packages, changed=done.changed)
        return f"{done.packages} packages, {done.changed} of {done.versions} versions changed"
