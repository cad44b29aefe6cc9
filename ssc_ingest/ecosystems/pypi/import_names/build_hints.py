"""The places of modules in a source distribution, by its build files; nothing is executed.

- ``pyproject.toml``: the tables of setuptools, Poetry, Flit, Hatchling, PDM, uv and maturin;
- ``setup.cfg``: ``[options]`` of setuptools;
- ``setup.py``: only ``package_dir={"": "src"}``, found as text.
"""

import re
from collections.abc import Iterator
from configparser import ConfigParser
from configparser import Error as ConfigError
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from ssc_ingest.ecosystems.toml import parse_toml

MAX_HINTS = 1000
"""Maximum folders, and maximum names, that are used."""

MAX_LINES, MAX_LINE = 10_000, 1000
"""Maximum lines of ``setup.cfg``, and characters of one of them.

The standard library's parser takes the square of both: 370 seconds for 250 KB of blanks, in one
call that holds Python's global interpreter lock (GIL).
"""

_PACKAGE_DIR = re.compile(
    r"""package_dir\s{0,9}=\s{0,9}\{\s{0,99}["']{2}\s{0,9}:\s{0,9}["']([^"']{1,100})"""
)


@dataclass(frozen=True, slots=True)
class BuildHints:
    """The hints in the build files; empty fields are unknown."""

    folders: frozenset[str] = frozenset()
    """Folders that have the modules, such as ``src``; the project's own folder is ``""``."""
    roots: frozenset[str] = frozenset()
    """Top-level modules and packages, such as ``yaml`` or ``google``."""

    def __or__(self, other: "BuildHints") -> "BuildHints":
        return BuildHints(self.folders | other.folders, self.roots | other.roots)


def hints_of(path: str, content: bytes) -> BuildHints:
    """The hints in a build file; unreadable ones have none.

    Args:
        path: of the file inside the project's folder.
        content: of the file.
    """
    text = content.decode(errors="replace")
    match path.split("/"):
        case ["pyproject.toml"]:
            return _pyproject(text)
        case ["setup.cfg"]:
            return _setup_cfg(text)
        case ["setup.py"]:
            return _setup_py(text)
    return BuildHints()


def _hints(folders: Iterator[str], roots: Iterator[str]) -> BuildHints:
    return BuildHints(
        frozenset(filter(_is_inside, map(_cleaned, list(folders)[:MAX_HINTS]))),
        frozenset(root for root in list(roots)[:MAX_HINTS] if root.isidentifier()),
    )


def _cleaned(folder: str) -> str:
    return "/".join(part for part in PurePosixPath(folder).parts if part != ".")


def _is_inside(folder: str) -> bool:
    return not folder.startswith("/") and ".." not in folder.split("/")


def _pyproject(text: str) -> BuildHints:
    try:
        tool = _table(parse_toml(text), "tool")
    except ValueError:
        return BuildHints()
    return _hints(_pyproject_folders(tool), _pyproject_roots(tool))


def _pyproject_folders(tool: dict[str, Any]) -> Iterator[str]:
    setuptools = _table(tool, "setuptools")
    yield from _texts(_table(setuptools, "package-dir").get(""))
    yield from _texts(_table(setuptools, "packages", "find").get("where"))
    yield from _texts(_table(tool, "pdm", "build").get("package-dir"))
    yield from _texts(_table(tool, "maturin").get("python-source"))
    if uv := _table(tool, "uv", "build-backend"):
        yield from _texts(uv.get("module-root", "src"))
    for entry in _entries(_table(tool, "poetry").get("packages")):
        yield from _texts(entry.get("from", ""))
    for path in _texts(_table(tool, "hatch", "build", "targets", "wheel").get("packages")):
        yield path.rpartition("/")[0]


def _pyproject_roots(tool: dict[str, Any]) -> Iterator[str]:
    setuptools = _table(tool, "setuptools")
    names = [*_texts(setuptools.get("packages")), *_texts(setuptools.get("py-modules"))]
    names += _texts(_table(tool, "flit", "module").get("name"))
    names += _texts(_table(tool, "flit", "metadata").get("module"))
    names += _texts(_table(tool, "uv", "build-backend").get("module-name"))
    names += _texts(_table(tool, "maturin").get("module-name"))
    for name in names:
        yield name.partition(".")[0]
    for entry in _entries(_table(tool, "poetry").get("packages")):
        for path in _texts(entry.get("include")):
            yield path.partition("/")[0].removesuffix(".py")
    for path in _texts(_table(tool, "hatch", "build", "targets", "wheel").get("packages")):
        yield path.rpartition("/")[2]


def _setup_cfg(text: str) -> BuildHints:
    lines = text.split("\n")
    if len(lines) > MAX_LINES or max(map(len, lines)) > MAX_LINE:
        return BuildHints()
    config = ConfigParser(interpolation=None, strict=False)
    try:
        config.read_string(text)
    except (ConfigError, ValueError):
        return BuildHints()
    folders = config.get("options.packages.find", "where", fallback="").split()
    for line in config.get("options", "package_dir", fallback="").splitlines():
        package, is_assigned, folder = line.partition("=")
        if is_assigned and not package.strip():
            folders.append(folder.strip())
    names = [config.get("options", key, fallback="") for key in ("packages", "py_modules")]
    roots = (name.partition(".")[0] for name in re.split(r"[\s,]+", " ".join(names)))
    return _hints(iter(folders), roots)


def _setup_py(text: str) -> BuildHints:
    return _hints(iter(_PACKAGE_DIR.findall(text)), iter(()))


def _table(table: Any, *keys: str) -> dict[str, Any]:
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table if isinstance(table, dict) else {}


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [text for text in values if isinstance(text, str)]


def _entries(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
