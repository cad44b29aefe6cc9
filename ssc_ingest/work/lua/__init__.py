"""Lua scripts live in the folder ``lua`` of the package that runs them.

Each file begins with its purpose, its KEYS, its ARGV and its result. What several scripts call is a
file of local functions here, such as ``entry_ids.lua``; a script has it in front of its own text.
"""

from importlib.resources import files


def load(name: str, package: str = "ssc_ingest.work", *, after: tuple[str, ...] = ()) -> str:
    """The text of one script, by its name without ``.lua``.

    Args:
        name: the script.
        package: the package that runs it.
        after: the files of functions that it calls.
    """
    functions = [files(__package__) / f"{shared}.lua" for shared in after]
    script = files(package) / "lua" / f"{name}.lua"
    return "".join(file.read_text(encoding="utf-8") for file in [*functions, script])
