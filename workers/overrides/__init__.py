"""Our changes to Celery and kombu, one module per part, with the reasons."""
