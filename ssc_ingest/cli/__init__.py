"""The command line, ``ssc-ingest``: one module per command or group of commands.

Functions import database clients and parsers when they run, so that ``--help`` is fast.
:mod:`.output` prints everything for people; :mod:`.exit_codes` decides how a command ends.
"""


def main() -> None:
    """Run the command that the arguments name and exit with its code."""
    from ssc_ingest.cli.program import program

    program()


__all__ = ["main"]
