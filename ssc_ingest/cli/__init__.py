"""The command line, ``ssc-ingest``: one module per command or group of commands.

:mod:`.loading` imports the module of the chosen command, and functions import database clients and
parsers when they run, so that a command starts fast.
:mod:`.output` prints everything for people; :mod:`.exit_codes` decides how a command ends.
"""

import atexit
import gc

COLLECT_EVERY = 150_000
"""New objects after which Python looks for garbage. By default it does so after 700, hundreds of
times while modules are imported, whose objects all stay: a tenth of the time of a start."""


def main() -> None:
    """Run the command that the arguments name and exit with its code."""
    gc.set_threshold(COLLECT_EVERY)
    # Python looks for garbage once more when it ends, among all objects that are not frozen: for a
    # short command that takes a quarter of its time.
    atexit.register(gc.freeze)
    from ssc_ingest.cli.program import program
    from ssc_ingest.cli.termination import orderly

    with orderly():
        program()


__all__ = ["main"]
