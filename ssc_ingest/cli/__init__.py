"""The command line, ``ssc-ingest``: one module per command or group of commands.

Functions import what they need when they run (database clients, parsers), so that ``--help``
answers at once. :mod:`.output` prints everything for people; :mod:`.exit_codes` decides how a
command ends.
"""


def main() -> None:
    """Run the command that the arguments name and exit with its code."""
    from ssc_ingest.cli.program import program

    program()


__all__ = ["main"]
