"""Tasks that beat starts every few minutes do not fill Flower's list."""

from tests.unit.registered_tasks import registered_tasks
from workers.app import app
from workers.routing import HOUSEKEEPING


def test_housekeeping_sends_no_events() -> None:
    """All other tasks do."""
    assert registered_tasks() >= HOUSEKEEPING
    silent = {name for name in registered_tasks() if not app.tasks[name].send_events}
    assert silent == HOUSEKEEPING
