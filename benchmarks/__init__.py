"""Measurements: rates, requests and statements per package, as ratios within one run.

``python -m benchmarks`` runs them all; see docs/performance.md for what they said.
"""
