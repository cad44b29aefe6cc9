"""Child processes that cannot outlive their parent."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from ssc_ingest.embedded import ProcessGroup, ServerFailed

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]

# Starts a child that starts a grandchild, says so, and waits to be killed.
PARENT = """
import sys, time
from ssc_ingest.embedded import ProcessGroup

with ProcessGroup() as group:
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    spawn = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    group.start("child", [sys.executable, "-c", spawn, *sleep])
    print(group.id, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def group() -> Iterator[ProcessGroup]:
    """A group that is closed after the test."""
    with ProcessGroup() as group:
        yield group


def python(code: str) -> list[str]:
    """The command that runs Python code."""
    return [sys.executable, "-u", "-c", code]


def members(group: int) -> list[int]:
    """The living processes of a process group."""
    found = []
    for process in psutil.process_iter(["status"]):
        try:
            same = os.getpgid(process.pid) == group
        except ProcessLookupError:
            continue
        if same and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds, for at most half a minute."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def wait_until_gone(group: int, *, seconds: float) -> list[int]:
    """Wait until the group is empty; returns the members that are left at the time limit."""
    deadline = time.monotonic() + seconds
    while (left := members(group)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def test_output_arrives_line_by_line(group: ProcessGroup) -> None:
    """Both output streams reach the callback, line by line, with any bytes."""
    lines: list[str] = []
    code = r"import os; os.write(1, b'one\n'); os.write(2, b'two \xff\nthree')"
    child = group.start("child", python(code), on_line=lines.append)
    assert child.wait(120)
    assert child.recent_output() == "one\ntwo �\nthree"
    assert lines == ["one", "two �", "three"]


@pytest.mark.parametrize("error", [OSError("no space left"), SystemExit(1)], ids=["disk", "pipe"])
def test_output_that_cannot_be_passed_on(group: ProcessGroup, error: BaseException) -> None:
    """A full disk or a closed terminal does not close the child's pipe."""

    def fail(_: str) -> None:
        raise error

    code = "import sys\nfor n in range(9): print(n, flush=True)"
    child = group.start("child", python(code), on_line=fail)
    assert child.wait(120)
    assert child.recent_output() == "\n".join(map(str, range(9)))


def test_program_that_does_not_exist(group: ProcessGroup, tmp_path: Path) -> None:
    """A program that cannot be started is an error with the child's name."""
    with pytest.raises(ServerFailed, match="beat cannot be started"):
        group.start("beat", [str(tmp_path / "absent")])


def test_stop_asks_first(group: ProcessGroup) -> None:
    """A child that handles SIGTERM is not killed."""
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "print('ready')\n"
        "time.sleep(600)"
    )
    child = group.start("child", python(code))
    wait_until(lambda: "ready" in child.recent_output())
    assert child.stop(grace=30)
    assert child.returncode == 7
    assert child.stop(grace=30), "stopping twice does no harm"


def test_stop_kills_a_child_that_ignores_sigterm(group: ProcessGroup) -> None:
    """A child that ignores SIGTERM is killed after the grace."""
    code = (
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('ready')\n"
        "time.sleep(600)"
    )
    child = group.start("child", python(code))
    wait_until(lambda: "ready" in child.recent_output())
    assert not child.stop(grace=0.1)
    assert child.returncode == -signal.SIGKILL


def test_environment_and_folder(group: ProcessGroup, tmp_path: Path) -> None:
    """A child gets the given environment and working directory."""
    child = group.start(
        "child",
        python("import os; print(os.environ['ANSWER'], os.getcwd())"),
        environment={"ANSWER": "42"},
        folder=tmp_path,
    )
    assert child.wait(120)
    assert child.recent_output() == f"42 {tmp_path.resolve()}"


def test_close_ends_everything() -> None:
    """Closing a group ends all members, including grandchildren."""
    with ProcessGroup() as group:
        spawn = "import subprocess, sys; print('ready'); subprocess.run(sys.argv[1:])"
        child = group.start("child", [*python(spawn), *SLEEP])
        wait_until(lambda: len(members(group.id)) == 3)
    assert members(group.id) == []
    assert child.returncode == -signal.SIGKILL


def test_ctrl_c_reaches_the_parent_only() -> None:
    """The children are not in the terminal's foreground group; their parent stops them."""
    with ProcessGroup() as group:
        child = group.start("child", SLEEP)
        assert os.getpgid(child.pid) == group.id != os.getpgid(0)


def test_kill_of_the_parent_ends_everything() -> None:
    """Five seconds after a kill -9 of the parent no child and no grandchild is left."""
    with subprocess.Popen(python(PARENT), stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        group = int(parent.stdout.readline())
        wait_until(lambda: len(members(group)) == 3)
        parent.kill()
    assert wait_until_gone(group, seconds=5) == []


def test_children_hold_what_they_inherit(tmp_path: Path) -> None:
    """A descriptor that a group inherits stays open in its children, and in no other process."""
    with (tmp_path / "file").open("w") as file, ProcessGroup(inherit=[file.fileno()]) as group:
        code = f"import os; print(os.fstat({file.fileno()}).st_ino)"
        child = group.start("child", python(code))
        assert child.wait(120)
        assert child.recent_output() == str(os.fstat(file.fileno()).st_ino)
        assert subprocess.run(python(code), check=False, capture_output=True).returncode != 0
