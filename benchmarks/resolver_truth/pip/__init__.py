"""pip: ``pip install --dry-run --report``, for the current Python and platform."""

from benchmarks.resolver_truth.pip.resolver import Pip
from benchmarks.resolver_truth.pip.tool import lock, pip_of

__all__ = ["Pip", "lock", "pip_of"]
