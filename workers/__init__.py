"""The fleet: everything that knows Celery, and nothing that does not need to.

``celery -A workers worker|beat|flower|call|inspect`` find the application here.
"""

from workers.app import app as celery

__all__ = ["celery"]
