"""The fleet: the code that needs Celery, and no other.

``celery -A workers worker|beat|flower|call|inspect`` find the application here.
"""

from workers.app import app as celery

__all__ = ["celery"]
