"""Packages on demand: jobs, how they are submitted, and requirement files without versions."""
