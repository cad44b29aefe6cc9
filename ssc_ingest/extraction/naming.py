"""One delivery of a task ``import_names.extract``, from its arguments to its outcome.

A package never waits for its import names, so a failure is counted and logged, not kept as a dead
letter: the package keeps the names that it has, and a backfill tries again.
"""

from collections.abc import Mapping

from redis.exceptions import RedisError

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.errors import (
    DeadlineExceeded,
    IngestError,
    InvalidArguments,
    MalformedMetadata,
    RegistryError,
)
from ssc_ingest.import_names.naming import Named, Naming
from ssc_ingest.logs import get_logger
from ssc_ingest.metrics import Metrics
from ssc_ingest.models import Outcome, PackageRef, now
from ssc_ingest.runs.store import Runs
from ssc_ingest.work.arguments import ExtractImportNames
from ssc_ingest.work.attempts import Attempts
from ssc_ingest.work.dead_letters import DeadLetters
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import queue_name
from ssc_ingest.work.results import Done, GaveUp, Result
from ssc_ingest.work.retry import Again

OUTCOMES: Mapping[str, Outcome] = {
    "named": Outcome.EXTRACTED,
    "without_names": Outcome.EXTRACTED,
    "unchanged": Outcome.UNCHANGED,
    "absent": Outcome.MISSING,
}
"""The outcomes by which a run counts its packages."""

log = get_logger(__name__)


class NamesDeliveries:
    """Handles all deliveries of one process.

    Args:
        naming: reads and writes names.
        runs: counts the outcomes of backfills.
        attempts: decides about failures.
        dead_letters: for calls with invalid arguments.
        metrics: of the process.
    """

    def __init__(
        self,
        naming: Naming,
        runs: Runs,
        attempts: Attempts,
        dead_letters: DeadLetters,
        metrics: Metrics,
    ) -> None:
        self._naming = naming
        self._runs = runs
        self._attempts = attempts
        self._dead_letters = dead_letters
        self._metrics = metrics

    async def handle(self, message: TaskMessage, *, redelivered: bool = False) -> Result:
        """Execute one delivery. Safe to repeat.

        Raises:
            RedisError: the state cannot be stored; return the message to its queue.
            asyncio.CancelledError: the process stops; return the message to its queue.
        """
        del redelivered  # a repetition finds the names in the graph or the cache
        try:
            request, ref = self._read(message)
        except InvalidArguments as error:
            return await self._refuse(message, error)
        ExtractImportNames.log_unknown(message.kwargs)
        if request.run_id and not await self._runs.wants(
            request.run_id, ref.purl, request.sequence
        ):
            return Done(summary="the run has finished with this package")
        try:
            named = await self._naming.name(
                ref,
                request.version,
                refresh=request.refresh,
                seconds=request.timeout,
                urgent=message.queue == queue_name(ref.ecosystem, "urgent"),
            )
        except RedisError:
            raise
        except Exception as error:  # noqa: BLE001 - the boundary: every failure is decided here
            return await self._failed(message, error)
        await self._ended(request, ref, named)
        return Done(summary=f"{named.outcome}, {len(named.names)} names")

    async def crashed(self, message: TaskMessage, error: BaseException) -> Result:
        """Record that the archive of a package killed the process in which it was read."""
        return await self.give_up(message, error)

    async def give_up(self, message: TaskMessage, error: BaseException) -> Result:
        """Count a failure that no retry can change; only an invalid call becomes a dead letter."""
        if isinstance(error, InvalidArguments):
            return await self._refuse(message, error)
        try:
            request, ref = self._read(message)
        except InvalidArguments as invalid:
            return await self._refuse(message, invalid)
        kind = "download_errors" if _is_download(error) else "processing_errors"
        self._metrics.import_names_read(ref.ecosystem, kind.removesuffix("s"))
        if request.run_id:
            counts = {kind: 1}
            await self._runs.end(request.run_id, ref.purl, request.sequence, Outcome.FAILED, counts)
        return Done(summary=f"{type(error).__name__}: the names stay as they are")

    @staticmethod
    def _read(message: TaskMessage) -> tuple[ExtractImportNames, PackageRef]:
        request = ExtractImportNames.parse(message.kwargs)
        return request, ecosystem(request.ecosystem).ref(request.name)

    async def _refuse(self, message: TaskMessage, error: InvalidArguments) -> GaveUp:
        letter = await self._dead_letters.add(message, error, now=now())
        return GaveUp(dead_letter=letter, error_type=type(error).__name__, error=str(error))

    async def _ended(self, request: ExtractImportNames, ref: PackageRef, named: Named) -> None:
        self._metrics.import_names_read(ref.ecosystem, named.outcome)
        if request.run_id:
            counts = {"requests": named.requests}
            if named.outcome == "without_names":
                counts["without_names"] = 1
            await self._runs.end(
                request.run_id, ref.purl, request.sequence, OUTCOMES[named.outcome], counts
            )

    async def _failed(self, message: TaskMessage, error: Exception) -> Result:
        decision = self._attempts.decide(message, error)
        facts = {"error_type": type(error).__name__, "error": str(error)}
        if isinstance(decision, Again):
            log.debug("import_names_delayed", seconds=round(decision.seconds, 1), **facts)
            return await self._attempts.delay(message, decision, error)
        if isinstance(error, IngestError):
            log.warning("import_names_unread", reason=decision.reason, **facts)
        else:
            log.error("unexpected_error", exc_info=error)
        return await self.give_up(message, error)


def _is_download(error: BaseException) -> bool:
    """Whether the files could not be downloaded; false if their contents are invalid."""
    if isinstance(error, MalformedMetadata):
        return False
    return isinstance(error, RegistryError | DeadlineExceeded)
