"""How much of a registry's rate goes into looking again at packages, and how often that is."""

from ssc_ingest.ecosystems.endpoints import Endpoints
from ssc_ingest.settings import Settings

DAY = 24 * 3600


def requests_a_day(endpoints: Endpoints, settings: Settings) -> int:
    """Requests that a day's staleness sweep of one ecosystem may send."""
    return int(settings.staleness_budget * endpoints.main_rate * DAY)


def days_between_looks(packages: int, requests: int, settings: Settings) -> float | None:
    """Days after which each of so many packages is looked at again; ``None``: never.

    A package that has not changed costs one request.
    """
    if not requests:
        return None
    return max(settings.freshness_goal_days, packages / requests)
