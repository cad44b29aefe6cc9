"""The fleet: all code that depends on Celery.

``celery -A workers worker|beat|flower|call|inspect`` find the application here.
"""

import atexit
import gc

from workers.overrides.imports import import_without_unused

COLLECT_EVERY = 150_000
"""New objects after which Python looks for garbage while modules are imported, whose objects all
stay: by default it does so hundreds of times."""

_usual = gc.get_threshold()
gc.set_threshold(COLLECT_EVERY)

import_without_unused()

from workers.app import app as celery  # noqa: E402 - the libraries come first

gc.set_threshold(*_usual)

# Beat, Flower and `celery call` end sooner: Python would search all objects once more for garbage.
atexit.register(gc.freeze)

__all__ = ["celery"]
