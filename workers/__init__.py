"""The fleet: all code that depends on Celery.

``celery -A workers worker|beat|flower|call|inspect`` find the application here.
"""

from workers.app import app as celery

__all__ = ["celery"]
