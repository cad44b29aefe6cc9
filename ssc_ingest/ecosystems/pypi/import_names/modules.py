"""Finds the modules among the files below one folder of Python's search path.

The rules of CPython's finders (https://docs.python.org/3/reference/import.html, PEP 420), for files
that are not installed:

=============================  ====================================================================
``a/b.py``                     ``a``, ``a.b``; also ``.pyi`` and ``.pyc`` outside ``__pycache__``
``a/_x.abi3.so``               ``a._x``: an extension module, the name ends at the first dot
``a/lib_x.so``                 no module: a shared library, which extension modules load
``a-stubs/b.pyi``              ``a``, ``a.b``: what programs import that use these types (PEP 561)
``a/__main__.py``              no name: it is run, not imported
``a/tests/b.py``               no name: also ``test``, ``docs``, ``example`` and ``examples``
=============================  ====================================================================

The folder ``google`` of ``google/auth/__init__.py`` is shared by many projects, so its name says
nothing about one of them: a namespace package at the top has no name of its own. Those below it
have one, because ``from google.cloud import storage`` imports ``google.cloud.storage``.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ssc_ingest.errors import ArchiveTooLarge

Module = tuple[str, ...]
"""The parts of a module's name."""

LEFT_OUT = frozenset({"test", "tests", "docs", "example", "examples"})
"""Folders whose modules are not import names, except of a project with that name."""

MAX_DEPTH = 40
MAX_PATH = 1000
"""Maximum characters of a path; files with longer or deeper ones are ignored."""

MAX_NAMES = 100_000
"""Maximum modules of an archive; the largest have about ten thousand."""

_SOURCES = (".py", ".pyi", ".pyc")
_STUBS = "-stubs"
_EXTENSION = re.compile(r"([^.]+)(\.[^/]*)?\.(?:so|pyd)")
_SHARED_LIBRARY = re.compile(r"lib[^.]*\.so")
_SEPARATORS = re.compile(r"[-_.]+")


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Top-level packages that other projects extend."""

    extended: frozenset[str] = frozenset()
    """Their ``__init__.py`` has nothing but the call that makes them namespaces."""
    declared: frozenset[str] = frozenset()
    """The project's metadata says so; ignored for packages that have code."""


def import_names(
    files: Iterable[str], project: str, namespaces: Namespaces = Namespaces()
) -> set[str]:
    """The names of all modules among the files.

    Args:
        files: paths below the folder, with ``/``.
        project: the normalized name of the project that has the files.
        namespaces: the project's namespace packages that are known from other sources.

    Raises:
        ArchiveTooLarge: the files have more than :data:`MAX_NAMES` modules.
    """
    found = [read for path in files if (read := _read(path))]
    kept = [read for read in found if not _is_left_out(*read, project)]
    modules = {module for module, _ in kept or found}
    names = set(modules)
    for module in modules:
        names.update(module[:length] for length in range(1, len(module)))
        if len(names) > MAX_NAMES:
            raise ArchiveTooLarge(f"more than {MAX_NAMES} modules")
    inside = {module[0] for module, is_package in kept or found if _is_direct(module, is_package)}
    shared = {
        root
        for (root,) in (name for name in names if len(name) == 1)
        if _is_shared(
            root, project, namespaces, has_init=(root,) in modules, has_modules=root in inside
        )
    }
    return {".".join(name) for name in names if len(name) > 1 or name[0] not in shared}


def is_own(root: str, project: str) -> bool:
    """Whether a top-level module is called like its project, whatever the separators."""
    return _SEPARATORS.sub("", root).lower() == _SEPARATORS.sub("", project).lower()


def is_shared_by_name(root: str, project: str) -> bool:
    """Whether the project's name starts with the top-level package (``zope`` of zope-interface)."""
    first, *others = _SEPARATORS.split(project)
    return bool(others) and root.lower() == first.lower()


def roots_with_little_code(sizes: Iterable[tuple[str, int]], max_size: int) -> Iterator[str]:
    """Top-level packages that may be namespaces of the kind that has an ``__init__.py``.

    They have packages, no module of their own, and an ``__init__.py`` of at most ``max_size``
    bytes.

    Args:
        sizes: paths and sizes of files below the folder.
        max_size: in bytes.
    """
    small, others, parents = set(), set(), set()
    for path, size in sizes:
        if (read := _read(path)) is None:
            continue
        module, is_package = read
        if is_package and len(module) == 1 and size <= max_size:
            small.add(module[0])
        elif len(module) == 1 or _is_direct(*read):
            others.add(module[0])
        else:
            parents.add(module[0])
    yield from sorted((small & parents) - others)


def _read(path: str) -> tuple[Module, bool] | None:
    """The module of a file, and whether it is the ``__init__`` of a package."""
    if len(path) > MAX_PATH:
        return None
    *folders, filename = path.split("/")
    if len(folders) > MAX_DEPTH:
        return None
    name = _module_name(filename)
    if name is None or name == "__main__":
        return None
    if folders:
        folders[0] = folders[0].removesuffix(_STUBS)
    if not all(map(str.isidentifier, folders)) or "__pycache__" in folders:
        return None
    if name == "__init__":
        return (tuple(folders), True) if folders else None
    return (*folders, name), False


def _module_name(filename: str) -> str | None:
    for ending in _SOURCES:
        if filename.endswith(ending):
            name = filename.removesuffix(ending)
            break
    else:
        match = _EXTENSION.fullmatch(filename)
        if match is None or _SHARED_LIBRARY.fullmatch(filename):
            return None
        name = match[1]
    return name if name.isidentifier() else None


def _is_direct(module: Module, is_package: bool) -> bool:  # noqa: FBT001
    """Whether it is a module of a top-level package, not a package."""
    return len(module) == 2 and not is_package  # noqa: PLR2004


def _is_left_out(module: Module, is_package: bool, project: str) -> bool:  # noqa: FBT001
    folders = module if is_package else module[:-1]
    return any(
        part in LEFT_OUT and not (place == 0 and is_own(part, project))
        for place, part in enumerate(folders)
    )


def _is_shared(
    root: str, project: str, namespaces: Namespaces, *, has_init: bool, has_modules: bool
) -> bool:
    """Whether the name of a top-level package says nothing about the project.

    A folder without ``__init__.py`` is shared if the project's name starts with it (``azure`` of
    azure-core), or if it has folders only (``google`` of protobuf). Otherwise its author has
    forgotten the file.
    """
    if is_own(root, project):
        return False
    if has_init:
        return root in namespaces.extended
    return not has_modules or root in namespaces.declared or is_shared_by_name(root, project)
