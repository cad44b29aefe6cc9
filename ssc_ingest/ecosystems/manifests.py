"""Entries of projects' manifests that name no package of a registry.

Other services read manifests and request every entry, also those that stand for something else:
an option of the installer, a path, an address, a property of a build.
"""

import re

from ssc_ingest.errors import InvalidName

MAX_SHOWN = 100
"""Characters of a text that an error repeats."""

_ADDRESS = re.compile(
    r"(?:[a-z][a-z0-9+.-]*:)?//|git@|git\+|(?:file|link|portal|path):|\.{0,2}/|[a-z]:\\",
    re.IGNORECASE,
)
_PROPERTY = re.compile(r"\$\{[^}]*\}?|\$\([^)]*\)?|\{\{")
# "npm:" is a protocol, too, whose target is a package of the registry.
_PROTOCOL = re.compile(
    r"(?:@\s*)?(file|link|portal|path|workspace|patch|exec|git|git\+[a-z]+|https?|ssh|github|gitlab|"
    r"bitbucket|gist):",
    re.IGNORECASE,
)


def check_name(name: str) -> None:
    """Refuse a name that stands for something else.

    Raises:
        InvalidName: the text says for what.
    """
    shown = _shown(name)
    if not name:
        raise InvalidName("the name is empty")
    if name.startswith("-"):
        raise InvalidName(f"{shown} is an option of an installer, not a package")
    if _PROPERTY.search(name):
        raise InvalidName(f"{shown} contains a property that was not resolved")
    if _ADDRESS.match(name):
        raise InvalidName(f"{shown} is an address or a path, not a package of the registry")


def check_constraints(name: str, constraints: str) -> None:
    """Refuse a range that says that the package does not come from the registry.

    Raises:
        InvalidName: the text says where it comes from.
    """
    if match := _PROTOCOL.match(constraints):
        raise InvalidName(
            f"{_shown(name)} does not come from the registry: its constraints are "
            f"{_shown(constraints)} ({match[1].lower()})"
        )


def _shown(text: str) -> str:
    return repr(text) if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]!r}..."
