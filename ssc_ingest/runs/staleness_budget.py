"""The daily number of requests of staleness runs, and how often they look at each package."""

from ssc_ingest.ecosystems.endpoints import Endpoints
from ssc_ingest.settings import Settings

DAY = 24 * 3600


def daily_budget(endpoints: Endpoints, settings: Settings) -> int:
    """Maximum number of requests of one ecosystem's daily staleness run."""
    return int(settings.staleness_budget * endpoints.main_rate * DAY)


def days_between_checks(packages: int, budget: int, settings: Settings) -> float | None:
    """Days until each of this number of packages has been read again; ``None``: never.

    An unchanged package costs one request.
    """
    if not budget:
        return None
    return max(settings.freshness_goal_days, packages / budget)
