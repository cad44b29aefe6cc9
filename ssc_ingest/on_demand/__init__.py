"""Packages on demand: jobs, their submission, and the stubs of requirement files."""
