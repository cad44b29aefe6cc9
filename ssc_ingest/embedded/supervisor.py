"""Starts programs, waits until they are ready, restarts those that end, stops them in order.

It runs the servers (:mod:`.stack`) and the workers, beat and Flower of ``ssc-ingest up``. It is in
this room because only the command line, which may import this room, starts processes.

``psutil.wait_procs`` would reap children without the knowledge of ``subprocess.Popen``. asyncio's
subprocesses need an event loop, but servers start in threads, because their preparation may include
a download.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from threading import Event, RLock

from ssc_ingest.embedded.errors import Cancelled, PortTaken, ServerFailed
from ssc_ingest.embedded.ports import ReservedPort, is_listening
from ssc_ingest.embedded.process import ChildProcess, OnLine, ProcessGroup

POLL = 0.1
"""Seconds between readiness checks of a child."""

ANY_PORT = 0

PORTS_TRIED = 3
"""Number of ports to try: another program may take a port before the child listens on it."""


FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before the first restart of a program; doubled for each consecutive restart."""

CALM = 60.0
"""Seconds of uptime after which earlier restarts no longer count."""

EX_CONFIG = 78
"""Exit code (sysexits.h) of a program that would fail again; it is not restarted."""


TELL_AFTER, TELL_EVERY = 2.0, 30.0
"""Seconds until a stop first reports what it waits for, and between further reports."""

Waiting = Callable[[Sequence[str], float], None]
"""Called with the programs that still run, and the seconds until they are killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program to run: its command, readiness check and grace period.

    The functions receive the port of the program; 0 if it has none.
    """

    name: str
    command: Callable[[int], Sequence[str]]
    """The program and its arguments."""
    is_ready: Callable[[int, ChildProcess], bool]
    """Whether this child works; false if another program uses its port."""
    announcement: Callable[[int], str]
    """The line that is shown when it is ready."""
    start_timeout: float
    """Seconds until it must be ready, including recovery after a crash."""
    stop_grace: float
    """Seconds between SIGTERM and SIGKILL."""
    stage: int = 0
    """Programs of a higher stage are stopped before those of a lower one."""
    port: int | None = None
    """The preferred port; ``None`` for a program without a port."""
    port_taken: str = ""
    """Text that it prints before it exits because its port is in use."""
    environment: Mapping[str, str] | None = None
    """The environment, instead of the inherited one."""
    niceness: int = 0
    """How much more than this process it leaves the processor to others."""
    restarts: int | None = 0
    """Maximum number of consecutive restarts after an unexpected exit; ``None``: no limit."""
    on_line: OnLine | None = None
    """Called with each line that it writes."""
    on_stopped: Callable[[], None] = lambda: None
    """Called if it ended within its grace after SIGTERM."""


@dataclass(slots=True)
class _Member:
    """A started program."""

    program: Program
    port: int
    child: ChildProcess
    attempt: int
    ready: bool = False
    restarts: int = 0
    """Consecutive restarts."""
    since: float = 0.0
    """When it was started or became ready, by the monotonic clock."""
    due: float | None = None
    """When it is started again, after it has ended."""


class Supervisor:
    """The programs of one process group, which end with this process. Thread-safe.

    .. code-block:: python

        supervisor = Supervisor()
        supervisor.start(beat)
        supervisor.wait_ready(["beat"], print)
        while not (failure := supervisor.failed()):
            ...
        supervisor.stop()
    """

    def __init__(
        self,
        *,
        inherit: Sequence[int] = (),
        cancelled: Event | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Start the watchdog of the group, but no program.

        Args:
            tell: called with a line for people when a program has ended, and when it works again.
            inherit: file descriptors that all children keep open, see :class:`ProcessGroup`.
            cancelled: set by another thread, ends all waiting and prevents further starts.
        """
        self._group = ProcessGroup(inherit=inherit)
        self._cancelled = cancelled or Event()
        self._tell = tell
        self._members: dict[str, _Member] = {}
        self._ports: dict[str, ReservedPort] = {}
        self._lock = RLock()

    @property
    def group(self) -> int:
        """The id of the process group."""
        return self._group.id

    @property
    def children(self) -> dict[str, ChildProcess]:
        """The children by their programs' names."""
        return {name: member.child for name, member in self._members.items()}

    def port(self, name: str) -> int:
        """The assigned port of a started program; 0 if it has none."""
        return self._members[name].port

    def start(self, program: Program) -> None:
        """Start a program; does not wait for it.

        Raises:
            ServerFailed: the program cannot be executed.
            Cancelled: everything is being stopped.
        """
        with self._lock:
            self._members[program.name] = self._launch(program, attempt=1)

    def _launch(self, program: Program, *, attempt: int) -> _Member:
        if self._cancelled.is_set():
            raise Cancelled
        port = 0
        if program.port is not None:
            self._release(program.name)
            reserved = ReservedPort(program.port if attempt == 1 else ANY_PORT)
            self._ports[program.name] = reserved
            port = reserved.number
        return _Member(program, port, self._child(program, port), attempt, since=time.monotonic())

    def _child(self, program: Program, port: int) -> ChildProcess:
        return self._group.start(
            program.name,
            program.command(port),
            on_line=program.on_line,
            environment=program.environment,
            niceness=program.niceness,
        )

    def _release(self, name: str) -> None:
        if reserved := self._ports.pop(name, None):
            reserved.release()

    def wait_ready(self, names: Iterable[str], say: Callable[[str], None]) -> None:
        """Wait until these programs are ready, and report each one.

        Raises:
            ServerFailed: a program of this supervisor exited, or one of these was not ready in
                time.
            Cancelled: everything is being stopped.
        """
        waiting = list(names)
        began = time.monotonic()
        while waiting:
            if self._cancelled.is_set():
                raise Cancelled
            if failure := self.failed():
                raise failure
            for name in list(waiting):
                member = self._members[name]
                program = member.program
                if (not member.port or is_listening(member.port)) and program.is_ready(
                    member.port, member.child
                ):
                    member.ready, member.since = True, time.monotonic()
                    waiting.remove(name)
                    say(program.announcement(member.port))
                elif time.monotonic() - began > program.start_timeout:
                    raise member.child.not_ready(program.start_timeout)
            if waiting:
                time.sleep(POLL)

    def failed(self) -> ServerFailed | None:
        """Restart programs that have ended; returns the error if one cannot be restarted.

        Call it every second or so. It does not wait, but asks restarted programs whether they are
        ready.
        """
        with self._lock:
            for name, member in self._members.items():
                try:
                    self._members[name] = self._tended(member)
                except ServerFailed as failure:
                    return failure
        return None

    def _tended(self, member: _Member) -> _Member:
        """Do the due work for a member; returns its new state.

        Raises:
            ServerFailed: the member's program has ended and is not to be started again.
        """
        now = time.monotonic()
        if self._cancelled.is_set() and member.child.returncode is not None:
            raise member.child.failure()
        if member.due is not None:
            return self._relaunched(member) if now >= member.due else member
        if member.child.returncode is not None:
            return self._restart(member)
        if not member.restarts:
            return member
        if member.ready:
            return replace(member, restarts=0) if now - member.since > CALM else member
        if member.program.is_ready(member.port, member.child):
            self._tell(f"{member.program.name} works again (process {member.child.pid})")
            return replace(member, ready=True, since=now)
        if now - member.since > member.program.start_timeout:
            member.child.kill()
        return member

    def _restart(self, member: _Member) -> _Member:
        """Plan the restart of a program that ended unexpectedly, if a rule allows it.

        A program whose port is already in use gets another port. A program that was ready is
        restarted after a pause, on the same port, because its clients know it. If another program
        has taken that port meanwhile, those clients would use a stranger's data, so it is an error
        at once, except for a program that is restarted without a limit, which has no data.

        Raises:
            ServerFailed: no rule applies, or the program cannot be started again.
        """
        program, child = member.program, member.child
        if not member.ready and not member.restarts:
            if not _found_port_taken(member):
                raise child.failure()
            if member.attempt == PORTS_TRIED:
                raise PortTaken(
                    f"{program.name}: other programs took every chosen port",
                    name=program.name,
                )
            return self._launch(program, attempt=member.attempt + 1)
        exhausted = program.restarts is not None and member.restarts >= program.restarts
        if exhausted or child.returncode == EX_CONFIG:
            raise child.failure()
        if program.restarts is not None and _found_port_taken(member):
            raise PortTaken(
                f"another program took port {member.port} of {program.name} while {program.name} "
                "was down, and our processes would use its data: stop that program (`ss -ltnp` "
                "lists it), then start again",
                name=program.name,
            )
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**member.restarts)
        self._tell(f"{child.failure()}\n{program.name} starts again in {pause:g} s")
        return replace(member, due=time.monotonic() + pause)

    def _relaunched(self, member: _Member) -> _Member:
        program = member.program
        child = self._child(program, member.port)
        restarts = member.restarts + 1
        return _Member(
            program, member.port, child, member.attempt, restarts=restarts, since=time.monotonic()
        )

    def stop(self, waiting: Waiting = lambda _, __: None) -> None:
        """Stop everything, the highest stage first: SIGTERM, and SIGKILL after the grace.

        Safe to repeat.

        Args:
            waiting: called after two seconds, and then rarely, with the programs that still run
                and the seconds until the first of them is killed.
        """
        self._cancelled.set()
        with self._lock:  # then a program that another thread is starting is in the dictionary
            members = sorted(self._members.values(), key=_stage, reverse=True)
        for _, stage in groupby(members, _stage):
            _stop_together([m for m in stage if m.child.returncode is None], waiting)
        self._members.clear()
        self._group.close()
        for name in list(self._ports):
            self._release(name)


def _found_port_taken(member: _Member) -> bool:
    """Whether it ended because another program uses its port."""
    program = member.program
    if member.ready or program.port is None or not program.port_taken:
        return False
    return program.port_taken in member.child.recent_output()


def _stage(member: _Member) -> int:
    return member.program.stage


def _stop_together(members: Sequence[_Member], waiting: Waiting) -> None:
    for member in members:
        member.child.terminate()
    began = time.monotonic()
    tell_at = began + TELL_AFTER
    for member in members:
        end = began + member.program.stop_grace
        while tell_at < end:
            if member.child.ended_within(max(0, tell_at - time.monotonic())):
                break
            running = [m.program.name for m in members if m.child.returncode is None]
            waiting(running, max(0.0, end - time.monotonic()))
            tell_at = time.monotonic() + TELL_EVERY
        if member.child.wait(end - time.monotonic()):
            member.program.on_stopped()
