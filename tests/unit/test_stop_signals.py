"""Signals that stop a foreground process: the first one in order, a second one at once."""

import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from ssc_ingest.stop_signals import STOP_SIGNALS, StopSignals

COMMAND = """
import signal, time

from ssc_ingest.cli.termination import orderly

with orderly():
    try:
        print("works", flush=True)
        time.sleep(600)
    finally:
        signal.raise_signal(signal.SIGHUP)
        print("in order", flush=True)
"""


def sent(*numbers: signal.Signals, during: Callable[[StopSignals], object] = id) -> list[str]:
    """What happens when a process receives these signals."""
    happened: list[str] = []
    with StopSignals(lambda: happened.append("stop"), lambda: happened.append("hurry")) as signals:
        during(signals)
        for number in numbers:
            signal.raise_signal(number)
    return happened


@pytest.mark.parametrize("first", STOP_SIGNALS)
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_the_first_stops_and_the_second_hurries(
    hangups: list[int], first: signal.Signals, second: signal.Signals
) -> None:
    """Whichever they are; a third one hurries again."""
    assert sent(first, second, second) == ["stop", "hurry", "hurry"]


@pytest.mark.parametrize("first", STOP_SIGNALS)
def test_a_closed_terminal_does_not_hurry(hangups: list[int], first: signal.Signals) -> None:
    """The shell and the kernel both send SIGHUP, and nobody is there who waits."""
    assert sent(first, signal.SIGHUP) == ["stop"]
    assert sent(signal.SIGHUP, during=StopSignals.stopping) == []
    assert hangups == []


def test_it_stays_ignored_under_nohup(hangups: list[int]) -> None:
    """Such a process goes on; the handlers are as before afterwards."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert sent(signal.SIGHUP, signal.SIGTERM) == ["stop"]
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_ends_in_order(hangups: list[int], number: signal.Signals) -> None:
    """Although SIGHUP follows; then it ends by the first signal."""
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "works\n"
        process.send_signal(number)
        output, errors = process.communicate()
    assert (output, errors, process.returncode) == ("in order\n", "", -number)


def test_a_command_outlives_its_terminal_under_nohup(hangups: list[int]) -> None:
    """SIGHUP does not interrupt it; SIGTERM still does."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "works\n"
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert process.returncode == -signal.SIGTERM
