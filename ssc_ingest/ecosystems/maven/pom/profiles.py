"""The active profiles of a POM: on Linux, and on every supported JDK.

A profile is active if all conditions of its ``activation`` hold on each of the JDKs 11, 17, 21 and
25 (:data:`JDKS`). Without such a profile, those with ``activeByDefault`` are active.
https://maven.apache.org/guides/introduction/introduction-to-profiles.html

``jdk``
    A range (``[9,)``), or the beginning of a version (``1.8``, ``!1.8``).
``os``
    Linux, family ``unix``, architecture ``amd64``; ``!`` negates. No named version matches.
``property``
    Only those of :data:`PLATFORM` and ``java.version`` are set. ``!`` before the name requires its
    absence. If there is a value, ``!`` before the name has no effect, and ``!`` before the value
    negates.
``file``
    No file exists. A condition with a relative path never holds, because there is no project
    folder.

The evaluation follows ``org.apache.maven.model.profile.activation``, including its mistakes.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from lxml import etree

from ssc_ingest.ecosystems.maven.xml import child, children, text

JDKS = ("11.0.29", "17.0.17", "21.0.9", "25.0.1")
"""A release of each JDK with long-term support."""

PLATFORM = {"os.name": "Linux", "os.arch": "amd64", "file.separator": "/", "path.separator": ":"}
"""System properties that are the same on every JDK."""

_FAMILIES = frozenset(
    {"windows", "win9x", "dos", "mac", "os/2", "netware", "tandem", "z/os", "os/400", "openvms"}
)
"""Families of other systems; any other text means systems whose names contain it."""

_PROPERTY = re.compile(r"\$\{([^${}]+)\}")
_NUMBER = re.compile(r"[0-9]{1,9}")
_HIGHEST = "99999999"


def active_profiles(root: etree._Element, properties: Mapping[str, str]) -> list[etree._Element]:
    """The active profiles of a POM in their order; ``properties`` are the POM's own."""
    profiles = children(root, "profiles", "profile")
    return [p for p in profiles if all(_is_active(p, jdk, properties) for jdk in JDKS)] or [
        p for p in profiles if text(p, "activation", "activeByDefault").lower() == "true"
    ]


def _is_active(profile: etree._Element, jdk: str, properties: Mapping[str, str]) -> bool:
    activation = child(profile, "activation")
    system = PLATFORM | {"java.version": jdk, "java.specification.version": jdk[:2]}
    results = []
    if child(activation, "jdk") is not None:
        results.append(_fits_jdk(text(activation, "jdk"), jdk))
    if (os := child(activation, "os")) is not None:
        results.append(_fits_os(os))
    if (condition := child(activation, "property")) is not None:
        results.append(_fits_property(condition, system))
    if (file := child(activation, "file")) is not None:
        known = {**properties, **system, "java.home": "/usr/lib/jvm", "user.home": "/root"}
        results.append(_fits_file(file, known))
    return bool(results) and all(results)


def _fits_jdk(condition: str, jdk: str) -> bool:
    if condition.startswith("!"):
        return not jdk.startswith(condition[1:])
    if not condition.startswith(("[", "(")):
        return jdk.startswith(condition)
    lower, upper, *_ = [*_bounds(condition), _Bound(_HIGHEST, closed=False)]
    try:
        above = _compared(jdk, lower, -1)
        return above == 0 or (above > 0 and _compared(jdk, upper, 1) <= 0)
    except ValueError:
        return False


class _Bound(NamedTuple):
    version: str
    closed: bool


def _bounds(condition: str) -> list[_Bound]:
    """The bounds of a text that looks like a range."""
    found = []
    for part in condition.rstrip(",").split(","):
        if part.startswith(("[", "(")):
            found.append(_Bound(part.replace(part[0], "").strip(), part[0] == "["))
        elif part.endswith(("]", ")")):
            found.append(_Bound(part.replace(part[-1], "").strip(), part[-1] == "]"))
        elif not part:
            found.append(_Bound("", closed=False))
    return found


def _compared(jdk: str, bound: _Bound, outside: int) -> int:
    """Compare: -1, 0 or 1; ``outside`` is the result for a version equal to an open bound.

    Raises:
        ValueError: a part of the bound that decides is not a number.
    """
    if not bound.version:
        return -outside
    parts = [*bound.version.rstrip(".").split("."), "0", "0", "0"]
    for mine, theirs in zip([*jdk.split("."), "0", "0"][:3], parts, strict=False):
        if not _NUMBER.fullmatch(theirs):
            raise ValueError(theirs)
        if int(mine) != int(theirs):
            return 1 if int(mine) > int(theirs) else -1
    return 0 if bound.closed else outside


def _fits_os(condition: etree._Element) -> bool:
    results = []
    for name in ("family", "name", "arch", "version"):
        if child(condition, name) is not None:
            given = text(condition, name)
            value = given.removeprefix("!").lower()
            results.append(_has(name, value) != given.startswith("!"))
    return bool(results) and all(results)


def _has(name: str, value: str) -> bool:
    if name == "family":
        return value == "unix" or (value not in _FAMILIES and value in PLATFORM["os.name"].lower())
    return name != "version" and value == PLATFORM[f"os.{name}"].lower()


def _fits_property(condition: etree._Element, system: Mapping[str, str]) -> bool:
    name, value = text(condition, "name"), text(condition, "value")
    actual = system.get(name.removeprefix("!"))
    if not name.removeprefix("!"):
        return False
    if value:
        return (actual == value.removeprefix("!")) != value.startswith("!")
    return bool(actual) != name.startswith("!")


def _fits_file(condition: etree._Element, known: Mapping[str, str]) -> bool:
    if text(condition, "exists"):
        return False
    missing = text(condition, "missing")
    path = _PROPERTY.sub(lambda found: known.get(found[1], found[0]), missing)
    return path.startswith("/") and "${basedir}" not in path
