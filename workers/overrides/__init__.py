"""What the fleet changes in Celery and kombu, one module for each part, and why."""
