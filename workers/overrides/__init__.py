"""Our changes to Celery and kombu, a module for each part, with the reasons."""
