"""Syncs OSV's advisories to MongoDB, and attributes them to versions in the graph."""
