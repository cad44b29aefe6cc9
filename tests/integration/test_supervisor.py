"""Supervision of real programs: order, readiness, exits, ports."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event, Timer

import psutil
import pytest

from ssc_ingest.embedded import PortTaken, Program, ServerFailed, Supervisor
from ssc_ingest.embedded.errors import Cancelled
from ssc_ingest.embedded.ports import LOOPBACK
from ssc_ingest.embedded.process import ChildProcess

STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
FOREVER = "import time; print('ready', flush=True); time.sleep(600)"

LISTEN = """
import socket, sys, time
with socket.socket() as server:
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind(("127.0.0.1", int(sys.argv[1])))
    except OSError as error:
        sys.exit(str(error))
    server.listen()
    print("ready", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    """A supervisor that is stopped after the test."""
    supervisor = Supervisor()
    yield supervisor
    supervisor.stop()


def python(code: str, port: int) -> list[str]:
    """The command that runs Python code."""
    return [sys.executable, "-c", code, str(port)]


def program(name: str, code: str = FOREVER) -> Program:
    """Python code that is ready when it prints so."""
    return Program(
        name=name,
        command=lambda port: python(code, port),
        is_ready=lambda _, child: "ready" in child.recent_output(),
        announcement=lambda port: f"{name} is ready at {port}",
        start_timeout=30,
        stop_grace=30,
    )


def death_of(supervisor: Supervisor) -> ServerFailed:
    """The error for the child that exits soon."""
    deadline = time.monotonic() + 30
    while not (failure := supervisor.failed()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return failure


def test_each_is_announced_when_it_is_ready(supervisor: Supervisor) -> None:
    """Each is reported as soon as it is ready, independent of slower ones."""
    slow = program("slow", "import time; time.sleep(1); " + FOREVER)
    lines: list[str] = []
    for each in (slow, program("quick")):
        supervisor.start(each)
    supervisor.wait_ready(["slow", "quick"], lines.append)
    assert lines == ["quick is ready at 0", "slow is ready at 0"]
    assert supervisor.failed() is None


def test_a_program_leaves_the_processor_to_others(supervisor: Supervisor) -> None:
    """By as much as it says, relative to this process; other programs have its priority."""
    own = psutil.Process().nice()
    supervisor.start(replace(program("polite"), niceness=3))
    supervisor.start(program("other"))
    niceness = {name: psutil.Process(c.pid).nice() for name, c in supervisor.children.items()}
    assert niceness == {"polite": min(own + 3, 19), "other": own}


def test_a_child_that_ends_before_it_is_ready(supervisor: Supervisor) -> None:
    """The error has its name, process, status and output."""
    supervisor.start(program("beat", "print('no such database'); raise SystemExit(3)"))
    pid = supervisor.children["beat"].pid
    expected = rf"beat ended with status 3 \(process {pid}\); it wrote:\nno such database"
    with pytest.raises(ServerFailed, match=expected) as raised:
        supervisor.wait_ready(["beat"], print)
    assert raised.value.name == "beat"


def test_a_child_that_ends_while_another_starts(supervisor: Supervisor) -> None:
    """Waiting for one program detects the exit of every other."""
    supervisor.start(program("beat", "raise SystemExit(3)"))
    supervisor.start(program("worker", "import time; time.sleep(600)"))
    with pytest.raises(ServerFailed, match="beat ended with status 3"):
        supervisor.wait_ready(["worker"], print)


def test_a_child_that_does_not_get_ready(supervisor: Supervisor) -> None:
    """Waiting has a time limit."""
    beat = program("beat", "import time; print('looking', flush=True); time.sleep(600)")
    supervisor.start(replace(beat, start_timeout=0.5))
    with pytest.raises(ServerFailed, match=r"beat was not ready after 0\.5 s; it wrote:"):
        supervisor.wait_ready(["beat"], print)
    assert supervisor.children["beat"].returncode is None


def test_a_child_that_is_killed(supervisor: Supervisor) -> None:
    """The error names the signal."""
    supervisor.start(program("worker"))
    supervisor.wait_ready(["worker"], print)
    assert supervisor.failed() is None
    supervisor.children["worker"].kill()
    failure = death_of(supervisor)
    assert "worker ended by signal 9 (process " in str(failure)
    assert str(failure).endswith("it wrote:\nready")


def test_waiting_can_be_given_up() -> None:
    """Another thread cancels the waiting, and no program starts afterwards."""
    cancelled = Event()
    supervisor = Supervisor(cancelled=cancelled)
    try:
        supervisor.start(program("beat", "import time; time.sleep(600)"))
        Timer(0.2, cancelled.set).start()
        with pytest.raises(Cancelled):
            supervisor.wait_ready(["beat"], print)
        with pytest.raises(Cancelled):
            supervisor.start(program("worker"))
    finally:
        supervisor.stop()


def test_stopping_in_order(supervisor: Supervisor, tmp_path: Path) -> None:
    """The highest stage ends first; programs of one stage end together, each within its grace."""
    log = tmp_path / "order"
    code = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        "    time.sleep(0.5)\n"
        f"    open({str(log)!r}, 'a').write(NAME)\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
    )
    stopped: list[str] = []

    def ends_well(name: str, stage: int) -> Program:
        named = program(name, code.replace("NAME", repr(name)) + FOREVER)
        return replace(named, stage=stage, on_stopped=lambda: stopped.append(name))

    stubborn = replace(
        program("d", STUBBORN + FOREVER),
        stage=1,
        stop_grace=1.5,
        on_stopped=lambda: stopped.append("d"),
    )
    programs = [ends_well("a", 0), ends_well("b", 0), ends_well("c", 1), stubborn]
    for each in programs:
        supervisor.start(each)
    supervisor.wait_ready([each.name for each in programs], print)
    children = supervisor.children
    supervisor.stop()
    assert log.read_text() in {"cab", "cba"}
    assert stopped == ["c", "a", "b"]
    assert [children[name].returncode for name in "abcd"] == [0, 0, 0, -signal.SIGKILL]
    assert supervisor.children == {}
    supervisor.stop()


@pytest.fixture
def taken() -> Iterator[int]:
    """A port in use."""
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        yield other.getsockname()[1]


def listener(port: int) -> Program:
    """A server that ends if its port is taken."""

    def is_ready(port: int, child: ChildProcess) -> bool:
        connections = psutil.Process(child.pid).net_connections("tcp")
        return port in {getattr(connection.laddr, "port", None) for connection in connections}

    return replace(
        program("server", LISTEN), is_ready=is_ready, port=port, port_taken="Address already in use"
    )


def choosing(*ports: int) -> Callable[[int], int]:
    """A choice of ports that become used a moment later."""
    choices = iter(ports)
    return lambda _: next(choices)


def test_a_port_that_is_taken_in_the_last_moment(
    supervisor: Supervisor, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program is restarted on another port."""
    with socket.socket() as socket_:
        socket_.bind((LOOPBACK, 0))
        free = socket_.getsockname()[1]
    monkeypatch.setattr("ssc_ingest.embedded.ports.choose_port", choosing(taken, free))
    lines: list[str] = []
    supervisor.start(listener(taken))
    supervisor.wait_ready(["server"], lines.append)
    assert lines == [f"server is ready at {free}"]
    assert supervisor.port("server") == free


def test_ports_that_are_always_taken(
    supervisor: Supervisor, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After some ports it is an error."""
    monkeypatch.setattr("ssc_ingest.embedded.ports.choose_port", choosing(*[taken] * 3))
    supervisor.start(listener(taken))
    with pytest.raises(PortTaken, match="server: other programs took every chosen port"):
        supervisor.wait_ready(["server"], print)


def test_a_server_that_ends_once_it_was_ready(supervisor: Supervisor) -> None:
    """A server's clients know its port, so it is not restarted on another one."""
    code = "import signal, sys\nsignal.signal(signal.SIGUSR1, lambda *_: sys.exit('in use'))\n"
    server = replace(listener(0), port_taken="in use")
    supervisor.start(replace(server, command=lambda port: python(code + LISTEN, port)))
    supervisor.wait_ready(["server"], print)
    port = supervisor.port("server")
    os.kill(supervisor.children["server"].pid, signal.SIGUSR1)
    assert "server ended with status 1" in str(death_of(supervisor))
    assert supervisor.port("server") == port


def test_the_port_of_a_server_that_is_down(supervisor: Supervisor) -> None:
    """Another supervisor chooses another one, and the server returns on its own."""
    lines: list[str] = []
    first, second = Supervisor(tell=lines.append), supervisor
    try:
        first.start(replace(listener(0), restarts=5))
        first.wait_ready(["server"], print)
        port = first.port("server")
        first.children["server"].kill()
        restarted(first, lines, 1)
        second.start(listener(port))
        second.wait_ready(["server"], print)
        assert second.port("server") != port
        restarted(first, lines, 2)
        assert lines[1].startswith("server works again")
        assert first.port("server") == port
    finally:
        first.stop()
    second.start(replace(listener(port), name="next"))
    assert second.port("next") == port


def test_another_program_takes_the_port_of_a_server_that_is_down(supervisor: Supervisor) -> None:
    """It is an error at once: the server's clients would use the data of a stranger."""
    supervisor.start(replace(listener(0), restarts=5))
    supervisor.wait_ready(["server"], print)
    port = supervisor.port("server")
    supervisor.children["server"].kill()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        supervisor.children["server"].wait(30)
        other.bind((LOOPBACK, port))
        other.listen()
        failure = death_of(supervisor)
    assert isinstance(failure, PortTaken)
    assert str(failure).startswith(f"another program took port {port} of server while server was")


def restarted(supervisor: Supervisor, lines: list[str], count: int) -> None:
    """Wait until so many lines were told, while the supervisor does its work."""
    deadline = time.monotonic() + 60
    while len(lines) < count:
        assert supervisor.failed() is None
        assert time.monotonic() < deadline, lines
        time.sleep(0.05)


def test_a_program_that_was_ready_is_started_again() -> None:
    """It restarts on the same port after growing pauses; its last output lines are reported."""
    lines: list[str] = []
    supervisor = Supervisor(tell=lines.append)
    try:
        supervisor.start(replace(program("server", LISTEN), port=0, restarts=None))
        supervisor.wait_ready(["server"], print)
        port = supervisor.port("server")
        for number in (1, 2):
            supervisor.children["server"].kill()
            restarted(supervisor, lines, 2 * number)
        assert supervisor.port("server") == port
        assert "server ended by signal 9" in lines[0]
        assert lines[0].endswith("ready\nserver starts again in 0.5 s")
        assert lines[2].endswith("server starts again in 1 s")
        assert lines[1].startswith("server works again")
    finally:
        supervisor.stop()


def test_a_program_is_not_started_again_for_ever() -> None:
    """After so many restarts in a row the whole ends, with the last end as the cause."""
    lines: list[str] = []
    supervisor = Supervisor(tell=lines.append)
    try:
        supervisor.start(replace(program("worker"), restarts=1))
        supervisor.wait_ready(["worker"], print)
        supervisor.children["worker"].kill()
        restarted(supervisor, lines, 2)
        supervisor.children["worker"].kill()
        assert "worker ended by signal 9" in str(death_of(supervisor))
    finally:
        supervisor.stop()


def test_a_wrong_configuration_is_not_tried_again(supervisor: Supervisor) -> None:
    """Status 78 means that it would end so again."""
    code = "import time; print('ready', flush=True); time.sleep(0.5); raise SystemExit(78)"
    supervisor.start(replace(program("worker", code), restarts=None))
    supervisor.wait_ready(["worker"], print)
    assert "worker ended with status 78" in str(death_of(supervisor))


@pytest.mark.parametrize("every", [0.2, 60.0])
def test_a_stop_tells_what_it_waits_for(monkeypatch: pytest.MonkeyPatch, every: float) -> None:
    """Once after a moment, then rarely: the programs that still run, and how long they may."""
    monkeypatch.setattr("ssc_ingest.embedded.supervisor.TELL_AFTER", 0.1)
    monkeypatch.setattr("ssc_ingest.embedded.supervisor.TELL_EVERY", every)
    told: list[tuple[list[str], float]] = []
    supervisor = Supervisor()
    for name in ("worker", "control"):
        supervisor.start(replace(program(name, STUBBORN + FOREVER), stop_grace=2))
    supervisor.wait_ready(["worker", "control"], print)
    supervisor.stop(lambda names, seconds: told.append((list(names), seconds)))
    assert (len(told) == 1) is (every == 60)
    assert all(names == ["worker", "control"] for names, _ in told)
    seconds = [left for _, left in told]
    assert seconds == sorted(seconds, reverse=True)
    assert all(0 <= left <= 2 for left in seconds)
