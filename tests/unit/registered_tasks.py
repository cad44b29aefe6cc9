"""The tasks that a worker registers."""

import pytest

from workers.app import app

ADDRESSES = {
    "GRAPH_DB_URI": "bolt://localhost",
    "REDIS_URL": "redis://localhost",
    "VULN_DB_URI": "mongodb://localhost",
}
"""What the configuration needs; nothing is connected."""


def registered_tasks() -> set[str]:
    """The public names of all tasks, except Celery's own."""
    with pytest.MonkeyPatch.context() as environment:
        for name, address in ADDRESSES.items():
            environment.setenv(name, address)
        app.loader.import_default_modules()
        return {name for name in app.tasks if not name.startswith("celery.")}
