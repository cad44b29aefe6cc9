"""The command line, ``ssc-ingest``: one module per group of commands.

A module's functions import what they need when they run (clients of databases, parsers), so
that ``--help`` answers at once. Everything a command prints for people goes through
:mod:`.output`; how a command ends is decided in :mod:`.exit_codes`.
"""


def main() -> None:
    """Run the command that the arguments name, and end the process with its exit code."""
    from ssc_ingest.cli.program import program

    program()


__all__ = ["main"]
