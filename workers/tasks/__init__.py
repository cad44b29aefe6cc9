"""The Celery tasks, one family a module: they validate nothing and decide nothing themselves."""
