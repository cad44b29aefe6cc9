"""The fleet: all code that depends on Celery.

``celery -A workers worker|beat|flower|call|inspect`` find the application here.
"""

from workers.overrides.imports import import_without_unused

import_without_unused()

from workers.app import app as celery  # noqa: E402 - the libraries come first

__all__ = ["celery"]
