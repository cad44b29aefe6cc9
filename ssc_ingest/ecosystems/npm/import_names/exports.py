"""Reads ``exports`` of a ``package.json``.

Every condition counts: a subpath that only ``browser`` or ``types`` has is imported by programs
that use this condition. ``null`` excludes a subpath.

https://nodejs.org/api/packages.html#package-entry-points,
https://nodejs.org/api/esm.html#resolution-algorithm-specification
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ssc_ingest.ecosystems.npm.import_names.files import is_module
from ssc_ingest.errors import ArchiveTooLarge

MAX_KEYS = 20_000
"""Maximum keys of ``exports``; larger packages have about two thousand."""

MAX_PATTERNS = 500
"""Maximum keys with ``*``."""

MAX_NAMES = 50_000
"""Maximum names of patterns."""

MAX_COMPARISONS = 20_000_000
"""Maximum comparisons of targets with files: some seconds."""

MAX_NESTING = 20

_MANIFEST = "./package.json"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A key with ``*`` and its targets; a key without targets excludes."""

    before: str
    after: str
    targets: tuple[str, ...]

    def star(self, subpath: str) -> str | None:
        """The text that ``*`` matches in a subpath."""
        return _star(subpath, self.before, self.after)


@dataclass(frozen=True, slots=True)
class Exports:
    """The subpaths of a package, as ``.`` or ``./sub/path``."""

    exact: frozenset[str]
    """Keys without ``*`` that have a target."""
    excluded: frozenset[str]
    """Keys without ``*`` that have none."""
    patterns: tuple[Pattern, ...]
    """The key that counts first is first."""

    @property
    def need_files(self) -> bool:
        """Whether names depend on the package's files."""
        return any(pattern.targets for pattern in self.patterns)

    def subpaths(self, files: Iterable[str]) -> set[str]:
        """All subpaths of a package with these files (``./lib/a.js``).

        A pattern for files of any kind has those that are modules.

        Raises:
            ArchiveTooLarge: the package has more than :data:`MAX_NAMES` subpaths, or too many
                patterns for so many files.
        """
        found = set(self.exact)
        listed = sorted(files)
        if len(listed) * sum(len(each.targets) for each in self.patterns) > MAX_COMPARISONS:
            raise ArchiveTooLarge(f"too many patterns for {len(listed)} files")
        for pattern in self.patterns:
            for star in _stars(pattern, listed):
                subpath = f"{pattern.before}{star}{pattern.after}"
                if self._pattern_of(subpath) is pattern:
                    found.add(subpath)
            if len(found) > MAX_NAMES:
                raise ArchiveTooLarge(f"more than {MAX_NAMES} names")
        return found - {_MANIFEST}

    def _pattern_of(self, subpath: str) -> Pattern | None:
        """The pattern that counts for a subpath; ``None`` if a key without ``*`` does."""
        if subpath in self.exact or subpath in self.excluded:
            return None
        return next((each for each in self.patterns if each.star(subpath) is not None), None)


def parse_exports(value: Any) -> Exports | None:
    """Read the value of ``exports``; ``None`` if the package has none.

    A value that Node refuses exports nothing.

    Raises:
        ArchiveTooLarge: the value has too many keys.
    """
    if value is None:
        return None
    table = _table(value)
    if len(table) > MAX_KEYS or sum("*" in key for key in table) > MAX_PATTERNS:
        raise ArchiveTooLarge("exports has too many keys")
    exact: set[str] = set()
    excluded: set[str] = set()
    patterns: list[Pattern] = []
    for key, target in table.items():
        targets = tuple(dict.fromkeys(_targets(target)))
        if key.endswith("/"):  # a folder, until Node 16
            patterns.append(Pattern(key, "", tuple(f"{t}*" for t in targets if t.endswith("/"))))
        elif key.count("*") == 1:
            before, _, after = key.partition("*")
            patterns.append(Pattern(before, after, targets))
        elif "*" not in key:
            (exact if targets else excluded).add(key)
    patterns.sort(key=lambda each: (-len(each.before), -len(each.after)))
    return Exports(frozenset(exact - {_MANIFEST}), frozenset(excluded), tuple(patterns))


def _table(value: Any) -> dict[str, Any]:
    """Targets by subpath; a value without subpaths is that of ``.``."""
    if not isinstance(value, dict):
        return {".": value}
    dotted = sum(key.startswith(".") for key in value)
    if not dotted:
        return {".": value} if value else {}
    if dotted < len(value):
        return {}  # Node refuses a mixture
    return {key: target for key, target in value.items() if key == "." or key.startswith("./")}


def _targets(value: Any, depth: int = 0) -> Iterator[str]:
    """The possible files of a target, in all its conditions."""
    if depth > MAX_NESTING:
        return
    if isinstance(value, str):
        if value.startswith("./") and not {"..", "node_modules"}.intersection(value.split("/")):
            yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _targets(each, depth + 1)


def _stars(pattern: Pattern, files: Iterable[str]) -> Iterator[str]:
    """The texts that ``*`` can match, given the package's files."""
    for target in pattern.targets:
        count = target.count("*")
        if not count:
            continue  # one file for all subpaths; nobody lists them
        before, _, after = target.partition("*")
        is_any = "." not in after.rpartition("/")[2]
        for file in files:
            length, rest = divmod(len(file) - len(target) + count, count)
            if rest or length < 1 or not file.startswith(before):
                continue
            star = file[len(before) : len(before) + length]
            if target.replace("*", star) == file and (not is_any or is_module(file)):
                yield star


def _star(text: str, before: str, after: str) -> str | None:
    if len(text) <= len(before) + len(after):
        return None
    if text.startswith(before) and text.endswith(after):
        return text[len(before) : len(text) - len(after)]
    return None
