"""The choices of options are those of the program."""

from typing import get_args

from ssc_ingest.cli.commands.runs import RunKind, RunState
from ssc_ingest.runs.kinds import KINDS
from ssc_ingest.runs.model import State


def test_kinds_and_states_of_runs() -> None:
    """A new kind or state can be chosen."""
    assert set(RunKind) == KINDS.keys()
    assert set(RunState) == set(get_args(State))
