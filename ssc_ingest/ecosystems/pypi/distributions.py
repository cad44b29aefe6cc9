"""Finds the version of a file, and the file that represents a version.

The Simple API does not state a file's version, so it is parsed from the file's name. Today's names
are specified; older ones (eggs, Windows installers, RPMs, names with the project's old spelling)
are parsed if possible.

- https://packaging.python.org/specifications/binary-distribution-format/#file-name-convention
- https://packaging.python.org/specifications/source-distribution-format/#source-distribution-file-name
"""

import re
from collections.abc import Iterable

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from ssc_ingest.ecosystems.pypi.versions import parse_version

_SOURCE_SUFFIX = re.compile(r"\.(?:tar\.(?:gz|bz2|xz|z)|tgz|tbz|zip|tar)$", re.IGNORECASE)
# 1.0.win32-py2.7.exe, 1.0-1.noarch.rpm, 1.0.linux-x86_64.tar.gz, 1.0-static.win32-py2.4.exe
_BINARY_SUFFIX = re.compile(
    r"(?:-\d+\.(?:noarch|src|i\d86|x86_64)\.rpm"
    r"|[.-](?:win32|win-amd64|win-arm|linux|macosx|cygwin|mingw|static|py\d).*)$",
    re.IGNORECASE,
)
_PYTHON3 = re.compile(r"(?:py|cp)3(\d*)")
# Higher is better: pure, glibc, musl; all others are 0.
_PLATFORMS = {"any": 3, "linux": 2, "musllinux": 1} | dict.fromkeys(
    ("manylinux", "manylinux1", "manylinux2010", "manylinux2014"), 2
)


class VersionIndex:
    """Finds the version of a file among the versions of a project."""

    def __init__(self, project: str, versions: Iterable[str]) -> None:
        parts = map(re.escape, canonicalize_name(project).split("-"))
        self._prefix = re.compile("[-_.]+".join(parts) + "[-_]", re.IGNORECASE)
        self._by_text: dict[str, str] = {}
        self._by_version: dict[Version, str] = {}
        for version in versions:
            self.add(version)

    def add(self, version: str) -> None:
        """Add a version; the first of equal ones (``0.12.1`` and ``0.12.01``) counts."""
        self._by_text.setdefault(version.lower(), version)
        if parsed := parse_version(version):
            self._by_version.setdefault(parsed, version)

    def version_of(self, filename: str) -> str | None:
        """The version of a file, in the registry's spelling."""
        readings = self._readings(filename)
        for text in readings:
            if found := self._by_text.get(text.lower()):
                return found
        for text in readings:
            if (parsed := parse_version(text)) and (found := self._by_version.get(parsed)):
                return found
        return None

    def derive(self, filename: str) -> str | None:
        """The version of a file if the registry does not list the versions."""
        found = self.version_of(filename)
        if found is None:
            readings = self._readings(filename)
            found = next((t for t in readings if t.isprintable() and parse_version(t)), None)
            if found:
                self.add(found)
        return found

    def _readings(self, filename: str) -> list[str]:
        """Possible versions in a file name, most likely first."""
        match = self._prefix.match(filename)
        if match is None:
            return []
        rest = filename[match.end() :]
        if rest.lower().endswith((".whl", ".egg")):
            # "-" separates the parts, so a version has "_" instead.
            version = rest.removesuffix(rest[-4:]).partition("-")[0]
            return [version, version.replace("_", "-")]
        readings = [_SOURCE_SUFFIX.sub("", rest), _BINARY_SUFFIX.sub("", rest)]
        return list(dict.fromkeys(text for text in readings if text != rest))


def wheel_rank(filename: str) -> tuple[bool, int, int, str]:
    """Sort key for wheels: those for the newest CPython on Linux come first.

    The wheels of a release may differ in their requirements. Pure ones come before those for
    Linux, these before other platforms; then the newest Python; ties go by name.
    """
    try:
        _, _, _, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename:
        return (True, 0, 0, filename)
    pythons = [_PYTHON3.fullmatch(tag.interpreter) for tag in tags]
    newest = max((int(match[1] or 0) for match in pythons if match), default=-1)
    platform = max(_PLATFORMS.get(tag.platform.partition("_")[0], 0) for tag in tags)
    return (newest < 0, -platform, -newest, filename)
