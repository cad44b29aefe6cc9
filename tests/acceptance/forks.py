"""Workers and commands that do not import the program again.

Both import for a second or more and do little else until they are ready, and the tests start
hundreds. A server process imports once, and each of them is a fork of it: a process of its own,
with its own settings, connections, threads, output and signals. (Other tests start programs from
nothing: the processes of ``ssc-ingest up``, those of plug-ins, of clocks, of setup, and of Ctrl-C.)
"""

import gc
import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from multiprocessing import forkserver
from pathlib import Path
from subprocess import STDOUT, CompletedProcess, Popen
from tempfile import TemporaryDirectory
from unittest import mock

ROOT = Path(__file__).parents[2]

PRELOADED = [
    *("celery.bin.celery", "celery.apps.worker", "celery.apps.beat", "uvicorn"),
    *(
        ".".join(module.relative_to(ROOT).with_suffix("").parts)
        for package in ("ssc_ingest/cli", "ssc_ingest/ecosystems", "ssc_ingest/web", "workers")
        for module in ROOT.joinpath(package).rglob("[!_]*.py")
    ),
]
"""What workers and commands import. It neither reads settings nor starts threads."""

PROGRAMS = {"celery": "celery.__main__", "ssc-ingest": "ssc_ingest.cli"}
"""The modules with the function ``main`` of each program."""

OF_THE_SERVER = {"PYTHONWARNINGS": "ignore", "OPENBLAS_NUM_THREADS": "1"}
"""Only a process without threads forks safely."""


class Fork:
    """A program in a fork; it has the methods of :class:`subprocess.Popen`."""

    def __init__(
        self,
        program: str,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        output: Path,
        errors: Path | None = None,
        group: int | None = None,
    ) -> None:
        """Start the process.

        Args:
            program: a key of :data:`PROGRAMS`.
            arguments: those of the program.
            environment: all of its environment.
            folder: working directory.
            output: the file to which standard output is appended.
            errors: the file to which standard error is appended; ``output`` by default.
            group: the process group; that of the tests by default.
        """
        outputs = (output, errors or output)
        for file in outputs:
            file.touch()
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        with mock.patch.dict(os.environ, OF_THE_SERVER):
            forkserver.ensure_running()
        self._process = context.Process(
            target=_run,
            args=([program, *arguments], dict(environment), folder, outputs, group),
            daemon=True,
        )
        self._process.start()

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """The exit status (negative: the signal), ``None`` while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; returns the exit status."""
        self._process.join(timeout)
        status = self.poll()
        assert status is not None, f"it runs after {timeout} s"
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """``kill -9``."""
        self.send_signal(signal.SIGKILL)


AT_START = ("PYTHONPATH", "LD_PRELOAD")
"""Variables that only the start of a program reads; a fork would ignore them."""


def start(
    program: str,
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
    output: Path,
    group: int | None = None,
    forks: bool = True,
) -> "Fork | Popen[bytes]":
    """Start a program: as a fork, unless its environment demands a program from nothing.

    Args:
        program: a key of :data:`PROGRAMS`.
        arguments: those of the program.
        environment: all of its environment.
        folder: working directory.
        output: the file to which all output is appended.
        group: the process group; that of the tests by default.
        forks: whether a fork will do; it has imported what the tests have.
    """
    if forks and all(environment.get(name) == os.environ.get(name) for name in AT_START):
        return Fork(
            program,
            arguments,
            environment=environment,
            folder=folder,
            output=output,
            group=group,
        )
    with output.open("ab") as written:
        return Popen(
            [sys.executable, "-m", PROGRAMS[program].removesuffix(".__main__"), *arguments],
            env=environment,
            stdout=written,
            stderr=STDOUT,
            cwd=folder,
            process_group=group,
        )


def run_forked(
    *arguments: str,
    program: str = "ssc-ingest",
    environment: Mapping[str, str],
    folder: Path,
    timeout: float,
) -> CompletedProcess[str]:
    """Run a program to its end: ``ssc-ingest ARGUMENTS``, by default."""
    with TemporaryDirectory() as written:
        output, errors = Path(written, "output"), Path(written, "errors")
        fork = Fork(
            program,
            arguments,
            environment=environment,
            folder=folder,
            output=output,
            errors=errors,
        )
        try:
            status = fork.wait(timeout)
        finally:
            fork.kill()
        return CompletedProcess(arguments, status, output.read_text(), errors.read_text())


def _run(
    command: list[str],
    environment: dict[str, str],
    folder: Path,
    outputs: tuple[Path, Path],
    group: int | None,
) -> None:
    if group is not None:
        os.setpgid(0, group)
    nothing = os.open(os.devnull, os.O_RDONLY)
    output, errors = (os.open(file, os.O_WRONLY | os.O_APPEND) for file in outputs)
    for source, target in ((nothing, 0), (output, 1), (errors, 2)):
        os.dup2(source, target)
        os.close(source)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    plug_ins = environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [str(folder), *filter(None, plug_ins)]
    sys.argv = command
    gc.freeze()  # what the server has imported is not garbage
    warnings.simplefilter("ignore")
    import_module(PROGRAMS[command[0]]).main()
