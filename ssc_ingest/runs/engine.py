"""The execution of a run: reads pages, publishes tasks for packages, and waits for their outcomes.

A worker may be killed at any moment because of the order of steps for every page. Packages are
recorded as pending, then published, then marked as published. After the whole page, its counters
and the cursor after it are stored in one step. The next worker publishes the packages that are
recorded but not marked, and repeats the page without comparing or counting recorded packages again.
"""

from redis.exceptions import RedisError

from ssc_ingest.errors import (
    CursorExpired,
    IngestError,
    RateLimited,
    RegistryUnavailable,
    ResourceForbidden,
    StoreUnavailable,
)
from ssc_ingest.http.request_scope import RequestScope, request_scope
from ssc_ingest.logs import get_logger
from ssc_ingest.models import Outcome
from ssc_ingest.runs.kinds import KINDS
from ssc_ingest.runs.lease import RENEW_EVERY, LeaseLost, RunLease
from ssc_ingest.runs.model import COUNTED_PER_PAGE, OUTCOMES, Run
from ssc_ingest.runs.pages import FEED, LISTING, closing
from ssc_ingest.runs.publisher import PagePublisher, RunServices
from ssc_ingest.work.leases import pause
from ssc_ingest.work.redis_errors import explain

MAX_STUCK = 10
"""Maximum restarts without progress; after that the run fails, because it kills its workers."""

FIRST_PAUSE, MAX_PAUSE = 5.0, 300.0
"""Seconds until the page is requested again from a registry that does not respond."""

STORE_PAUSE, REDIS_PAUSE = 5.0, 1.0

log = get_logger(__name__)


class Stuck(IngestError):
    """The run fails because it kills its workers."""


class Engine:
    """Executes one run.

    Args:
        services: the clients.
        run: the run.
        poll: seconds between checks of the number of pending packages.
        renew_every: seconds between renewals of the lease.
    """

    def __init__(
        self,
        services: RunServices,
        run: Run,
        *,
        poll: float = 0.25,
        renew_every: float = RENEW_EVERY,
    ) -> None:
        self._services = services
        self._run = run
        self._runs = services.runs
        self._facts = {"run_id": run.id, "ecosystem": run.ecosystem}
        self._lease = RunLease(services.runs, run)
        self._poll = poll
        self._renew_every = renew_every
        self._scope = RequestScope(timeout=services.settings.http_timeout_long)
        self._failures = 0
        self._pages = -1

    async def carry_out(self) -> Run:
        """Continue the run until its end; returns its final state.

        Raises:
            LeaseLost: the run was paused or cancelled, or another worker executes it.
            asyncio.CancelledError: the process stops; the lease is released.
        """
        try:
            async with self._lease.held(self._renew_every):
                log.info("run_begins", kind=self._run.kind, **self._facts)
                with request_scope(self._scope):
                    while not await self._attempt():
                        pass
        except LeaseLost:
            # After a lost response, a repeated `finish` finds no lease either.
            if (await self._current()).state not in {"finished", "failed"}:
                raise
        run = await self._current()
        log.info("run_ended", **run.report())
        return run

    async def _current(self) -> Run:
        run = await self._runs.get(self._run.id)
        if run is None:
            raise LeaseLost("lost")
        return run

    async def _attempt(self) -> bool:
        """Continue until the end (``True``), or until an obstacle; then wait (``False``)."""
        try:
            try:
                await self._go_on()
            except LeaseLost:
                raise
            except Exception as error:  # noqa: BLE001 - the boundary: every failure is decided here
                await self._respond(error)
                return False
        except RedisError as error:
            log.warning("state_unavailable", run_id=self._run.id, error=explain(error))
            await pause(REDIS_PAUSE)
            return False
        return True

    async def _go_on(self) -> None:
        run = self._run = await self._current()
        if run.stuck > MAX_STUCK and not run.error:
            raise Stuck(f"no progress in {run.stuck} attempts, each of which killed its worker")
        if run.pages != self._pages:
            self._pages, self._failures = run.pages, 0
        self._publisher = PagePublisher(
            self._services, self._lease, run, self._scope, poll=self._poll
        )
        await self._publisher.republish()
        if run.phase == "listing":
            if run.mode == FEED.mode and run.cursor is None:
                if not await self._begin_update():
                    return
            elif run.mode == LISTING.mode and run.feed_end is None:
                # Before the listing, so that the next update misses no change.
                await self._lease.note_feed_end(await self._services.ecosystem.feed_end())
            await self._list()
        await self._drain()

    # Obstacles ----------------------------------------------------------------------------

    async def _respond(self, error: Exception) -> None:
        match error:
            case RedisError():
                raise error
            case CursorExpired():
                await self._restart_listing(error)
            case RateLimited():
                await self._wait(error.retry_after, error)
            case RegistryUnavailable() | ResourceForbidden():
                self._failures += 1
                # The wait is at its maximum after ten attempts.
                await self._wait(FIRST_PAUSE * 2 ** min(self._failures - 1, 10), error)
            case StoreUnavailable():
                await self._wait(STORE_PAUSE, error)
            case _:
                await self._fail(error)

    async def _wait(self, seconds: float, error: Exception) -> None:
        seconds = min(max(1.0, seconds), MAX_PAUSE)
        kind = type(error).__name__
        log.info(
            "run_waits", seconds=round(seconds, 1), error_type=kind, error=str(error), **self._facts
        )
        await self._lease.note(note=f"waits: {kind}: {error}")
        await pause(seconds)

    async def _fail(self, error: Exception) -> None:
        """Stop reading; the run fails when no package is pending."""
        kind = type(error).__name__
        if isinstance(error, IngestError):
            log.error("run_fails", error_type=kind, error=str(error), **self._facts)
        else:
            log.error("unexpected_error", exc_info=error, **self._facts)
        if self._run.phase == "draining" and not isinstance(error, Stuck):
            await self._wait(FIRST_PAUSE, error)
        else:
            await self._lease.note(error=f"{kind}: {error}", phase="draining")

    async def _restart_listing(self, error: CursorExpired) -> None:
        """Read the whole listing from its beginning, with the current end of the feed."""
        run = self._run = await self._current()
        if run.mode == LISTING.mode and run.cursor is None:
            await self._fail(error)
            return
        log.warning("run_lists_all", mode=run.mode, error=str(error), **self._facts)
        fields = {"cursor": "", "mode": LISTING.mode}
        counts: dict[str, int] = {}
        if run.mode == LISTING.mode:
            await self._wait(FIRST_PAUSE, error)
            # One that ended after its comparison with the graph would be counted twice.
            while (run := await self._current()).pending:
                await pause(self._poll)
            counts = _taken_back(run)
        await self._lease.commit(run.pages, fields, counts)

    # The listing --------------------------------------------------------------------------

    async def _begin_update(self) -> bool:
        """Start at the feed's cursor; ``False`` if no update has stored one yet."""
        feed = await self._runs.feed(self._run.ecosystem)
        if feed is None:
            end = await self._services.ecosystem.feed_end()
            note = "the first update stored the end of the feed; the next one continues there"
            await self._lease.finish(feed=end, note=note, is_update=True)
            return False
        await self._publisher.commit({"cursor": feed.cursor})
        self._run = await self._current()
        return True

    async def _list(self) -> None:
        complete, run = True, self._run
        source = LISTING if run.mode == LISTING.mode else KINDS[run.kind].source
        async with closing(source.pages(self._services, run)) as pages:
            async for page in pages:
                if not (complete := await self._publisher.publish(page)):
                    break
                await pause(0)
        await self._publisher.commit({"phase": "draining", "complete": int(complete)})

    # The end ------------------------------------------------------------------------------

    async def _drain(self) -> None:
        while True:
            run = await self._current()
            if not run.pending and await self._finish(run):
                return
            await pause(self._poll)

    async def _finish(self, run: Run) -> bool:
        """End the run, and store the feed's cursor, because all changes before it are done.

        A failed run has read its feed up to its cursor. An incomplete listing does not move the
        feed's cursor.
        """
        whole = run.complete and not run.error
        read_up_to = run.feed_end if whole else None
        feed = run.cursor if run.mode == FEED.mode else read_up_to
        follows_feed = KINDS[run.kind].follows_feed
        return await self._lease.finish(
            error=run.error or "",
            note="" if run.complete or run.error else f"its limit of {run.limit} is reached",
            feed=feed or "",
            moves_feed=follows_feed,
            is_update=follows_feed and whole,
        )


def _taken_back(run: Run) -> dict[str, int]:
    """Corrections of the counters before a listing is read again; no package is pending.

    A run that refreshes will request every package again and find no new versions in them. Any
    other run will skip the packages that it has extracted or found missing; these are already
    counted. It will retry the failed packages.
    """
    if KINDS[run.kind].refresh:
        again = (*COUNTED_PER_PAGE, *OUTCOMES, "versions", "requirements")
        return {counter: -run.counts[counter] for counter in again}
    counts = {counter: -run.counts[counter] for counter in (*COUNTED_PER_PAGE, Outcome.FAILED)}
    counts["skipped"] -= run.done
    counts["known_missing"] -= run.counts[Outcome.MISSING] + run.counts[Outcome.GONE]
    return counts
