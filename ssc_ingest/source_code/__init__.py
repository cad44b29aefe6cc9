"""Finds the names that source code defines; runs in a process of its own (:mod:`.isolated`)."""
