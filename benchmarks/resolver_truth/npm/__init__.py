"""npm: ``npm install --package-lock-only``."""

from benchmarks.resolver_truth.npm.resolver import Npm, lock

__all__ = ["Npm", "lock"]
