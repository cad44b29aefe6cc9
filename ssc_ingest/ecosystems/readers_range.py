"""The classes of univers by which the graph's readers evaluate constraints.

univers takes longer to import than the modules of a registry. So it is imported with the first
constraint that is evaluated, or the first version that a registry's module does not parse itself.
"""

from importlib import import_module
from typing import Any


class ReadersRange:
    """A class attribute: the class of univers with this name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, _: object, owner: type) -> Any:
        """The class; imports univers the first time."""
        return getattr(import_module("univers.version_range"), self._name)
