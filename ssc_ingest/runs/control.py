"""Starting, pausing, resuming and cancelling runs: changes the record and publishes the message."""

from collections.abc import Awaitable, Callable

from ssc_ingest.errors import InvalidArguments
from ssc_ingest.runs.kinds import Kind
from ssc_ingest.runs.model import Run, State
from ssc_ingest.runs.store import Runs, run_message
from ssc_ingest.work.arguments import BackfillImportNames
from ssc_ingest.work.queues import Queues


class WrongState(Exception):
    """The run's state does not allow the transition; the text names the states that do."""


class RunControl:
    """Control of all runs."""

    def __init__(self, runs: Runs, queues: Queues) -> None:
        self._runs = runs
        self._queues = queues

    async def begin(
        self,
        kind: Kind,
        ecosystem: str,
        *,
        limit: int | None = None,
        task_id: str | None = None,
        backfill: BackfillImportNames | None = None,
    ) -> tuple[Run, bool]:
        """Start a run, unless one of this kind and ecosystem is running or paused.

        Args:
            kind: the kind of run.
            ecosystem: the ecosystem.
            limit: maximum number of packages that it publishes.
            task_id: id of the calling task, if that executes the run; otherwise a task is queued.
            backfill: the options of a backfill.

        Returns:
            The current run, and whether it is new.
        """
        run, is_new = await self._runs.start(
            kind, ecosystem, limit=limit, task_id=task_id, backfill=backfill
        )
        if is_new and task_id is None:
            await self._queues.publish([run_message(run)])
        return run, is_new

    async def pause(self, run_id: str) -> Run:
        """Pause a run: it publishes no more packages.

        Raises:
            InvalidArguments: no run has this id.
            WrongState: the run is not running.
        """
        return await self._transition("pause", run_id, self._runs.pause, "running")

    async def resume(self, run_id: str) -> Run:
        """Let a paused run continue.

        Raises:
            InvalidArguments: no run has this id.
            WrongState: the run is not paused.
        """
        run = await self._transition("resume", run_id, self._runs.resume, "paused")
        await self._queues.publish([run_message(run)])
        return run

    async def cancel(self, run_id: str, note: str) -> Run:
        """End the run and discard its pending packages; ``note`` is the reason.

        Raises:
            InvalidArguments: no run has this id.
            WrongState: the run has ended.
        """

        async def cancel(run_id: str) -> State | None:
            return await self._runs.cancel(run_id, note)

        return await self._transition("cancel", run_id, cancel, "running", "paused")

    async def hand_over(self, run_id: str) -> None:
        """Queue a task for a run that lost its worker, without waiting for the next sweep."""
        run = await self._runs.get(run_id)
        if run and run.state == "running" and run.owner is None:
            await self._queues.publish([run_message(run)])

    async def get(self, run_id: str) -> Run:
        """Find a run by its id.

        Raises:
            InvalidArguments: no run has this id.
        """
        run = await self._runs.get(run_id)
        if run is None:
            raise InvalidArguments(f"there is no run {run_id!r} (any more)")
        return run

    async def _transition(
        self,
        verb: str,
        run_id: str,
        change: Callable[[str], Awaitable[State | None]],
        *states: State,
    ) -> Run:
        await self.get(run_id)
        before = await change(run_id)
        if before not in states:
            allowed = " or ".join(states)
            raise WrongState(f"run {run_id} is {before}: you can {verb} a run that is {allowed}")
        return await self.get(run_id)
