"""The problems of advisories and their syncs, for ``status`` and ``check``.

Without a sync, advisories are unknown, which must not look like none.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from ssc_ingest.monitoring.witnesses import Problem
from ssc_ingest.vulnerabilities.audit import AuditReport
from ssc_ingest.vulnerabilities.state import SyncState

SUBJECT = "advisories"

AUDIT = "attribution"

AUDIT_TOO_OLD = timedelta(days=3)
"""Age of the last audit that counts as a problem; the schedule audits every day."""

TOO_OLD = timedelta(hours=6)
"""Age of the last sync that counts as a problem; the schedule syncs every half an hour."""


def advisory_problems(
    states: Mapping[str, SyncState], ecosystems: Sequence[str], *, now: datetime
) -> Iterator[Problem]:
    """The problems of the syncs, by ecosystem; ``states`` has no state before the first sync."""
    never = [name for name in ecosystems if name not in states or not states[name].synced_at]
    if never:
        yield Problem(
            subject=SUBJECT,
            finding=f"not synced: {', '.join(never)}; their vulnerabilities are unknown",
            remedy="`ssc-ingest vulnerabilities sync`; the schedule vulnerabilities_sync does it",
        )
    for name in ecosystems:
        if name in states:
            yield from _of_ecosystem(name, states[name], now)


def _of_ecosystem(name: str, state: SyncState, now: datetime) -> Iterator[Problem]:
    if state.brake:
        yield Problem(
            subject=SUBJECT,
            finding=f"{name}: {state.brake}",
            remedy=f"if the source is right: `ssc-ingest vulnerabilities sync {name} --full "
            "--accept-removals`",
        )
    elif state.error:
        yield Problem(
            subject=SUBJECT,
            finding=f"{name}: the last sync failed: {state.error}",
            remedy="see OSV_URL and OSV_PATH; the schedule tries again",
        )
    if state.synced_at and now - state.synced_at > TOO_OLD:
        hours = (now - state.synced_at) / timedelta(hours=1)
        yield Problem(
            subject=SUBJECT,
            finding=f"{name}: last synced {hours:.0f} hours ago",
            remedy="`ssc-ingest schedules list`: is vulnerabilities_sync on, and does beat run?",
        )
    counts = state.counts
    if counts.unreadable or counts.partly_read:
        yield Problem(
            subject=SUBJECT,
            finding=f"{name}: {counts.unreadable} records could not be read, "
            f"{counts.partly_read} could not be evaluated in part",
            remedy="`ssc-ingest vulnerabilities status` names them",
        )


def audit_problem(last: AuditReport | None, *, now: datetime) -> Problem | None:
    """The problem of the last audit, or the problem that none has run."""
    schedule = "`ssc-ingest schedules list`: is vulnerabilities_audit on, and does beat run?"
    if last is None:
        return Problem(
            subject=AUDIT,
            finding="never audited: versions have not been compared with their advisories",
            remedy="`ssc-ingest vulnerabilities audit`; the schedule vulnerabilities_audit does it",
        )
    if last.differing:
        return Problem(
            subject=AUDIT,
            finding=f"{last.differing} of {last.examined} packages differed from their advisories "
            f"(at most {last.bound:.2%} of all)",
            remedy="the sweep attributes these again; `ssc-ingest vulnerabilities attribute "
            "ECOSYSTEM --all` repairs all, `vulnerabilities audit` looks again",
        )
    if last.unsynced:
        return Problem(
            subject=AUDIT,
            finding=f"the packages of {', '.join(last.unsynced)} were not compared, because their "
            "advisories were never synced",
            remedy="`ssc-ingest vulnerabilities sync`, then `ssc-ingest vulnerabilities audit`",
        )
    if now - last.at > AUDIT_TOO_OLD:
        days = (now - last.at) / timedelta(days=1)
        return Problem(subject=AUDIT, finding=f"last audited {days:.0f} days ago", remedy=schedule)
    return None
