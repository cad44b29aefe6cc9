"""The Java packages of an archive, by the paths of its members alone.

- Class files: https://docs.oracle.com/javase/specs/jls/se21/html/jls-7.html#jls-7.2
- Jars for several releases of Java: https://docs.oracle.com/en/java/javase/21/docs/specs/jar/jar.html
- ``BOOT-INF``: https://docs.spring.io/spring-boot/specification/executable-jar/nested-jars.html
- Kotlin libraries (``linkdata``): https://kotlinlang.org/docs/native-libraries.html
"""

import re
from collections.abc import Iterable
from itertools import groupby, takewhile

MAX_PACKAGE = 255
"""Maximum characters of a package's name. Real names have at most about 120."""

ROOT_SEGMENTS = 3
"""Minimum segments of a common parent (``com.google.common``); fewer (``com.google``) would also
match other projects."""

_PREFIX = re.compile(r"META-INF/versions/\d+/|(?:BOOT|WEB|APP)-INF/classes/")
_CLASS = re.compile(r"((?:(?!\d)[\w$]+/)+)((?!\d)[\w$]+)\.class")
_LINKDATA = re.compile(r"(?:^|/)linkdata/package_((?:[^\W\d]\w*\.)*[^\W\d]\w*)/")

Segments = tuple[str, ...]


def package_of(path: str) -> str | None:
    """The package of a class that other code can import; ``None`` for other members.

    Inner classes belong to their outer class, ``module-info`` and ``package-info`` are not classes,
    and a class without a package cannot be imported. The metadata of a Kotlin library, which
    a multiplatform jar has instead of classes, names its packages.
    """
    if path.endswith(".class"):
        inside = _PREFIX.match(path)
        if found := _CLASS.fullmatch(path, inside.end() if inside else 0):
            is_inner = "$" in found[2][1:]  # a leading one is a part of the name
            return None if is_inner else _checked(found[1][:-1].replace("/", "."))
    elif path.endswith(".knm") and (library := _LINKDATA.search(path)):
        return _checked(library[1])
    return None


def roots(packages: Iterable[str], group: str) -> frozenset[str]:
    """A short list of names that match, as prefixes, all packages and few of other artifacts.

    - A package with classes covers those below it: ``org.slf4j`` covers ``org.slf4j.spi``.
    - Packages of the project itself, which share the beginning of the ``group``, are joined to
      their common parent: guava's 18 packages are ``com.google.common`` and
      ``com.google.thirdparty``. But the group and its parents belong to all artifacts of the group:
      spring-core's packages are not ``org.springframework``.
    - Packages that a shaded jar copied from other projects are not joined:
      ``org.apache.commons.io`` and ``org.apache.commons.lang3`` are not ``org.apache.commons``.
    """
    uppermost: list[Segments] = []
    for package in sorted(tuple(package.split(".")) for package in packages):
        if not uppermost or not _is_inside(package, uppermost[-1]):
            uppermost.append(package)
    groups = tuple(group.split("."))
    own = [package for package in uppermost if _is_inside(package, groups[:2])]
    others = [package for package in uppermost if not _is_inside(package, groups[:2])]
    return frozenset(".".join(package) for package in (*_joined(own, groups), *others))


def _joined(packages: list[Segments], group: Segments) -> list[Segments]:
    """Join sorted packages, none of which is inside another."""
    if len(packages) < 2:  # noqa: PLR2004 - nothing to join
        return packages
    pairs = zip(packages[0], packages[-1], strict=False)  # sorted: those between share it, too
    common = tuple(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    if len(common) >= ROOT_SEGMENTS and not _is_inside(group, common):
        return [common]
    found: list[Segments] = []
    for head, below in groupby(packages, key=lambda package: package[: len(common) + 1]):
        is_root = len(head) == ROOT_SEGMENTS and not _is_inside(group, head)
        found += [head] if is_root else _joined(list(below), group)
    return found


def _is_inside(package: Segments, parent: Segments) -> bool:
    return package[: len(parent)] == parent


def _checked(package: str) -> str | None:
    return package if len(package) <= MAX_PACKAGE else None
