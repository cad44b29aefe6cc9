"""The Celery tasks, one module per family; the library validates and decides."""
