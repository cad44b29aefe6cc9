"""The group-commit writer: writes the packages of many tasks in few transactions.

The tasks of one event loop share one writer. The packages that arrive during one transaction form
the next one. So transactions grow with the load, and a single package does not wait.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self, TypeVar

from neo4j import AsyncDriver, AsyncSession, Query
from neo4j.exceptions import DriverError, Neo4jError
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_delay,
    wait_random_exponential,
)

from ssc_ingest.errors import IngestError, StoreUnavailable
from ssc_ingest.graph import errors as driver_errors
from ssc_ingest.graph import rows
from ssc_ingest.graph.changes import (
    NOTHING,
    Attribute,
    Change,
    Gone,
    NameImports,
    Order,
    ParentEdge,
    Row,
    Touch,
    WriteOutcome,
    check_edges,
    prepare,
)
from ssc_ingest.graph.creation import Creation, Popular, is_possible
from ssc_ingest.graph.inbox import Submission, take
from ssc_ingest.graph.transaction import (
    Attempt,
    Batch,
    Outcomes,
    TransactionRestart,
    server_seconds,
)
from ssc_ingest.models import Package, PackageRef, Purl, VersionName
from ssc_ingest.work.batching import Batcher

T = TypeVar("T")
A = TypeVar("A")

LINGER = 0.003
"""Seconds for which the first submission of a batch waits for others."""

TARGET = 0.1
"""Target of the server's seconds for a transaction under its locks, so that urgent work is quick.

It is not wall-clock time: under load most of that passes while this process is busy with other
tasks, and smaller transactions would only add work.
"""

MIN_ROWS, MAX_ROWS = 500, 10_000
"""Minimum and maximum rows of one transaction; a larger package is written alone."""

_LARGE = 2_000
"""Number of versions and requirements from which a package is prepared in a thread."""


ANSWER_TIMEOUT = 5.0
"""Seconds after the end of a transaction until its connection counts as dead. The driver would wait
for two minutes."""


RECENT = 8
"""Statements of which the fastest one shows how long the server works for a row."""


@dataclass(slots=True)
class WriterStatistics:
    """Statistics of a writer since its start."""

    transactions: int = 0
    packages: int = 0
    statements: int = 0
    retries: int = 0
    deadlocks: int = 0
    splits: int = 0
    """Transactions that were split because the server rejected a part of them."""


class GraphWriter:
    """Writes packages; for the tasks of one event loop.

    Args:
        driver: of the same loop.
        retry_for: seconds for which a transaction is retried while the server is unavailable or
            busy.
        timeout: seconds until the server ends a transaction.
    """

    def __init__(
        self, driver: AsyncDriver, *, retry_for: float = 10.0, timeout: float = 30.0
    ) -> None:
        self.statistics = WriterStatistics()
        self._driver = driver
        self._retry_for = retry_for
        self._timeout = timeout
        self._rows = 2_000.0
        self._popular = Popular()
        self._seconds_per_row: deque[float] = deque(maxlen=RECENT)
        self._transactions: Batcher[Submission, WriteOutcome] = Batcher(
            self._write,
            lambda waiting: take(waiting, int(self._rows)),
            linger=LINGER,
            stopped=StoreUnavailable("graph", "the writer was stopped"),
        )
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def write(
        self,
        package: Package,
        *,
        order: Order,
        edges: Sequence[ParentEdge] = (),
        unasked: Collection[VersionName] = (),
        attributed: Mapping[VersionName, Row] = NOTHING,
        unread: bool = False,
        urgent: bool = False,
        on_commit: Callable[[WriteOutcome], None] = lambda _: None,
    ) -> WriteOutcome:
        """Write a package as its registry describes it, all or nothing.

        A version whose ``requirements`` are ``None`` keeps its edges; the edges of the others
        become equal to their requirements. Versions that the registry has dropped stay.
        A reading that is older than the one in the graph changes only the ``edges``. Safe to
        repeat. (Above 50,000 new rows: several transactions, resumable; the package counts
        as unread until the last of them.)

        Args:
            package: as it was fetched.
            order: the ecosystem's order of versions.
            edges: further edges, to this package, from nodes that exist.
            unasked: known versions whose documents were not read this time.
            attributed: what advisories say (``VERSION.elsewhere``) of versions that are new.
            unread: whether the graph seems to lack the package or to have only a stub, which makes
                writing faster. It need not be certain.
            urgent: go before bulk work.
            on_commit: called with the outcome of each transaction.

        Raises:
            ParentNotFound: an edge's start is not there; nothing was written.
            GraphRefused: the server rejects these rows; nothing was written.
            StoreUnavailable: the server is unavailable or busy, or the writer is closed.
        """
        size = sum(1 + len(version.requirements or ()) for version in package.versions)
        if size > _LARGE:
            change = await asyncio.to_thread(
                prepare, package, order, edges, unasked, attributed, unread=unread
            )
        else:
            change = prepare(package, order, edges, unasked, attributed, unread=unread)
        outcome = await self._submit(change, urgent=urgent)
        on_commit(outcome)
        while not outcome.is_complete:
            part = await self._submit(change, urgent=urgent)
            on_commit(part)
            outcome += part
        return outcome

    async def touch(
        self, ref: PackageRef, fetched_at: datetime, *, urgent: bool = False
    ) -> WriteOutcome:
        """Record that the registry had nothing new at ``fetched_at``.

        Raises:
            GraphRefused: the package was never read.
            StoreUnavailable: the server is unavailable or busy, or the writer is closed.
        """
        return await self._submit(Touch(ref=ref, fetched_at=fetched_at), urgent=urgent)

    async def mark_gone(
        self, ref: PackageRef, fetched_at: datetime, *, urgent: bool = False
    ) -> WriteOutcome:
        """Record that the registry no longer had the package at ``fetched_at``.

        The package stays in the graph. The next successful reading removes the mark.

        Raises:
            GraphRefused: the package was never read.
            StoreUnavailable: the server is unavailable or busy, or the writer is closed.
        """
        return await self._submit(Gone(ref=ref, fetched_at=fetched_at), urgent=urgent)

    async def link(
        self, ref: PackageRef, edges: Sequence[ParentEdge], *, urgent: bool = False
    ) -> WriteOutcome:
        """Add edges from existing nodes to a package that has been read.

        Raises:
            ParentNotFound: an edge's start is not there; nothing was written.
            GraphRefused: the package was never read.
            StoreUnavailable: the server is unavailable or busy, or the writer is closed.
        """
        check_edges(edges)
        return await self._submit(Change(ref=ref, edges=tuple(edges)), urgent=urgent)

    async def attribute(
        self, ref: PackageRef, versions: Mapping[Purl, Row], *, urgent: bool = False
    ) -> WriteOutcome:
        """Set what advisories say (``VERSION.elsewhere``) of versions that the graph has.

        Raises:
            GraphRefused: the package was never read.
            StoreUnavailable: the server is unavailable or busy, or the writer is closed.
        """
        return await self._submit(Attribute(ref=ref, versions=versions), urgent=urgent)

    async def name_imports(
        self, ref: PackageRef, version: VersionName, names: Sequence[str], fallback: str
    ) -> WriteOutcome:
        """Set the import names of a package to those of one of its versions.

        The names of the latest version stay if it is another one. If ``names`` is empty, the
        package gets the name ``fallback``, unless it has other names.

        Raises:
            GraphRefused: the package was never read.
            StoreUnavailable: the server is unavailable or busy, or the writer is closed.
        """
        change = NameImports(
            ref=ref, version=version, names=tuple(names) or (fallback,), is_fallback=not names
        )
        return await self._submit(change, urgent=False)

    async def close(self) -> None:
        """Write all submissions, then stop; later ones are rejected."""
        self._closed = True
        await self._transactions.close()

    async def _submit(self, change: Change, *, urgent: bool) -> WriteOutcome:
        if self._closed:
            raise StoreUnavailable("graph", "the writer is closed")
        return await self._transactions.put(Submission(change, urgent))

    async def _write(self, submissions: list[Submission]) -> list[WriteOutcome | Exception]:
        """Write the packages that seem to be unread by one statement, the others after a look."""
        changes = [submission.change for submission in submissions]
        answers: dict[Change, WriteOutcome | Exception] = {}
        in_doubt: dict[Change, WriteOutcome | IngestError] = {}
        for label, writes in rows.by_label(filter(is_possible, changes)):
            creation = Creation(label, writes, self._popular)
            try:
                answers |= await self._retry(self._create, creation)
            except Exception as error:  # noqa: BLE001 - any failure belongs to the submitters
                if driver_errors.cause_of(error) in driver_errors.NOT_THE_ROWS:
                    failure = _translated(error, changes)
                    return [answers.get(change, failure) for change in changes]
                # The server rejects a part, which is found by transactions of fewer packages.
            in_doubt |= creation.in_doubt
        others = [change for change in changes if change not in answers]
        if others:
            answers |= zip(others, await self._compare(others, in_doubt), strict=True)
        return [answers[change] for change in changes]

    async def _compare(
        self, changes: Sequence[Change], in_doubt: Outcomes
    ) -> list[WriteOutcome | Exception]:
        """Write in one transaction, or in two halves if the server rejects a part."""
        batch = Batch(list(changes), in_doubt=in_doubt)
        try:
            outcomes = await self._retry(self._attempt, batch)
        except Exception as error:  # noqa: BLE001 - any failure belongs to the submitters
            if len(changes) == 1 or driver_errors.cause_of(error) in driver_errors.NOT_THE_ROWS:
                return [_translated(error, changes)] * len(changes)
            self.statistics.splits += 1
            middle = len(changes) // 2
            first, second = changes[:middle], changes[middle:]
            return [
                *await self._compare(first, in_doubt),
                *await self._compare(second, in_doubt),
            ]
        return [outcomes[change] for change in changes]

    async def _retry(self, attempt: Callable[[T], Awaitable[A]], subject: T) -> A:
        """Commit; retry while the server is unavailable or busy, or another writer holds a lock."""
        retrying = AsyncRetrying(
            retry=retry_if_exception(driver_errors.is_transient),
            stop=stop_after_delay(self._retry_for),
            wait=wait_random_exponential(multiplier=0.02, max=2),
            before_sleep=self._count_retry,
            reraise=True,
        )
        return await retrying(attempt, subject)

    def _session(self) -> AsyncSession:
        """A session with the bookmarks of the reads, so that these see its writes on a cluster."""
        return self._driver.session(
            fetch_size=-1, bookmark_manager=self._driver.execute_query_bookmark_manager
        )

    async def _create(self, creation: Creation) -> dict[Change, WriteOutcome]:
        """Run the statement of some packages that seem to be unread."""
        parameters = creation.parameters()
        try:
            async with (
                asyncio.timeout(self._timeout + ANSWER_TIMEOUT),
                self._session() as session,
            ):
                query = Query(creation.statement, timeout=self._timeout)
                result = await session.run(query, parameters)
                records = [record async for record in result]
                summary = await result.consume()
        except (Exception, asyncio.CancelledError) as error:
            if driver_errors.is_statement_in_doubt(error):
                creation.lost()
            raise
        outcomes = creation.committed(records)
        # It includes the wait for locks, which the fastest of some statements hardly has.
        self._seconds_per_row.append(server_seconds(summary) / creation.rows)
        seconds = min(self._seconds_per_row) * creation.rows
        self._account(len(outcomes), statements=1, size=creation.rows, server_time=seconds)
        return outcomes

    async def _attempt(self, batch: Batch) -> Outcomes:
        """Run the batch; again if its transaction lacks a lock."""
        while batch.changes:
            async with (
                # The server ends a long transaction; on a half-open connection nobody would.
                asyncio.timeout(self._timeout + ANSWER_TIMEOUT),
                self._session() as session,
                await session.begin_transaction(timeout=self._timeout) as transaction,
            ):
                attempt = Attempt(batch, transaction)
                try:
                    outcomes = await attempt.run()
                except TransactionRestart:
                    await transaction.rollback()
                    continue
                try:
                    await transaction.commit()
                except (Exception, asyncio.CancelledError) as error:
                    if driver_errors.is_commit_in_doubt(error):
                        batch.in_doubt = outcomes
                    raise
            self._account(
                len(batch.changes),
                statements=max(
                    (o.statements for o in outcomes.values() if isinstance(o, WriteOutcome)),
                    default=0,
                ),
                size=sum(change.rows for change in batch.changes),
                server_time=attempt.server_time,
            )
            return outcomes
        return batch.refused

    def _account(self, packages: int, *, statements: int, size: int, server_time: float) -> None:
        """Update the statistics, and adapt the number of rows to :data:`TARGET`."""
        self.statistics.transactions += 1
        self.statistics.packages += packages
        self.statistics.statements += statements
        if size >= MIN_ROWS and server_time:  # a transaction of only stale changes has no work
            target = size / server_time * TARGET
            self._rows = min(max(0.7 * self._rows + 0.3 * target, MIN_ROWS), MAX_ROWS)

    def _count_retry(self, state: RetryCallState) -> None:
        self.statistics.retries += 1
        error = state.outcome.exception() if state.outcome else None
        if error and driver_errors.is_deadlock(error):
            self.statistics.deadlocks += 1


def _translated(error: Exception, changes: Sequence[Change]) -> Exception:
    """The error for the submitters: a converted one, or a bug unchanged."""
    if isinstance(error, (Neo4jError, DriverError, OSError)):
        names = ", ".join(change.ref.purl for change in changes[:3])
        translated = driver_errors.translate(error, names)
        translated.__cause__ = error
        return translated
    return error
