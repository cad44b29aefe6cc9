"""The specifiers of a package without ``exports``: those of its files.

Node's algorithm for ``require``, which bundlers share: the package's name is its ``main`` or
``index.js``; ``.js``, ``.json`` and ``.node`` may be left out; a folder is its ``index.js`` or the
``main`` of its own ``package.json``. A package without such files has those of its types
(``.d.ts``, or else ``.ts``).

Folders of tests and bundled packages are left out, and names with ``_`` at their start, which are
private by convention. So are settings of tools.

https://nodejs.org/api/modules.html#all-together
"""

import re
from collections.abc import Collection, Iterable, Iterator
from posixpath import normpath

OMITTED_ENDINGS = (".js", ".json", ".node")
"""Endings that ``require`` finds without being told."""

MODULE_ENDINGS = (*OMITTED_ENDINGS, ".cjs", ".mjs", ".jsx")

TYPE_ENDINGS = (".d.ts", ".d.mts", ".d.cts")

_TYPE_SOURCES = (".ts", ".tsx", ".mts", ".cts")
_LEFT_OUT = frozenset({"node_modules", "test", "tests", "__tests__"})
_SETTINGS = re.compile(
    r"(?:package|package-lock|npm-shrinkwrap|bower|component|composer|lerna|renovate|typedoc|nx"
    r"|tslint|[tj]sconfig[^/]*)\.json|(?:[^/]+\.config|gulpfile|gruntfile|karma\.conf)\.[cm]?js",
    re.IGNORECASE,
)


def is_module(path: str) -> bool:
    """Whether Node can load the file; ``package.json`` and the like are not modules."""
    path = path.removeprefix("./")
    if path.endswith("/package.json") or _SETTINGS.fullmatch(path):
        return False
    return path.endswith(MODULE_ENDINGS)


def is_left_out(path: str) -> bool:
    """Whether the file serves tests only, is private, or belongs to a bundled package."""
    return any(part in _LEFT_OUT or part.startswith(("_", ".")) for part in path.split("/"))


def file_subpaths(paths: Collection[str], entries: Iterable[str]) -> set[str]:
    """All subpaths of a package without ``exports``: ``.`` or ``./sub/path``.

    Args:
        paths: of its files, such as ``lib/a.js``.
        entries: values of ``main`` and similar fields.
    """
    paths = frozenset(paths)
    modules = [path for path in paths if is_module(path) and not is_left_out(path)]
    endings: tuple[str, ...] = OMITTED_ENDINGS
    if not any(not path.endswith(".json") for path in modules):
        modules += _types(path for path in paths if not is_left_out(path))
        endings = (*OMITTED_ENDINGS, *TYPE_ENDINGS, *_TYPE_SOURCES)
    found = {subpath for path in modules for subpath in _forms(path, endings)}
    folders = {folder for path in modules for folder in _folders(path)}
    found |= {f"./{folder}" for folder in folders if f"{folder}/package.json" in paths}
    if any(_is_entry(entry, paths) for entry in ("index", *entries)):
        found.add(".")
    else:
        found.discard(".")
    return found


def _types(paths: Iterable[str]) -> list[str]:
    """The declarations among the files, or else the sources in TypeScript."""
    sources = [path for path in paths if path.endswith(_TYPE_SOURCES)]
    return [path for path in sources if path.endswith(TYPE_ENDINGS)] or sources


def _forms(path: str, endings: tuple[str, ...]) -> Iterator[str]:
    """The subpaths of a file: with its ending, without it, and its folder."""
    if not path.endswith(TYPE_ENDINGS):  # TypeScript refuses to import "x.d.ts"
        yield f"./{path}"
    for ending in sorted(endings, key=len, reverse=True):
        if path.endswith(ending):
            stem = path.removesuffix(ending)
            yield f"./{stem}"
            folder, _, name = stem.rpartition("/")
            if name == "index":
                yield f"./{folder}" if folder else "."
            return


def _folders(path: str) -> Iterator[str]:
    """The folders around a file."""
    while path := path.rpartition("/")[0]:
        yield path


def _is_entry(entry: str, paths: frozenset[str]) -> bool:
    """Whether ``main`` leads to a file, as Node looks for it."""
    path = normpath(entry.lstrip("/")) if entry else "index"
    if path == ".":
        path = "index"
    endings = ("", *OMITTED_ENDINGS, *TYPE_ENDINGS, *_TYPE_SOURCES)
    return any(f"{path}{ending}" in paths for ending in endings) or any(
        f"{path}/index{ending}" in paths for ending in endings[1:]
    )
