"""Lua scripts live in the folder ``lua`` of the package that runs them.

Each file begins with its purpose, its KEYS, its ARGV and its result.
"""

from importlib.resources import files


def load(name: str, package: str = "ssc_ingest.work") -> str:
    """The text of one script, by its name without ``.lua``."""
    return (files(package) / "lua" / f"{name}.lua").read_text(encoding="utf-8")
