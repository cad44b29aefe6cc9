"""The Lua scripts of the work queues. Each file begins with its KEYS, its ARGV and its answer."""

from importlib.resources import files


def load(name: str) -> str:
    """The text of one script, by its name without ``.lua``."""
    return (files(__name__) / f"{name}.lua").read_text(encoding="utf-8")
