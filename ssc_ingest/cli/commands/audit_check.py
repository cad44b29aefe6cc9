"""The part of ``check`` about the last audit of the attribution of advisories."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from ssc_ingest.cli import output
from ssc_ingest.cli.checking import Check, ok, warning

if TYPE_CHECKING:
    from ssc_ingest.servers import Servers
    from ssc_ingest.settings import Settings


async def check_audit(settings: "Settings", servers: "Servers") -> AsyncIterator[Check]:
    """The result of the last audit; nothing if Redis does not respond."""
    from ssc_ingest.cli.connections import state_store
    from ssc_ingest.errors import ConfigurationError, StoreUnavailable
    from ssc_ingest.models import now
    from ssc_ingest.monitoring.advisories import AUDIT, audit_problem
    from ssc_ingest.vulnerabilities.audit import last_audit

    try:
        async with state_store(settings, servers) as state:
            last = await last_audit(state.redis)
    except (StoreUnavailable, ConfigurationError):
        return  # the check of Redis says so
    if problem := audit_problem(last, now=now()):
        yield warning(problem.subject, problem.finding, problem.remedy)
    elif last:
        yield ok(
            AUDIT,
            f"none of {output.count(last.examined, 'package')} differed from its advisories "
            f"{output.age(last.at)} (at most {last.bound:.2%} of all do)",
        )
