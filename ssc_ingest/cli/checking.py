"""The result of one check of ``check``."""

from dataclasses import dataclass
from enum import StrEnum

from ssc_ingest.cli.exit_codes import ExitCode


class Outcome(StrEnum):
    """The result of a check."""

    OK = "ok"
    WARNING = "warning"
    """It works, but needs attention."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check and its result."""

    subject: str
    outcome: Outcome
    finding: str
    remedy: str = ""
    """The suggested fix, if it is not ok."""
    exit_code: ExitCode = ExitCode.OK
    """What this result adds to the exit code of the command: 0 unless the check failed."""


def ok(subject: str, finding: str) -> Check:
    """A successful check."""
    return Check(subject=subject, outcome=Outcome.OK, finding=finding)


def warning(subject: str, finding: str, remedy: str) -> Check:
    """It works, but needs attention."""
    return Check(subject=subject, outcome=Outcome.WARNING, finding=finding, remedy=remedy)


def failed(subject: str, finding: str, remedy: str, exit_code: ExitCode = ExitCode.FAILED) -> Check:
    """A failed check."""
    return Check(
        subject=subject,
        outcome=Outcome.FAILED,
        finding=finding,
        remedy=remedy,
        exit_code=exit_code,
    )


def shown(uri: str) -> str:
    """An address without credentials."""
    from ssc_ingest.servers import without_credentials

    return without_credentials(uri)


def unreachable(subject: str, uri: str, error: Exception) -> Check:
    """A failed check of a server or registry at ``uri``; ``error`` is why.

    The remedy is that of ``subject`` in :data:`~ssc_ingest.cli.exit_codes.REMEDIES`.
    """
    from ssc_ingest.cli.exit_codes import REMEDIES
    from ssc_ingest.errors import ConfigurationError, StoreRefusesAccess

    if isinstance(error, StoreRefusesAccess):
        return failed(
            subject,
            f"{shown(uri)} refuses access: {error.reason}",
            error.remedy,
            ExitCode.CONFIGURATION,
        )
    refused = isinstance(error, ConfigurationError)
    return failed(
        subject,
        f"{shown(uri)}: {str(error) or type(error).__name__}",
        REMEDIES.get(subject, "check the network, and the proxy if there is one"),
        exit_code=ExitCode.CONFIGURATION if refused else ExitCode.UNAVAILABLE,
    )
