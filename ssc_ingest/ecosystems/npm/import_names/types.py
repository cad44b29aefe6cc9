"""Packages of types: which modules they describe or declare.

``@types/react`` describes ``react``, ``@types/babel__core`` describes ``@babel/core``. A file
without ``import`` or ``export`` at its top level is not a module; instead, the modules that it
declares can be imported (``declare module "fs"`` in ``@types/node``). In a module,
``declare module`` adds to another package; one without exports only adds, and is not imported.

https://www.typescriptlang.org/docs/handbook/modules/reference.html#ambient-modules
"""

import re
from collections.abc import Iterator

SCOPE = "@types/"

_MODULE = re.compile(rb"^(?:import|export)\b", re.MULTILINE)
_EXPORT = re.compile(rb"^export\b(?!\s*\{\s*\})", re.MULTILINE)
_DECLARED = re.compile(
    rb"""^[ \t]*declare[ \t]+module[ \t]+["']([^"'*\s]{1,214})["']""", re.MULTILINE
)


def is_types(package: str) -> bool:
    """Whether the package has types of another one."""
    return package.startswith(SCOPE)


def described_package(package: str) -> str:
    """The package that a program imports: itself, or the one whose types it has."""
    if not is_types(package):
        return package
    scope, is_scoped, name = package.removeprefix(SCOPE).partition("__")
    return f"@{scope}/{name}" if is_scoped else scope


def declared_modules(content: bytes) -> set[str] | None:
    """The modules that a file of declarations declares; ``None`` if it is a module with exports."""
    text = b"".join(_outside_comments(content))
    if _EXPORT.search(text):
        return None
    if _MODULE.search(text):
        return set()
    return {name.decode(errors="replace") for name in _DECLARED.findall(text)}


def _outside_comments(content: bytes) -> Iterator[bytes]:
    """The parts outside ``/* */``; a regular expression would search each start to the end."""
    place = 0
    while (start := content.find(b"/*", place)) >= 0:
        yield content[place:start]
        end = content.find(b"*/", start + 2)
        if end < 0:
            return
        place = end + 2
    yield content[place:]
